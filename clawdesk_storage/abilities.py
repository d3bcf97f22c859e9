"""The abilities: what some stores can do beyond their port.

Each is a small Protocol on the same object as the port. A store offers one by having its methods,
which `isinstance` tells; none is needed to conform, and what is offered has laws like the ports.

    if isinstance(storage.conversations, MessageBatches):
        await storage.conversations.append_messages(session.id, turn)

What holds for all methods of the ports holds here too. A conflict is an exception,
`ConflictError`, raised before anything changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from typing_extensions import Protocol, runtime_checkable

from clawdesk_storage.models import (
    AppConfig,
    JsonValue,
    Message,
    Session,
    SessionId,
    Vector,
    VectorResult,
)
from clawdesk_storage.where import Where

__all__ = [
    "ConfigRevisions",
    "Contents",
    "HistoryEntry",
    "MessageBatches",
    "MessageGuards",
    "MessagePages",
    "RevisedConfig",
    "RevisedSession",
    "SessionRevisions",
    "VectorBatches",
    "VectorContents",
    "VectorEntry",
    "VectorFilters",
]


class HistoryEntry(NamedTuple):
    """A message and where it stands in its conversation.

    Positions are integers that rise in the order of the appends within a conversation, and are
    never given twice: not after `clear`, a truncation, reopening or a crash. They may have gaps.
    """

    position: int
    message: Message


class RevisedSession(NamedTuple):
    """A session and the opaque token of this very save of it."""

    session: Session
    revision: str


class RevisedConfig(NamedTuple):
    """The configuration and the opaque token of its last save, or None when there was none."""

    config: AppConfig
    revision: str | None


class VectorEntry(NamedTuple):
    """An entry of a vector store: `vector` has the shape `(dimension,)`.

    One that was read back has the direction that was stored, at length 1, within float32.
    """

    id: str
    vector: Vector
    metadata: JsonValue


@runtime_checkable
class MessageBatches(Protocol):
    """Conversations that take a turn at once."""

    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        """Add `messages` at the end, as if appended one by one: all of them or none.

        No other caller's message comes between them, and no reader sees a part. None is nothing.

        Raises:
            ValueError: `session_id` is no valid id.
            SerializationError: One of them cannot be stored as it is; nothing is stored.
        """
        ...


@runtime_checkable
class MessagePages(Protocol):
    """Conversations that can be read in pages, from either end.

    Both methods give oldest first, and a page shorter than its limit is the end. A position whose
    message is gone, or never was, still bounds.
    """

    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """Return the last `limit` messages older than `position`, or the last of all for None.

        Raises:
            ValueError: `session_id` is no valid id, or `limit` is negative.
            SerializationError: A stored record is damaged; it is never skipped.
        """
        ...

    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """Return the first `limit` messages newer than `position`, or the first of all for None.

        Whoever goes on from the last position that was returned misses nothing, whatever others
        append meanwhile.

        Raises:
            ValueError: `session_id` is no valid id, or `limit` is negative.
            SerializationError: A stored record is damaged; it is never skipped.
        """
        ...


@runtime_checkable
class MessageGuards(Protocol):
    """Conversations that change only if nobody else has changed them.

    Positions do not come back, so that the newest one identifies the whole history.
    """

    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        """Append if `position` is still the newest, and return the newest after that.

        Args:
            session_id: The conversation.
            position: The newest position, or None where the conversation is empty.
            messages: One or more; stored all or none, as in `MessageBatches.append_messages`.

        Raises:
            ValueError: `session_id` is no valid id, or there are no messages.
            SerializationError: One of them cannot be stored as it is; nothing is stored.
            ConflictError: `position` is not the newest; nothing is stored.
        """
        ...

    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        """Remove what is newer than `position`, or all for None, if `newest` is the newest.

        Raises:
            ValueError: `session_id` is no valid id.
            ConflictError: `newest` is not the newest; nothing is removed.
        """
        ...


@runtime_checkable
class SessionRevisions(Protocol):
    """Sessions that are saved only if nobody else has saved them meanwhile.

    A revision is an opaque token that every save renews, a plain `save` and an equal one too. No
    token comes back. It can be sent anywhere, as an ETag for instance; nothing is held.
    """

    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        """Return what `get` returns, with its revision.

        Raises:
            ValueError: `id` is no valid id.
            SerializationError: The stored record is damaged; the message names `id`.
        """
        ...

    async def save_if(self, session: Session, /, revision: str | None) -> str:
        """Save if `revision` is still that of the stored session, and return the new one.

        Args:
            session: What is saved, as in `SessionStore.save`.
            revision: The one it was read with, or None where there must be none yet.

        Raises:
            ValueError: `session.id` or `session.channel` is no valid id.
            SerializationError: The session cannot be stored as it is; the earlier version stays.
            ConflictError: It has been saved or deleted meanwhile; nothing changes.
        """
        ...

    async def delete_if(self, id: SessionId, /, revision: str) -> None:
        """Delete if `revision` is still that of the stored session.

        Raises:
            ValueError: `id` is no valid id.
            ConflictError: It has been saved or deleted meanwhile; nothing changes.
        """
        ...


@runtime_checkable
class ConfigRevisions(Protocol):
    """A configuration that is saved only if nobody else has saved it meanwhile."""

    async def get_config_revision(self) -> RevisedConfig:
        """Return what `get_config` returns, with its revision: None when none was saved.

        Raises:
            SerializationError: The stored record is damaged; it is never replaced by a default.
        """
        ...

    async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str:
        """Save if `revision` is still that of the stored configuration, and return the new one.

        Args:
            config: What is saved, as in `ConfigStore.save_config`.
            revision: The one it was read with.

        Raises:
            SerializationError: The configuration cannot be stored; the earlier version stays.
            ConflictError: It has been saved meanwhile; nothing changes.
        """
        ...


@runtime_checkable
class VectorBatches(Protocol):
    """Vector stores that change many entries at once."""

    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        """Store `entries` as if one by one: all of them or none. Of equal ids the last counts.

        Raises:
            ValueError: An id or a vector is unusable as in `VectorStore.upsert`, or they have two
                dimensions; nothing is stored, and the dimension is not fixed.
            SerializationError: Metadata cannot be stored as it is; nothing is stored.
        """
        ...

    async def delete_many(self, ids: Sequence[str], /) -> None:
        """Remove these entries, all at once; absent ones are no error.

        Raises:
            ValueError: An id is no valid id; nothing is removed.
        """
        ...


@runtime_checkable
class VectorFilters(Protocol):
    """Vector stores that search among the entries that a filter matches."""

    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        """Return the `top_k` most similar of the entries whose metadata `where` matches.

        Order and scores are those of `VectorStore.search`: it is the whole ranking, filtered, and
        its beginning.

        Raises:
            ValueError: `top_k` is negative, or `query` is unusable as in `VectorStore.upsert`.
            SerializationError: A record that is needed is damaged; the message names its id.
        """
        ...

    async def delete_where(self, where: Where, /) -> None:
        """Remove exactly the entries whose metadata `where` matches.

        Raises:
            SerializationError: A record that is needed is damaged; nothing is removed.
        """
        ...


@runtime_checkable
class Contents(Protocol):
    """Sessions, or conversations, that tell what there is.

    A conversation is there when it has messages.
    """

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """Return the first `limit` ids beyond `after`, or of all for None, in code-point order.

        Raises:
            ValueError: `after` is no valid id, or `limit` is negative.
        """
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...


@runtime_checkable
class VectorContents(Protocol):
    """Vector stores that tell what there is."""

    async def get(self, id: str, /) -> VectorEntry | None:
        """Return the entry of that id, or None.

        Raises:
            ValueError: `id` is no valid id.
            SerializationError: The stored record is damaged; the message names `id`.
        """
        ...

    async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]:
        """Return the first `limit` entries beyond `after`, or of all for None, in order of ids.

        Raises:
            ValueError: `after` is no valid id, or `limit` is negative.
            SerializationError: A stored record is damaged; it is never skipped.
        """
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...
