"""The first vector fixes the dimension, whoever is first; the index finds most of the best."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import numpy as np
import pytest
from clawdesk_storage import SerializationError, VectorEntry

from clawdesk_postgres import HNSW, PostgresStorage, connect


async def test_of_first_vectors_that_race_one_fixes_the_dimension(dsn: str, schema: str) -> None:
    """The others are refused as if they had come later, and nothing of them is stored."""
    dimensions = range(2, 18)

    async def upsert(dimension: int) -> bool:
        async with connect(dsn, schema=schema) as storage:
            try:
                await storage.vectors.upsert(str(dimension), [1.0] * dimension, metadata=None)
            except ValueError:
                return False
            return True

    stored = await asyncio.gather(*map(upsert, dimensions))
    (winner,) = [dimension for dimension, kept in zip(dimensions, stored, strict=True) if kept]
    async with connect(dsn, schema=schema) as storage:
        found = await storage.vectors.search([1.0] * winner, top_k=99)
    assert [str(winner)] == [result.id for result in found]


async def test_a_cancelled_first_vector_fixes_no_dimension(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """The dimension and the vector come together or not at all."""
    async with admin.transaction():
        await admin.execute(f"LOCK TABLE {schema}.vectors")
        upsert = asyncio.create_task(storage.vectors.upsert("a", [1.0, 2.0], metadata=None))
        await asyncio.sleep(0.1)
        upsert.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upsert
    await storage.vectors.upsert("a", [1.0, 2.0, 3.0], metadata=None)
    assert len(await storage.vectors.search([1.0, 2.0, 3.0], top_k=9)) == 1


@pytest.mark.parametrize("opened_first", [True, False])
async def test_the_index_finds_nearly_all_of_the_best(
    dsn: str, schema: str, *, opened_first: bool
) -> None:
    """Built as vectors come or over those that are there, it answers 0.95 of the exact search."""
    random = np.random.default_rng(7)
    vectors = random.standard_normal((1500, 24)).astype(np.float32)
    async with connect(dsn, schema=schema, index=HNSW() if opened_first else None) as storage:
        for number, vector in enumerate(vectors):
            await storage.vectors.upsert(str(number), vector, metadata=number)
    queries = random.standard_normal((50, 24))
    async with (
        connect(dsn, schema=schema) as exact,
        connect(dsn, schema=schema, index=HNSW()) as indexed,
    ):
        shared = 0
        for query in queries:
            best = {result.id for result in await exact.vectors.search(query, top_k=10)}
            shared += len(
                best & {each.id for each in await indexed.vectors.search(query, top_k=10)}
            )
    assert shared / 500 >= 0.95


async def test_what_half_precision_finds_is_scored_and_ordered_exactly(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neighbours that look equal at half precision come in the order of their own scores."""
    vectors = np.random.default_rng(7).standard_normal(3072) + np.zeros((60, 1))
    vectors[:, 0] += np.arange(60) * 1e-4  # half precision holds some three digits
    async with connect(dsn, schema=schema) as storage:
        entries = [VectorEntry(str(n), vector, n) for n, vector in enumerate(vectors)]
        await storage.vectors.upsert_many(entries)
        exact = await storage.vectors.search(vectors[30], top_k=20)
    async with connect(dsn, schema=schema, index=HNSW()) as storage:
        monkeypatch.setattr(storage.vectors, "_nearest_exactly", "not asked")
        assert exact == await storage.vectors.search(vectors[30], top_k=20)


async def test_a_search_for_more_than_the_index_keeps_in_view_is_exact(
    dsn: str, schema: str
) -> None:
    """The index would stop early; all entries are asked for, and all come."""
    async with connect(dsn, schema=schema, index=HNSW(ef_search=10)) as storage:
        for number in range(100):
            await storage.vectors.upsert(str(number), [1.0, number], metadata=None)
        assert len(await storage.vectors.search([1.0, 1.0], top_k=1000)) == 100


async def test_the_index_refuses_more_dimensions_than_it_holds(dsn: str, schema: str) -> None:
    """The limit is pgvector's; without the index the same vector is stored."""
    vector = [1.0] * 4001
    async with connect(dsn, schema=schema, index=HNSW()) as storage:
        with pytest.raises(SerializationError, match="4000 dimensions"):
            await storage.vectors.upsert("wide", vector, metadata=None)
    async with connect(dsn, schema=schema) as storage:
        await storage.vectors.upsert("wide", vector, metadata=None)
        assert [result.id for result in await storage.vectors.search(vector, top_k=1)] == ["wide"]


async def test_more_dimensions_than_pgvector_stores_are_refused(storage: PostgresStorage) -> None:
    """The message says the limit."""
    with pytest.raises(SerializationError, match="16000 dimensions"):
        await storage.vectors.upsert("wide", [1.0] * 16_001, metadata=None)


@pytest.mark.parametrize(
    "arguments", [{"m": 1}, {"m": 101}, {"ef_construction": 8}, {"ef_search": 0}]
)
def test_an_impossible_index_is_refused(arguments: dict[str, int]) -> None:
    """The message names the parameter and its bounds."""
    with pytest.raises(ValueError, match=f"{next(iter(arguments))} must be from"):
        HNSW(**arguments)
