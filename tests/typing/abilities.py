"""Checked by pyright and mypy, never run: what has an ability, and what has not."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import assert_type

from clawdesk_storage import (
    And,
    Compares,
    ConfigRevisions,
    Contents,
    Equals,
    Exists,
    HistoryEntry,
    Message,
    MessageBatches,
    MessageGuards,
    MessagePages,
    Not,
    RevisedSession,
    Session,
    SessionId,
    SessionRevisions,
    SessionStore,
    Storage,
    VectorBatches,
    VectorContents,
    VectorEntry,
    VectorFilters,
    VectorResult,
    Where,
    check_limit,
    matches,
    open_storage,
    update,
)
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryVectorStore,
)

_port: type[SessionStore] = MemorySessionStore
_sessions: type[SessionRevisions] = MemorySessionStore
_session_ids: type[Contents] = MemorySessionStore
_batches: type[MessageBatches] = MemoryConversationStore
_pages: type[MessagePages] = MemoryConversationStore
_guards: type[MessageGuards] = MemoryConversationStore
_conversation_ids: type[Contents] = MemoryConversationStore
_config: type[ConfigRevisions] = MemoryConfigStore
_vectors: type[VectorBatches] = MemoryVectorStore
_filters: type[VectorFilters] = MemoryVectorStore
_entries: type[VectorContents] = MemoryVectorStore


async def an_ability_is_asked_for(storage: Storage, id: SessionId) -> None:
    """`isinstance` narrows the store to what has the ability."""
    conversations = storage.conversations
    await conversations.append_messages(id, [])  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if isinstance(conversations, MessagePages):
        assert_type(await conversations.get_before(id, None, limit=1), Sequence[HistoryEntry])
    vectors = storage.vectors
    if isinstance(vectors, VectorFilters):
        found = await vectors.search_where([1.0], Exists("a"), top_k=1)
        assert_type(found, Sequence[VectorResult])
        await vectors.search_where([1.0], {"a": 1}, top_k=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def a_change_takes_what_may_be_absent(store: SessionRevisions, id: SessionId) -> None:
    """Nobody forgets that there may be no session yet."""

    def change(session: Session | None) -> Session:
        raise NotImplementedError

    def forgetful(session: Session) -> Session:
        return session

    assert_type(await update(store, id, change), RevisedSession)
    await update(store, id, forgetful)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def tokens_are_text(store: SessionRevisions, session: Session) -> None:
    """What is returned can be given back; a number cannot."""
    assert_type(await store.save_if(session, revision=None), str)
    await store.save_if(session, revision=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await store.save_if(session)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def what_is_a_filter() -> None:
    """Nodes, and what the operators make of them."""
    filters: list[Where] = [
        Equals("a", None),
        Equals(("a", "b"), 1.5),
        Compares("a", "<", "b"),
        Equals("a", True) & Exists("b") | ~Exists("c"),
        And([Exists("a"), Not(Exists("b"))]),
        And(),
    ]
    assert_type(matches(filters[0], {"a": [1, None]}), bool)
    assert_type(Exists("a").path, tuple[str, ...])


def what_is_no_filter(where: Equals) -> None:
    """Another sign, another operand, a plain value as a part, and an assignment."""
    Compares("a", "==", 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Equals("a", [1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Exists(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    And([True])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    where.value = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    where & True  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]


def a_storage_is_opened_by_its_url() -> None:
    """Without a cast; a path is no URL."""
    assert_type(open_storage("memory:"), AbstractAsyncContextManager[Storage])
    open_storage(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_limit_is_gone_on_with(limit: int) -> None:
    """What comes back is a plain integer."""
    assert_type(check_limit(limit), int)


class _Half:
    """Some methods are no ability."""

    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        return 0


def half_an_ability_is_none() -> None:
    """The missing method is named."""
    guards: MessageGuards = _Half()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    entry = VectorEntry("a", [1.0], None)
    del guards, entry
