"""The sessions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw
from clawdesk_storage import ChannelId, Session, SessionId, check_id, check_limit

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import execute, statement
from clawdesk_sqlite.record import seal, unseal

__all__ = ["SQLiteSessionStore"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_GET = "SELECT id, record, checksum FROM sessions WHERE id = ?"
_SAVE = """
INSERT OR REPLACE INTO sessions (id, channel, last_activity, record, checksum)
VALUES (?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM sessions WHERE id = ?"
_LIST = """
SELECT id, record, checksum FROM sessions ORDER BY last_activity DESC, id LIMIT ? OFFSET ?
"""
_LIST_BY_CHANNEL = """
SELECT id, record, checksum FROM sessions WHERE channel = ? ORDER BY last_activity DESC, id
"""


class SQLiteSessionStore:
    """A `SessionStore` in a SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        self._engine.check_open()
        check_id(id)
        found = await self._sessions(_GET, id)
        return found[0] if found else None

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        self._engine.check_open()
        check_id(session.id)
        check_id(session.channel, "channel")
        row = seal(session)
        # An integer sorts and compares exactly, where a text or a float would need care.
        last_activity = (session.last_activity - _EPOCH) // _MICROSECOND
        await self._engine.write(statement(_SAVE, session.id, session.channel, last_activity, *row))

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        self._engine.check_open()
        check_id(id)
        await self._engine.write(statement(_DELETE, id))

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        self._engine.check_open()
        check_limit(limit)
        check_limit(offset, "offset")
        return await self._sessions(_LIST, min(limit, sys.maxsize), min(offset, sys.maxsize))

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        self._engine.check_open()
        check_id(channel, "channel")
        return await self._sessions(_LIST_BY_CHANNEL, channel)

    async def _sessions(self, query: str, *bindings: Any) -> Sequence[Session]:
        def read(connection: apsw.Connection) -> Sequence[Session]:
            rows = execute(connection, query, *bindings)
            return [unseal(Session, record, checksum, id) for id, record, checksum in rows]

        return await self._engine.read(read)
