"""The four stores together, and the function that opens them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from clawdesk_sochdb.config import SochDBConfigStore
from clawdesk_sochdb.conversations import SochDBConversationStore
from clawdesk_sochdb.sessions import SochDBSessionStore
from clawdesk_sochdb.vectors import SochDBVectorStore
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBStorage", "open_storage"]


class SochDBStorage:
    """The four stores of one location, as a `Storage`. `open_storage` makes one."""

    def __init__(self, worker: Worker) -> None:
        self.sessions = SochDBSessionStore(worker)
        self.conversations = SochDBConversationStore(worker)
        self.config = SochDBConfigStore(worker)
        self.vectors = SochDBVectorStore(worker)


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SochDBStorage]:
    """Open the storage in `location` until the block ends.

    Args:
        location: A directory of the storage's own; created if it is not there. One handle at a
            time can have it open, in all processes together.

    Raises:
        ConnectionFailedError: Another handle has had it for 5 s.
        SerializationError: The engine's log, or its seal, was changed after it was closed, or a
            newer version of this package wrote it.
        StorageIOError: The directory, or the log in it, cannot be made or written.
        ValueError: The location is not UTF-8.
    """
    worker = Worker(location)
    try:
        await worker.open()
        yield SochDBStorage(worker)
    finally:
        await worker.close()
