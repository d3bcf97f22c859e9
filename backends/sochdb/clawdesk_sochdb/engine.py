"""SochDB's database, opened so that it keeps what it acknowledges."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

# The one module that imports the engine: it ships no types.
from sochdb import Database, SochDBError, Transaction  # type: ignore[import-untyped]

__all__ = ["Database", "SochDBError", "Transaction", "get", "open_database", "scan"]

# With group commit off and the default sync mode a commit stays in the process's own buffer.
_SYNCED = {"sync_mode": "full", "group_commit": False}

_open: WeakSet[Database] = WeakSet()
_Bytes = ctypes.POINTER(ctypes.c_uint8)


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


def get(transaction: Transaction, key: bytes) -> bytes | None:
    """Return the value of `key`, or None.

    The binding's own method makes an integer of each byte: 1 MiB takes it 10 ms and more.

    Raises:
        SochDBError: The engine failed.
    """
    library, database, handle = _handles(transaction)
    value, size = _Bytes(), ctypes.c_size_t()
    sought = (ctypes.c_uint8 * len(key)).from_buffer_copy(key)
    status = library.sochdb_get(
        database, handle, sought, len(key), ctypes.byref(value), ctypes.byref(size)
    )
    if status == 1:
        return None
    _check(status, "get a value")
    return _taken(library, value, size)


def scan(transaction: Transaction, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys that begin with `prefix`, of 2 bytes or none, and their values, in order.

    Raises:
        SochDBError: The engine failed.
    """
    library, database, handle = _handles(transaction)
    start = (ctypes.c_uint8 * len(prefix)).from_buffer_copy(prefix)
    if prefix:
        iterator = library.sochdb_scan_prefix(database, handle, start, len(prefix))
    else:
        iterator = library.sochdb_scan(database, handle, start, 0, start, 0)
    if not iterator:
        return
    key, key_size, value, size = _Bytes(), ctypes.c_size_t(), _Bytes(), ctypes.c_size_t()
    places = [ctypes.byref(place) for place in (key, key_size, value, size)]
    try:
        while (status := library.sochdb_scan_next(iterator, *places)) != 1:
            _check(status, "go on in a scan")
            yield _taken(library, key, key_size), _taken(library, value, size)
    finally:
        library.sochdb_scan_free(iterator)


def _handles(transaction: Any) -> tuple[Any, Any, Any]:
    """The engine's library, and what it knows the database and the transaction by."""
    return transaction._lib, transaction._db._handle, transaction._handle


def _taken(library: Any, place: Any, size: ctypes.c_size_t) -> bytes:
    value = ctypes.string_at(place, size.value)
    library.sochdb_free_bytes(place, size)
    return value


def _check(status: int, what: str) -> None:
    if status:
        raise SochDBError(f"the engine failed to {what}")


def _let_go() -> None:
    """Leave the parent's databases alone: ending here would close them, and free their locks."""
    for database in _open:
        vars(database).update(_handle=None, _closed=True)
    _open.clear()


os.register_at_fork(after_in_child=_let_go)
