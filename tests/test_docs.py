"""The documentation does what it says: its code runs, and prints what is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from docs import anchors, generate, hooks
from tests.docs.pages import DOCS, Session, blocks, sessions

_PAGES = sorted(DOCS.rglob("*.md"))
_SESSIONS = [session for page in _PAGES for session in sessions(page)]
_FAILED = re.compile(r"^failed {2,}([A-Z]{3}-\d\d)", re.MULTILINE)


def test_the_contract_is_current() -> None:
    """`nox -s docs` writes it again."""
    assert generate.contract() == generate.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("session", _SESSIONS, ids=str)
def test_what_is_shown_is_what_is_printed(session: Session, tmp_path: Path) -> None:
    """Every command prints the lines that stand below it, and breaks exactly the laws shown."""
    for command, printed in session.run(tmp_path):
        assert _FAILED.findall("\n".join(command.printed)) == _FAILED.findall(printed), printed
        assert re.fullmatch(_pattern(command.printed), printed), printed


def _pattern(shown: Sequence[str]) -> str:
    """What fits the lines shown: `…` alone stands for any lines, within a line for any text."""
    texts = (".*".join(map(re.escape, line.split("…"))) for line in shown)
    return "".join("(?:.*\n)*?" if text == ".*" else f"{text}\n" for text in texts)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_every_file_shown_is_used(page: Path) -> None:
    """No block of Python stands there untried, apart from the laws' broken examples."""
    tried = [file for session in sessions(page) for file in session.files]
    shown = [block for block in blocks(page) if block.language == "python"]
    untried = [block.title or block.text for block in shown if block not in tried]
    assert untried == [] or page == generate.PAGE


def test_a_laws_anchor_is_its_number() -> None:
    """`contract/#ses-07` is a link that stays, whatever the law's title will be."""
    assert anchors.anchor("SES-07: pages make up the whole list", "-") == "ses-07"
    assert anchors.anchor("Read a failure", "-") == "read-a-failure"


def test_the_help_of_a_command_stands_in_the_page() -> None:
    """So the page of the command line is never older than the command line."""
    page = hooks.on_page_markdown("Before\n\n<!-- help: laws -->\n\nafter")
    assert page.startswith("Before\n\n```text\nusage: clawdesk-storage laws")
    assert page.endswith("```\n\nafter")
