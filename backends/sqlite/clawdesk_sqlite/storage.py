"""Opening a location, and the four stores in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from clawdesk_sqlite.config import SQLiteConfigStore
from clawdesk_sqlite.conversations import SQLiteConversationStore
from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.sessions import SQLiteSessionStore
from clawdesk_sqlite.vectors import SQLiteVectorStore

__all__ = ["FILE_NAME", "SQLiteStorage", "open_storage"]

FILE_NAME = "clawdesk.sqlite3"
"""What the file is called in its location."""


class SQLiteStorage:
    """The four stores of one file. `open_storage` makes it."""

    def __init__(self, engine: Engine) -> None:
        self.sessions = SQLiteSessionStore(engine)
        self.conversations = SQLiteConversationStore(engine)
        self.config = SQLiteConfigStore(engine)
        self.vectors = SQLiteVectorStore(engine)


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SQLiteStorage, None]:
    """Open the storage in a directory, creating both if need be.

    Several processes, and several parts of one, may open the same location at once. A storage
    belongs to the event loop that opened it.

    Args:
        location: The directory; the file is `clawdesk.sqlite3` in it.

    Yields:
        The four stores. Calls in flight when the block is left are finished; later ones raise
        `ConnectionFailedError`.

    Raises:
        SerializationError: The file is no database, another program's, or a newer version's.
        StorageIOError: The operating system refuses to read or write it.
        ConnectionFailedError: Another process holds its lock for too long.
    """
    engine = await Engine.open(location / FILE_NAME)
    try:
        yield SQLiteStorage(engine)
    finally:
        await engine.close()
