"""The conversations."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apsw
from clawdesk_storage import Message, SessionId, check_id, check_limit

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import execute, statement
from clawdesk_sqlite.record import seal, unseal

__all__ = ["SQLiteConversationStore"]

# From the end of the history, so that its length does not matter.
_LAST = """
SELECT record, checksum FROM messages WHERE session = ? ORDER BY position DESC LIMIT ?
"""
_APPEND = "INSERT INTO messages (session, record, checksum) VALUES (?, ?, ?)"
_CLEAR = "DELETE FROM messages WHERE session = ?"


class SQLiteConversationStore:
    """A `ConversationStore` in a SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._engine.check_open()
        check_id(session_id)
        check_limit(limit)

        def read(connection: apsw.Connection) -> Sequence[Message]:
            rows = execute(connection, _LAST, session_id, min(limit, sys.maxsize))
            rows.reverse()
            return [unseal(Message, record, checksum, session_id) for record, checksum in rows]

        return await self._engine.read(read)

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._engine.check_open()
        check_id(session_id)
        await self._engine.write(statement(_APPEND, session_id, *seal(message)))

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._engine.check_open()
        check_id(session_id)
        await self._engine.write(statement(_CLEAR, session_id))
