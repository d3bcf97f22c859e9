"""What a forked process must not touch.

SQLite keeps in memory which locks its process holds on which file. A fork copies that table, but
not the locks: the child would believe that it has locks which it has not, and write over what the
parent acknowledges. Only a file that was not open at the time of the fork is safe in the child.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TypeAlias

__all__ = ["Identity", "check_opened_here", "closed", "generation", "opened"]

Identity: TypeAlias = tuple[int, int]
"""The device and the inode of a file."""

_open: Counter[Identity] = Counter()
_inherited: set[Identity] = set()
_generation = 0


def generation() -> int:
    """Return a number that is another one in every process that was forked from this one."""
    return _generation


def check_opened_here(identity: Identity) -> None:
    """Refuse a file that was open in the process which this one was forked from.

    Raises:
        ConnectionError: It was. It stays refused, for the table of locks stays as it was copied.
    """
    if identity in _inherited:
        raise ConnectionError(
            "the process that this one was forked from had this file open: open it in a process "
            "that was spawned, or before any storage is open"
        )


def opened(identity: Identity) -> None:
    """Take note that the file is open in this process."""
    _open[identity] += 1


def closed(identity: Identity) -> None:
    """Take note that one of those who had the file open has closed it."""
    _open[identity] -= 1
    if not _open[identity]:
        del _open[identity]


def _forked() -> None:
    global _generation  # noqa: PLW0603  (one per process, like the table in SQLite)
    _generation += 1
    _inherited.update(_open)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
