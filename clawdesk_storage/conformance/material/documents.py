"""Metadata and filters that are hard to tell apart, for filters to be tried with."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from clawdesk_storage.where import (
    And,
    Compares,
    Contains,
    Equals,
    Exists,
    Not,
    Or,
    Scalar,
    Where,
)

__all__ = ["KEYS", "SCALARS", "document", "documents", "where"]

KEYS: Final = (
    "a", "b", "a.b", "$eq", "$.a", "0", "", "'", '"', "%", "A", "é", "e\u0301", "\0", "[0]", "a b",
    "-", "\\", "\U0001f600",
)  # fmt: skip
"""Keys that a query language takes for something else."""

SCALARS: Final[tuple[Scalar, ...]] = (
    None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 9, 10, 100, 2**53, 2**53 + 1, 2**63 - 1, -(2**63),
    1e300, 5e-324, "", "1", "9", "10", "true", "null", "a", "A", "a\0b", "a\0", "é", "e\u0301",
    "\uffff", "\U0001f600", "%", "_", "'",
)  # fmt: skip
"""Scalars that a careless comparison confuses."""


def document(random: Random, depth: int = 2) -> Any:
    """Return metadata of any kind: mostly an object, sometimes a scalar or an array."""
    chance = random.random()
    if depth == 0 or chance < 0.25:
        return random.choice(SCALARS)
    if chance < 0.4:
        return [document(random, 0 if chance < 0.35 else depth - 1) for _ in range(chance > 0.27)]
    keys = random.sample(KEYS[:8] if random.random() < 0.8 else KEYS, random.randint(1, 3))
    return {key: document(random, depth - 1) for key in keys}


def documents(random: Random, count: int) -> list[Any]:
    """Return so much metadata; most of it objects with few keys, so that filters meet it."""
    made: list[Any] = [{key: scalar} for key in KEYS for scalar in SCALARS[:6]]
    made += [{"a": scalar} for scalar in SCALARS] + [{"a": [scalar]} for scalar in SCALARS]
    made += [{"a": {"b": scalar}} for scalar in SCALARS]
    made += [None, True, 1, "a", [], {}, ["a"], [{"a": 1}], {"a": {}}, {"a": [[1]]}]
    made += [document(random) for _ in range(max(0, count - len(made)))]
    random.shuffle(made)
    return made[:count]


def where(random: Random, depth: int = 2) -> Where:
    """Return a filter of any kind, nested so deep at most."""
    chance = random.random()
    if depth and chance < 0.45:
        parts = tuple(where(random, depth - 1) for _ in range(random.randint(0, 3)))
        if chance < 0.15:
            return And(parts)
        return Or(parts) if chance < 0.3 else Not(where(random, depth - 1))
    path = random.choice((("a",), ("a", "b"), (random.choice(KEYS),), ("a", random.choice(KEYS))))
    value = random.choice(SCALARS)
    kind = random.random()
    if kind < 0.35:
        return Equals(path, value)
    if kind < 0.65:
        return Compares(path, random.choice(("<", "<=", ">", ">=")), value)
    return Contains(path, value) if kind < 0.85 else Exists(path)
