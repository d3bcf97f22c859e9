"""What all commands have in common: exit statuses, words for the user, files to write."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "DOES_NOT",
    "INTERRUPTED",
    "NOT_RUN",
    "SUCCESS",
    "TARGET",
    "as_json",
    "fail",
    "fail_uninstalled",
    "fail_unwritable",
    "say",
    "unwritable",
    "write",
]

SUCCESS, DOES_NOT, NOT_RUN, INTERRUPTED = 0, 1, 2, 130

TARGET = """\
TARGET is the name of an installed backend, or module:attribute of an open function or a Backend.
"""


def say(sentence: str) -> None:
    """Tell the user something that is not the result."""
    print(f"clawdesk-storage: {sentence}", file=sys.stderr)


def fail(sentence: str) -> int:
    """Tell the user why nothing was run, and return the exit status for it."""
    say(sentence)
    return NOT_RUN


def fail_uninstalled(error: ModuleNotFoundError) -> int:
    """Tell the user how to install what a command needs and the contract alone does not."""
    return fail(f'{error}; install it with: pip install "clawdesk-storage[conformance]"')


def fail_unwritable(name: str) -> int:
    """Tell the user that a file cannot be written."""
    return fail(f"cannot write {name}: its folder does not exist or is not yours to write")


def unwritable(names: Iterable[str]) -> str | None:
    """Return the first file that could not be written, or None; `-` is standard output."""
    return next((name for name in names if not _writable(name)), None)


def as_json(value: object) -> str:
    """Return a value as JSON for people and programs."""
    return json.dumps(value, indent=2) + "\n"


def _writable(name: str) -> bool:
    if name == "-":
        return True
    file = Path(name)
    return os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()


def write(text: str, name: str) -> None:
    """Write a file; `-` is standard output."""
    if name == "-":
        sys.stdout.write(text)
    else:
        Path(name).write_text(text, encoding="utf-8")
