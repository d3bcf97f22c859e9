"""In-memory stores: for an application's tests, and the executable reference of the contract."""

from clawdesk_storage.testing.memory import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryStorage,
    MemoryVectorStore,
    open_storage,
)

__all__ = [
    "MemoryConfigStore",
    "MemoryConversationStore",
    "MemorySessionStore",
    "MemoryStorage",
    "MemoryVectorStore",
    "open_storage",
]
