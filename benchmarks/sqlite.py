"""How fast is the SQLite backend, beside its driver and beside others?

    pip install langgraph-checkpoint-sqlite openai-agents sqlite-vec usearch
    python benchmarks/sqlite.py [append|read|history|stops|search|filtered|abilities|price]...

All files are on the same disk, with a write-ahead log and `synchronous = FULL`.

An append is measured beside its own statements, given to the driver in the thread that measures,
with one cursor for all of them. Making the message and its bytes is part of what an append costs,
whoever does it, so the goal is on the driver that does that too; the driver that is handed the
bytes ready is the floor that no caller can reach.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import apsw
import numpy as np
import sqlite_vec  # pyright: ignore[reportMissingTypeStubs]
import usearch.index
from agents import SQLiteSession
from clawdesk_sqlite import SQLiteStorage, conversations, file, open_storage, sessions
from clawdesk_sqlite.file import File, execute
from clawdesk_sqlite.record import key_of, seal, unseal
from langgraph.store.sqlite.aio import (  # pyright: ignore[reportMissingTypeStubs]
    AsyncSqliteStore,
)
from stops import Stops, stops_during
from timing import Run, compare
from usearch.compiled import MetricKind

from clawdesk_storage import (
    ChannelId,
    Equals,
    Message,
    Role,
    Session,
    SessionId,
    VectorEntry,
    Where,
    decode,
    encode,
)

TASKS = 64
CONTENT = "What will the weather be like in the mountains at the weekend? " * 4
APPEND = vars(conversations)["_APPEND"]

GET, LIST = (vars(sessions)[name] for name in ("_GET", "_LIST"))
BEFORE = vars(conversations)["_BEFORE"]
SETTINGS: Sequence[str] = vars(file)["_SETTINGS"]

STORED, MANY, DEEP = 10_000, 100_000, 1_000_000
# In a process of its own, for closing the file would release the backend's locks.
FORGET = """
import os, sys
for suffix in ("", "-wal"):
    with open(sys.argv[1] + suffix, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
"""

VECTORS, DIMENSION, TOP_K = 20_000, 384, 10


def message() -> Message:
    """A new message, as a gateway makes one for each append."""
    return Message(role=Role.USER, content=CONTENT, metadata={"channel": "telegram"})


def session(number: int) -> Session:
    """A session as a gateway has them, all in one channel."""
    return Session(
        id=SessionId(f"s{number}"), channel=ChannelId("c"), system_prompt="Be brief. " * 20
    )


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


async def read() -> None:
    """Compare short reads with the driver and `decode` in one thread, and with peers."""
    loop = asyncio.get_running_loop()
    async with fresh_storage() as storage, peers() as (store, agents):
        await asyncio.gather(*(storage.sessions.save(one) for one in map(session, range(STORED))))
        for number in range(STORED):
            await store.aput(("s",), f"s{number}", session(number).model_dump(mode="json"))
        for start in range(0, STORED, 100):
            batch = [message() for _ in range(100)]
            await storage.conversations.append_messages(SessionId(f"s{start // 100}"), batch)
            item: Any = {"role": "user", "content": CONTENT}
            await agents[start // 100].add_items([item] * 100)
        driver = Driver(location_of(storage))
        ids = random.Random(7).choices(range(STORED), k=STORED)
        following = cycle(ids)

        def asks(call: Callable[[int], Awaitable[object]], tasks: int, each: int) -> Run:
            return lambda: on(loop, by_tasks(lambda _: call(next(following)), tasks, each))

        def alone(call: Callable[[int], object], times: int) -> Run:
            return lambda: timed(call, [next(following) for _ in range(times)])

        sessions, messages = storage.sessions, storage.conversations.get_messages
        for tasks, share in ((TASKS, 1), (1, 4)):
            await asyncio.to_thread(
                compare,
                f"get, {tasks} tasks",
                {
                    "clawdesk-sqlite": asks(
                        lambda n: sessions.get(SessionId(f"s{n}")), tasks, 6400 // tasks // share
                    ),
                    "driver": alone(driver.get, 6400 // share),
                    "AsyncSqliteStore": asks(
                        lambda n: store.aget(("s",), f"s{n}"), tasks, 1600 // tasks // share
                    ),
                },
                {"driver": 0.6 if tasks > 1 else 0.2, "AsyncSqliteStore": 1},
            )
            await asyncio.to_thread(
                compare,
                f"last 20 messages, {tasks} tasks",
                {
                    "clawdesk-sqlite": asks(
                        lambda n: messages(SessionId(f"s{n % 100}"), limit=20),
                        tasks,
                        1280 // tasks // share,
                    ),
                    "driver": alone(driver.last_20, 1280 // share),
                    "SQLiteSession": asks(
                        lambda n: agents[n % 100].get_items(20), tasks, 640 // tasks // share
                    ),
                },
                {"driver": 0.5 if tasks > 1 else 0.4, "SQLiteSession": 1},
            )
            await asyncio.to_thread(
                compare,
                f"a page of 50 sessions, each another one, {tasks} tasks",
                {
                    "clawdesk-sqlite": asks(
                        lambda n: sessions.list(50, n % 1000), tasks, 640 // tasks // share
                    ),
                    "driver": alone(driver.page, 640 // share),
                    "AsyncSqliteStore": asks(
                        lambda n: store.asearch(("s",), limit=50, offset=n % 1000), tasks, 1
                    ),
                },
                {"driver": 0.5, "AsyncSqliteStore": 1},
            )
        driver.close()


def location_of(storage: SQLiteStorage) -> Path:
    """Where its file is."""
    engine: Any = vars(storage.sessions)["_engine"]
    return Path(engine._file._path)


class Driver:
    """The backend's statements by apsw, with one cursor and `decode`, in the thread that calls."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._cursor: Any = self._connection.cursor()

    def get(self, number: int) -> object:
        """A session."""
        rows = self._cursor.execute(GET, (f"s{number}",)).fetchall()
        return [decode(Session, row[4]) for row in rows]

    def last_20(self, number: int) -> object:
        """Messages."""
        bindings = f"s{number % 100}", 2**63 - 1, 20
        rows = self._cursor.execute(BEFORE, bindings).fetchall()
        return [decode(Message, row[2]) for row in rows]

    def page(self, number: int) -> object:
        """Sessions."""
        rows = self._cursor.execute(LIST, (50, number % 1000)).fetchall()
        return [decode(Session, row[4]) for row in rows]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@asynccontextmanager
async def peers() -> AsyncGenerator[tuple[Any, Sequence[SQLiteSession]]]:
    """LangGraph's store, with a write-ahead log, and a hundred sessions of the Agents SDK."""
    with tempfile.TemporaryDirectory() as directory:
        agents = [SQLiteSession(f"s{n}", Path(directory) / "sessions.db") for n in range(100)]
        async with AsyncSqliteStore.from_conn_string(f"{directory}/store.db") as store:
            await store.conn.execute("PRAGMA journal_mode = WAL")
            await store.setup()
            yield store, agents
        for one in agents:
            one.close()


class Load:
    """What runs while it is watched how the loop fares: reads, with and without others.

    Args:
        storage: Where there are `MANY` sessions of a channel, and a conversation as long.
    """

    def __init__(self, storage: SQLiteStorage) -> None:
        self._storage = storage
        self._numbers = cycle(random.Random(7).choices(range(MANY), k=MANY))

    async def fill(self) -> None:
        """Store them."""
        for start in range(0, MANY, 10_000):
            numbers = range(start, start + 10_000)
            saves = (self._storage.sessions.save(session(number)) for number in numbers)
            await asyncio.gather(*saves)
            batch = [message() for _ in range(10_000)]
            await self._storage.conversations.append_messages(SessionId("long"), batch)

    async def gets(self) -> None:
        """One after the other, for a second."""
        until = time.perf_counter() + 1
        while time.perf_counter() < until:
            await self._storage.sessions.get(SessionId(f"s{next(self._numbers)}"))

    async def cold_gets(self) -> None:
        """The same after the system has dropped the file's pages from memory."""
        command = [sys.executable, "-c", FORGET, location_of(self._storage)]
        await asyncio.to_thread(subprocess.run, command, check=True)
        await self.gets()

    async def beside_writers(self, work: Awaitable[object]) -> None:
        """Eight who save and append until `work` is done."""

        async def write(task: int) -> None:
            while not working.done():
                await self._storage.sessions.save(session(next(self._numbers)))
                await self._storage.conversations.append_message(SessionId(f"{task}"), message())

        working = asyncio.ensure_future(work)
        await asyncio.gather(working, *(write(task) for task in range(8)))


async def in_the_thread(work: Callable[[], Awaitable[object]]) -> None:
    """Do `work` with no read on the loop."""
    with patch("clawdesk_sqlite.haste.Haste.begin", return_value=False):
        await work()


async def stops() -> None:
    """Tell how long the loop stands still while reads run, beside how long it does anyway."""
    async with fresh_storage() as storage:
        load = Load(storage)
        await load.fill()
        messages = storage.conversations.get_messages
        works: Mapping[str, Callable[[], Awaitable[object]]] = {
            "nothing": lambda: asyncio.sleep(1),
            "get, one after the other": load.gets,
            "get, pages dropped from memory": load.cold_gets,
            "get in the thread": lambda: in_the_thread(load.gets),
            "get in the thread, pages dropped": lambda: in_the_thread(load.cold_gets),
            "nothing, beside 8 who write": lambda: load.beside_writers(asyncio.sleep(1)),
            "get, beside 8 who write": lambda: load.beside_writers(load.gets()),
            "get in the thread, beside 8 who write": lambda: load.beside_writers(
                in_the_thread(load.gets)
            ),
            f"list_by_channel, {MANY:,}": lambda: storage.sessions.list_by_channel(ChannelId("c")),
            f"list, {MANY:,}": lambda: storage.sessions.list(MANY, 0),
            f"get_messages, {MANY:,}": lambda: messages(SessionId("long"), MANY),
        }
        found: dict[str, list[Stops]] = {name: [] for name in works}
        for _ in range(5):
            for name, work in works.items():
                found[name].append(await stops_during(work()))
    print("\nhow late a task wakes that sleeps 1 ms, medians of 5 rounds: worst, and 99 of 100")
    for name, several in found.items():
        took, worst, usual = (median(values) * 1e3 for values in zip(*several, strict=True))
        print(f"  {name:40}{worst:10.1f} ms{usual:10.1f} ms   in {took:,.0f} ms")


def on(loop: asyncio.AbstractEventLoop, work: Any) -> float:
    """Run a coroutine on a loop in another thread and return its result."""
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def timed(search: Callable[[Any], object], queries: Any) -> float:
    """Return the seconds that one of the calls took."""
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


async def abilities() -> None:
    """Compare pages at different depths, and batches with single appends."""
    loop = asyncio.get_running_loop()
    async with fresh_storage() as storage:
        conversations, long = storage.conversations, SessionId("long")
        for _ in range(DEEP // 10_000):
            await conversations.append_messages(long, [message() for _ in range(10_000)])
        short = SessionId("short")
        await conversations.append_messages(short, [message() for _ in range(200)])
        [*_, beginning] = await conversations.get_after(long, None, limit=100)
        [*_, middle] = await conversations.get_after(short, None, limit=100)

        def page(id: SessionId, position: int) -> Run:
            async def read(_: int) -> None:
                await conversations.get_before(id, position, limit=20)

            return lambda: on(loop, by_tasks(read, 1, 200))

        await asyncio.to_thread(
            compare,
            f"20 messages before the 100th, {DEEP:,} from the end",
            {"deep": page(long, beginning.position), "of 200": page(short, middle.position)},
            {"of 200": 1 / 1.3},
        )

        def appends(batch: int) -> Run:
            async def append(_: int) -> None:
                messages = [message() for _ in range(batch)]
                if batch == 1:
                    await conversations.append_message(short, *messages)
                else:
                    await conversations.append_messages(short, messages)

            return lambda: on(loop, by_tasks(append, 1, 3000 // batch // 10)) / batch

        await asyncio.to_thread(
            compare,
            "a message of a batch of 100, beside single appends, 1 task",
            {"append_messages": appends(100), "append_message": appends(1)},
            {"append_message": 5},
        )


def price() -> None:
    """Tell what `secure_delete` and the checksums cost, by leaving them away."""

    def cleared(secure: bool) -> Run:
        async def run() -> float:
            async with fresh_storage() as storage:
                conversations = storage.conversations
                names = [SessionId(f"s{number}") for number in range(20)]
                for name in names:
                    await conversations.append_messages(name, [message() for _ in range(500)])
                start = time.perf_counter()
                for name in names:
                    await conversations.clear(name)
                return (time.perf_counter() - start) / len(names)

        return lambda: with_settings(secure, run)

    def replaced(secure: bool) -> Run:
        async def run() -> float:
            async with fresh_storage() as storage:
                save = storage.sessions.save
                await asyncio.gather(*(save(session(number)) for number in range(640)))
                return await by_tasks(lambda task: save(session(task)), TASKS, 50)

        return lambda: with_settings(secure, run)

    def with_settings(secure: bool, run: Callable[[], Coroutine[Any, Any, float]]) -> float:
        kept = SETTINGS if secure else [one for one in SETTINGS if "secure" not in one]
        with patch("clawdesk_sqlite.file._SETTINGS", kept):
            return asyncio.run(run())

    for title, runs in (
        ("clearing 500 messages", cleared),
        (f"saving a session again, {TASKS} tasks", replaced),
    ):
        compare(title, {"secure_delete": runs(True), "without": runs(False)})
    value = message()
    record, checksum = seal(value, "message", "s")
    key = key_of("message", "s")
    compare(
        "a message to bytes",
        {
            "with a checksum": lambda: timed(lambda _: seal(value, "message", "s"), range(10_000)),
            "without": lambda: timed(lambda _: encode(value), range(10_000)),
        },
    )
    compare(
        "bytes to a message",
        {
            "with a checksum": lambda: timed(
                lambda _: unseal(Message, record, checksum, "s", key), range(10_000)
            ),
            "without": lambda: timed(lambda _: decode(Message, record), range(10_000)),
        },
    )


async def filtered() -> None:
    """Compare filtered searches, and one after a delete, with a plain one."""
    generator = np.random.default_rng(7)
    matrix = generator.normal(size=(VECTORS, DIMENSION)).astype(np.float32)
    loop = asyncio.get_running_loop()
    async with fresh_storage() as storage:
        vectors = storage.vectors
        entries = [
            VectorEntry(f"v{row}", vector, {"user": row % 100, "day": row % 10})
            for row, vector in enumerate(matrix)
        ]
        await vectors.upsert_many(entries)
        gone = cycle(range(VECTORS))

        def searches(where: Where | None, deleting: bool = False) -> Run:
            async def run() -> float:
                seconds = 0.0
                for query in matrix[:20]:
                    if deleting:
                        await vectors.delete(f"v{next(gone)}")
                    start = time.perf_counter()
                    if where is None:
                        await vectors.search(query, top_k=TOP_K)
                    else:
                        await vectors.search_where(query, where, top_k=TOP_K)
                    seconds += time.perf_counter() - start
                return seconds / 20

            return lambda: on(loop, run())

        await asyncio.to_thread(
            compare,
            f"search, {VECTORS:,} vectors",
            {
                "unfiltered": searches(None),
                "a share of 10 %": searches(Equals("day", 3)),
                "a share of 1 %": searches(Equals("user", 7)),
                "after a delete": searches(None, deleting=True),
            },
        )


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
    wanted = sys.argv[1:] or list(PARTS)
    for name in wanted:
        PARTS[name]()


PARTS: Mapping[str, Callable[[], object]] = {
    "append": append,
    "read": lambda: asyncio.run(read()),
    "history": lambda: asyncio.run(history()),
    "stops": lambda: asyncio.run(stops()),
    "search": lambda: asyncio.run(search()),
    "filtered": lambda: asyncio.run(filtered()),
    "abilities": lambda: asyncio.run(abilities()),
    "price": price,
}


if __name__ == "__main__":
    main()
