"""The suite, for all four ports, and once more for the vectors that are searched by an index."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from clawdesk_storage.conformance import Backend
from clawdesk_storage.conformance.pytest import StorageConformance

from clawdesk_postgres import HNSW, connect, run
from clawdesk_postgres.backend import backend, corrupt
from clawdesk_postgres.location import schema_of
from clawdesk_postgres.vectors import PostgresVectorStore


@dataclass(frozen=True)
class Indexed:
    """What the index makes a difference to, and nothing else."""

    vectors: PostgresVectorStore


@asynccontextmanager
async def open_indexed(location: Path) -> AsyncGenerator[Indexed, None]:
    """Open the vectors of a location with an HNSW index."""
    schema = schema_of(location)
    async with connect(run.dsn(schema), schema=schema, index=HNSW()) as storage:
        yield Indexed(storage.vectors)


class TestPostgres(StorageConformance):
    """All of the suite."""

    backend = backend


class TestIndexed(StorageConformance):
    """All that is asked of vectors, of an index that need not find everything."""

    backend = Backend(
        open_indexed,
        recall=0.95,
        abilities=("VectorBatches", "VectorFilters", "VectorContents"),
        corrupt=corrupt,
        outage=backend.outage,
    )
