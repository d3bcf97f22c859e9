"""Conversations: messages numbered in the order of their commits."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from clawdesk_storage import Message, SessionId, check_id, check_limit, decode, encode

from clawdesk_postgres.appends import Appends
from clawdesk_postgres.database import Database

__all__ = ["PostgresConversationStore"]


class PostgresConversationStore:
    """A `ConversationStore` in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get = database.sql("""
            SELECT record FROM {schema}.messages
            WHERE session_id = $1 ORDER BY position DESC LIMIT $2
        """)
        self._appends = Appends(database)
        self._clear = database.sql("SELECT {schema}.clear_messages($1)")

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._database.check_open()
        check_id(session_id)
        check_limit(limit)
        rows = await self._database.fetch(self._get, session_id, min(limit, sys.maxsize))
        return [decode(Message, row[0].encode(), key=session_id) for row in reversed(rows)]

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._database.check_open()
        check_id(session_id)
        await self._appends.append(session_id, encode(message).decode())

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._database.check_open()
        check_id(session_id)
        await self._database.fetch(self._clear, session_id)
