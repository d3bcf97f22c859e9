"""What the site's builder asks for while it builds."""

from __future__ import annotations

import os
import re
from contextlib import redirect_stdout, suppress
from io import StringIO

from clawdesk_storage.cli import main

__all__ = ["on_page_markdown"]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put in the place of `<!-- help: verify -->` what `clawdesk-storage verify --help` prints.

    Args:
        markdown: The page.
    """
    return re.sub(r"<!-- help:(.*?)-->", lambda found: _help(found[1].split()), markdown)


def _help(command: list[str]) -> str:
    os.environ["COLUMNS"] = "80"
    printed = StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main([*command, "--help"])
    return f"```text\n{printed.getvalue()}```"
