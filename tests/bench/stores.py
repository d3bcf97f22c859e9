"""Backends with one fault each that a bench must show."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from clawdesk_storage import AppConfig, Message, Session, SessionId, StorageIOError, VectorResult
from clawdesk_storage.models import Vector
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryVectorStore,
)

BLOCKED = 0.05


class Scanning(MemoryConversationStore):
    """Reads the whole history for its end, so slowly that a busy machine makes no difference."""

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        whole = await super().get_messages(session_id, limit=2**62)
        await asyncio.sleep(len(whole) * BLOCKED / 1_000)
        return whole[max(0, len(whole) - limit) :]


class Steady(MemoryConversationStore):
    """Takes as long for every history, and has no abilities."""

    append_messages = None  # pyright: ignore[reportAssignmentType]
    get_before = None  # pyright: ignore[reportAssignmentType]

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        await asyncio.sleep(BLOCKED)
        return await super().get_messages(session_id, limit)


class Blocking(MemoryConfigStore):
    """Sleeps where it should wait."""

    async def get_config(self) -> AppConfig:
        time.sleep(BLOCKED)  # noqa: ASYNC251
        return await super().get_config()


class Waiting(MemoryConfigStore):
    """Takes as long, and lets the loop work meanwhile."""

    async def get_config(self) -> AppConfig:
        await asyncio.sleep(BLOCKED)
        return await super().get_config()


class Nearly(MemoryVectorStore):
    """Misses the nearest of all."""

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        return (await super().search(query, top_k + 1))[1:]


class Failing(MemorySessionStore):
    """Cannot list."""

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        raise StorageIOError("the disk is\nfull")


class Dying(MemoryConfigStore):
    """Takes its process with it."""

    async def get_config(self) -> AppConfig:
        os._exit(7)


class Hanging(MemoryConfigStore):
    """Waits for what never comes."""

    async def save_config(self, config: AppConfig, /) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def open_scanning(location: Path) -> AsyncGenerator[object]:
    yield SimpleNamespace(conversations=Scanning())


@asynccontextmanager
async def open_sound(location: Path) -> AsyncGenerator[object]:
    print("a backend may print")
    yield SimpleNamespace(conversations=Steady(), config=Waiting())


@asynccontextmanager
async def open_blocking(location: Path) -> AsyncGenerator[object]:
    yield SimpleNamespace(config=Blocking())


@asynccontextmanager
async def open_nearly(location: Path) -> AsyncGenerator[object]:
    yield SimpleNamespace(vectors=Nearly())


@asynccontextmanager
async def open_failing(location: Path) -> AsyncGenerator[object]:
    yield SimpleNamespace(sessions=Failing())


@asynccontextmanager
async def open_dying(location: Path) -> AsyncGenerator[object]:
    yield SimpleNamespace(config=Dying())


@asynccontextmanager
async def open_hanging(location: Path) -> AsyncGenerator[object]:
    yield SimpleNamespace(config=Hanging())


@asynccontextmanager
async def open_never(location: Path) -> AsyncGenerator[object]:
    raise StorageIOError("no server answers")
    yield
