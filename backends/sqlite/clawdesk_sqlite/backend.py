"""This backend as the conformance suite knows it, with the damage that the suite asks for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
from clawdesk_storage.conformance import Backend

from clawdesk_sqlite.file import execute
from clawdesk_sqlite.storage import FILE_NAME, open_storage

__all__ = ["backend", "corrupt"]

_RECORDS = {
    "sessions": ("sessions", "record"),
    "conversations": ("messages", "record"),
    "config": ("config", "record"),
    "vectors": ("vectors", "unit"),
}


async def corrupt(location: Path, port: str) -> None:
    """Change a bit in every stored record of a port.

    Args:
        location: The directory of the storage; no handle is open on it.
        port: `"sessions"`, `"conversations"`, `"config"` or `"vectors"`.
    """
    await asyncio.to_thread(_corrupt, location / FILE_NAME, port)


def _corrupt(path: Path, port: str) -> None:
    table, column = _RECORDS[port]
    connection = apsw.Connection(str(path))
    try:
        for key, record in execute(connection, f"SELECT rowid, {column} FROM {table}"):  # noqa: S608
            if not record:  # nothing was saved
                continue
            change = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
            execute(connection, change, _damaged(record), key)
    finally:
        connection.close()


def _damaged(record: bytes) -> bytes:
    """In the middle, so that JSON often stays JSON: a checksum notices that, a parser does not."""
    middle = len(record) // 2
    return record[:middle] + bytes([record[middle] ^ 1]) + record[middle + 1 :]


backend = Backend(
    open_storage,
    abilities=(
        "SessionRevisions",
        "MessageBatches",
        "MessagePages",
        "MessageGuards",
        "Contents",
        "ConfigRevisions",
        "VectorBatches",
        "VectorFilters",
        "VectorContents",
    ),
    corrupt=corrupt,
)
