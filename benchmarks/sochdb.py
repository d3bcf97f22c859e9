"""SochDB beside SQLite, the same calls on both, beside the engine's own search, and by depth.

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
from typing import Any, TypeAlias

from timing import Run, compare

sys.path.pop(0)  # this folder, whose file of the engine's name would be found in its place

import clawdesk_sochdb
import clawdesk_sqlite
import numpy as np
from clawdesk_sochdb import SochDBStorage
from clawdesk_sochdb.engine import open_database
from clawdesk_sqlite import SQLiteStorage

from clawdesk_storage import (
    ChannelId,
    Compares,
    Equals,
    Message,
    Role,
    Session,
    SessionId,
)

COUNT = 1_000
HISTORY = 10_000
TASKS = 64
DIMENSION = 384
ONE = SessionId("one")
MESSAGE = Message(role=Role.USER, content="What does the weather do on Sunday? " * 5)
VECTORS = np.random.default_rng(1).standard_normal((COUNT, DIMENSION)).astype(np.float32)

BATCH = 100
SHARE = Equals("user", 7)  # one in a hundred

Call = Callable[[int], Awaitable[object]]
Opened: TypeAlias = SochDBStorage | SQLiteStorage


async def fill(storage: Opened) -> None:
    """Store a long history, and 1,000 sessions and vectors."""
    for number in range(COUNT):
        id = SessionId(f"s{number}")
        session = Session(id=id, channel=ChannelId("telegram"), system_prompt="Be kind. " * 20)
        await asyncio.gather(
            storage.sessions.save(session),
            storage.vectors.upsert(str(number), VECTORS[number], metadata={"user": number % 100}),
            *(storage.conversations.append_message(ONE, MESSAGE) for _ in range(HISTORY // COUNT)),
        )


def calls(storage: Opened) -> dict[str, tuple[Call, int, int]]:
    """Return what is measured: the call, how many tasks make it, and how often each does."""
    conversations, sessions, vectors = storage.conversations, storage.sessions, storage.vectors
    return {
        "append, 1 task": (lambda n: conversations.append_message(fresh(n), MESSAGE), 1, 100),
        f"append {BATCH} at once, 1 task": (
            lambda n: conversations.append_messages(fresh(n), [MESSAGE] * BATCH),
            1,
            20,
        ),
        f"append, {TASKS} tasks": (
            lambda n: conversations.append_message(fresh(n), MESSAGE),
            TASKS,
            10,
        ),
        f"the last 20 of {HISTORY:,} messages": (
            lambda n: conversations.get_messages(ONE, limit=20),
            1,
            200,
        ),
        f"20 before message {HISTORY // 2:,}": (
            lambda n: conversations.get_before(ONE, HISTORY // 2, limit=20),
            1,
            200,
        ),
        "one session": (lambda n: sessions.get(SessionId(f"s{n}")), 1, 200),
        f"50 of {COUNT:,} sessions": (lambda n: sessions.list(50, n), 1, 100),
        f"the 10 nearest of {COUNT:,} vectors": (
            lambda n: vectors.search(VECTORS[n], top_k=10),
            1,
            200,
        ),
        f"the 10 nearest of {COUNT // 100:,} that a filter matches": (
            lambda n: vectors.search_where(VECTORS[n], SHARE, top_k=10),
            1,
            200,
        ),
        f"the 10 nearest of {COUNT // 2:,} that a filter matches": (
            lambda n: vectors.search_where(VECTORS[n], Compares("user", "<", 50), top_k=10),
            1,
            200,
        ),
    }


def growth(storage: SochDBStorage) -> dict[str, dict[str, tuple[Call, int, int]]]:
    """Return what should not grow, the smaller first."""
    conversations, vectors = storage.conversations, storage.vectors
    return {
        "a page of 20, at which depth": {
            f"before message {depth:,}": (
                lambda n, depth=depth: conversations.get_before(ONE, depth, limit=20),
                1,
                200,
            )
            for depth in (100, HISTORY)
        },
        f"the 10 nearest of {COUNT:,}": {
            "with a filter for 1 %": (
                lambda n: vectors.search_where(VECTORS[n], SHARE, top_k=10),
                1,
                200,
            ),
            "without": (lambda n: vectors.search(VECTORS[n], top_k=10), 1, 200),
        },
    }


def fresh(number: int) -> SessionId:
    """Return a conversation to append to."""
    return SessionId(f"fresh {number % TASKS}")


def repeated(runner: asyncio.Runner, call: Call, tasks: int, count: int) -> Run:
    """Return a run in which each of the tasks awaits `call` so often, one after the other."""

    async def work(task: int) -> None:
        for number in range(count):
            await call(task + number)

    async def all_tasks() -> None:
        await asyncio.gather(*map(work, range(tasks)))

    def run() -> float:
        started = time.perf_counter()
        runner.run(all_tasks())
        return (time.perf_counter() - started) / (tasks * count)

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


async def opened(stack: AsyncExitStack, directory: Path) -> tuple[SochDBStorage, SQLiteStorage]:
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
        for title in ours:
            runs = {"sochdb": repeated(runner, *ours[title])}
            runs["sqlite"] = repeated(runner, *theirs[title])
            if "vectors" in title:
                runs["the engine's own search"] = engine
            compare(title, runs)
        for title, grown in growth(storages[0]).items():
            compare(title, {name: repeated(runner, *call) for name, call in grown.items()})
        runner.run(stack.aclose())


if __name__ == "__main__":
    main()
