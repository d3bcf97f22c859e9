"""Chroma in this process and on disk: approximate, by HNSW."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import chromadb
from chromadb.config import Settings

from benchmarks.rivals.together import Together

__all__ = ["open_storage"]


class Vectors:
    """A collection, called in threads: the client in the process is not asynchronous."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self._writes = Together(self._write)

    async def upsert(self, id: str, vector: Any, /, metadata: Any) -> None:
        """See `VectorStore.upsert`."""
        await self._writes.put(id, (vector, {"metadata": json.dumps(metadata)}))

    async def _write(self, rows: Mapping[str, tuple[Any, Any]]) -> None:
        vectors, metadata = zip(*rows.values(), strict=True)
        await asyncio.to_thread(self._collection.upsert, [*rows], [*vectors], [*metadata])

    async def search(self, query: Any, /, top_k: int) -> object:
        """See `VectorStore.search`."""
        found = await asyncio.to_thread(self._collection.query, [query], n_results=top_k)
        return [SimpleNamespace(id=id) for id in found["ids"][0]]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open the directory."""
    client: Any = chromadb.PersistentClient(location, Settings(anonymized_telemetry=False))
    space = {"hnsw": {"space": "cosine"}}
    collection = client.get_or_create_collection(
        "vectors", configuration=space, embedding_function=None
    )
    yield SimpleNamespace(vectors=Vectors(collection))
