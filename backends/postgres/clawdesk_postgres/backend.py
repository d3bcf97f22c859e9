"""PostgreSQL as the suite knows it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from clawdesk_storage.conformance import Backend

from clawdesk_postgres import run, server
from clawdesk_postgres.location import open_storage, schema_of
from clawdesk_postgres.tables import quoted

__all__ = ["ABILITIES", "backend", "corrupt", "outage"]

ABILITIES = (
    "MessageBatches",
    "MessagePages",
    "MessageGuards",
    "SessionRevisions",
    "ConfigRevisions",
    "VectorBatches",
    "VectorFilters",
    "Contents",
    "VectorContents",
)
_DAMAGE = {
    "sessions": "UPDATE {schema}.sessions SET record = left(record, -1)",
    "conversations": "UPDATE {schema}.messages SET record = left(record, -1)",
    "config": "UPDATE {schema}.config SET record = left(record, -1)",
    "vectors": "UPDATE {schema}.vectors SET metadata = '{{' || metadata",
}


async def corrupt(location: Path, port: str) -> None:
    """Damage every record of one port: the last character goes, or one too many comes."""
    schema = schema_of(location)
    connection = await asyncpg.connect(await asyncio.to_thread(run.dsn, schema))
    try:
        await connection.execute(_DAMAGE[port].format(schema=quoted(schema)))
    finally:
        await connection.close()


@asynccontextmanager
async def outage(location: Path) -> AsyncGenerator[None, None]:
    """Kill the server, and start it again afterwards; every location shares it."""
    await asyncio.to_thread(server.kill, run.directory())
    try:
        yield
    finally:
        await asyncio.to_thread(server.start, run.directory())


run.require_server()  # now, lest every law waits for one that cannot be started
run.directory()  # named here and now, so that the suite's children share it, whoever comes first

# A server that was given is not ours to crash.
backend = Backend(
    open_storage,
    abilities=ABILITIES,
    corrupt=corrupt,
    outage=None if run.GIVEN in os.environ else outage,
)
