"""In-memory stores: for an application's tests, and the executable reference of the contract."""

from clawdesk_storage.testing.config import MemoryConfigStore
from clawdesk_storage.testing.conversations import MemoryConversationStore
from clawdesk_storage.testing.memory import MemoryStorage, open_storage
from clawdesk_storage.testing.sessions import MemorySessionStore
from clawdesk_storage.testing.vectors import MemoryVectorStore

__all__ = [
    "MemoryConfigStore",
    "MemoryConversationStore",
    "MemorySessionStore",
    "MemoryStorage",
    "MemoryVectorStore",
    "open_storage",
]
