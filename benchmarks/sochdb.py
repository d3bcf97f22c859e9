"""SochDB beside SQLite, the same calls on both, and beside the engine's own vector search.

    pip install clawdesk-sochdb clawdesk-sqlite
    python benchmarks/sochdb.py

Both sync each commit to the disk. Above 1 means that SochDB is faster.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# This file is called like the engine, and its own folder comes first.
HERE = sys.path.pop(0)

import clawdesk_sochdb  # noqa: E402
import clawdesk_sqlite  # noqa: E402
import numpy as np  # noqa: E402
from clawdesk_sochdb.engine import open_database  # noqa: E402

from clawdesk_storage import (  # noqa: E402
    ChannelId,
    Message,
    Role,
    Session,
    SessionId,
    Storage,
)

sys.path.insert(0, HERE)

from timing import Run, compare  # noqa: E402

COUNT = 1_000
DIMENSION = 384
ONE = SessionId("one")
MESSAGE = Message(role=Role.USER, content="What does the weather do on Sunday? " * 5)
VECTORS = np.random.default_rng(1).standard_normal((COUNT, DIMENSION)).astype(np.float32)

Call = Callable[[int], Awaitable[object]]


async def fill(storage: Storage) -> None:
    """Store 1,000 sessions, messages and vectors."""
    for number in range(COUNT):
        id = SessionId(f"s{number}")
        session = Session(id=id, channel=ChannelId("telegram"), system_prompt="Be kind. " * 20)
        await storage.sessions.save(session)
        await storage.conversations.append_message(ONE, MESSAGE)
        await storage.vectors.upsert(str(number), VECTORS[number], metadata=number)


def calls(storage: Storage) -> dict[str, tuple[Call, int]]:
    """Return what is measured: the call, and how many make up a round."""
    fresh = SessionId("fresh")
    return {
        "append a message": (lambda n: storage.conversations.append_message(fresh, MESSAGE), 100),
        "the last 20 of 1,000 messages": (
            lambda n: storage.conversations.get_messages(ONE, limit=20),
            200,
        ),
        "one session": (lambda n: storage.sessions.get(SessionId(f"s{n}")), 200),
        "50 of 1,000 sessions": (lambda n: storage.sessions.list(50, n), 100),
        "the 10 nearest of 1,000 vectors": (
            lambda n: storage.vectors.search(VECTORS[n], top_k=10),
            200,
        ),
    }


def repeated(runner: asyncio.Runner, call: Call, count: int) -> Run:
    """Return a run that awaits `call` so often, one after the other."""

    async def work() -> None:
        for number in range(count):
            await call(number)

    def run() -> float:
        started = time.perf_counter()
        runner.run(work())
        return (time.perf_counter() - started) / count

    return run


def engine_search(directory: Path) -> Run:
    """Return a run of searches by the engine itself, among the same vectors."""
    database: Any = open_database(directory)
    database.ffi_collection_create("space", "vectors", DIMENSION)
    ids = [str(number) for number in range(COUNT)]
    database.ffi_collection_insert_batch("space", "vectors", ids, VECTORS.tolist())
    queries = VECTORS[:50].tolist()

    def run() -> float:
        started = time.perf_counter()
        for query in queries:
            database.ffi_collection_search("space", "vectors", query, 10)
        return (time.perf_counter() - started) / len(queries)

    return run


async def opened(stack: AsyncExitStack, directory: Path) -> tuple[Storage, Storage]:
    """Open and fill both storages."""
    sochdb = await stack.enter_async_context(clawdesk_sochdb.open_storage(directory / "sochdb"))
    sqlite = await stack.enter_async_context(clawdesk_sqlite.open_storage(directory / "sqlite"))
    for storage in (sochdb, sqlite):
        await fill(storage)
    return sochdb, sqlite


def main() -> None:
    """Print one comparison for each kind of call."""
    with TemporaryDirectory() as directory, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        storages = runner.run(opened(stack, Path(directory)))
        engine = engine_search(Path(directory) / "engine")
        ours, theirs = map(calls, storages)
        for title, (call, count) in ours.items():
            runs = {"sochdb": repeated(runner, call, count)}
            runs["sqlite"] = repeated(runner, theirs[title][0], count)
            if "vectors" in title:
                runs["the engine's own search"] = engine
            compare(title, runs)
        runner.run(stack.aclose())


if __name__ == "__main__":
    main()
