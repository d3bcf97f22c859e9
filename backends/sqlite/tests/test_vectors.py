"""The search follows the file."""

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest
from clawdesk_storage import ConnectionFailedError, Equals, SerializationError

from clawdesk_sqlite import SQLiteStorage, open_storage
from clawdesk_sqlite.backend import corrupt


async def ids(storage: SQLiteStorage, query: list[float], top_k: int = 100) -> list[str]:
    """The ids that a search finds, best first."""
    return [result.id for result in await storage.vectors.search(query, top_k=top_k)]


async def test_a_vector_of_another_handle_is_found(storage: SQLiteStorage, location: Path) -> None:
    """What another handle has just written is in the next search, whatever is in memory here."""
    await storage.vectors.upsert("a", [1, 0], metadata=None)
    await ids(storage, [1, 0])
    async with open_storage(location) as other:
        await other.vectors.upsert("b", [1, 1], metadata=None)
    assert ["a", "b"] == await ids(storage, [1, 0])


async def test_a_replacement_of_another_handle_is_found(
    storage: SQLiteStorage, location: Path
) -> None:
    """The earlier vector is gone from memory too."""
    await storage.vectors.upsert("a", [1, 0], metadata=None)
    await storage.vectors.upsert("b", [1, 1], metadata=None)
    await ids(storage, [1, 0])
    async with open_storage(location) as other:
        await other.vectors.upsert("a", [-1, 0], metadata=None)
    assert ["b", "a"] == await ids(storage, [1, 0])


async def test_a_deletion_of_another_handle_is_seen(storage: SQLiteStorage, location: Path) -> None:
    """What another handle has deleted is not found, and can come back."""
    for id in ("a", "b", "c"):
        await storage.vectors.upsert(id, [1, 0], metadata=None)
    await ids(storage, [1, 0])
    async with open_storage(location) as other:
        await other.vectors.delete("a")
        await other.vectors.delete("b")
        await other.vectors.upsert("b", [0, 1], metadata=None)
    assert ["c", "b"] == await ids(storage, [1, 0])


async def test_equal_vectors_are_ordered_by_id(storage: SQLiteStorage) -> None:
    """Wherever they lie in memory: a fast product rounds differently from row to row."""
    vector = np.random.default_rng(7).normal(size=37)
    names = [f"{number:03}" for number in range(500)]
    for name in random.Random(7).sample(names, len(names)):
        await storage.vectors.upsert(name, vector, metadata=None)
    assert names[:10] == await ids(storage, vector.tolist(), top_k=10)


async def test_the_dimension_outlives_the_vectors(location: Path) -> None:
    """Deleting all and opening anew does not forget it."""
    async with open_storage(location) as storage:
        await storage.vectors.upsert("a", [1, 0], metadata=None)
        await storage.vectors.delete("a")
    async with open_storage(location) as storage:
        with pytest.raises(ValueError, match="2 dimensions, not 3"):
            await storage.vectors.upsert("a", [1, 0, 0], metadata=None)


async def test_a_damaged_vector_is_named(location: Path) -> None:
    """Any bytes are floats, so only the checksum tells."""
    async with open_storage(location) as storage:
        await storage.vectors.upsert("the-id", [1, 0], metadata=None)
    await corrupt(location, "vectors")
    async with open_storage(location) as storage:
        with pytest.raises(SerializationError, match="the-id"):
            await storage.vectors.search([1, 0], top_k=1)


async def test_a_damaged_vector_can_be_replaced(location: Path) -> None:
    """Storing it again mends the store."""
    async with open_storage(location) as storage:
        await storage.vectors.upsert("a", [1, 0], metadata=None)
    await corrupt(location, "vectors")
    async with open_storage(location) as storage:
        await storage.vectors.upsert("a", [1, 0], metadata=None)
        assert ["a"] == await ids(storage, [1, 0])


async def test_a_deletion_that_is_overtaken_by_closing_ends(location: Path) -> None:
    """It searches, and then writes: what writes may have ended by then, and would never answer."""
    async with open_storage(location) as storage:
        await storage.vectors.upsert("a", [1, 0], metadata={"of": "a"})
        deleting = asyncio.create_task(storage.vectors.delete_where(Equals("of", "a")))
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionFailedError):
            await deleting
