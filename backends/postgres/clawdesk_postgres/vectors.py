"""Embeddings in one table, searched exactly or through an HNSW index.

They are stored with length 1, so that the inner product is the cosine.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence

import asyncpg
from clawdesk_storage import (
    JsonValue,
    SerializationError,
    Vector,
    VectorResult,
    check_id,
    check_limit,
    decode,
    encode,
    unit_vector,
)

from clawdesk_postgres.database import Database
from clawdesk_postgres.hnsw import HNSW

__all__ = ["PostgresVectorStore", "vector_to_wire"]

_LARGEST_DIMENSION = 16_000


class PostgresVectorStore:
    """A `VectorStore` in PostgreSQL with pgvector.

    Args:
        database: Where the tables are.
        index: What to search through, or None to search exactly.
        set_locally: Set the server up for each search through the index, because a server
            connection is ours for one transaction only.
    """

    def __init__(self, database: Database, index: HNSW | None, *, set_locally: bool) -> None:
        self._database = database
        self._index = index
        self._set_locally = set_locally
        self._dimension: int | None = None
        self._find_dimension = database.sql("SELECT dimension FROM {schema}.vector_space")
        self._fix_dimension = database.sql("""
            INSERT INTO {schema}.vector_space AS space (dimension) VALUES ($1)
            ON CONFLICT (one) DO UPDATE SET dimension = space.dimension
            RETURNING dimension
        """)
        self._upsert = database.sql("""
            INSERT INTO {schema}.vectors (id, embedding, metadata) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET
                embedding = excluded.embedding,
                metadata = excluded.metadata
        """)
        self._nearest_exactly = self._nearest("embedding")
        self._delete = database.sql("DELETE FROM {schema}.vectors WHERE id = $1")

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._database.check_open()
        check_id(id)
        unit = unit_vector(vector)
        dimension = await self._known_dimension()
        _check_dimension(len(unit), dimension)
        row = id, unit, encode(metadata).decode()
        if dimension is None:
            await self._upsert_first(*row)
        else:
            await self._database.fetch(self._upsert, *row)

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._database.check_open()
        check_limit(top_k, "top_k")
        unit = unit_vector(query)
        dimension = await self._known_dimension()
        _check_dimension(len(unit), dimension)
        if dimension is None:
            return []
        if self._index is None or top_k > self._index.ef_search:
            rows = await self._search_exactly(unit, min(top_k, sys.maxsize))
        else:
            rows = await self._search_index(self._index, unit, top_k)
        return [_result(row) for row in rows]

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._database.check_open()
        check_id(id)
        await self._database.fetch(self._delete, id)

    async def _known_dimension(self) -> int | None:
        """The dimension, once there is one; it never changes, so it is asked for until then."""
        if self._dimension is None:
            rows = await self._database.fetch(self._find_dimension)
            self._dimension = rows[0][0] if rows else None
        return self._dimension

    async def _upsert_first(self, id: str, unit: array[float], metadata: str) -> None:
        """Fix the dimension and store the vector, or neither: another may have been faster."""
        async with self._database.transaction() as connection:
            # This locks out every other first upsert until the commit, index included.
            dimension = await connection.fetchval(self._fix_dimension, len(unit))
            _check_dimension(len(unit), dimension)
            if self._index is not None:
                await self._index.build(
                    connection, self._database.schema, self._database.pgvector, dimension
                )
            await connection.execute(self._upsert, id, unit, metadata)

    async def _search_exactly(self, unit: array[float], top_k: int) -> Sequence[asyncpg.Record]:
        return await self._database.fetch(self._nearest_exactly, unit, top_k)

    async def _search_index(
        self, index: HNSW, unit: array[float], top_k: int
    ) -> Sequence[asyncpg.Record]:
        # Only this expression is indexed, so a search by the bare column is exact.
        search = self._nearest(f"(embedding::{self._database.pgvector}.vector({len(unit)}))")
        if not self._set_locally:
            return await self._database.fetch(search, unit, top_k)
        async with self._database.transaction() as connection:
            for name, value in index.settings.items():
                await connection.execute(f"SET LOCAL {name} = {value}")
            return await connection.fetch(search, unit, top_k)

    def _nearest(self, embedding: str) -> str:
        return self._database.sql(
            """
            SELECT id, {embedding} OPERATOR({pgvector}.<#>) $1 AS distance, metadata
            FROM {schema}.vectors ORDER BY distance, id LIMIT $2
            """,
            embedding=embedding,
        )


def vector_to_wire(unit: array[float]) -> bytes:
    """Return `unit` in pgvector's binary format."""
    body = array("f", unit)
    if sys.byteorder == "little":
        body.byteswap()
    return struct.pack(">HH", len(unit), 0) + body.tobytes()


def _check_dimension(dimension: int, expected: int | None) -> None:
    if expected not in (None, dimension):
        raise ValueError(f"vectors here have {expected} dimensions, not {dimension}")
    if dimension > _LARGEST_DIMENSION:
        raise SerializationError(
            f"pgvector stores up to {_LARGEST_DIMENSION} dimensions, not {dimension}"
        )


def _result(row: asyncpg.Record) -> VectorResult:
    key, distance, metadata = row
    value = decode(JsonValue, metadata.encode(), key=key)
    return VectorResult(id=key, score=-distance, metadata=value)
