"""Qdrant's client in local mode: exact, by NumPy, with a SQLite file beside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from qdrant_client import AsyncQdrantClient, models

__all__ = ["open_storage"]

_NAME = "vectors"
_DIMENSION = 384


class Vectors:
    """A collection; its ids are numbers."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client

    async def upsert(self, id: str, vector: Any, /, metadata: Any) -> None:
        """See `VectorStore.upsert`."""
        number = int(id.rpartition("-")[2])
        point = models.PointStruct(
            id=number, vector=vector.tolist(), payload={"id": id, "metadata": metadata}
        )
        await self._client.upsert(_NAME, [point])

    async def search(self, query: Any, /, top_k: int) -> object:
        """See `VectorStore.search`."""
        found = await self._client.query_points(_NAME, query.tolist(), limit=top_k)
        return [SimpleNamespace(id=(point.payload or {})["id"]) for point in found.points]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open the directory."""
    client = AsyncQdrantClient(path=str(location))
    cosine = models.VectorParams(size=_DIMENSION, distance=models.Distance.COSINE)
    await client.create_collection(_NAME, vectors_config=cosine)
    try:
        yield SimpleNamespace(vectors=Vectors(client))
    finally:
        await client.close()
