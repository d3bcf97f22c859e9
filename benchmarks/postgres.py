"""PostgreSQL: what the stores add to asyncpg, and how they compare with LangGraph's store.

    python benchmarks/postgres.py               # everything but the large index, about two minutes
    python benchmarks/postgres.py --only index --vectors 100000

It takes `pip install clawdesk-postgres[server] langgraph-checkpoint-postgres`. The server is the
one in CLAWDESK_POSTGRES_DSN, or one that is started for the run; `--fsync` makes it wait for the
disk, which hides much of what is measured here.

"asyncpg, rows" is the same statement straight through asyncpg's own pool of the same size, from
finished arguments to bare rows; "asyncpg, values" begins and ends with what the store takes and
gives, and does for it what has to be done, no more. LangGraph's store joins in with its nearest
operation on the same data; from many tasks it sends what it is asked at the same time together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias, cast

import asyncpg
import numpy as np
import numpy.typing as npt
from clawdesk_postgres import HNSW, PostgresStorage, connect, run
from clawdesk_postgres.vectors import vector_to_wire
from langgraph.store.postgres.aio import AsyncPostgresStore
from langgraph.store.postgres.base import PostgresIndexConfig
from timing import Run, compare

from clawdesk_storage import (
    ChannelId,
    Message,
    Role,
    Session,
    SessionId,
    VectorResult,
    encode,
    unit_vector,
)

POOL = 10
DIMENSION = 384
HISTORY = 100_000
SESSIONS = 2_000

MESSAGE = Message(
    role=Role.USER, content="What does the weather do on Sunday? " * 5, metadata={"turn": 1}
)
SESSION = Session(
    id=SessionId("s0"), channel=ChannelId("telegram"), system_prompt="You are helpful. " * 8
)

Operation: TypeAlias = Callable[[int], Awaitable[object]]
Contenders: TypeAlias = Mapping[str, Operation]
Vectors: TypeAlias = npt.NDArray[np.float32]

STORE, ROWS, VALUES, PEER = "the store", "asyncpg, rows", "asyncpg, values", "LangGraph"
GOALS = {VALUES: 0.85, PEER: 1.0}


async def seconds_each(operation: Operation, tasks: int, count: int) -> float:
    """Run an operation `count` times from `tasks` tasks; return seconds per operation."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await operation(number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return (time.perf_counter() - started) / count


def race(
    runner: asyncio.Runner, title: str, contenders: Contenders, tasks: int, count: int
) -> None:
    """Print how the store does beside the others, with `count` operations from `tasks` tasks."""

    def timed(operation: Operation) -> Run:
        return lambda: runner.run(seconds_each(operation, tasks, count))

    runs = {name: timed(operation) for name, operation in contenders.items()}
    peer = runs.pop(PEER)
    compare(title, runs, GOALS, rounds=15)
    # By itself: what its threads and slow statements leave behind would slow down who is next.
    compare(title, {STORE: runs[STORE], PEER: peer}, GOALS, rounds=5)


class Contest:
    """The contenders, connected to the same server and filled with the same data."""

    def __init__(
        self, store: PostgresStorage, pool: asyncpg.Pool[Any], peer: AsyncPostgresStore
    ) -> None:
        self.store = store
        self.pool = pool
        self.peer = peer

    def appends(self) -> Contenders:
        """Append a message to one of 64 conversations."""
        record, value = encode(MESSAGE).decode(), MESSAGE.model_dump(mode="json")
        sql = "SELECT bench.append_message($1, $2)"
        unique = iter(range(sys.maxsize))

        async def values(number: int) -> object:
            return await self.pool.fetch(sql, _session(number), MESSAGE.model_dump_json())

        return {
            STORE: lambda n: self.store.conversations.append_message(_session(n), MESSAGE),
            ROWS: lambda n: self.pool.fetch(sql, _session(n), record),
            VALUES: values,
            PEER: lambda n: self.peer.aput(("chat", _session(n)), str(next(unique)), value),
        }

    def histories(self, count: int) -> Contenders:
        """Read the last `count` messages of 100,000."""
        sql = """
            SELECT record FROM bench.messages WHERE session_id = $1 ORDER BY position DESC LIMIT $2
        """
        long = SessionId("long")

        async def values(number: int) -> object:
            rows = await self.pool.fetch(sql, long, count)
            return [Message.model_validate_json(row[0]) for row in reversed(rows)]

        return {
            STORE: lambda n: self.store.conversations.get_messages(long, limit=count),
            ROWS: lambda n: self.pool.fetch(sql, long, count),
            VALUES: values,
            PEER: lambda n: self.peer.asearch(("long",), limit=count, offset=n % 7),
        }

    def pages(self) -> Contenders:
        """Read 50 sessions of 2,000."""
        sql = """
            SELECT id, record FROM bench.sessions
            ORDER BY last_activity DESC, id LIMIT $1 OFFSET $2
        """

        async def values(number: int) -> object:
            rows = await self.pool.fetch(sql, 50, number % 40)
            return [Session.model_validate_json(row[1]) for row in rows]

        return {
            STORE: lambda n: self.store.sessions.list(50, n % 40),
            ROWS: lambda n: self.pool.fetch(sql, 50, n % 40),
            VALUES: values,
            PEER: lambda n: self.peer.asearch(("session",), limit=50, offset=n % 40),
        }

    def sessions(self) -> Contenders:
        """Read one session."""
        sql = "SELECT record FROM bench.sessions WHERE id = $1"

        async def values(number: int) -> object:
            rows = await self.pool.fetch(sql, _session(number))
            return Session.model_validate_json(rows[0][0])

        return {
            STORE: lambda n: self.store.sessions.get(_session(n)),
            ROWS: lambda n: self.pool.fetch(sql, _session(n)),
            VALUES: values,
            PEER: lambda n: self.peer.aget(("session",), _session(n)),
        }

    def upserts(self, vectors: Vectors) -> Contenders:
        """Store a vector."""
        sql = """
            INSERT INTO bench.vectors (id, embedding, metadata, filter) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding,
                metadata = excluded.metadata, filter = excluded.filter
        """
        units = [unit_vector(vector) for vector in vectors]
        size = len(vectors)

        async def values(number: int) -> object:
            unit = unit_vector(vectors[number % size])
            metadata = json.dumps(number)
            return await self.pool.fetch(sql, str(number), unit, metadata, metadata)

        return {
            STORE: lambda n: self.store.vectors.upsert(str(n), vectors[n % size], metadata=n),
            ROWS: lambda n: self.pool.fetch(sql, str(n), units[n % size], str(n), str(n)),
            VALUES: values,
            PEER: lambda n: self.peer.aput(("vector",), str(n), {"text": str(n % size)}),
        }

    def searches(self, queries: Vectors) -> Contenders:
        """Find the ten nearest of 1,000 vectors."""
        sql = """
            SELECT id, embedding OPERATOR(public.<#>) $1 AS distance, metadata
            FROM bench.vectors ORDER BY distance, id LIMIT $2
        """
        units = [unit_vector(query) for query in queries]
        size = len(queries)

        async def values(number: int) -> object:
            rows = await self.pool.fetch(sql, unit_vector(queries[number % size]), 10)
            return [VectorResult(id=i, score=-d, metadata=json.loads(m)) for i, d, m in rows]

        return {
            STORE: lambda n: self.store.vectors.search(queries[n % size], top_k=10),
            ROWS: lambda n: self.pool.fetch(sql, units[n % size], 10),
            VALUES: values,
            PEER: lambda n: self.peer.asearch(("vector",), query=str(n % size), limit=10),
        }


def _session(number: int) -> SessionId:
    return SessionId(f"s{number % 64}")


def vectors_like_embeddings(count: int, seed: int) -> Vectors:
    """Vectors in clusters, as embeddings are; those of uniform noise have no near ones."""
    centres = np.random.default_rng(0).standard_normal((500, DIMENSION))
    random = np.random.default_rng(seed)
    near = centres[random.integers(0, len(centres), count)]
    return (near + 0.7 * random.standard_normal((count, DIMENSION))).astype(np.float32)


async def raw_pool(dsn: str, stack: AsyncExitStack) -> asyncpg.Pool[Any]:
    """Asyncpg's own pool, spared the round trip that resets a connection: the store's is, too."""

    async def codec(connection: asyncpg.Connection[Any]) -> None:
        await connection.set_type_codec(
            "vector", encoder=vector_to_wire, decoder=bytes, format="binary"
        )

    async def nothing(connection: asyncpg.Connection[Any]) -> None:
        pass

    pool = asyncpg.create_pool(dsn, min_size=POOL, max_size=POOL, init=codec, reset=nothing)
    return await stack.enter_async_context(pool)


async def connected(dsn: str, stack: AsyncExitStack, known: Vectors) -> Contest:
    """Connect everybody."""
    store = await stack.enter_async_context(connect(dsn, schema="bench", pool_size=POOL))
    pool = await raw_pool(dsn, stack)

    async def embed(texts: list[str]) -> list[list[float]]:
        return [known[int(text)].tolist() for text in texts]

    peer = await stack.enter_async_context(
        AsyncPostgresStore.from_conn_string(
            dsn,
            pool_config={"min_size": POOL, "max_size": POOL},
            index=PostgresIndexConfig(dims=DIMENSION, embed=cast("Any", embed), fields=["text"]),
        )
    )
    await peer.setup()
    return Contest(store, pool, peer)


async def fill(contenders: Contest) -> None:
    """Store a long history, many sessions and some vectors with each."""
    record, value = encode(MESSAGE).decode(), encode(MESSAGE).decode()
    for number in range(SESSIONS):
        session = SESSION.model_copy(update={"id": SessionId(f"s{number}")})
        await contenders.store.sessions.save(session)
        await contenders.peer.aput(
            ("session",), session.id, session.model_dump(mode="json"), index=False
        )
    async with contenders.pool.acquire() as connection:
        await connection.execute(f"""
            INSERT INTO bench.messages
                SELECT 'long', n, '{record}' FROM generate_series(1, {HISTORY}) AS n;
            INSERT INTO bench.conversations VALUES ('long', {HISTORY});
            INSERT INTO store (prefix, key, value)
                SELECT 'long', n::text, '{value}' FROM generate_series(1, {HISTORY}) AS n
        """)
        await connection.execute("VACUUM ANALYZE")


def races(runner: asyncio.Runner, dsn: str) -> None:
    """Print the store's times beside those of the others."""
    known = vectors_like_embeddings(1_000, seed=1)
    stack = AsyncExitStack()
    contest = runner.run(connected(dsn, stack, known))
    runner.run(fill(contest))
    for tasks, count in ((1, 200), (64, 640)):
        mark = f", {tasks} task{'s' * (tasks > 1)}"
        race(runner, "append" + mark, contest.appends(), tasks, count)
        race(runner, "a session" + mark, contest.sessions(), tasks, count)
        for size in (20, 100):
            title = f"last {size} of {HISTORY:,}" + mark
            race(runner, title, contest.histories(size), tasks, count // 4)
        race(runner, f"50 sessions of {SESSIONS:,}" + mark, contest.pages(), tasks, count // 4)
        race(runner, "upsert" + mark, contest.upserts(known), tasks, count)
        race(runner, "10 nearest, exact" + mark, contest.searches(known), tasks, count // 4)
    runner.run(stack.aclose())


APPEND_IN_A_PROCESS = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from postgres import append_for_a_while
asyncio.run(append_for_a_while(*sys.argv[2:]))
"""


async def append_for_a_while(dsn: str, through: str, name: str) -> None:
    """Append from 16 tasks for two seconds, once told to, and print how many it were."""
    record, done = encode(MESSAGE).decode(), 0
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(connect(dsn, schema="bench", pool_size=POOL))
        pool = await raw_pool(dsn, stack)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        deadline = time.perf_counter() + 2.0

        async def work(task: int) -> None:
            nonlocal done
            session = SessionId(f"{name}-{task}")
            while time.perf_counter() < deadline:
                if through == "store":
                    await store.conversations.append_message(session, MESSAGE)
                else:
                    await pool.fetch("SELECT bench.append_message($1, $2)", session, record)
                done += 1

        await asyncio.gather(*map(work, range(16)))
    print(done)


async def scale(dsn: str) -> None:
    """Print the appends per second of one, two and four processes."""
    print(f"\n{'appends per second':<34}{'store':>9}{'rows':>9}")
    for count in (1, 2, 4):
        rates = {
            through: await _appends_per_second(dsn, through, count) for through in ("store", "rows")
        }
        print(f"{count} process{'es' * (count > 1):<26}{rates['store']:9.0f}{rates['rows']:9.0f}")


async def _appends_per_second(dsn: str, through: str, processes: int) -> float:
    folder = str(Path(__file__).parent)
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            APPEND_IN_A_PROCESS,
            folder,
            dsn,
            through,
            f"p{number}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(processes)
    ]
    # All begin at the same time: one that was late would append alone.
    await asyncio.gather(*(_ready(process) for process in running))
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in running))
    return sum(int(output) for output, _ in outputs) / 2.0


async def _ready(process: asyncio.subprocess.Process) -> None:
    if process.stdout is None or await process.stdout.readline() != b"ready\n":
        raise RuntimeError("a process that should append has ended")


async def index(dsn: str, count: int) -> None:
    """Print how long the index takes to build and to search, and what it finds."""
    schema = f"bench_{count}"
    vectors, queries = vectors_like_embeddings(count, 2), vectors_like_embeddings(200, 3)
    async with connect(dsn, schema=schema, timeout=600) as exact:
        await exact.vectors.upsert("0", vectors[0], metadata=None)
        await _copy(dsn, schema, vectors)
        best, slow = await _searched(exact, queries)
    print(f"\n{count:,} vectors of {DIMENSION}, 10 nearest: exact {slow * 1e6:,.0f} us")
    for ef_search in (40, 100, 200):
        started = time.perf_counter()
        async with connect(dsn, schema=schema, index=HNSW(ef_search=ef_search)) as indexed:
            opened = time.perf_counter() - started
            found, quick = await _searched(indexed, queries)
        shared = sum(len(a & b) for a, b in zip(best, found, strict=True)) / 10 / len(queries)
        print(
            f"  ef_search {ef_search:>3}: {quick * 1e6:8,.0f} us, recall {shared:.3f},"
            f" opened in {opened:.1f} s",
            flush=True,
        )


async def _searched(storage: PostgresStorage, queries: Vectors) -> tuple[list[set[str]], float]:
    """Return the ids of each query's ten nearest, and seconds per search."""
    found: list[set[str]] = []

    async def search(number: int) -> None:
        results = await storage.vectors.search(queries[number], top_k=10)
        found.append({result.id for result in results})

    return found, await seconds_each(search, 1, len(queries))


async def _copy(dsn: str, schema: str, vectors: Vectors) -> None:
    async with AsyncExitStack() as stack:
        pool = await raw_pool(dsn, stack)
        async with pool.acquire() as connection:
            records = (
                (str(n), unit_vector(vector), "null") for n, vector in enumerate(vectors) if n
            )
            await connection.copy_records_to_table(
                "vectors",
                schema_name=schema,
                columns=["id", "embedding", "metadata"],
                records=records,
            )
            await connection.execute(f"ANALYZE {schema}.vectors")


async def set_up(dsn: str, *, fsync: bool) -> None:
    """Let the server work as it would in earnest."""
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"ALTER SYSTEM SET fsync = {'on' if fsync else 'off'}")
    await admin.execute("ALTER SYSTEM SET maintenance_work_mem = '1GB'")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()


def main(only: str | None, count: int, *, fsync: bool) -> None:
    """Run the parts that were asked for."""
    dsn = run.dsn("bench")
    run.dsn(f"bench_{count}")
    with asyncio.Runner() as runner:
        if run.GIVEN not in os.environ:
            runner.run(set_up(dsn, fsync=fsync))
        if only in (None, "races"):
            races(runner, dsn)
        if only in (None, "scale"):
            runner.run(scale(dsn))
        if only in (None, "index"):
            runner.run(index(dsn, count))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure clawdesk-postgres.")
    parser.add_argument("--only", choices=("races", "scale", "index"))
    parser.add_argument("--vectors", type=int, default=10_000)
    parser.add_argument("--fsync", action="store_true")
    options = parser.parse_args()
    main(options.only, options.vectors, fsync=options.fsync)
