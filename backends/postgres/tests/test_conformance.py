"""The suite, for exact search and through the index."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from clawdesk_storage.conformance import Backend
from clawdesk_storage.conformance.pytest import StorageConformance

from clawdesk_postgres import HNSW, PostgresStorage, connect, run
from clawdesk_postgres.backend import ABILITIES, backend, corrupt
from clawdesk_postgres.location import schema_of


@asynccontextmanager
async def open_indexed(location: Path) -> AsyncGenerator[PostgresStorage, None]:
    """Open the storage of a location with an HNSW index."""
    schema = schema_of(location)
    async with connect(run.dsn(schema), schema=schema, index=HNSW()) as storage:
        yield storage


class TestPostgres(StorageConformance):
    """All of the suite."""

    backend = backend


class TestIndexed(StorageConformance):
    """All of the suite, with an index that need not find everything."""

    backend = Backend(
        open_indexed, recall=0.95, abilities=ABILITIES, corrupt=corrupt, outage=backend.outage
    )
