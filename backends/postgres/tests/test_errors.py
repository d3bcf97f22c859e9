"""Whatever the driver raises becomes the right one of the four errors, and tells no secret."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from clawdesk_storage import (
    ChannelId,
    ConnectionFailedError,
    Message,
    NotFoundError,
    Role,
    SerializationError,
    Session,
    SessionId,
    StorageError,
    StorageIOError,
)

from clawdesk_postgres import PostgresStorage, connect, server

SESSION = Session(id=SessionId("s"), channel=ChannelId("c"))
SECRET = "correct-horse"


async def fails_to_open(dsn: str) -> BaseException:
    """Return what opening the storage at `dsn` raises."""
    with pytest.raises((StorageError, ValueError)) as caught:
        async with connect(dsn):
            pass
    return caught.value


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", ConnectionFailedError),  # connection failure
        ("22P02", SerializationError),  # invalid text representation
        ("25006", ConnectionFailedError),  # read-only transaction
        ("40001", ConnectionFailedError),  # serialization failure
        ("42501", StorageIOError),  # insufficient privilege
        ("42P01", NotFoundError),  # undefined table
        ("53100", StorageIOError),  # disk full
        ("53200", StorageIOError),  # out of memory
        ("53300", ConnectionFailedError),  # too many connections
        ("54000", SerializationError),  # program limit exceeded
        ("57014", ConnectionFailedError),  # query cancelled
        ("57P01", ConnectionFailedError),  # admin shutdown
        ("58030", StorageIOError),  # I/O error
        ("XX001", SerializationError),  # data corrupted
        ("XX000", StorageIOError),  # anything else
    ],
)
async def test_what_the_server_raises_is_translated(
    storage: PostgresStorage,
    admin: asyncpg.Connection[Any],
    schema: str,
    state: str,
    expected: type[StorageError],
) -> None:
    """An error's SQLSTATE decides, and the driver's exception is the cause."""
    await admin.execute(f"""
        CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'as the test wants it' USING ERRCODE = '{state}'; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON {schema}.sessions EXECUTE FUNCTION {schema}.fail()
    """)
    with pytest.raises(expected) as caught:
        await storage.sessions.save(SESSION)
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError)


async def test_a_refused_connection_is_a_failed_one(tmp_path: Path) -> None:
    """Nobody listens where the DSN points."""
    error = await fails_to_open(f"postgresql://me:{SECRET}@localhost:1/none?host={tmp_path}")
    assert isinstance(error, ConnectionFailedError)


async def test_an_unknown_host_is_a_failed_connection() -> None:
    """The name is not resolved."""
    error = await fails_to_open(f"postgresql://me:{SECRET}@host.invalid/none")
    assert isinstance(error, ConnectionFailedError)


async def test_an_unknown_database_is_not_found(dsn: str) -> None:
    """The server answers, and has no such database."""
    error = await fails_to_open(dsn.replace("/postgres?", "/absent?"))
    assert isinstance(error, NotFoundError)


async def test_a_wrong_password_is_a_failed_connection_and_stays_secret(victim: Path) -> None:
    """The message says that the password is wrong, and not what it was."""
    rules = victim / "data" / "pg_hba.conf"
    rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
    dsn = server.start(victim)
    admin = await asyncpg.connect(dsn)
    await admin.execute("CREATE ROLE guarded LOGIN PASSWORD 'another'; SELECT pg_reload_conf()")
    await admin.close()
    error = await fails_to_open(dsn.replace("postgres:", f"guarded:{SECRET}", 1))
    assert isinstance(error, ConnectionFailedError)
    assert "password authentication failed" in str(error)
    assert SECRET not in f"{error}{error.__cause__}"


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://me:{SECRET}/horse@localhost/db",
        f"postgresql://me:{SECRET}#horse@localhost/db",
        f"mysql://me:{SECRET}@localhost/db",
    ],
)
async def test_an_unreadable_dsn_is_refused_without_quoting_it(dsn: str) -> None:
    """A special character in the password cannot make a part of it appear in the message."""
    error = await fails_to_open(dsn)
    assert isinstance(error, ValueError)
    assert SECRET not in f"{error}{error.__cause__}"


@pytest.mark.parametrize("name", ["pool_size", "timeout", "connect_timeout"])
@pytest.mark.parametrize("number", [0, -1])
async def test_an_impossible_number_is_refused(dsn: str, name: str, number: int) -> None:
    """Before anything is connected, and by its name."""
    arguments: dict[str, Any] = {name: number}
    with pytest.raises(ValueError, match=f"^{name} must be greater than 0"):
        async with connect(dsn, **arguments):
            pass


async def test_a_dropped_extension_is_not_found(
    admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """New connections need it; the message says what is gone."""
    await admin.execute(f"CREATE DATABASE {schema}")
    database = dsn.replace("/postgres?", f"/{schema}?")
    async with connect(database) as storage:
        owner = await asyncpg.connect(database)
        await owner.execute("DROP EXTENSION vector CASCADE")
        await owner.close()
        with pytest.raises(NotFoundError, match="pgvector"):
            await asyncio.gather(*(storage.sessions.list(9, 0) for _ in range(2)))
    await admin.execute(f"DROP DATABASE {schema} WITH (FORCE)")


async def test_a_read_only_server_says_what_to_do(
    dsn: str, storage: PostgresStorage, schema: str
) -> None:
    """A replica answers reads, and a write tells to go to the primary."""
    async with connect(f"{dsn}&default_transaction_read_only=on", schema=schema) as replica:
        assert await replica.sessions.get(SESSION.id) is None
        with pytest.raises(ConnectionFailedError, match="primary"):
            await replica.sessions.save(SESSION)


async def test_a_statement_timeout_is_a_failed_connection(
    dsn: str, storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """The server gives up on a statement that waits for a lock, and the storage goes on."""
    async with connect(f"{dsn}&statement_timeout=50", schema=schema) as hurried:
        async with admin.transaction():
            await admin.execute(f"LOCK TABLE {schema}.sessions")
            with pytest.raises(ConnectionFailedError, match="statement timeout"):
                await hurried.sessions.save(SESSION)
        await hurried.sessions.save(SESSION)
    assert await storage.sessions.get(SESSION.id) == SESSION


async def test_an_operation_is_given_up_after_the_timeout(
    dsn: str, storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """The storage does not wait longer than it was told to, and goes on."""
    async with connect(dsn, schema=schema, timeout=0.1) as hurried:
        async with admin.transaction():
            await admin.execute(f"LOCK TABLE {schema}.sessions")
            with pytest.raises(ConnectionFailedError, match="timeout"):
                await hurried.sessions.save(SESSION)
        assert await hurried.sessions.get(SESSION.id) is None


async def test_a_dropped_schema_is_not_found(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """What the storage itself needs is gone."""
    await admin.execute(f"DROP SCHEMA {schema} CASCADE")
    with pytest.raises(NotFoundError):
        await storage.sessions.save(SESSION)


async def test_an_id_beyond_an_index_entry_is_refused_whole(storage: PostgresStorage) -> None:
    """The limit is PostgreSQL's, the message says it, and nothing is stored."""
    session = SessionId("".join(map(chr, range(0x4E00, 0x4E00 + 3000))))
    message = Message(role=Role.USER, content="x")
    with pytest.raises(SerializationError, match="2,600 bytes"):
        await storage.conversations.append_message(session, message)
    assert await storage.conversations.get_messages(session, limit=1) == []


async def test_a_server_that_falls_silent_is_given_up_and_found_again(victim: Path) -> None:
    """Stopped processes answer nothing: for every caller that ends, and so does the silence."""
    import psutil

    pid = int((victim / "data" / "postmaster.pid").read_text().split()[0])
    async with connect(server.start(victim), timeout=0.2, connect_timeout=0.2) as storage:
        await storage.sessions.save(SESSION)
        processes = [psutil.Process(pid), *psutil.Process(pid).children()]
        for process in processes:
            process.suspend()
        calls = (storage.sessions.get(SESSION.id) for _ in range(600))
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
        assert {ConnectionFailedError} == set(map(type, outcomes))
        for process in processes:
            process.resume()
        assert await storage.sessions.get(SESSION.id) == SESSION
