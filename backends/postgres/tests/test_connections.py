"""Connections: given back, tried after a rest, and replaced when their server is another."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from clawdesk_storage import (
    ChannelId,
    ConnectionFailedError,
    Session,
    SessionId,
    StorageIOError,
)

from clawdesk_postgres import PostgresStorage, connect, server

SESSION = Session(id=SessionId("s"), channel=ChannelId("c"))

COUNT = """
    SELECT count(*) FROM pg_stat_activity WHERE application_name = $1
"""


class Relay:
    """What stands between a client and its server, and can forget its connections."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._passing = asyncio.Event()
        self._passing.set()
        self._forgotten: list[asyncio.StreamWriter] = []
        self.writers: list[asyncio.StreamWriter] = []

    def forget(self) -> None:
        """Let nothing more through the connections there are, and tell nobody."""
        self._forgotten += self.writers
        self.writers = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes from either side."""
        theirs, mine = await asyncio.open_unix_connection(self._target)
        self.writers.append(writer)
        with suppress(ConnectionError):
            await asyncio.gather(
                self._pass(reader, mine, writer), self._pass(theirs, writer, writer)
            )

    async def _pass(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            if client not in self._forgotten:
                to.write(data)
        to.close()


@asynccontextmanager
async def relayed(dsn: str) -> AsyncGenerator[tuple[Relay, str], None]:
    """A relay before the server, and the DSN that leads through it."""
    (folder,) = parse_qs(urlsplit(dsn).query)["host"]
    with tempfile.TemporaryDirectory() as place:
        relay = Relay(Path(folder) / ".s.PGSQL.5432")
        listener = await asyncio.start_unix_server(relay.serve, Path(place) / ".s.PGSQL.5432")
        yield relay, f"postgresql://postgres:@/postgres?host={place}"
        listener.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if "Relay.serve" in repr(task):
                task.cancel()


async def test_what_is_idle_is_given_back(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """After the idle time one connection is left of ten, and the storage goes on."""
    address = f"{dsn}&application_name={schema}"
    async with connect(address, schema=schema, idle_timeout=0.3) as opened:
        await asyncio.gather(*(opened.sessions.list(9, 0) for _ in range(10)))
        busy = await admin.fetchval(COUNT, schema)
        await asyncio.sleep(1)
        idle = await admin.fetchval(COUNT, schema)
        await asyncio.gather(*(opened.sessions.list(9, 0) for _ in range(10)))
    assert (10, 1) == (busy, idle)


async def test_a_connection_that_was_forgotten_on_its_way_is_not_lent(
    storage: PostgresStorage, dsn: str, schema: str
) -> None:
    """What has rested is tried first, and replaced in silence."""
    await storage.sessions.save(SESSION)
    async with (
        relayed(dsn) as (relay, address),
        connect(address, schema=schema, idle_timeout=1, timeout=3) as opened,
    ):
        await asyncio.gather(*(opened.sessions.list(9, 0) for _ in range(4)))
        relay.forget()
        await asyncio.sleep(0.2)
        found = await asyncio.gather(*(opened.sessions.list(9, 0) for _ in range(4)))
    assert [[SESSION]] * 4 == found


async def test_a_handle_follows_its_server_that_became_read_only(
    victim: Path, storage: PostgresStorage, dsn: str, schema: str
) -> None:
    """A failover that drops no connection: the next call goes to the host that takes writes."""
    first = server.start(victim)
    (folder,) = parse_qs(urlsplit(dsn).query)["host"]
    hosts = f"{victim / 'data'},{folder}"
    both = f"postgresql://postgres:@/postgres?host={hosts}&target_session_attrs=read-write"
    admin = await asyncpg.connect(first)
    async with connect(both, schema=schema) as opened:
        await asyncio.gather(*(opened.sessions.save(SESSION) for _ in range(5)))
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.3)
        with pytest.raises(ConnectionFailedError, match="connections are replaced"):
            await opened.sessions.save(SESSION)
        for _ in range(5):
            await opened.sessions.save(SESSION)
    await admin.close()
    assert await storage.sessions.get(SESSION.id) == SESSION


async def test_an_outage_is_told_to_callers_and_printed_nowhere(
    victim: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each call raises, and standard error stays empty."""
    async with connect(server.start(victim)) as opened:
        await asyncio.to_thread(server.kill, victim)
        for _ in range(3):
            calls = (opened.sessions.get(SESSION.id) for _ in range(20))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {ConnectionFailedError} == set(map(type, outcomes))
            await asyncio.sleep(0.1)
        server.start(victim)
        await opened.sessions.save(SESSION)
    output = capfd.readouterr()
    assert "Traceback" not in output.err + output.out


async def test_a_connection_that_the_server_ended_while_idle_is_replaced(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """An administrator, or idle_session_timeout: the farewell confuses nobody."""
    address = f"{dsn}&application_name={schema}"
    async with connect(address, schema=schema) as opened:
        for _ in range(5):
            await asyncio.gather(*(opened.sessions.list(9, 0) for _ in range(5)))
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = $1",
                schema,
            )
            await asyncio.sleep(0.05)
        await opened.sessions.save(SESSION)


async def test_a_closed_storage_leaves_no_connection_and_no_task(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """Though calls were cancelled just before."""
    address = f"{dsn}&application_name={schema}"
    before = asyncio.all_tasks()
    async with connect(address, schema=schema) as opened:
        calls = [asyncio.create_task(opened.sessions.save(SESSION)) for _ in range(30)]
        await asyncio.sleep(0.002)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert before == asyncio.all_tasks()
    await asyncio.sleep(0.1)
    assert await admin.fetchval(COUNT, schema) == 0


async def test_a_connection_survives_what_is_refused_or_cancelled(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """It comes to rest and is lent again: an error costs no login."""
    address = f"{dsn}&application_name={schema}"
    pids = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = $1"
    async with connect(address, schema=schema, pool_size=1) as opened:
        before = await admin.fetchval(pids, schema)
        await admin.execute(f"ALTER TABLE {schema}.sessions ADD CHECK (id <> 's')")
        with pytest.raises(StorageIOError):
            await opened.sessions.save(SESSION)
        async with admin.transaction():
            await admin.execute(f"LOCK TABLE {schema}.sessions")
            task = asyncio.create_task(opened.sessions.delete(SESSION.id))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.wait([task])
        await opened.sessions.delete(SESSION.id)
        assert before == await admin.fetchval(pids, schema)
