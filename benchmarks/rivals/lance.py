"""LanceDB on disk: exact, by a scan of the table."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lancedb
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]

from benchmarks.rivals.together import Together

__all__ = ["open_storage"]

_DIMENSION = 384
_WRITES_BETWEEN_COMPACTIONS = 100


class Vectors:
    """A table. Each write makes files of its own, which slow all that follow: it is compacted."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._writes = Together(self._write)
        self._count = 0

    async def upsert(self, id: str, vector: Any, /, metadata: Any) -> None:
        """See `VectorStore.upsert`."""
        row = {"id": id, "vector": vector, "metadata": json.dumps(metadata)}
        await self._writes.put(id, row)

    async def _write(self, rows: Mapping[str, dict[str, Any]]) -> None:
        merge = self._table.merge_insert("id").when_matched_update_all()
        await merge.when_not_matched_insert_all().execute([*rows.values()])
        self._count += 1
        if self._count % _WRITES_BETWEEN_COMPACTIONS == 0:
            await self._table.optimize(cleanup_older_than=timedelta(0))

    async def search(self, query: Any, /, top_k: int) -> object:
        """See `VectorStore.search`."""
        nearest = self._table.query().nearest_to(query).distance_type("cosine")
        rows = await nearest.limit(top_k).select(["id", "metadata"]).to_list()
        return [SimpleNamespace(id=row["id"]) for row in rows]


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[SimpleNamespace]:
    """Open the directory."""
    arrow: Any = pa
    schema = arrow.schema(
        [
            ("id", arrow.string()),
            ("vector", arrow.list_(arrow.float32(), _DIMENSION)),
            ("metadata", arrow.string()),
        ]
    )
    library: Any = lancedb
    database = await library.connect_async(location)
    yield SimpleNamespace(vectors=Vectors(await database.create_table("vectors", schema=schema)))
