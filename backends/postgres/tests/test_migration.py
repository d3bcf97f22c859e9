"""Tables of version 1 become those of version 2 where they are, while others go on writing."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
import version1
from clawdesk_storage import (
    AppConfig,
    ChannelId,
    Equals,
    Message,
    Role,
    Session,
    SessionId,
    StorageIOError,
    encode,
)
from processes import run_all
from test_partitions import partitioning

from clawdesk_postgres import PostgresStorage, connect

SESSION = Session(id=SessionId("s"), channel=ChannelId("c"))
MESSAGE = Message(role=Role.USER, content="old")

OPEN = """
import asyncio, sys
from clawdesk_postgres import connect
from clawdesk_storage import Message, Role, SessionId

async def main(dsn, schema, name):
    async with connect(dsn, schema=schema) as storage:
        message = Message(role=Role.USER, content=name)
        await storage.conversations.append_message(SessionId("s"), message)

asyncio.run(main(*sys.argv[1:]))
"""


class Old:
    """A process of version 1, as far as it writes."""

    def __init__(self, connection: asyncpg.Connection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema

    async def run(self, sql: str, *arguments: object) -> None:
        """Run one of its statements."""
        await self._connection.execute(sql.format(schema=self._schema), *arguments)

    async def save(self, session: Session) -> None:
        """Save a session."""
        record = encode(session).decode()
        await self.run(version1.SAVE, session.id, session.channel, session.last_activity, record)


@pytest.fixture
async def old(admin: asyncpg.Connection[Any], schema: str, dsn: str) -> Old:
    """Version 1, with one of everything in it."""
    await admin.execute("CREATE EXTENSION IF NOT EXISTS vector")
    process = Old(admin, schema)
    await process.run(version1.TABLES)
    await process.save(SESSION)
    await process.run(version1.APPEND, "s", encode(MESSAGE).decode())
    await process.run(version1.SAVE_CONFIG, encode(AppConfig()).decode())
    await admin.execute(f"INSERT INTO {schema}.vector_space (dimension) VALUES (2)")
    for number in range(1200):
        await process.run(version1.UPSERT, str(number), f'{{"n": {number}, "t": "\\u0000"}}')
    return process


async def found(storage: PostgresStorage, where: Equals) -> list[str]:
    """The ids that a filter finds."""
    return [each.id for each in await storage.vectors.search_where([1.0, 0.0], where, top_k=9)]


async def test_what_version_1_has_stored_is_there(old: Old, dsn: str, schema: str) -> None:
    """With positions, revisions and filters, though nobody has written since."""
    async with connect(dsn, schema=schema) as storage:
        revised = await storage.sessions.get_revision(SESSION.id)
        history = await storage.conversations.get_before(SESSION.id, None, limit=9)
        config = await storage.config.get_config_revision()
        ids = await found(storage, Equals("n", 1199))
    assert revised is not None
    assert (SESSION, [(1, MESSAGE)], ["1199"]) == (revised.session, history, ids)
    assert config.revision


async def test_partitioned_tables_of_version_1_are_migrated_too(
    old: Old, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """Partitioned as the README of either version says; a process of version 1 goes on writing."""
    await admin.execute(partitioning(schema))
    async with connect(dsn, schema=schema) as storage:
        before = await storage.sessions.get_revision(SESSION.id)
        await old.save(SESSION)
        after = await storage.sessions.get_revision(SESSION.id)
        await storage.conversations.append_message(SESSION.id, MESSAGE)
        history = await storage.conversations.get_before(SESSION.id, None, limit=9)
    assert before is not None
    assert after is not None
    assert (SESSION, True) == (after.session, before.revision != after.revision)
    assert [(1, MESSAGE), (2, MESSAGE)] == history


async def test_filters_of_all_old_vectors_are_filled_in(
    old: Old, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """When it is opened, and not by every search anew; what is damaged stays for its reader."""
    await admin.execute(f"UPDATE {schema}.vectors SET metadata = '{{' WHERE id = '7'")
    async with connect(dsn, schema=schema):
        pass
    unfilled = await admin.fetch(f"SELECT id FROM {schema}.vectors WHERE filter IS NULL")
    assert ["7"] == [row[0] for row in unfilled]


async def test_eight_processes_may_migrate_at_once(old: Old, dsn: str, schema: str) -> None:
    """One does, and all of them work on what it leaves."""
    await run_all(OPEN, [[dsn, schema, str(process)] for process in range(8)])
    async with connect(dsn, schema=schema) as storage:
        history = await storage.conversations.get_after(SESSION.id, None, limit=99)
    assert list(range(1, 10)) == [entry.position for entry in history]


async def test_an_old_process_that_saves_changes_the_revision(
    old: Old, dsn: str, schema: str
) -> None:
    """So a newer one that has read before does not overwrite it."""
    async with connect(dsn, schema=schema) as storage:
        tokens: set[str | None] = set()
        for _ in range(2):
            before = await storage.sessions.get_revision(SESSION.id)
            config = await storage.config.get_config_revision()
            tokens |= {before and before.revision, config.revision and f"c{config.revision}"}
            await old.save(SESSION)
            await old.run(version1.SAVE_CONFIG, encode(AppConfig()).decode())
        after = await storage.sessions.get_revision(SESSION.id)
        tokens.add(after and after.revision)
    assert len(tokens) == 5


async def test_an_old_process_that_clears_gives_no_position_back(
    old: Old, dsn: str, schema: str
) -> None:
    """It calls the function by its name, and gets what it does now."""
    async with connect(dsn, schema=schema) as storage:
        await old.run(version1.CLEAR, "s")
        await old.run(version1.APPEND, "s", encode(MESSAGE).decode())
        assert [(2, MESSAGE)] == await storage.conversations.get_after(SESSION.id, None, limit=9)


async def test_what_an_old_process_upserts_is_filtered_by_what_it_says_now(
    old: Old, dsn: str, schema: str
) -> None:
    """New and replaced, by a search and by a deletion."""
    async with connect(dsn, schema=schema) as storage:
        await old.run(version1.UPSERT, "1", '{"n": "replaced"}')
        await old.run(version1.UPSERT, "new", '{"n": "replaced"}')
        before = await found(storage, Equals("n", 1)), await found(storage, Equals("n", "replaced"))
        await storage.vectors.delete_where(Equals("n", "replaced"))
        left = await storage.vectors.count()
    assert (([], ["1", "new"]), 1199) == (before, left)


async def test_migration_waits_for_nobody_for_long_and_loses_nothing(
    old: Old, dsn: str, schema: str
) -> None:
    """Appends of an old process go on throughout."""

    async def append() -> None:
        connection = await asyncpg.connect(dsn)
        process = Old(connection, schema)
        for _ in range(300):
            await process.run(version1.APPEND, "s", encode(MESSAGE).decode())
        await connection.close()

    writing = asyncio.create_task(append())
    await asyncio.sleep(0.05)
    async with connect(dsn, schema=schema) as storage:
        await writing
        assert len(await storage.conversations.get_messages(SESSION.id, limit=999)) == 301


async def test_a_role_that_may_not_migrate_is_told_who_may(
    old: Old, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """Nothing is changed."""
    await admin.execute(f"""
        CREATE ROLE {schema} LOGIN;
        GRANT USAGE ON SCHEMA {schema} TO {schema};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {schema}
    """)
    with pytest.raises(StorageIOError, match=r"version 1.*role that owns"):
        async with connect(dsn.replace("postgres:@", f"{schema}:@"), schema=schema):
            pass
    await admin.execute(f"DROP OWNED BY {schema}; DROP ROLE {schema}")
    assert await admin.fetchval(f"SELECT version FROM {schema}.version") == 1
