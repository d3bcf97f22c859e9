"""The floor under a search: NumPy over a matrix in memory. Nothing of it is durable."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["open_storage"]

_DIMENSION = 384


class Vectors:
    """A matrix that doubles when it is full; the vectors are of length 1 already."""

    def __init__(self) -> None:
        self._matrix = np.empty((1_024, _DIMENSION), np.float32)
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._metadata: dict[str, Any] = {}

    async def upsert(self, id: str, vector: Any, /, metadata: Any) -> None:
        """See `VectorStore.upsert`."""
        if id not in self._rows:
            self._rows[id] = len(self._ids)
            self._ids.append(id)
        if len(self._ids) > len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[self._rows[id]] = vector
        self._metadata[id] = metadata

    async def search(self, query: Any, /, top_k: int) -> object:
        """See `VectorStore.search`."""
        scores = self._matrix[: len(self._ids)] @ query
        best = np.argpartition(scores, -top_k)[-top_k:]
        best = best[np.argsort(-scores[best])]
        return [SimpleNamespace(id=self._ids[row]) for row in best]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Return a new store."""
    yield SimpleNamespace(vectors=Vectors())
