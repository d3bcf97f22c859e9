"""The ports: what an application may ask of a storage.

Nothing inherits from these classes; whatever has their methods is a store. A store is correct when
it keeps the laws that `clawdesk_storage.conformance` checks; the docstrings below say the same in
prose. For all methods of all ports:

- An id is any text that is not empty and holds no NUL and no lone surrogate, compared code point by
  code point. Another id, a negative limit or an unusable vector is the caller's mistake:
  `ValueError`, before anything changes.
- Everything else that goes wrong is a `StorageError`, with the driver's exception as `__cause__`.
- Values are taken and given by copy: what a caller does to one later changes nothing stored.
- An operation that has returned is seen by every operation that starts after it.
- A cancelled operation took place whole or not at all.
- Once the storage is closed, every method raises `ConnectionFailedError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import Protocol, runtime_checkable

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

__all__ = ["ConfigStore", "ConversationStore", "SessionStore", "Storage", "VectorStore"]


@runtime_checkable
class SessionStore(Protocol):
    """Sessions by id, listed by latest activity."""

    async def get(self, id: SessionId, /) -> Session | None:
        """Return the session saved last under `id`, equal in every field, or None.

        Asking for an absent session creates nothing.

        Raises:
            ValueError: `id` is no valid id.
            SerializationError: The stored record is damaged; the message names `id`.
        """
        ...

    async def save(self, session: Session, /) -> None:
        """Store `session` under its id, replacing the whole of an earlier version.

        The store changes nothing in it: no timestamp, no counter.

        Raises:
            ValueError: `session.id` or `session.channel` is no valid id.
            SerializationError: The session cannot be stored as it is; the earlier version stays.
        """
        ...

    async def delete(self, id: SessionId, /) -> None:
        """Remove the session from `get` and both lists; an absent one is no error.

        Its conversation stays until `ConversationStore.clear`.

        Raises:
            ValueError: `id` is no valid id.
        """
        ...

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """Return at most `limit` sessions after skipping `offset`.

        The order is by `last_activity`, newest first, and by id in code-point order where that is
        equal, so that consecutive pages make up the whole list. A limit of 0 and an offset past the
        end give nothing; both may be as large as `sys.maxsize`.

        Raises:
            ValueError: `limit` or `offset` is negative.
            SerializationError: A stored record is damaged; it is never skipped.
        """
        ...

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """Return every session whose channel is exactly `channel`, in the order of `list`.

        Raises:
            ValueError: `channel` is no valid id.
            SerializationError: A stored record is damaged; it is never skipped.
        """
        ...


@runtime_checkable
class ConversationStore(Protocol):
    """Messages by session, in the order of their appends. Needs no saved session."""

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """Return the last `limit` messages, oldest first: `all[-limit:]`, and nothing for 0.

        The order is that of the appends, whatever the timestamps say. A session without messages
        gives an empty sequence.

        Raises:
            ValueError: `session_id` is no valid id, or `limit` is negative.
            SerializationError: A stored record is damaged; it is never skipped.
        """
        ...

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """Add `message` at the end. Equal messages are kept as often as they are appended.

        Raises:
            ValueError: `session_id` is no valid id.
            SerializationError: The message cannot be stored as it is; nothing is stored.
        """
        ...

    async def clear(self, session_id: SessionId, /) -> None:
        """Remove all messages of this session alone; later appends start anew.

        Raises:
            ValueError: `session_id` is no valid id.
        """
        ...


@runtime_checkable
class ConfigStore(Protocol):
    """The one configuration."""

    async def get_config(self) -> AppConfig:
        """Return the configuration saved last, or `AppConfig()` when none was.

        Raises:
            SerializationError: The stored record is damaged; it is never replaced by a default.
        """
        ...

    async def save_config(self, config: AppConfig, /) -> None:
        """Replace the whole configuration: a section or key left out is gone.

        Secrets, unknown keys and an explicit None come back as they were.

        Raises:
            SerializationError: The configuration cannot be stored; the earlier version stays.
        """
        ...


@runtime_checkable
class VectorStore(Protocol):
    """Embeddings by id, found by cosine similarity.

    The first vector stored fixes the dimension of the store.
    """

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """Store `vector`, of shape `(dimension,)`, and `metadata` under `id`, replacing both.

        The next search sees it.

        Raises:
            ValueError: `id` is no valid id; the vector is empty, all zero, not finite, beyond
                float32 or of another dimension.
            SerializationError: The metadata cannot be stored as it is; the earlier entry stays.
        """
        ...

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """Return the `top_k` entries most similar to `query`, of shape `(dimension,)`.

        The score is the cosine similarity, within 1e-4 of the value computed in float64; the best
        comes first, equal scores by id in code-point order. Negative scores are results like any
        other. An empty store gives nothing; a `top_k` beyond the count gives all.

        Raises:
            ValueError: `top_k` is negative, or `query` is unusable as in `upsert`.
            SerializationError: The record of a result is damaged; the message names its id.
        """
        ...

    async def delete(self, id: str, /) -> None:
        """Remove the entry; an absent one is no error.

        Raises:
            ValueError: `id` is no valid id.
        """
        ...


@runtime_checkable
class Storage(Protocol):
    """The four stores together.

    They are independent: a session, a conversation and a vector of the same id do not touch.
    """

    @property
    def sessions(self) -> SessionStore:
        """The session store."""
        ...

    @property
    def conversations(self) -> ConversationStore:
        """The conversation store."""
        ...

    @property
    def config(self) -> ConfigStore:
        """The configuration store."""
        ...

    @property
    def vectors(self) -> VectorStore:
        """The vector store."""
        ...
