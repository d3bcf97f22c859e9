"""The tables come to be there once, whoever comes first, and are never misread."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from clawdesk_storage import ChannelId, NotFoundError, SerializationError, Session, SessionId
from processes import run_all

from clawdesk_postgres import PostgresStorage, connect

OPEN = """
import asyncio, sys
from clawdesk_postgres import connect
from clawdesk_storage import ChannelId, Session, SessionId

async def main(dsn, schema, name):
    async with connect(dsn, schema=schema) as storage:
        await storage.sessions.save(Session(id=SessionId(name), channel=ChannelId("c")))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_many_processes_may_be_the_first(dsn: str, schema: str) -> None:
    """All of them find the tables there, and what all of them saved is kept."""
    await run_all(OPEN, [[dsn, schema, str(process)] for process in range(6)])
    async with connect(dsn, schema=schema) as storage:
        assert len(await storage.sessions.list(99, 0)) == 6


async def test_a_later_version_is_refused(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """The message names both versions and what to do; nothing is touched."""
    await admin.execute(f"UPDATE {schema}.version SET version = 99")
    with pytest.raises(SerializationError, match=r"version 99.*upgrade"):
        async with connect(dsn, schema=schema):
            pass


async def test_schemas_share_nothing(storage: PostgresStorage, dsn: str, schema: str) -> None:
    """Quotes and capitals in a name are part of it."""
    await storage.sessions.save(Session(id=SessionId("s"), channel=ChannelId("c")))
    odd = f'Odd "{schema[:40]}'
    async with connect(dsn, schema=odd) as other:
        assert await other.sessions.list(9, 0) == []
    connection = await asyncpg.connect(dsn)
    await connection.execute('DROP SCHEMA "' + odd.replace('"', '""') + '" CASCADE')
    await connection.close()


@pytest.mark.parametrize("name", ["", "a\0b", "a\udc80", "é" * 32, "pg_mine"])
async def test_an_impossible_name_is_refused(dsn: str, name: str) -> None:
    """Before anything is connected."""
    with pytest.raises(ValueError, match="schema"):
        async with connect(dsn, schema=name):
            pass


async def test_without_pgvector_the_message_says_how_to_get_it(
    admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """A role that may not create the extension is told who may, and no table is left behind."""
    await admin.execute(f"CREATE DATABASE {schema}")
    bare = dsn.replace("/postgres?", f"/{schema}?")
    owner = await asyncpg.connect(bare)
    await owner.execute(
        f"CREATE ROLE {schema} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {schema}"
    )
    await owner.execute(f"GRANT CREATE ON DATABASE {schema} TO {schema}")
    await owner.execute("UPDATE pg_extension SET extname = extname")
    await owner.close()
    await admin.execute(f"REVOKE CREATE ON DATABASE {schema} FROM {schema}")
    with pytest.raises(NotFoundError, match="CREATE EXTENSION vector"):
        async with connect(bare.replace("postgres:@", f"{schema}:@"), schema=schema):
            pass
    await admin.execute(f"DROP DATABASE {schema}")
    await admin.execute(f"DROP ROLE {schema}")


async def test_a_role_without_the_right_to_create_can_use_what_is_there(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """Opening an existing schema creates and locks nothing."""
    await admin.execute(f"""
        CREATE ROLE {schema} LOGIN;
        GRANT USAGE ON SCHEMA {schema} TO {schema};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {schema}
    """)
    session = Session(id=SessionId("s"), channel=ChannelId("c"))
    async with connect(dsn.replace("postgres:@", f"{schema}:@"), schema=schema) as plain:
        await plain.sessions.save(session)
    await admin.execute(f"DROP OWNED BY {schema}; DROP ROLE {schema}")
    assert session == await storage.sessions.get(session.id)
