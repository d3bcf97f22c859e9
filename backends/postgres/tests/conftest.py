"""A schema of its own for each test, and a server of its own for those that maltreat it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from clawdesk_postgres import PostgresStorage, connect, run, server


@pytest.fixture
def schema() -> str:
    """The name of a schema that is not there yet, and is dropped after the run."""
    return f"test_{uuid4().hex}"


@pytest.fixture
def dsn(schema: str) -> str:
    """The server: the one given, or one that is started for this run."""
    return run.dsn(schema)


@pytest.fixture
async def storage(dsn: str, schema: str) -> AsyncGenerator[PostgresStorage, None]:
    """An empty storage."""
    async with connect(dsn, schema=schema) as opened:
        yield opened


@pytest.fixture
async def admin(dsn: str) -> AsyncGenerator[asyncpg.Connection[Any], None]:
    """A connection beside the storage's own."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def victim() -> Generator[Path, None, None]:
    """The directory of a server that nobody else uses; it runs."""
    place = Path(tempfile.mkdtemp(prefix="clawdesk-victim-"))
    server.start(place)
    yield place
    server.kill(place)
    shutil.rmtree(place)
