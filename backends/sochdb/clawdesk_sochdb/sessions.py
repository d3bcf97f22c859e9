"""The session store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clawdesk_storage import (
    ChannelId,
    ConflictError,
    RevisedSession,
    SerializationError,
    Session,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)

from clawdesk_sochdb.ids import Ids
from clawdesk_sochdb.keys import SESSIONS, key_of
from clawdesk_sochdb.listing import Listing
from clawdesk_sochdb.record import damaged
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.revision import record_of, revise, revision_of
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBSessionStore"]


class SochDBSessionStore:
    """A `SessionStore` on SochDB, with the abilities `SessionRevisions` and `Contents`.

    The order of the list is kept in memory from the first listing on: no other handle can change
    it, and the engine has all records in memory anyway.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._listing: Listing | None = None
        self._ids = Ids(SESSIONS, SessionId)

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        found = await self.get_revision(id)
        return found and found.session

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._worker.check_open()
        record = _encoded(session)
        await self._worker.write(self._save, session, record)

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._worker.check_open()
        check_id(id)
        await self._worker.write(self._delete, id)

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._worker.check_open()
        limit = check_limit(limit)
        offset = check_limit(offset, "offset")
        return await self._worker.read(self._page, limit, offset)

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._worker.check_open()
        check_id(channel, "channel")
        return await self._worker.read(self._channel, channel)

    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        """See `SessionRevisions.get_revision`."""
        self._worker.check_open()
        check_id(id)
        return await self._worker.read(_read, id)

    async def save_if(self, session: Session, /, revision: str | None) -> str:
        """See `SessionRevisions.save_if`."""
        self._worker.check_open()
        record = _encoded(session)
        return await self._worker.write(self._save_if, session, record, revision)

    async def delete_if(self, id: SessionId, /, revision: str) -> None:
        """See `SessionRevisions.delete_if`."""
        self._worker.check_open()
        check_id(id)
        await self._worker.write(self._delete_if, id, revision)

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._worker.check_open()
        if after is not None:
            check_id(after, "after")
        limit = check_limit(limit)
        return await self._worker.read(self._ids.page, after, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        return await self._worker.read(self._ids.count)

    def _save(self, records: Records, session: Session, record: bytes) -> str:
        revised = revise(record)
        with records.writing() as changes:
            changes.put(key_of(SESSIONS, session.id), revised)
        self._ids.add(session.id)
        if self._listing is not None:
            self._listing.put(session)
        return revision_of(revised)

    def _save_if(
        self, records: Records, session: Session, record: bytes, revision: str | None
    ) -> str:
        _check_revision(records, session.id, revision)
        return self._save(records, session, record)

    def _delete(self, records: Records, id: SessionId) -> None:
        with records.writing() as changes:
            changes.delete(key_of(SESSIONS, id))
        self._ids.remove(id)
        if self._listing is not None:
            self._listing.remove(id)

    def _delete_if(self, records: Records, id: SessionId, revision: str) -> None:
        _check_revision(records, id, revision)
        self._delete(records, id)

    def _page(self, records: Records, limit: int, offset: int) -> Sequence[Session]:
        return _listed(records, self._listed(records).page(limit, offset))

    def _channel(self, records: Records, channel: ChannelId) -> Sequence[Session]:
        return _listed(records, self._listed(records).of_channel(channel))

    def _listed(self, records: Records) -> Listing:
        if self._listing is None:
            self._listing = Listing(
                _revised(revised, id).session for id, revised in records.scan(SESSIONS)
            )
        return self._listing


def _encoded(session: Session) -> bytes:
    check_id(session.id)
    check_id(session.channel, "channel")
    return encode(session)


def _read(records: Records, id: SessionId) -> RevisedSession | None:
    revised = records.get(key_of(SESSIONS, id), id)
    return None if revised is None else _revised(revised, id)


def _revised(revised: bytes, id: str) -> RevisedSession:
    session = decode(Session, record_of(revised), key=id)
    if session.id != id:  # version 1 had no checksums, under which an upgrade could find it
        raise SerializationError(f"the record of {id!r} is that of {session.id!r}")
    return RevisedSession(session, revision_of(revised))


def _listed(records: Records, ids: Iterable[SessionId]) -> Sequence[Session]:
    return [_present(_read(records, id), id) for id in ids]


def _present(found: RevisedSession | None, id: SessionId) -> Session:
    if found is None:
        raise damaged(id, "it is gone")
    return found.session


def _check_revision(records: Records, id: SessionId, revision: str | None) -> None:
    stored = records.get(key_of(SESSIONS, id), id)
    if (stored and revision_of(stored)) != revision:
        raise ConflictError(f"session {id!r} has been saved or deleted meanwhile")
