"""Sessions in one table."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from clawdesk_storage import (
    ChannelId,
    ConflictError,
    RevisedSession,
    Session,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)

from clawdesk_postgres.database import Database
from clawdesk_postgres.records import decode_sessions
from clawdesk_postgres.revision import REVISION, as_text
from clawdesk_postgres.shared import Shared

__all__ = ["PostgresSessionStore"]


class PostgresSessionStore:
    """A `SessionStore` in PostgreSQL, with `SessionRevisions` and `Contents`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get_one = database.sql("SELECT record FROM {schema}.sessions WHERE id = $1")
        self._get_many = database.sql("""
            SELECT id, record FROM {schema}.sessions WHERE id = ANY ($1::text[])
        """)
        self._gets = Shared(
            self._read_one, self._read_many, database.timeout, database.lanes, writes=False
        )
        self._save = database.sql("""
            INSERT INTO {schema}.sessions (id, channel, last_activity, record)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET
                channel = excluded.channel,
                last_activity = excluded.last_activity,
                record = excluded.record,
                revision = excluded.revision
        """)
        self._delete = database.sql("DELETE FROM {schema}.sessions WHERE id = $1")
        self._list = database.sql("""
            SELECT id, record FROM {schema}.sessions
            ORDER BY last_activity DESC, id LIMIT $1 OFFSET $2
        """)
        self._list_by_channel = database.sql("""
            SELECT id, record FROM {schema}.sessions
            WHERE channel = $1 ORDER BY last_activity DESC, id
        """)
        self._get_revision = database.sql(
            """
            SELECT record, {revision} FROM {schema}.sessions WHERE id = $1
        """,
            revision=REVISION,
        )
        self._create = database.sql(
            """
            INSERT INTO {schema}.sessions (id, channel, last_activity, record)
            VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING {revision}
        """,
            revision=REVISION,
        )
        self._replace = database.sql(
            """
            UPDATE {schema}.sessions
            SET channel = $2, last_activity = $3, record = $4, revision = gen_random_uuid()
            WHERE id = $1 AND {revision} = $5 RETURNING {revision}
        """,
            revision=REVISION,
        )
        self._delete_if = database.sql(
            """
            DELETE FROM {schema}.sessions WHERE id = $1 AND {revision} = $2 RETURNING id
        """,
            revision=REVISION,
        )
        self._ids = database.sql("""
            SELECT id FROM {schema}.sessions WHERE id > $1 ORDER BY id LIMIT $2
        """)
        self._count = database.sql("SELECT count(*) FROM {schema}.sessions")

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._database.check_open()
        check_id(id)
        record = await self._gets.run(id)
        return None if record is None else decode(Session, record.encode(), key=id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._database.check_open()
        await self._database.fetch(self._save, *_row(session))

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._database.check_open()
        check_id(id)
        await self._database.fetch(self._delete, id)

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._database.check_open()
        limit, offset = check_limit(limit), check_limit(offset, "offset")
        return await _sessions(await self._database.fetch(self._list, limit, offset))

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._database.check_open()
        check_id(channel, "channel")
        return await _sessions(await self._database.fetch(self._list_by_channel, channel))

    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        """See `SessionRevisions.get_revision`."""
        self._database.check_open()
        check_id(id)
        rows = await self._database.fetch(self._get_revision, id)
        if not rows:
            return None
        record, revision = rows[0]
        return RevisedSession(decode(Session, record.encode(), key=id), revision)

    async def save_if(self, session: Session, /, revision: str | None) -> str:
        """See `SessionRevisions.save_if`."""
        self._database.check_open()
        row = _row(session)
        if revision is None:
            rows = await self._database.fetch(self._create, *row)
        else:
            rows = await self._database.fetch(self._replace, *row, as_text(revision))
        _check_saved(session.id, rows)
        return str(rows[0][0])

    async def delete_if(self, id: SessionId, /, revision: str) -> None:
        """See `SessionRevisions.delete_if`."""
        self._database.check_open()
        check_id(id)
        rows = await self._database.fetch(self._delete_if, id, as_text(revision))
        _check_saved(id, rows)

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._database.check_open()
        limit = check_limit(limit)
        if after is not None:
            check_id(after, "after")
        rows = await self._database.fetch(self._ids, after or "", limit)
        return [SessionId(row[0]) for row in rows]

    async def count(self) -> int:
        """See `Contents.count`."""
        self._database.check_open()
        return int((await self._database.fetch(self._count))[0][0])

    async def _read_one(self, id: str) -> str | None:
        rows = await self._database.fetch(self._get_one, id)
        return rows[0][0] if rows else None

    async def _read_many(self, ids: Sequence[str]) -> Sequence[str | None]:
        rows = await self._database.fetch(self._get_many, ids)
        records: dict[str, str] = {row[0]: row[1] for row in rows}
        return [records.get(id) for id in ids]


def _row(session: Session) -> Sequence[object]:
    check_id(session.id)
    check_id(session.channel, "channel")
    record = encode(session).decode()
    return session.id, session.channel, session.last_activity, record


def _check_saved(id: str, rows: Sequence[asyncpg.Record]) -> None:
    if not rows:
        raise ConflictError(f"session {id!r} has been saved or deleted meanwhile")


async def _sessions(rows: Sequence[asyncpg.Record]) -> Sequence[Session]:
    return await decode_sessions([row[0] for row in rows], [row[1] for row in rows])
