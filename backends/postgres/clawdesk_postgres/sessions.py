"""Sessions in one table."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import asyncpg
from clawdesk_storage import ChannelId, Session, SessionId, check_id, check_limit, decode, encode

from clawdesk_postgres.database import Database
from clawdesk_postgres.records import decode_sessions
from clawdesk_postgres.shared import Shared

__all__ = ["PostgresSessionStore"]


class PostgresSessionStore:
    """A `SessionStore` in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get_one = database.sql("SELECT record FROM {schema}.sessions WHERE id = $1")
        self._get_many = database.sql("""
            SELECT id, record FROM {schema}.sessions WHERE id = ANY ($1::text[])
        """)
        self._gets = Shared(self._read_one, self._read_many, database.timeout, writes=False)
        self._save = database.sql("""
            INSERT INTO {schema}.sessions (id, channel, last_activity, record)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET
                channel = excluded.channel,
                last_activity = excluded.last_activity,
                record = excluded.record
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

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._database.check_open()
        check_id(id)
        record = await self._gets.run(id)
        return None if record is None else decode(Session, record.encode(), key=id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._database.check_open()
        check_id(session.id)
        check_id(session.channel, "channel")
        record = encode(session).decode()
        await self._database.fetch(
            self._save, session.id, session.channel, session.last_activity, record
        )

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._database.check_open()
        check_id(id)
        await self._database.fetch(self._delete, id)

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._database.check_open()
        check_limit(limit)
        check_limit(offset, "offset")
        rows = await self._database.fetch(
            self._list, min(limit, sys.maxsize), min(offset, sys.maxsize)
        )
        return _sessions(rows)

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._database.check_open()
        check_id(channel, "channel")
        return _sessions(await self._database.fetch(self._list_by_channel, channel))

    async def _read_one(self, id: str) -> str | None:
        rows = await self._database.fetch(self._get_one, id)
        return rows[0][0] if rows else None

    async def _read_many(self, ids: Sequence[str]) -> Sequence[str | None]:
        rows = await self._database.fetch(self._get_many, ids)
        records: dict[str, str] = {row[0]: row[1] for row in rows}
        return [records.get(id) for id in ids]


def _sessions(rows: Sequence[asyncpg.Record]) -> Sequence[Session]:
    return decode_sessions([row[0] for row in rows], [row[1] for row in rows])
