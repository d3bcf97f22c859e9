"""Storages by directory, for verification: `open_storage` is the whole integration."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from clawdesk_postgres import run
from clawdesk_postgres.storage import PostgresStorage, connect

__all__ = ["open_storage", "schema_of"]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[PostgresStorage, None]:
    """Open the storage that belongs to a directory, in a schema of its own.

    The server is the one that `CLAWDESK_POSTGRES_DSN` names or, without it, one that is started for
    this process and its children, which takes the extra `server`. After them the schema is dropped,
    and the server stopped.

    Args:
        location: Any path; nothing is written there. Its name is part of the schema's.

    Raises:
        ConnectionFailedError: The server cannot be reached or started.
    """
    schema = schema_of(location)
    dsn = await asyncio.to_thread(run.dsn, schema)
    async with connect(dsn, schema=schema) as storage:
        yield storage


def schema_of(location: Path) -> str:
    """Return the schema of a directory: its name to be recognised, a hash to be unique."""
    path = location.resolve()
    digest = hashlib.sha256(bytes(path)).hexdigest()[:16]
    readable = "".join(letter for letter in path.name if letter.isascii() and letter.isalnum())
    return f"clawdesk_{readable[:32].lower()}_{digest}"
