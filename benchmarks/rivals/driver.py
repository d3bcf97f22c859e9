"""The floor under clawdesk-sqlite: its statements through apsw, in the event loop's own thread.

Values are made and read as the backend does. What is written in the same step of the loop goes
into one transaction. Nothing is checked, translated or kept from blocking.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
from clawdesk_sqlite import conversations, sessions
from clawdesk_sqlite.file import File, execute
from clawdesk_sqlite.record import seal, unseal

from clawdesk_storage import Message, Session

__all__ = ["open_storage"]

_APPEND, _LAST, _CLEAR = (vars(conversations)[name] for name in ("_APPEND", "_LAST", "_CLEAR"))
_GET, _SAVE, _LIST = (vars(sessions)[name] for name in ("_GET", "_SAVE", "_LIST"))


class Writer:
    """Commits what has come since the last commit."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[str, tuple[Any, ...], asyncio.Future[None]]] = []

    async def write(self, statement: str, *bindings: Any) -> None:
        """Execute a statement and wait until it is on disk."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((statement, bindings, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._commit)
        await done

    def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        execute(self._connection, "BEGIN IMMEDIATE")
        for statement, bindings, _ in batch:
            execute(self._connection, statement, *bindings)
        execute(self._connection, "COMMIT")
        for _, _, done in batch:
            done.set_result(None)


class Conversations:
    """The conversations."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._write = Writer(connection).write

    async def get_messages(self, session_id: str, /, limit: int) -> object:
        """See `ConversationStore.get_messages`."""
        rows = execute(self._connection, _LAST, session_id, limit)
        return [
            unseal(Message, record, checksum, session_id) for record, checksum in reversed(rows)
        ]

    async def append_message(self, session_id: str, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        await self._write(_APPEND, session_id, *seal(message))

    async def clear(self, session_id: str, /) -> None:
        """See `ConversationStore.clear`."""
        await self._write(_CLEAR, session_id)


class Sessions:
    """The sessions."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._write = Writer(connection).write

    async def get(self, id: str, /) -> object:
        """See `SessionStore.get`."""
        return self._read(_GET, id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        moment = int(session.last_activity.timestamp() * 1_000_000)
        await self._write(_SAVE, session.id, session.channel, moment, *seal(session))

    async def list(self, limit: int, offset: int) -> object:
        """See `SessionStore.list`."""
        return self._read(_LIST, limit, offset)

    def _read(self, statement: str, *bindings: Any) -> object:
        rows = execute(self._connection, statement, *bindings)
        return [unseal(Session, record, checksum, id) for id, record, checksum in rows]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open the file as the backend does."""
    connection = File(location / "clawdesk.sqlite3").owner
    try:
        yield SimpleNamespace(
            conversations=Conversations(connection), sessions=Sessions(connection)
        )
    finally:
        connection.close()
