"""How fast is the SQLite backend, beside its driver and beside others?

    pip install openai-agents sqlite-vec usearch
    python benchmarks/sqlite.py [append|history|search]...

All files are on the same disk, with a write-ahead log and `synchronous = FULL`.

An append is measured beside its own statements, given to the driver in the thread that measures,
with one cursor for all of them. Making the message and its bytes is part of what an append costs,
whoever does it, so the goal is on the driver that does that too; the driver that is handed the
bytes ready is the floor that no caller can reach.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import sqlite_vec  # pyright: ignore[reportMissingTypeStubs]
import usearch.index
from agents import SQLiteSession
from clawdesk_sqlite import SQLiteStorage, conversations, open_storage
from clawdesk_sqlite.file import File, execute
from clawdesk_sqlite.record import seal
from timing import compare
from usearch.compiled import MetricKind

from clawdesk_storage import Message, Role, SessionId

TASKS = 64
CONTENT = "What will the weather be like in the mountains at the weekend? " * 4
APPEND = vars(conversations)["_APPEND"]

VECTORS, DIMENSION, TOP_K = 20_000, 384, 10


def message() -> Message:
    """A new message, as a gateway makes one for each append."""
    return Message(role=Role.USER, content=CONTENT, metadata={"channel": "telegram"})


@asynccontextmanager
async def fresh_storage() -> AsyncGenerator[SQLiteStorage, None]:
    """An empty storage that is gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_storage(Path(directory)) as storage:
            yield storage


async def by_tasks(append: Callable[[int], Awaitable[object]], tasks: int, each: int) -> float:
    """Let each task call `append(task)` one after the other; return seconds per call."""

    async def work(task: int) -> None:
        for _ in range(each):
            await append(task)

    start = time.perf_counter()
    await asyncio.gather(*(work(task) for task in range(tasks)))
    return (time.perf_counter() - start) / (tasks * each)


def ours(tasks: int, each: int) -> float:
    """Append through the backend."""

    async def run() -> float:
        async with fresh_storage() as storage:
            append = storage.conversations.append_message
            return await by_tasks(
                lambda task: append(SessionId(f"s{task}"), message()), tasks, each
            )

    return asyncio.run(run())


def agents_sdk(tasks: int, each: int) -> float:
    """Append through the `SQLiteSession` of the OpenAI Agents SDK, one object per conversation."""

    async def run() -> float:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "sessions.db"
            sessions = [SQLiteSession(f"s{task}", path) for task in range(tasks)]

            async def append(task: int) -> None:
                await sessions[task].add_items([{"role": "user", "content": CONTENT}])

            seconds = await by_tasks(append, tasks, each)
            for session in sessions:
                session.close()
            return seconds

    return asyncio.run(run())


def driver(batch: int, batches: int, made_before: bool) -> float:
    """Append by the same statement in this thread, `batch` rows to a transaction.

    Args:
        batch: 1 is a transaction by itself for each.
        batches: How many transactions.
        made_before: Whether the bytes to be stored are there when the clock starts; otherwise the
            messages are made and encoded as it runs, which the backend has to do too.
    """
    row = seal(message(), "message", "s")
    positions = count(1)
    with tempfile.TemporaryDirectory() as directory:
        connection = File(Path(directory) / "clawdesk.sqlite3").owner
        cursor: Any = connection.cursor()
        start = time.perf_counter()
        for _ in range(batches):
            cursor.execute("BEGIN IMMEDIATE")
            for task in range(batch):
                session = f"s{task}"
                sealed = row if made_before else seal(message(), "message", session)
                cursor.execute(APPEND, (next(positions), session, *sealed))
            cursor.execute("COMMIT")
        seconds = (time.perf_counter() - start) / (batch * batches)
        connection.close()
    return seconds


def append() -> None:
    """Compare appends."""
    compare(
        f"append, {TASKS} tasks",
        {
            "clawdesk-sqlite": lambda: ours(TASKS, 150),
            "SQLiteSession": lambda: agents_sdk(TASKS, 5),
            f"driver, making {TASKS} messages a batch": lambda: driver(TASKS, 150, False),
            f"driver, {TASKS} ready rows a batch": lambda: driver(TASKS, 150, True),
        },
        {"SQLiteSession": 10, f"driver, making {TASKS} messages a batch": 0.8},
    )
    compare(
        "append, 1 task",
        {
            "clawdesk-sqlite": lambda: ours(1, 600),
            "SQLiteSession": lambda: agents_sdk(1, 300),
            "driver, making each message": lambda: driver(1, 600, False),
            "driver, ready rows": lambda: driver(1, 600, True),
        },
        {"driver, making each message": 0.6},
    )


async def history() -> None:
    """Compare the last 20 messages of a long history with those of a short one."""
    async with fresh_storage() as storage:
        lengths = {"100,000 messages": 100_000, "100 messages": 100}
        for name, length in lengths.items():
            appends = (
                storage.conversations.append_message(SessionId(name), message())
                for _ in range(length)
            )
            await asyncio.gather(*appends)

        def last(name: str) -> Callable[[], float]:
            read = storage.conversations.get_messages
            return lambda: on(loop, by_tasks(lambda _: read(SessionId(name), limit=20), 1, 300))

        loop = asyncio.get_running_loop()
        await asyncio.to_thread(
            compare,
            "last 20 messages",
            {name: last(name) for name in lengths},
            {"100 messages": 1 / 1.3},
        )


def on(loop: asyncio.AbstractEventLoop, work: Any) -> float:
    """Run a coroutine on a loop in another thread and return its result."""
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def timed(search: Callable[[Any], object], queries: Any) -> float:
    """Return the seconds that one of the searches took."""
    start = time.perf_counter()
    for query in queries:
        search(query)
    return (time.perf_counter() - start) / len(queries)


def numpy_floor(matrix: Any) -> Callable[[Any], object]:
    """The least that an exact search does: a product, a partition, the best in order."""

    def search(query: Any) -> object:
        scores = matrix @ query
        best = np.argpartition(scores, -TOP_K)[-TOP_K:]
        return best[np.argsort(-scores[best])]

    return search


def in_sqlite_vec(matrix: Any, path: Path) -> Callable[[Any], object]:
    """The vectors in a virtual table of sqlite-vec."""
    connection = apsw.Connection(str(path))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    kind = f"float[{DIMENSION}] distance_metric=cosine"
    execute(connection, f"CREATE VIRTUAL TABLE vectors USING vec0(unit {kind})")
    execute(connection, "BEGIN")
    for row in matrix:
        execute(connection, "INSERT INTO vectors (unit) VALUES (?)", row.tobytes())
    execute(connection, "COMMIT")
    nearest = "SELECT rowid, distance FROM vectors WHERE unit MATCH ? AND k = ?"
    return lambda query: execute(connection, nearest, query.tobytes(), TOP_K)


def in_usearch(matrix: Any) -> Callable[[Any], object]:
    """The vectors in memory, searched exactly by usearch."""
    return lambda query: usearch.index.search(matrix, query, TOP_K, MetricKind.Cos, exact=True)


async def search() -> None:
    """Compare searches."""
    generator = np.random.default_rng(7)
    matrix = generator.normal(size=(VECTORS, DIMENSION)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = matrix[:20] + 0.01
    loop = asyncio.get_running_loop()
    async with fresh_storage() as storage:
        vectors = storage.vectors
        await asyncio.gather(
            *(vectors.upsert(f"v{row}", vector, metadata=row) for row, vector in enumerate(matrix))
        )
        start = time.perf_counter()
        await vectors.search(queries[0], top_k=TOP_K)
        print(f"\nfirst search of {VECTORS:,}: {(time.perf_counter() - start) * 1e3:.0f} ms")

        async def through_the_port() -> float:
            start = time.perf_counter()
            for query in queries:
                await vectors.search(query, top_k=TOP_K)
            return (time.perf_counter() - start) / len(queries)

        with tempfile.TemporaryDirectory() as directory:
            others = {
                "NumPy in memory": numpy_floor(matrix),
                "sqlite-vec": in_sqlite_vec(matrix, Path(directory) / "vec.db"),
                "usearch, exact": in_usearch(matrix),
            }
            runs = {name: partial(timed, run, queries) for name, run in others.items()}
            await asyncio.to_thread(
                compare,
                f"search, {VECTORS:,} vectors of {DIMENSION} dimensions, top {TOP_K}",
                {"clawdesk-sqlite": lambda: on(loop, through_the_port()), **runs},
                {"NumPy in memory": 1 / 1.5},
            )


def main() -> None:
    """Run what is named, or everything."""
    wanted = sys.argv[1:] or ["append", "history", "search"]
    if "append" in wanted:
        append()
    if "history" in wanted:
        asyncio.run(history())
    if "search" in wanted:
        asyncio.run(search())


if __name__ == "__main__":
    main()
