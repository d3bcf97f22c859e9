"""All vectors of a store, in memory, and the exact search among them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Matrix"]

_EPSILON = float(np.finfo(np.float32).eps)
_ROWS_AT_ONCE = 4096


class Matrix:
    """Unit vectors of one dimension by id. The rows are numbered from 0 without a gap.

    Args:
        vectors: The ids and vectors to begin with.
    """

    def __init__(self, vectors: Iterable[tuple[str, array[float]]]) -> None:
        loaded = dict(vectors)
        self._ids = list(loaded)
        self._rows = {id: row for row, id in enumerate(self._ids)}
        self._values = np.array(list(loaded.values()), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, id: str, vector: array[float]) -> int:
        """Add the vector, or replace the one of that id, and return its row."""
        row = self._rows.get(id)
        if row is None:
            row = self._rows[id] = len(self._ids)
            self._ids.append(id)
            self._make_room(len(vector))
        self._values[row] = vector
        return row

    def remove(self, id: str) -> tuple[int, int] | None:
        """Take the vector out; the last row takes its place.

        Returns:
            Whence and whither that moved, or None where the id is not there.
        """
        row = self._rows.pop(id, None)
        if row is None:
            return None
        last = self._ids.pop()
        if last != id:
            self._ids[row], self._rows[last] = last, row
            self._values[row] = self._values[len(self._ids)]
        return len(self._ids), row

    def ids(self, rows: Iterable[int] | None = None) -> Sequence[str]:
        """Return the ids of some rows, or of all of them for None."""
        return self._ids[:] if rows is None else [self._ids[row] for row in rows]

    def best(
        self, query: array[float], count: int, among: NDArray[np.intp] | None = None
    ) -> Sequence[tuple[str, float]]:
        """Return the `count` ids most similar to the unit vector `query`, with the cosines.

        The best comes first, equal scores by id.

        Args:
            query: A unit vector of shape `(dimension,)`.
            count: How many to return at most.
            among: The rows to choose from, or None for all.
        """
        count = min(count, len(self._ids) if among is None else len(among))
        if not count:
            return []
        unit = np.array(query, dtype=np.float32)
        candidates = self._candidates(unit, count, among)
        negated: list[float] = (-self._scores(unit, candidates)).tolist()
        ranked = sorted(zip(negated, self.ids(candidates.tolist()), strict=True))
        return [(id, -score) for score, id in ranked[:count]]

    def _candidates(
        self, unit: NDArray[np.float32], count: int, among: NDArray[np.intp] | None
    ) -> NDArray[np.intp]:
        """Return the rows that may be among the `count` best.

        The sums of a matrix product depend on where a row stands, and equal vectors must get equal
        scores. So all stay in that are as near to the last of them as the sums can be off.
        """
        rough = self._rough(unit, among)
        worst = np.partition(rough, len(rough) - count)[len(rough) - count]
        near = np.flatnonzero(rough >= worst - 2 * len(unit) * _EPSILON)
        return near if among is None else among[near]

    def _rough(
        self, unit: NDArray[np.float32], among: NDArray[np.intp] | None
    ) -> NDArray[np.float32]:
        values = self._values[: len(self._ids)]
        if among is None:
            return values @ unit
        # A copy of a few rows costs less than a product with all of them.
        few = 8 * len(among) < len(values)
        return values[among] @ unit if few else (values @ unit)[among]

    def _scores(self, unit: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the cosines in float64, each row summed by itself and alike."""
        scores = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            scores[part] = np.sum(self._values[rows[part]].astype(np.float64) * unit, axis=1)
        return scores.clip(-1.0, 1.0)

    def _make_room(self, dimension: int) -> None:
        held = len(self._values)
        if len(self._ids) > held:
            grown = np.empty((2 * held + 16, dimension), dtype=np.float32)
            grown[:held] = self._values.reshape(held, dimension)
            self._values = grown
