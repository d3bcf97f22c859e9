"""Backends that misbehave, to be named on command lines and in tests."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from operator import index
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clawdesk_storage import Message, Session, SessionId
from clawdesk_storage.conformance import Backend
from clawdesk_storage.testing import (
    MemoryConversationStore,
    MemorySessionStore,
    MemoryStorage,
    open_storage,
)

NUMBER = 7


class OldestFirst(MemoryConversationStore):
    """Keeps the wrong end."""

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        whole = await super().get_messages(session_id, limit=2**62 if limit >= 0 else limit)
        return whole[:limit]


class Lenient(MemorySessionStore):
    """Takes a negative limit for none at all."""

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        return await super().list(abs(index(limit)), abs(index(offset)))


class Raising(MemorySessionStore):
    """Has a bug of its own."""

    async def get(self, id: SessionId, /) -> Session | None:
        return await self._found({}, id)

    async def _found(self, table: dict[str, Session], id: str) -> Session:
        return table[id]


class Recursing(MemorySessionStore):
    """Calls itself for ever."""

    async def get(self, id: SessionId, /) -> Session | None:
        return await self.get(id)


class Hanging(MemorySessionStore):
    """Waits for what never comes."""

    async def get(self, id: SessionId, /) -> Session | None:
        await asyncio.Event().wait()
        return None


class Blocking(MemorySessionStore):
    """Blocks the event loop, for longer than any test waits."""

    async def get(self, id: SessionId, /) -> Session | None:
        print("blocking", flush=True)
        time.sleep(1000)  # noqa: ASYNC251
        return None


class Stubborn(MemorySessionStore):
    """Swallows every cancellation."""

    async def get(self, id: SessionId, /) -> Session | None:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue


class SessionsOnly:
    """One port of four."""

    def __init__(self, sessions: MemorySessionStore) -> None:
        self.sessions = sessions


@asynccontextmanager
async def open_sessions_only(location: Path) -> AsyncGenerator[SessionsOnly]:
    """Open a storage with one port."""
    store = MemorySessionStore()
    try:
        yield SessionsOnly(store)
    finally:
        store.close()


def opener(store: type[MemorySessionStore]) -> Any:
    """Return an open function whose storage has `store` as its only port."""

    @asynccontextmanager
    async def open_it(location: Path) -> AsyncGenerator[SessionsOnly]:
        sessions = store()
        try:
            yield SessionsOnly(sessions)
        finally:
            sessions.close()

    return open_it


class OldestFirstStorage(MemoryStorage):
    """In memory, with the wrong end of histories."""

    def __init__(self) -> None:
        super().__init__()
        self.conversations = OldestFirst()


def open_oldest_first(location: Path) -> OldestFirstStorage:
    """Open a storage that keeps the wrong end of histories."""
    return OldestFirstStorage()


@asynccontextmanager
async def open_nothing(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open a storage without ports."""
    yield SimpleNamespace(sessions=None)


@asynccontextmanager
async def open_fails(location: Path) -> AsyncGenerator[MemoryStorage]:
    """Fail to open."""
    raise OSError("no such device")
    yield MemoryStorage()


async def open_coroutine(location: Path) -> MemoryStorage:
    """Forget the context manager."""
    return MemoryStorage()


waived = Backend(
    opener(Lenient),
    durable=False,
    shared=False,
    waivers=dict.fromkeys(
        ("SES-08", "CON-05", "CON-07"), "the engine takes a negative limit for none"
    ),
)
needlessly_waived = Backend(
    open_storage, durable=False, shared=False, waivers={"SES-07": "pages are hard"}
)
unknown_waiver = Backend(open_storage, waivers={"SES-99": "no such law"})
hanging = Backend(opener(Hanging), durable=False, shared=False)
blocking = Backend(opener(Blocking), durable=False, shared=False)
stubborn = Backend(opener(Stubborn), durable=False, shared=False)
recursing = Backend(opener(Recursing), durable=False, shared=False)
raising = Backend(opener(Raising), durable=False, shared=False)
