"""Checked by pyright and mypy, never run: what is a store, and what is none."""

from array import array
from collections.abc import Sequence
from typing import assert_type

import numpy as np

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    ConfigStore,
    ConversationStore,
    JsonValue,
    Message,
    Role,
    Session,
    SessionId,
    SessionStore,
    Storage,
    Vector,
    VectorResult,
    VectorStore,
    decode,
    encode,
    unit_vector,
)
from clawdesk_storage.testing import MemoryStorage


async def a_storage_is_used_through_its_ports(storage: Storage) -> None:
    """Every answer has the port's type."""
    id = SessionId("s")
    assert_type(await storage.sessions.get(id), Session | None)
    assert_type(await storage.sessions.list(limit=1, offset=0), Sequence[Session])
    assert_type(await storage.sessions.list_by_channel(ChannelId("c")), Sequence[Session])
    assert_type(await storage.conversations.get_messages(id, limit=1), Sequence[Message])
    assert_type(await storage.config.get_config(), AppConfig)
    assert_type(await storage.vectors.search([1.0], top_k=1), Sequence[VectorResult])


async def arguments_are_checked(storage: Storage) -> None:
    """Plain text is no id, names are the port's, and what is before the slash has none."""
    await storage.sessions.get("s")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await storage.sessions.get(id=SessionId("s"))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await storage.sessions.list(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await storage.vectors.search([1.0], k=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    storage.sessions = storage.sessions  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def values_are_frozen(session: Session, config: AppConfig) -> None:
    """A counter is changed in a copy: assigning to it is an error while one types."""
    session.message_count += 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    config.agents.streaming = False  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    config.providers.anthropic.api_key = "k"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def the_reference_is_a_storage(memory: MemoryStorage) -> Storage:
    """Without inheriting from anything."""
    sessions: SessionStore = memory.sessions
    conversations: ConversationStore = memory.conversations
    config: ConfigStore = memory.config
    vectors: VectorStore = memory.vectors
    del sessions, conversations, config, vectors
    return memory


class _OtherNames:
    """What the port passes by position may have any name; a tuple is a sequence."""

    async def get(self, key: SessionId, /) -> Session | None:
        return None

    async def save(self, value: Session) -> None: ...
    async def delete(self, key: str) -> None: ...
    async def list(self, limit: int, offset: int) -> tuple[Session, ...]:
        return ()

    async def list_by_channel(self, channel: ChannelId) -> tuple[Session, ...]:
        return ()


class _Synchronous:
    def get_config(self) -> AppConfig:
        return AppConfig()

    def save_config(self, config: AppConfig, /) -> None: ...


class _OtherKeyword:
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None: ...
    async def search(self, query: Vector, /, k: int) -> Sequence[VectorResult]:
        return ()

    async def delete(self, id: str, /) -> None: ...


class _Incomplete:
    async def get_config(self) -> AppConfig:
        return AppConfig()


def names_before_the_slash_are_free() -> SessionStore:
    """Whoever calls through the port passes them by position."""
    return _OtherNames()


def what_is_no_store_is_refused() -> None:
    """A synchronous method, another keyword and a missing method are each an error."""
    synchronous: ConfigStore = _Synchronous()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    keyword: VectorStore = _OtherKeyword()  # pyright: ignore[reportAssignmentType]
    incomplete: ConfigStore = _Incomplete()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    del synchronous, keyword, incomplete


def what_is_a_vector() -> None:
    """Every kind of sequence of numbers is, on every version of Python."""
    vectors: list[Vector] = [
        [1.0],
        [1],
        (1.0, 2),
        array("f", [1.0]),
        memoryview(array("f", [1.0])),
        np.zeros(3, dtype=np.float32),
        np.zeros(3),
        unit_vector([1.0]),
    ]
    del vectors


def what_is_no_vector() -> None:
    """Text, sets, numbers and None are not."""
    unit_vector("ab")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    unit_vector({1.0, 2.0})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    unit_vector(1.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    unit_vector(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def the_codec_keeps_types(data: bytes) -> None:
    """What is decoded has the type that was asked for."""
    assert_type(decode(Session, data), Session)
    assert_type(decode(AppConfig, data, key="k"), AppConfig)
    assert_type(encode(Message(role=Role.USER, content="x")), bytes)
    assert_type(encode([1, {"a": None}]), bytes)
    encode({1, 2})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
