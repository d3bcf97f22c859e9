"""LangChain's `InMemoryVectorStore`: exact, by NumPy over a list. Nothing of it is durable."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

__all__ = ["open_storage"]


class Given(Embeddings):
    """Embeds a text as the vector that was given with it."""

    def __init__(self) -> None:
        self.vector: list[float] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector, for the one text that there is."""
        return [self.vector]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector."""
        return self.vector


class Vectors:
    """The vectors, called in the event loop, as the library's own asynchronous methods do."""

    def __init__(self) -> None:
        self._given = Given()
        self._store = InMemoryVectorStore(self._given)

    async def upsert(self, id: str, vector: Any, /, metadata: Any) -> None:
        """See `VectorStore.upsert`."""
        self._given.vector = vector.tolist()
        self._store.add_documents([Document(id=id, page_content=id, metadata=metadata)])

    async def search(self, query: Any, /, top_k: int) -> object:
        """See `VectorStore.search`."""
        found = self._store.similarity_search_by_vector(query.tolist(), k=top_k)
        return [SimpleNamespace(id=document.id) for document in found]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Return a new store."""
    yield SimpleNamespace(vectors=Vectors())
