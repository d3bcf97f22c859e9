"""Conversations: messages numbered in the order of their commits."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from clawdesk_storage import (
    ConflictError,
    HistoryEntry,
    Message,
    SessionId,
    check_id,
    check_limit,
    encode,
)

from clawdesk_postgres.database import Database
from clawdesk_postgres.records import decode_messages
from clawdesk_postgres.shared import Shared

__all__ = ["PostgresConversationStore"]

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# How long an append that shares a statement waits for a conversation that another process has
# locked; then each goes alone, and waits as long as it must.
_LOCK_TIMEOUT = "100ms"


@dataclass(frozen=True, slots=True)
class _Write:
    """What is to be done to a conversation; `record` where it is one message more."""

    session_id: str
    run: Callable[[], Awaitable[Any]]
    record: str | None = None


class PostgresConversationStore:
    """A `ConversationStore` in PostgreSQL.

    With `MessageBatches`, `MessagePages`, `MessageGuards` and `Contents`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get = database.sql("""
            SELECT record FROM {schema}.messages
            WHERE session_id = $1 ORDER BY position DESC LIMIT $2
        """)
        self._get_before = database.sql("""
            SELECT position, record FROM {schema}.messages
            WHERE session_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3
        """)
        self._get_after = database.sql("""
            SELECT position, record FROM {schema}.messages
            WHERE session_id = $1 AND position > $2 ORDER BY position LIMIT $3
        """)
        self._append_one = database.sql("SELECT {schema}.append_message($1, $2)")
        self._append_many = database.sql(
            """
            SELECT {schema}.append_message(session, record)
            FROM set_config('lock_timeout', '{timeout}', true),
                unnest($1::text[], $2::text[]) AS appends (session, record)
            """,
            timeout=_LOCK_TIMEOUT,
        )
        self._append_batch = database.sql("SELECT {schema}.append_messages($1, $2)")
        self._append_after = database.sql("SELECT {schema}.append_after($1, $2, $3)")
        self._truncate = database.sql("SELECT {schema}.truncate_after($1, $2, $3)")
        self._clear = database.sql("SELECT {schema}.clear_messages($1)")
        # LIMIT 1: one look into the index for each conversation, whatever the planner thinks.
        filled = """
            FROM {schema}.conversations AS c, LATERAL (
                SELECT FROM {schema}.messages AS m WHERE m.session_id = c.session_id LIMIT 1
            ) AS one
        """
        self._ids = database.sql(
            f"SELECT session_id {filled} WHERE session_id > $1 ORDER BY session_id LIMIT $2"
        )
        self._count = database.sql(f"SELECT count(*) {filled}")
        self._writes: Shared[_Write, Any] = Shared(
            _run,
            self._write_many,
            database.timeout,
            database.lanes,
            key=_session_id,
            is_single=_is_single,
            writes=True,
        )

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._database.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        rows = await self._database.fetch(self._get, session_id, limit)
        return await decode_messages([session_id] * len(rows), [row[0] for row in reversed(rows)])

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._database.check_open()
        check_id(session_id)
        record = encode(message).decode()
        await self._writes.run(
            _Write(session_id, lambda: self._fetch(self._append_one, session_id, record), record)
        )

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._database.check_open()
        check_id(session_id)
        await self._write(self._clear, session_id)

    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        """See `MessageBatches.append_messages`."""
        self._database.check_open()
        check_id(session_id)
        # One without messages is sent, too: a server out of reach is an error for every call.
        await self._write(self._append_batch, session_id, _records(messages))

    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_before`."""
        self._database.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        bound = _LARGEST if position is None else _position(position)
        rows = await self._database.fetch(self._get_before, session_id, bound, limit)
        return await _entries(session_id, rows[::-1])

    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_after`."""
        self._database.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        bound = _SMALLEST if position is None else _position(position)
        rows = await self._database.fetch(self._get_after, session_id, bound, limit)
        return await _entries(session_id, rows)

    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        """See `MessageGuards.append_after`."""
        self._database.check_open()
        check_id(session_id)
        records = _records(messages)
        if not records:
            raise ValueError("there are no messages to append")
        expected = None if position is None else _position(position)
        newest = await self._write(self._append_after, session_id, expected, records)
        if newest is None:
            raise _conflict(session_id)
        return int(newest)

    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        """See `MessageGuards.truncate_after`."""
        self._database.check_open()
        check_id(session_id)
        kept = None if position is None else _position(position)
        if not await self._write(self._truncate, session_id, kept, _position(newest)):
            raise _conflict(session_id)

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

    async def _write(self, sql: str, session_id: str, *arguments: object) -> Any:
        """Run a statement on one conversation, one after the other, and return its answer."""
        run = lambda: self._fetch(sql, session_id, *arguments)  # noqa: E731
        return await self._writes.run(_Write(session_id, run))

    async def _fetch(self, sql: str, *arguments: object) -> Any:
        return (await self._database.fetch(sql, *arguments))[0][0]

    async def _write_many(self, appends: Sequence[_Write]) -> Sequence[None]:
        # Every process locks conversations in the same order: none waits for another in a circle.
        ordered = sorted(appends, key=_session_id)
        sessions = [each.session_id for each in ordered]
        records = [each.record for each in ordered]
        await self._database.fetch(self._append_many, sessions, records)
        return [None] * len(appends)


def _run(write: _Write) -> Awaitable[Any]:
    return write.run()


def _is_single(write: _Write) -> bool:
    return write.record is None


_session_id = operator.attrgetter("session_id")


def _records(messages: Sequence[Message]) -> list[str]:
    return [encode(message).decode() for message in messages]


def _position(position: int) -> int:
    """A position as the server takes it: beyond 64 bits there is none, and it still bounds."""
    return max(_SMALLEST, min(operator.index(position), _LARGEST))


async def _entries(session_id: str, rows: Sequence[asyncpg.Record]) -> Sequence[HistoryEntry]:
    messages = await decode_messages([session_id] * len(rows), [row[1] for row in rows])
    return [HistoryEntry(row[0], message) for row, message in zip(rows, messages, strict=True)]


def _conflict(session_id: str) -> ConflictError:
    return ConflictError(f"the newest message of {session_id!r} is not the one given")
