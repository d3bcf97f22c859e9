"""The session store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clawdesk_storage import (
    ChannelId,
    SerializationError,
    Session,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)

from clawdesk_sochdb.keys import SESSIONS, key_of
from clawdesk_sochdb.listing import Listing
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBSessionStore"]


class SochDBSessionStore:
    """A `SessionStore` on SochDB.

    The order of the list is kept in memory from the first listing on: no other handle can change
    it, and the engine has all records in memory anyway.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._listing: Listing | None = None

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._worker.check_open()
        check_id(id)
        return await self._worker.read(_read, id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._worker.check_open()
        check_id(session.id)
        check_id(session.channel, "channel")
        await self._worker.write(self._save, session, encode(session))

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

    def _save(self, records: Records, session: Session, record: bytes) -> None:
        with records.writing() as changes:
            changes.put(key_of(SESSIONS, session.id), record)
        if self._listing is not None:
            self._listing.put(session)

    def _delete(self, records: Records, id: SessionId) -> None:
        with records.writing() as changes:
            changes.delete(key_of(SESSIONS, id))
        if self._listing is not None:
            self._listing.remove(id)

    def _page(self, records: Records, limit: int, offset: int) -> Sequence[Session]:
        return _listed(records, self._listed(records).page(limit, offset))

    def _channel(self, records: Records, channel: ChannelId) -> Sequence[Session]:
        return _listed(records, self._listed(records).of_channel(channel))

    def _listed(self, records: Records) -> Listing:
        if self._listing is None:
            self._listing = Listing(
                _decoded(record, key.decode(errors="replace"))
                for key, record in records.scan(SESSIONS)
            )
        return self._listing


def _read(records: Records, id: SessionId) -> Session | None:
    record = records.get(key_of(SESSIONS, id))
    return None if record is None else _decoded(record, id)


def _decoded(record: bytes, id: str) -> Session:
    session = decode(Session, record, key=id)
    if session.id != id:
        raise SerializationError(f"the record of {id!r} is that of {session.id!r}")
    return session


def _listed(records: Records, ids: Iterable[SessionId]) -> Sequence[Session]:
    return [_present(_read(records, id), id) for id in ids]


def _present(session: Session | None, id: SessionId) -> Session:
    if session is None:
        raise SerializationError(f"the record of {id!r} is gone")
    return session
