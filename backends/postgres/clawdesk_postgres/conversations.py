"""Conversations: messages numbered in the order of their commits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import itemgetter

from clawdesk_storage import Message, SessionId, check_id, check_limit, encode

from clawdesk_postgres.database import Database
from clawdesk_postgres.records import decode_messages
from clawdesk_postgres.shared import Shared

__all__ = ["PostgresConversationStore"]


class PostgresConversationStore:
    """A `ConversationStore` in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get = database.sql("""
            SELECT record FROM {schema}.messages
            WHERE session_id = $1 ORDER BY position DESC LIMIT $2
        """)
        self._append_one = database.sql("SELECT {schema}.append_message($1, $2)")
        self._append_many = database.sql("""
            SELECT {schema}.append_message(session, record)
            FROM unnest($1::text[], $2::text[]) AS appends (session, record)
        """)
        self._appends = Shared(self._write_one, self._write_many, database.timeout, writes=True)
        self._clear = database.sql("SELECT {schema}.clear_messages($1)")

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._database.check_open()
        check_id(session_id)
        check_limit(limit)
        rows = await self._database.fetch(self._get, session_id, min(limit, sys.maxsize))
        return decode_messages([session_id] * len(rows), [row[0] for row in reversed(rows)])

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._database.check_open()
        check_id(session_id)
        await self._appends.run((session_id, encode(message).decode()))

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._database.check_open()
        check_id(session_id)
        await self._database.fetch(self._clear, session_id)

    async def _write_one(self, append: tuple[str, str]) -> None:
        await self._database.fetch(self._append_one, *append)

    async def _write_many(self, appends: Sequence[tuple[str, str]]) -> Sequence[None]:
        # Every process locks conversations in the same order: none waits for another in a circle.
        ordered = sorted(appends, key=itemgetter(0))
        sessions, records = [each[0] for each in ordered], [each[1] for each in ordered]
        await self._database.fetch(self._append_many, sessions, records)
        return [None] * len(appends)
