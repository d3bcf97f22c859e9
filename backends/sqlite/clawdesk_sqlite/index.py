"""The vectors in memory, and the exact search among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Index"]

Floats: TypeAlias = NDArray[np.float32]

_FIRST_CAPACITY = 1024
_CHUNK = 4096
_EPSILON = np.finfo(np.float32).eps


class Index:
    """Unit vectors by id, as the rows of one matrix.

    Args:
        dimension: How long each vector is.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix: Floats = np.empty((_FIRST_CAPACITY, dimension), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, id: str, unit: Floats) -> int:
        """Add a vector of shape `(dimension,)`, or replace the one of this id; return its row."""
        row = self._rows.get(id)
        if row is None:
            row = self._rows[id] = len(self._ids)
            self._ids.append(id)
            if row == len(self._matrix):
                self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[row] = unit
        return row

    def row(self, id: str) -> int:
        """Return the row of an id that is there."""
        return self._rows[id]

    def ids(self, rows: NDArray[np.intp] | None = None) -> list[str]:
        """Return the ids of some rows, or of all."""
        return list(self._ids) if rows is None else [self._ids[row] for row in rows.tolist()]

    def remove(self, id: str) -> tuple[int, int] | None:
        """Drop the vector of this id; the last row moves into its place.

        Returns:
            Whence and whither it moved, or None where the id is not there.
        """
        row = self._rows.pop(id, None)
        if row is None:
            return None
        last = len(self._ids) - 1
        moved = self._ids.pop()
        if row != last:
            self._ids[row] = moved
            self._rows[moved] = row
            self._matrix[row] = self._matrix[last]
        return last, row

    def nearest(
        self, query: Floats, top_k: int, among: NDArray[np.intp] | None = None
    ) -> Sequence[tuple[str, float]]:
        """Return the ids and cosine similarities of the `top_k` nearest, best first, then by id.

        Args:
            query: A unit vector of shape `(dimension,)`.
            top_k: How many to return at most.
            among: The rows to choose from, all of them for None.
        """
        candidates = self._candidates(query, top_k, among)
        scores = self._scores(query, candidates)
        rows: list[int] = candidates.tolist()
        negated: list[float] = (-scores).tolist()
        best = sorted(zip(negated, (self._ids[row] for row in rows), strict=True))
        return [(id, -score) for score, id in best[:top_k]]

    def _candidates(
        self, query: Floats, top_k: int, among: NDArray[np.intp] | None
    ) -> NDArray[np.intp]:
        """Return the rows that may be among the `top_k` nearest.

        The fast product rounds, and not alike in every row, so that equal vectors may differ. What
        is nearer to the last of them than the rounding can be (dimension times epsilon) stays in.
        """
        matrix = self._matrix[: len(self._ids)]
        count = min(top_k, len(matrix) if among is None else len(among))
        if not count:
            return np.empty(0, np.intp)
        if among is None:
            rough = matrix @ query
        elif len(among) * 8 < len(matrix):
            rough = matrix[among] @ query
        else:
            rough = (matrix @ query)[among]
        last = np.partition(rough, -count)[-count]
        margin = 2 * self.dimension * _EPSILON
        near = np.flatnonzero(rough >= last - margin)
        return near if among is None else among[near]

    def _scores(self, query: Floats, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the similarities in float64, summed alike in every row."""
        wide = query.astype(np.float64)
        scores = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            scores[start : start + _CHUNK] = (self._matrix[chunk] * wide).sum(axis=1)
        return scores.clip(-1.0, 1.0)
