"""The floor under clawdesk-sqlite: its statements through apsw, in the event loop's own thread.

Values are made and read as the backend does. What is written in the same step of the loop goes
into one transaction. Nothing is checked when it is read, translated or kept from blocking.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
from clawdesk_sqlite import conversations, sessions
from clawdesk_sqlite.file import File, execute
from clawdesk_sqlite.record import seal

from clawdesk_storage import Message, Session, decode

__all__ = ["open_storage"]

_APPEND, _BEFORE, _CLEAR, _FORGET = (
    vars(conversations)[name] for name in ("_APPEND", "_BEFORE", "_CLEAR", "_FORGET")
)
_GET, _SAVE, _LIST = (vars(sessions)[name] for name in ("_GET", "_SAVE", "_LIST"))
_NEWEST = "SELECT ifnull(max(position), 0) FROM messages"
_END = 2**63 - 1


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
        [(newest,)] = execute(connection, _NEWEST)
        self._positions = count(newest + 1)

    async def get_messages(self, session_id: str, /, limit: int) -> object:
        """See `ConversationStore.get_messages`."""
        rows = execute(self._connection, _BEFORE, session_id, _END, limit)
        return [decode(Message, row[2], key=session_id) for row in reversed(rows)]

    async def append_message(self, session_id: str, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        sealed = seal(message, "message", session_id)
        await self._write(_APPEND, next(self._positions), session_id, *sealed)

    async def clear(self, session_id: str, /) -> None:
        """See `ConversationStore.clear`."""
        await asyncio.gather(self._write(_CLEAR, session_id), self._write(_FORGET, session_id))


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
        await self._write(_SAVE, *sessions.row_of(session))

    async def list(self, limit: int, offset: int) -> object:
        """See `SessionStore.list`."""
        return self._read(_LIST, limit, offset)

    def _read(self, statement: str, *bindings: Any) -> object:
        rows = execute(self._connection, statement, *bindings)
        return [decode(Session, row[4], key=row[0]) for row in rows]


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
