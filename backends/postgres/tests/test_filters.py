"""Filters: what PostgreSQL finds is what the reference says, by an index, and exactly."""

from __future__ import annotations

import random
from array import array
from typing import Any

import asyncpg
import pytest
from clawdesk_storage import (
    And,
    Compares,
    Contains,
    Equals,
    Exists,
    JsonValue,
    Not,
    Or,
    VectorEntry,
    Where,
    matches,
)

from clawdesk_postgres import HNSW, PostgresStorage, connect
from clawdesk_postgres.filters import Condition

KEYS = ["a", "b", "a.b", "0", "$eq", "'", '"', "%", "\0", "\1", "\1\1", "é", "😀", ""]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, 1.0, -0.0, 2, 0.1, 9, 10, "1", "10", "9", "a", "A", "", "\0"),
    *("\1", "\1\1", "\1\2", "\0\0", "\uffff", "😀", "é", "e\u0301", "\\u0000", "true", "null"),
    *(2**53, 2**53 + 1, 2.0**53, 2**63, 2**63 - 1, -(2**63), 2.0**63, 1e22, 1e23, 1e300, -1e300),
    *(1e-7, 5e-324, 9007199254740993, 9007199254740992.0, 123456789012345678, 1.5),
]


def document(chance: random.Random, depth: int = 3) -> JsonValue:
    """Any JSON value, of keys and scalars that filters ask for."""
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return chance.choice(SCALARS)
    if kind < 0.5:
        return [document(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {key: document(chance, depth - 1) for key in chance.sample(KEYS, chance.randrange(5))}


def where(chance: random.Random, depth: int = 3) -> Where:
    """Any filter."""
    path = tuple(chance.choice(KEYS) for _ in range(chance.choice([1, 1, 1, 2, 3])))
    value = chance.choice(SCALARS)
    kind = chance.randrange(4 if depth == 0 else 7)
    match kind:
        case 0:
            return Equals(path, value)
        case 1:
            return Compares(path, chance.choice(["<", "<=", ">", ">="]), value)
        case 2:
            return Contains(path, value)
        case 3:
            return Exists(path)
        case 4:
            return Not(where(chance, depth - 1))
        case _:
            parts = [where(chance, depth - 1) for _ in range(chance.randrange(4))]
            return And(parts) if kind == 5 else Or(parts)


@pytest.mark.parametrize("seed", range(2))
async def test_random_filters_find_what_the_reference_says(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str, seed: int
) -> None:
    """Hostile keys, numbers beyond 2^53, NUL and the rest; a filter and its complement divide."""
    chance = random.Random(seed)
    documents = [document(chance) for _ in range(1000)]
    await storage.vectors.upsert_many(
        [VectorEntry(str(n), [1.0, n], each) for n, each in enumerate(documents)]
    )
    for _ in range(400):
        asked = where(chance)
        condition = Condition(asked, first=1)
        rows = await admin.fetch(
            f"SELECT id FROM {schema}.vectors WHERE {condition.sql}", *condition.arguments
        )
        expected = {str(n) for n, each in enumerate(documents) if matches(asked, each)}
        assert expected == {row[0] for row in rows}, asked
        opposite = Condition(Not(asked), first=1)
        others = await admin.fetchval(
            f"SELECT count(*) FROM {schema}.vectors WHERE {opposite.sql}", *opposite.arguments
        )
        assert len(documents) - len(expected) == others, asked


def _as_text(unit: array[float]) -> str:
    return str(unit.tolist())


async def test_a_filter_goes_through_its_index_and_never_through_that_of_neighbours(
    dsn: str, schema: str, admin: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one in a hundred matches, the planner reads those, and the result is exact."""
    query = [1.0] + [0.0] * 99
    async with connect(dsn, schema=schema, index=HNSW()) as storage:
        await storage.vectors.upsert_many(
            [VectorEntry(str(n), [1.0, n] + [0.0] * 98, {"user": n % 100}) for n in range(5000)]
        )
        await admin.execute(f"VACUUM ANALYZE {schema}.vectors")
        found = await storage.vectors.search_where(query, Equals("user", 7), top_k=60)
        plans: list[str] = []

        async def explained(sql: str, *arguments: object) -> list[Any]:
            rows = await admin.fetch(f"EXPLAIN {sql}", *arguments)
            plans.append("\n".join(row[0] for row in rows))
            return []

        await admin.set_type_codec("vector", encoder=_as_text, decoder=str, format="text")
        monkeypatch.setattr(storage.vectors._database, "fetch", explained)  # pyright: ignore[reportPrivateUsage]
        await storage.vectors.search_where(query, Equals("user", 7), top_k=60)
        await storage.vectors.delete_where(Equals("user", 7))
    assert [str(n) for n in range(7, 5000, 100)] == sorted((each.id for each in found), key=int)
    assert len(plans) == 2
    for plan in plans:
        assert "vectors_filter" in plan
        assert "hnsw" not in plan
        assert "Seq Scan on vectors" not in plan


async def test_a_filter_of_too_many_values_is_refused(storage: PostgresStorage) -> None:
    """A statement takes 32,767 arguments; the message says how many a filter may have."""
    many = Or(tuple(Equals("n", number) for number in range(40_000)))
    with pytest.raises(ValueError, match="32000 different keys and values"):
        await storage.vectors.search_where([1.0], many, top_k=1)


async def test_a_thousand_parts_and_a_hundred_levels_work(storage: PostgresStorage) -> None:
    """As deep as a filter can be, and as wide as anybody will write one."""
    await storage.vectors.upsert("a", [1.0], metadata={"n": 999})
    deep: Where = Or(tuple(Equals("n", number) for number in range(1000)))
    for _ in range(98):
        deep = Not(deep)
    assert len(await storage.vectors.search_where([1.0], deep, top_k=9)) == 1
