"""SochDB's database, opened so that it keeps what it acknowledges."""

from __future__ import annotations

import os
from pathlib import Path
from weakref import WeakSet

# The one module that imports the engine: it ships no types.
from sochdb import Database, SochDBError, Transaction  # type: ignore[import-untyped]

__all__ = ["Database", "SochDBError", "Transaction", "open_database"]

# With group commit off and the default sync mode a commit stays in the process's own buffer.
_SYNCED = {"sync_mode": "full", "group_commit": False}

_open: WeakSet[Database] = WeakSet()


def open_database(directory: Path) -> Database:
    """Open the database in `directory`, or create it; every commit reaches the disk.

    Raises:
        SochDBError: Another handle has it (after 5 s), or the engine cannot open it.
    """
    database = Database.open(str(directory), _SYNCED)  # pyright: ignore[reportUnknownMemberType]
    # The record of past transactions that it keeps for finding conflicts grows without bound, and
    # each write to a key walks through all earlier readers of it. Only one thread uses a database
    # here, so there are no conflicts to find; the engine's calls do without if it is not there.
    vars(database).pop("_ssi", None)
    _open.add(database)
    return database


def _let_go() -> None:
    """Leave the parent's databases alone: ending here would close them, and free their locks."""
    for database in _open:
        vars(database).update(_handle=None, _closed=True)
    _open.clear()


os.register_at_fork(after_in_child=_let_go)
