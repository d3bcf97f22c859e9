"""The vectors in memory, and the exact search among them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

    def put(self, id: str, unit: Floats) -> None:
        """Add a vector of shape `(dimension,)`, or replace the one that has this id."""
        row = self._rows.get(id)
        if row is None:
            row = self._rows[id] = len(self._ids)
            self._ids.append(id)
            if row == len(self._matrix):
                self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[row] = unit

    def keep(self, ids: Collection[str]) -> None:
        """Drop every vector whose id is not among `ids`."""
        kept = [row for row, id in enumerate(self._ids) if id in ids]
        self._matrix[: len(kept)] = self._matrix[kept]
        self._ids = [self._ids[row] for row in kept]
        self._rows = {id: row for row, id in enumerate(self._ids)}

    def nearest(self, query: Floats, top_k: int) -> Sequence[tuple[str, float]]:
        """Return the ids and cosine similarities of the `top_k` nearest, best first, then by id.

        Args:
            query: A unit vector of shape `(dimension,)`.
            top_k: How many to return at most.
        """
        candidates = self._candidates(query, min(top_k, len(self._ids)))
        scores = self._scores(query, candidates)
        rows: list[int] = candidates.tolist()
        negated: list[float] = (-scores).tolist()
        best = sorted(zip(negated, (self._ids[row] for row in rows), strict=True))
        return [(id, -score) for score, id in best[:top_k]]

    def _candidates(self, query: Floats, count: int) -> NDArray[np.intp]:
        """Return the rows that may be among the `count` nearest.

        The fast product rounds, and not alike in every row, so that equal vectors may differ. What
        is nearer to the last of them than the rounding can be (dimension times epsilon) stays in.
        """
        if not count:
            return np.empty(0, np.intp)
        rough = self._matrix[: len(self._ids)] @ query
        last = np.partition(rough, -count)[-count]
        margin = 2 * self.dimension * _EPSILON
        return np.flatnonzero(rough >= last - margin)

    def _scores(self, query: Floats, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the similarities in float64, summed alike in every row."""
        wide = query.astype(np.float64)
        scores = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            scores[start : start + _CHUNK] = (self._matrix[chunk] * wide).sum(axis=1)
        return scores.clip(-1.0, 1.0)
