"""What hash distribution by session needs: an operation touches one session's partition alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from clawdesk_storage import ChannelId, Message, Role, Session, SessionId

from clawdesk_postgres import PostgresStorage
from clawdesk_postgres.connections import Connection, Connections
from clawdesk_postgres.conversations import PostgresConversationStore
from clawdesk_postgres.database import Database
from clawdesk_postgres.sessions import PostgresSessionStore

README = Path(__file__).parents[1] / "README.md"
PARTITIONS = frozenset(map(str, range(16)))
SESSION = SessionId("the one that is asked for")
OTHERS = [SessionId(f"other {number}") for number in range(16)]

TOUCHED = """
    SELECT relname FROM pg_stat_xact_user_tables
    WHERE schemaname = $1 AND seq_scan + idx_scan + n_tup_ins + n_tup_upd + n_tup_del > 0
"""


async def _not_used() -> Connection:
    raise AssertionError("the watched database has connections of its own")


class WatchedDatabase(Database):
    """A database that notes which partitions each statement reads or writes."""

    def __init__(self, pool: asyncpg.Pool[Any], schema: str) -> None:
        connections = Connections(_not_used, 10, idle_timeout=300, settle_timeout=5)
        super().__init__(connections, schema, "public", timeout=30)
        self._pool = pool
        self.touched: set[str] = set()

    async def fetch(self, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """Run the statement and ask the server what it did."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(sql, *arguments)
            for (table,) in await connection.fetch(TOUCHED, self.schema):
                self.touched.add(table.rpartition("_")[2])
        return rows


Stores: TypeAlias = tuple[PostgresSessionStore, PostgresConversationStore]


def session(id: str) -> Session:
    """A session that is saved."""
    return Session(id=SessionId(id), channel=ChannelId("c"))


MESSAGE = Message(role=Role.USER, content="x")

OF_ONE_SESSION: dict[str, Callable[[Stores], Awaitable[object]]] = {
    "get": lambda stores: stores[0].get(SESSION),
    "save": lambda stores: stores[0].save(session(SESSION)),
    "delete": lambda stores: stores[0].delete(SESSION),
    "append": lambda stores: stores[1].append_message(SESSION, MESSAGE),
    "messages": lambda stores: stores[1].get_messages(SESSION, limit=20),
    "clear": lambda stores: stores[1].clear(SESSION),
    "shared gets": lambda stores: asyncio.gather(*(stores[0].get(SESSION) for _ in range(9))),
    "shared appends": lambda stores: asyncio.gather(
        *(stores[1].append_message(SESSION, MESSAGE) for _ in range(9))
    ),
}
OF_ALL_SESSIONS: dict[str, Callable[[Stores], Awaitable[object]]] = {
    "list": lambda stores: stores[0].list(50, 0),
    "list_by_channel": lambda stores: stores[0].list_by_channel(ChannelId("c")),
}


def partitioning(schema: str) -> str:
    """What the README says, for `schema`."""
    blocks = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "PARTITION BY HASH" in block]
    return block.replace("clawdesk", schema)


@pytest.fixture
async def partitioned(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> PostgresStorage:
    """A storage with something in it, whose tables are then partitioned."""
    for id in [SESSION, *OTHERS]:
        await storage.sessions.save(session(id))
        await storage.conversations.append_message(id, MESSAGE)
    await admin.execute(partitioning(schema))
    return storage


@pytest.fixture
async def watched(
    partitioned: PostgresStorage, dsn: str, schema: str
) -> AsyncGenerator[WatchedDatabase, None]:
    """The statements of the stores, watched."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        yield WatchedDatabase(pool, schema)


async def home(admin: asyncpg.Connection[Any], schema: str, id: str) -> str:
    """The number of the partition that a session belongs to, in every table."""
    found = await admin.fetchval(
        "SELECT number FROM generate_series(0, 15) AS number"
        f" WHERE satisfies_hash_partition('{schema}.sessions'::regclass, 16, number, $1::text)",
        id,
    )
    return str(found)


@pytest.mark.parametrize("name", OF_ONE_SESSION)
async def test_an_operation_on_a_session_touches_its_partition_alone(
    watched: WatchedDatabase, admin: asyncpg.Connection[Any], schema: str, name: str
) -> None:
    """Whatever else is stored, and the seventh time too: by then the server may reuse a plan."""
    stores = PostgresSessionStore(watched), PostgresConversationStore(watched)
    for _ in range(7):
        await OF_ONE_SESSION[name](stores)
    assert {await home(admin, schema, SESSION)} == watched.touched


@pytest.mark.parametrize("name", OF_ALL_SESSIONS)
async def test_a_list_touches_all_partitions(watched: WatchedDatabase, name: str) -> None:
    """It is asked for all sessions; and this shows that the watch sees what is touched."""
    await OF_ALL_SESSIONS[name]((PostgresSessionStore(watched), PostgresConversationStore(watched)))
    assert watched.touched == PARTITIONS


async def test_what_was_stored_before_is_there_afterwards(partitioned: PostgresStorage) -> None:
    """The same storage goes on, with all sessions and their messages, old and new."""
    await partitioned.conversations.append_message(SESSION, MESSAGE)
    sessions = await partitioned.sessions.list(99, 0)
    messages = await partitioned.conversations.get_messages(SESSION, limit=9)
    assert ({*OTHERS, SESSION}, [MESSAGE] * 2) == ({each.id for each in sessions}, messages)
