"""All vectors of a store, in memory, and the exact search among them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Matrix"]

# More than float32 can be off in a dot product of unit vectors, whatever the order of the sums.
_TOLERANCE = 1e-5


class Matrix:
    """Unit vectors of one dimension by id.

    Args:
        vectors: The ids and vectors to begin with; at least one.
    """

    def __init__(self, vectors: Iterable[tuple[str, array[float]]]) -> None:
        loaded = dict(vectors)
        self._ids = list(loaded)
        self._rows = {id: row for row, id in enumerate(self._ids)}
        self._values = np.array(list(loaded.values()), dtype=np.float32)

    def put(self, id: str, vector: array[float]) -> None:
        """Add the vector, or replace the one of that id."""
        row = self._rows.get(id)
        if row is None:
            row = self._rows[id] = len(self._ids)
            self._ids.append(id)
            self._make_room(len(vector))
        self._values[row] = vector

    def remove(self, id: str) -> None:
        """Take the vector out; an absent one is no error."""
        row = self._rows.pop(id, None)
        if row is None:
            return
        last = self._ids.pop()
        if last != id:
            self._ids[row], self._rows[last] = last, row
            self._values[row] = self._values[len(self._ids)]

    def best(self, query: array[float], count: int) -> Sequence[tuple[str, float]]:
        """Return the `count` ids most similar to the unit vector `query`, with the cosines.

        The best comes first, equal scores by id.
        """
        count = min(count, len(self._ids))
        if not count:
            return []
        unit = np.array(query, dtype=np.float32)
        rows = self._candidates(unit, count)
        # The sums of a matrix product depend on where a row stands, and equal vectors must get
        # equal scores; so the few that matter are computed again, each row by itself.
        scores = np.sum(self._values[rows].astype(np.float64) * unit, axis=1)
        negated: list[float] = (-scores).tolist()
        ranked = sorted((score, self._ids[row]) for score, row in zip(negated, rows, strict=True))
        return [(id, -score) for score, id in ranked[:count]]

    def _candidates(self, unit: NDArray[np.float32], count: int) -> list[int]:
        rough = self._values[: len(self._ids)] @ unit
        worst = np.partition(rough, len(rough) - count)[len(rough) - count]
        candidates: list[int] = np.flatnonzero(rough >= worst - _TOLERANCE).tolist()
        return candidates

    def _make_room(self, dimension: int) -> None:
        held = len(self._values)
        if len(self._ids) > held:
            grown = np.empty((2 * held + 16, dimension), dtype=np.float32)
            grown[:held] = self._values.reshape(held, dimension)
            self._values = grown
