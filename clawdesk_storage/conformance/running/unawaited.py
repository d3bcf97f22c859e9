"""Coroutines that a store made and never awaited: Python only warns of them, anywhere and once."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["unawaited"]


@contextmanager
def unawaited() -> Generator[list[str]]:
    """Gather these warnings, each with file and line; others are shown as they would be."""
    found: list[str] = []
    with warnings.catch_warnings():  # so that what was warned of before is warned of again
        show = warnings.showwarning

        def gather(  # noqa: PLR0917  (as `warnings.showwarning`)
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if str(message).endswith("was never awaited"):
                found.append(f"{filename}:{lineno}: {message}")
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = gather
        yield found
