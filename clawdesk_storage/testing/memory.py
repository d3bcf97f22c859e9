"""The four stores in a process's memory.

They keep values as bytes: that gives copies in and out, and refuses what cannot be stored, with one
mechanism. No method awaits anything, so each takes place in one step of the event loop.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from clawdesk_storage.arguments import check_id, check_limit, unit_vector
from clawdesk_storage.codec import decode, encode
from clawdesk_storage.errors import ConnectionFailedError
from clawdesk_storage.models import (
    AppConfig,
    ChannelId,
    JsonValue,
    Message,
    Session,
    SessionId,
    Vector,
    VectorResult,
)

__all__ = [
    "MemoryConfigStore",
    "MemoryConversationStore",
    "MemorySessionStore",
    "MemoryStorage",
    "MemoryVectorStore",
    "open_storage",
]


class _Store:
    _closed = False

    def close(self) -> None:
        """Make every later call raise `ConnectionFailedError`."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")


class MemorySessionStore(_Store):
    """A `SessionStore` in memory."""

    def __init__(self) -> None:
        self._records: dict[SessionId, bytes] = {}

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._check_open()
        check_id(id)
        record = self._records.get(id)
        return None if record is None else decode(Session, record, key=id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._check_open()
        check_id(session.id)
        check_id(session.channel, "channel")
        self._records[session.id] = encode(session)

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._check_open()
        check_id(id)
        self._records.pop(id, None)

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._check_open()
        check_limit(limit)
        check_limit(offset, "offset")
        return self._newest_first()[offset : offset + limit]

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._check_open()
        check_id(channel, "channel")
        return [session for session in self._newest_first() if session.channel == channel]

    def _newest_first(self) -> Sequence[Session]:
        records = sorted(self._records.items())
        by_id = [decode(Session, record, key=key) for key, record in records]
        return sorted(by_id, key=lambda session: session.last_activity, reverse=True)


class MemoryConversationStore(_Store):
    """A `ConversationStore` in memory."""

    def __init__(self) -> None:
        self._histories: dict[SessionId, list[bytes]] = {}

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._check_open()
        check_id(session_id)
        check_limit(limit)
        history = self._histories.get(session_id, [])
        last = history[max(0, len(history) - limit) :]
        return [decode(Message, record, key=session_id) for record in last]

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._check_open()
        check_id(session_id)
        record = encode(message)
        self._histories.setdefault(session_id, []).append(record)

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._check_open()
        check_id(session_id)
        self._histories.pop(session_id, None)


class MemoryConfigStore(_Store):
    """A `ConfigStore` in memory."""

    def __init__(self) -> None:
        self._record: bytes | None = None

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        self._check_open()
        return AppConfig() if self._record is None else decode(AppConfig, self._record)

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._check_open()
        self._record = encode(config)


class MemoryVectorStore(_Store):
    """A `VectorStore` in memory, by brute force."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[array[float], bytes]] = {}
        self._dimension: int | None = None

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._check_open()
        check_id(id)
        unit = self._usable(vector)
        record = encode(metadata)
        self._dimension = len(unit)
        self._entries[id] = unit, record

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._check_open()
        check_limit(top_k, "top_k")
        unit = self._usable(query)
        scored = sorted((-_dot(unit, stored), key) for key, (stored, _) in self._entries.items())
        return [self._result(key, -negated) for negated, key in scored[:top_k]]

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._check_open()
        check_id(id)
        self._entries.pop(id, None)

    def _usable(self, vector: Vector) -> array[float]:
        unit = unit_vector(vector)
        if self._dimension not in (None, len(unit)):
            raise ValueError(f"vectors here have {self._dimension} dimensions, not {len(unit)}")
        return unit

    def _result(self, id: str, score: float) -> VectorResult:
        metadata = decode(JsonValue, self._entries[id][1], key=id)
        return VectorResult(id=id, score=score, metadata=metadata)


def _dot(left: array[float], right: array[float]) -> float:
    return math.fsum(map(operator.mul, left, right))


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
