"""`SQLiteSession` of the OpenAI Agents SDK: one object for each conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from agents import SQLiteSession

from clawdesk_storage import Message

__all__ = ["open_storage"]


class Conversations:
    """The conversations in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sessions: dict[str, SQLiteSession] = {}

    def _session(self, id: str) -> SQLiteSession:
        if id not in self._sessions:
            self._sessions[id] = SQLiteSession(id, self._path)
        return self._sessions[id]

    async def get_messages(self, session_id: str, /, limit: int) -> object:
        """See `ConversationStore.get_messages`."""
        return await self._session(session_id).get_items(limit)

    async def append_message(self, session_id: str, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        role = "assistant" if message.role == "assistant" else "user"
        await self._session(session_id).add_items([{"role": role, "content": message.content}])

    async def clear(self, session_id: str, /) -> None:
        """See `ConversationStore.clear`."""
        await self._session(session_id).clear_session()

    def close(self) -> None:
        """Close every conversation."""
        for session in self._sessions.values():
            session.close()


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open the file, which the library writes ahead; SQLite syncs every commit by default."""
    conversations = Conversations(location / "sessions.db")
    try:
        yield SimpleNamespace(conversations=conversations)
    finally:
        conversations.close()
