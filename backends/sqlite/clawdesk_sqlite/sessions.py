"""The sessions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias
from zlib import crc32

from clawdesk_storage import (
    ChannelId,
    ConflictError,
    RevisedSession,
    Session,
    SessionId,
    check_id,
    check_limit,
)
from pydantic import RootModel

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import batches, execute, snapshot, statement
from clawdesk_sqlite.reader import Cursor
from clawdesk_sqlite.record import check, damaged, decode_all, seal, unseal
from clawdesk_sqlite.writer import Transaction

__all__ = ["SQLiteSessionStore", "row_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_GET = """
SELECT id, channel, last_activity, revision, record, checksum FROM sessions WHERE id = ?
"""
# The plus keeps SQLite from the index by id, in which the session was not found.
_HIDDEN = "SELECT 1 FROM sessions WHERE id_hash = ? AND +id = ?"
_SAVE = """
INSERT INTO sessions (id, id_hash, channel, last_activity, revision, record, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, last_activity = excluded.last_activity,
    revision = excluded.revision, record = excluded.record, checksum = excluded.checksum
"""
_DELETE = "DELETE FROM sessions WHERE id = ?"
_LIST = """
SELECT id, channel, last_activity, revision, record, checksum
FROM sessions ORDER BY last_activity DESC, id LIMIT ? OFFSET ?
"""
_COUNT = "SELECT sessions FROM state WHERE id = 1"
_LIST_BY_CHANNEL = """
SELECT id, channel, last_activity, revision, record, checksum
FROM sessions WHERE channel = ? ORDER BY last_activity DESC, id
"""
_COUNT_BY_CHANNEL = "SELECT sessions FROM channels WHERE channel = ?"
_REVISION = "SELECT revision FROM sessions WHERE id = ?"
_IDS = """
SELECT id, channel, last_activity, revision, record, checksum
FROM sessions WHERE id > ? ORDER BY id LIMIT ?
"""

_Row: TypeAlias = tuple[Any, ...]


class _Sessions(RootModel[list[Session]]):
    """For reading many at once."""


class SQLiteSessionStore:
    """A `SessionStore` in a SQLite file, with the abilities `SessionRevisions` and `Contents`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        found = await self._find(id)
        return found and found[0]

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._engine.check_open()
        await self._engine.write(statement(_SAVE, *row_of(session)))

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._engine.check_open()
        check_id(id)
        await self._engine.write(statement(_DELETE, id))

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._engine.check_open()
        limit, offset = check_limit(limit), check_limit(offset, "offset")

        def read(cursor: Cursor) -> Sequence[Session]:
            with snapshot(cursor):
                found = _all(batches(cursor, _LIST, limit, offset))
                [(count,)] = execute(cursor, _COUNT)
            if len(found) != min(limit, max(count - offset, 0)):
                raise damaged("sessions", "the list is not complete")
            return found

        return await self._engine.read_rows(read, limit, offset)

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._engine.check_open()
        check_id(channel, "channel")

        def read(cursor: Cursor) -> Sequence[Session]:
            with snapshot(cursor):
                found = _all(batches(cursor, _LIST_BY_CHANNEL, channel))
                counts = execute(cursor, _COUNT_BY_CHANNEL, channel)
            if (counts or [(0,)]) != [(len(found),)]:
                raise damaged(channel, "the list of its sessions is not complete")
            return found

        return await self._engine.read(read)

    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        """See `SessionRevisions.get_revision`."""
        found = await self._find(id)
        return found and RevisedSession(found[0], f"{found[1]:x}")

    async def save_if(self, session: Session, /, revision: str | None) -> str:
        """See `SessionRevisions.save_if`."""
        self._engine.check_open()
        row = row_of(session)

        def save(transaction: Transaction) -> None:
            _check_revision(transaction, session.id, revision)
            execute(transaction, _SAVE, *row)

        await self._engine.write(save)
        return f"{row[4]:x}"

    async def delete_if(self, id: SessionId, /, revision: str) -> None:
        """See `SessionRevisions.delete_if`."""
        self._engine.check_open()
        check_id(id)

        def delete(transaction: Transaction) -> None:
            _check_revision(transaction, id, revision)
            execute(transaction, _DELETE, id)

        await self._engine.write(delete)

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._engine.check_open()
        if after is not None:
            check_id(after)
        limit = check_limit(limit)

        def read(cursor: Cursor) -> Sequence[SessionId]:
            found: list[SessionId] = []
            for rows in batches(cursor, _IDS, after or "", limit):
                _check(rows)
                found += [row[0] for row in rows]
            return found

        return await self._engine.read_rows(read, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        self._engine.check_open()
        return await self._engine.read_point(lambda cursor: execute(cursor, _COUNT)[0][0])

    def _find(self, id: SessionId) -> asyncio.Future[tuple[Session, int] | None]:
        self._engine.check_open()
        check_id(id)
        return self._engine.read_point(partial(_get, id))


def row_of(session: Session) -> tuple[str, int, str, int, int, bytes, int]:
    """Return the columns of a session, with a revision that no other save has.

    Raises:
        ValueError: Its id or its channel is none.
        SerializationError: It cannot be stored as it is.
    """
    check_id(session.id)
    check_id(session.channel, "channel")
    # An integer sorts and compares exactly, where a text or a float would need care.
    last_activity = (session.last_activity - _EPOCH) // _MICROSECOND
    keys = session.channel, last_activity, secrets.randbits(63)
    return (
        session.id,
        crc32(session.id.encode()),
        *keys,
        *seal(session, "session", session.id, *keys),
    )


def _get(id: str, cursor: Cursor) -> tuple[Session, int] | None:
    # As `execute`, whose call is a tenth of this.
    rows = cursor.execute(_GET, (id,)).fetchall() or _missed(cursor, id)
    for _, channel, last_activity, revision, record, checksum in rows:
        key = _key(id, channel, last_activity, revision)
        return unseal(Session, record, checksum, id, key), revision
    return None


def _missed(cursor: Cursor, id: str) -> list[tuple[Any, ...]]:
    """Look once more, by another index: a damaged one must not make a session absent."""
    with snapshot(cursor):
        found = execute(cursor, _GET, id)
        if not found and execute(cursor, _HIDDEN, crc32(id.encode()), id):
            raise damaged(id, "the index by id does not have it")
        return found


def _all(found: Iterable[Sequence[_Row]]) -> list[Session]:
    sessions: list[Session] = []
    for rows in found:
        _check(rows)
        sessions += decode_all(
            Session, _Sessions, [row[4] for row in rows], [row[0] for row in rows]
        )
    return sessions


def _check(rows: Iterable[_Row]) -> None:
    for id, channel, last_activity, revision, record, checksum in rows:
        check(record, checksum, id, _key(id, channel, last_activity, revision))


def _key(id: str, channel: str, last_activity: int, revision: int) -> int:
    # As `key_of`, in half the time.
    return crc32(f"session\0{id}\0{channel}\0{last_activity}\0{revision}".encode())


def _check_revision(transaction: Transaction, id: str, revision: str | None) -> None:
    stored = [f"{found:x}" for (found,) in execute(transaction, _REVISION, id)]
    if (stored or [None]) != [revision]:
        raise ConflictError(f"session {id!r} has been saved or deleted meanwhile")
