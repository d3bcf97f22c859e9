"""The sessions."""

from __future__ import annotations

from collections.abc import Sequence

from clawdesk_storage import (
    ChannelId,
    Session,
    SessionId,
    SessionStore,
    check_id,
    check_limit,
    encode,
)

from .engine import Engine

__all__ = ["Sessions"]


class Sessions:
    """A `SessionStore`.

    What each method begins with refuses what SES-08, SES-11 and SES-12 want refused. Put what it
    does in place of its `raise`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._engine.check_open()
        check_id(id)
        raise NotImplementedError(
            "read the bytes stored under the id, and return `decode(Session, record, key=id)`, or "
            "None where there are none; see: clawdesk-storage laws SES-01 SES-02"
        )

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._engine.check_open()
        check_id(session.id)
        check_id(session.channel, "channel")
        record = encode(session)
        raise NotImplementedError(
            f"store these {len(record)} bytes under the session's id, in place of any earlier; "
            "see: clawdesk-storage laws SES-02 SES-03 SES-04 SES-10 SES-12"
        )

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._engine.check_open()
        check_id(id)
        raise NotImplementedError(
            "remove what is stored under the id, if anything is; see: clawdesk-storage laws SES-05"
        )

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._engine.check_open()
        limit = check_limit(limit)
        offset = check_limit(offset, "offset")
        raise NotImplementedError(
            "return the sessions by latest activity, then by id, from `offset` on, at most "
            "`limit`; see: clawdesk-storage laws SES-06 SES-07 SES-08"
        )

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._engine.check_open()
        check_id(channel, "channel")
        raise NotImplementedError(
            "return every session of exactly this channel, in the order of `list`; "
            "see: clawdesk-storage laws SES-09 SES-11"
        )

    # Abilities: more than the port asks for, and none of it is needed. To offer one, take the marks
    # away from all of its methods; its laws count from then on. See: clawdesk-storage laws REV

    # SessionRevisions, laws REV-01 to REV-12: saved only if nobody else has saved meanwhile.
    # async def get_revision(self, id: SessionId, /) -> RevisedSession | None: ...
    # async def save_if(self, session: Session, /, revision: str | None) -> str: ...
    # async def delete_if(self, id: SessionId, /, revision: str) -> None: ...

    # Contents, laws CTS-01 to CTS-06: which sessions there are.
    # async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]: ...
    # async def count(self) -> int: ...


# Here a type checker names whatever the port has and this class has not, while you type.
_: type[SessionStore] = Sessions
