"""The sessions in memory."""

from __future__ import annotations

from collections.abc import Sequence

from clawdesk_storage.abilities import RevisedSession
from clawdesk_storage.arguments import check_id, check_limit
from clawdesk_storage.codec import decode, encode
from clawdesk_storage.errors import ConflictError
from clawdesk_storage.models import ChannelId, Session, SessionId
from clawdesk_storage.testing.page import page_of
from clawdesk_storage.testing.store import Store

__all__ = ["MemorySessionStore"]


class MemorySessionStore(Store):
    """A `SessionStore` in memory, with `SessionRevisions` and `Contents`."""

    def __init__(self) -> None:
        self._records: dict[SessionId, bytes] = {}
        self._revisions: dict[SessionId, str] = {}

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._check_open()
        check_id(id)
        record = self._records.get(id)
        return None if record is None else decode(Session, record, key=id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._check_open()
        self._put(session, _encoded(session))

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._check_open()
        check_id(id)
        self._remove(id)

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._check_open()
        limit, offset = check_limit(limit), check_limit(offset, "offset")
        return self._newest_first()[offset : offset + limit]

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._check_open()
        check_id(channel, "channel")
        return [session for session in self._newest_first() if session.channel == channel]

    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        """See `SessionRevisions.get_revision`."""
        session = await self.get(id)
        return None if session is None else RevisedSession(session, self._revisions[id])

    async def save_if(self, session: Session, /, revision: str | None) -> str:
        """See `SessionRevisions.save_if`."""
        self._check_open()
        record = _encoded(session)
        self._check_revision(session.id, revision)
        return self._put(session, record)

    async def delete_if(self, id: SessionId, /, revision: str) -> None:
        """See `SessionRevisions.delete_if`."""
        self._check_open()
        check_id(id)
        self._check_revision(id, revision)
        self._remove(id)

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._check_open()
        return page_of(self._records, after, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        self._check_open()
        return len(self._records)

    def _put(self, session: Session, record: bytes) -> str:
        revision = str(self._next())
        self._records[session.id], self._revisions[session.id] = record, revision
        return revision

    def _remove(self, id: SessionId) -> None:
        self._records.pop(id, None)
        self._revisions.pop(id, None)

    def _check_revision(self, id: SessionId, revision: str | None) -> None:
        if self._revisions.get(id) != revision:
            raise ConflictError(f"session {id!r} has been saved or deleted meanwhile")

    def _newest_first(self) -> Sequence[Session]:
        records = sorted(self._records.items())
        by_id = [decode(Session, record, key=key) for key, record in records]
        return sorted(by_id, key=lambda session: session.last_activity, reverse=True)


def _encoded(session: Session) -> bytes:
    check_id(session.id)
    check_id(session.channel, "channel")
    return encode(session)
