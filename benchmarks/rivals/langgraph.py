"""LangGraph's `AsyncSqliteStore`: items under names.

Its search for vectors needs a `sqlite3` that loads extensions, which that of many Pythons does not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from langgraph.store.sqlite.aio import (  # pyright: ignore[reportMissingTypeStubs]
    AsyncSqliteStore,
)

from clawdesk_storage import Session

__all__ = ["open_storage"]

_SESSIONS = ("sessions",)


class Sessions:
    """Sessions as JSON, listed by when they were saved."""

    def __init__(self, store: AsyncSqliteStore) -> None:
        self._store = store

    async def get(self, id: str, /) -> object:
        """See `SessionStore.get`."""
        return await self._store.aget(_SESSIONS, id)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        await self._store.aput(_SESSIONS, session.id, session.model_dump(mode="json"))

    async def list(self, limit: int, offset: int) -> object:
        """See `SessionStore.list`."""
        return await self._store.asearch(_SESSIONS, limit=limit, offset=offset)


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open the file with a write-ahead log, as the others are; SQLite syncs every commit."""
    path = str(location / "store.db")
    async with AsyncSqliteStore.from_conn_string(path) as store:
        await store.conn.execute("PRAGMA journal_mode = WAL")
        await store.setup()
        yield SimpleNamespace(sessions=Sessions(store))
