"""A location is a schema of its own on a server that its run's processes share."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from clawdesk_postgres import run
from clawdesk_postgres.location import schema_of

CHILD = """
import asyncio, sys
from pathlib import Path
from clawdesk_postgres.location import open_storage
from clawdesk_storage import ChannelId, Session, SessionId

async def main():
    async with open_storage(Path(sys.argv[1])) as storage:
        await storage.sessions.save(Session(id=SessionId("s"), channel=ChannelId("c")))

asyncio.run(main())
"""

ROOT = """
import asyncio, os, subprocess, sys
from pathlib import Path
from clawdesk_postgres import run
from clawdesk_postgres.backend import open_storage

# The child comes first, and is gone before anybody else opens the location.
subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], check=True)

async def main():
    async with open_storage(Path(sys.argv[1])) as storage:
        print(len(await storage.sessions.list(9, 0)), run.directory(), flush=True)
    if sys.argv[3] == "killed":
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_locations_of_one_name_are_different() -> None:
    """The whole path counts, and the name can be recognised."""
    first, second = schema_of(Path("/a/Store-1")), schema_of(Path("/b/Store-1"))
    assert first != second
    assert first.startswith("clawdesk_store1_")


@pytest.mark.parametrize("name", ["x" * 200, "имя", "a\"b'c", ".."])
def test_any_name_makes_a_schema(name: str) -> None:
    """The schema's name is short and plain, whatever the directory's is."""
    schema = schema_of(Path("/") / name / "..." / name)
    assert len(schema) <= 63
    assert schema.isidentifier()


@pytest.mark.parametrize("end", ["ended", "killed"])
def test_a_run_shares_one_server_and_leaves_nothing_behind(tmp_path: Path, end: str) -> None:
    """A child that comes first writes where its parent reads; after the parent nothing is left."""
    own = {"CLAWDESK_POSTGRES_RUN", run.GIVEN}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    root = subprocess.run(
        [sys.executable, "-c", ROOT, str(tmp_path), CHILD, end],
        check=False,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    found, place = root.stdout.split()
    deadline = time.monotonic() + 15
    while Path(place).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    expected = -signal.SIGKILL if end == "killed" else 0
    assert (expected, "1", False) == (root.returncode, found, Path(place).exists())


async def test_a_run_on_a_given_server_drops_its_schemas(
    dsn: str, tmp_path: Path, admin: asyncpg.Connection
) -> None:
    """The server stays, and what was stored there for the run goes."""
    environment = {**os.environ, run.GIVEN: dsn}
    del environment["CLAWDESK_POSTGRES_RUN"]
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CHILD, str(tmp_path)], check=True, env=environment
    )
    found = await admin.fetchval(
        "SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema_of(tmp_path)
    )
    assert found == 0
