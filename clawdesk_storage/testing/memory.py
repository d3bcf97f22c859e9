"""The four stores in a process's memory.

They keep values as bytes: that gives copies in and out, and refuses what cannot be stored, with one
mechanism. No method awaits anything, so each takes place in one step of the event loop.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from clawdesk_storage.testing.config import MemoryConfigStore
from clawdesk_storage.testing.conversations import MemoryConversationStore
from clawdesk_storage.testing.sessions import MemorySessionStore
from clawdesk_storage.testing.vectors import MemoryVectorStore

__all__ = ["MemoryStorage", "open_storage"]


class MemoryStorage:
    """The four stores in memory, as a `Storage`.

    Nothing outlives the object. Use it as it is, or as an async context manager, after which it is
    closed and every method raises `ConnectionFailedError`.

        storage = MemoryStorage()
        await storage.sessions.save(session)
    """

    def __init__(self) -> None:
        self.sessions: MemorySessionStore = MemorySessionStore()
        self.conversations: MemoryConversationStore = MemoryConversationStore()
        self.config: MemoryConfigStore = MemoryConfigStore()
        self.vectors: MemoryVectorStore = MemoryVectorStore()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for store in (self.sessions, self.conversations, self.config, self.vectors):
            store.close()


def open_storage(location: Path) -> MemoryStorage:
    """Return a new, empty storage: what is in memory has no location.

    Args:
        location: Ignored. It is there because every backend's `open_storage` takes one.
    """
    return MemoryStorage()
