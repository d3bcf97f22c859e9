"""Embeddings in one table, searched exactly or through an HNSW index.

They are stored with length 1, so that the inner product is the cosine.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
from clawdesk_storage import (
    JsonValue,
    SerializationError,
    Vector,
    VectorEntry,
    VectorResult,
    Where,
    check_filter,
    check_id,
    check_limit,
    decode,
    encode,
    matches,
    unit_vector,
)

from clawdesk_postgres.database import Database
from clawdesk_postgres.filters import FILL_IN, Condition, filled_of, filter_of
from clawdesk_postgres.hnsw import HNSW

__all__ = ["PostgresVectorStore", "vector_from_wire", "vector_to_wire"]

_LARGEST_DIMENSION = 16_000


class _Row(NamedTuple):
    id: str
    unit: array[float]
    metadata: str
    filter: str


class PostgresVectorStore:
    """A `VectorStore` in PostgreSQL with pgvector.

    With `VectorBatches`, `VectorFilters` and `VectorContents`.

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
        replace = """
            ON CONFLICT (id) DO UPDATE SET
                embedding = excluded.embedding,
                metadata = excluded.metadata,
                filter = excluded.filter
        """
        self._upsert = database.sql(
            """
            INSERT INTO {schema}.vectors (id, embedding, metadata, filter)
            VALUES ($1, $2, $3, $4) {replace}
        """,
            replace=replace,
        )
        self._upsert_many = database.sql(
            """
            INSERT INTO {schema}.vectors (id, embedding, metadata, filter)
            SELECT * FROM unnest($1::text[], $2::{pgvector}.vector[], $3::text[], $4::jsonb[])
            {replace}
        """,
            replace=replace,
        )
        self._nearest_exactly = self._nearest("embedding")
        self._delete = database.sql("DELETE FROM {schema}.vectors WHERE id = $1")
        # In the order in which other batches lock them: none waits for another in a circle.
        self._delete_many = database.sql("""
            DELETE FROM {schema}.vectors WHERE id IN (
                SELECT id FROM {schema}.vectors WHERE id = ANY ($1::text[])
                ORDER BY id FOR UPDATE
            )
        """)
        self._get = database.sql("""
            SELECT id, embedding, metadata FROM {schema}.vectors WHERE id = $1
        """)
        self._entries = database.sql("""
            SELECT id, embedding, metadata FROM {schema}.vectors
            WHERE id > $1 ORDER BY id LIMIT $2
        """)
        self._count = database.sql("SELECT count(*) FROM {schema}.vectors")
        self._fill_in = database.sql(FILL_IN)

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._database.check_open()
        row = _row(id, vector, metadata)
        if await self._is_first([row]):
            await self._upsert_first([row])
        else:
            await self._database.fetch(self._upsert, *row)

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._database.check_open()
        top_k = check_limit(top_k, "top_k")
        unit = unit_vector(query)
        if not await self._is_searchable(unit):
            return []
        rows = await self._search_index(unit, top_k)
        if rows is None or len(rows) < top_k:
            # There are not as many, or the index has given up among entries that are deleted.
            rows = await self._database.fetch(self._nearest_exactly, unit, top_k)
        return [_result(row) for row in rows]

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._database.check_open()
        check_id(id)
        await self._database.fetch(self._delete, id)

    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        """See `VectorBatches.upsert_many`."""
        self._database.check_open()
        all_rows = [_row(*entry) for entry in entries]
        last = {row.id: row for row in all_rows}
        rows = [last[id] for id in sorted(last)]
        if await self._is_first(all_rows) and rows:
            await self._upsert_first(rows)
        else:
            await self._database.fetch(self._upsert_many, *_columns(rows))

    async def delete_many(self, ids: Sequence[str], /) -> None:
        """See `VectorBatches.delete_many`."""
        self._database.check_open()
        await self._database.fetch(self._delete_many, sorted(set(map(_checked, ids))))

    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        """See `VectorFilters.search_where`."""
        self._database.check_open()
        check_filter(where)
        top_k = check_limit(top_k, "top_k")
        unit = unit_vector(query)
        condition = Condition(where, first=3)
        if not await self._is_searchable(unit):
            return []
        # By the bare column, so exactly: an index of neighbours would have to be walked until
        # enough of them match. What has no filter is what version 1 has written.
        rows = await self._database.fetch(
            self._database.sql(
                """
                (
                    SELECT id, embedding OPERATOR({pgvector}.<#>) $1 AS distance, metadata, true
                    FROM {schema}.vectors WHERE filter IS NOT NULL AND ({condition})
                    ORDER BY distance, id LIMIT $2
                ) UNION ALL (
                    SELECT id, embedding OPERATOR({pgvector}.<#>) $1, metadata, false
                    FROM {schema}.vectors WHERE filter IS NULL
                )
                """,
                condition=condition.sql,
            ),
            unit,
            top_k,
            *condition.arguments,
        )
        found = [
            (row[1], row[0], result)
            for row in rows
            if (result := _result(row)) and (row[3] or matches(where, result.metadata))
        ]
        return [result for _, _, result in sorted(found, key=lambda each: each[:2])[:top_k]]

    async def delete_where(self, where: Where, /) -> None:
        """See `VectorFilters.delete_where`."""
        self._database.check_open()
        check_filter(where)
        condition = Condition(where, first=1)
        # In the order in which batches lock them, as delete_many does. Where version 1 has written
        # nothing is deleted before its filter is filled in.
        delete = self._database.sql(
            """
            WITH unfiltered AS (
                SELECT id, metadata FROM {schema}.vectors WHERE filter IS NULL
            ), doomed AS (
                SELECT id FROM {schema}.vectors
                WHERE filter IS NOT NULL AND ({condition}) AND NOT EXISTS (SELECT FROM unfiltered)
                ORDER BY id FOR UPDATE
            ), deleted AS (
                DELETE FROM {schema}.vectors WHERE id IN (SELECT id FROM doomed)
            )
            SELECT id, metadata FROM unfiltered
            """,
            condition=condition.sql,
        )
        while unfiltered := await self._database.fetch(delete, *condition.arguments):
            ids, records = [row[0] for row in unfiltered], [row[1] for row in unfiltered]
            filters = list(map(filled_of, records, ids))
            await self._database.fetch(self._fill_in, ids, records, filters)

    async def get(self, id: str, /) -> VectorEntry | None:
        """See `VectorContents.get`."""
        self._database.check_open()
        check_id(id)
        rows = await self._database.fetch(self._get, id)
        return _entry(rows[0]) if rows else None

    async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]:
        """See `VectorContents.entries`."""
        self._database.check_open()
        limit = check_limit(limit)
        if after is not None:
            check_id(after, "after")
        rows = await self._database.fetch(self._entries, after or "", limit)
        return [_entry(row) for row in rows]

    async def count(self) -> int:
        """See `VectorContents.count`."""
        self._database.check_open()
        return int((await self._database.fetch(self._count))[0][0])

    async def _known_dimension(self) -> int | None:
        """The dimension, once there is one; it never changes, so it is asked for until then."""
        if self._dimension is None:
            rows = await self._database.fetch(self._find_dimension)
            self._dimension = rows[0][0] if rows else None
        return self._dimension

    async def _is_searchable(self, unit: array[float]) -> bool:
        dimension = await self._known_dimension()
        _check_dimension(len(unit), dimension)
        return dimension is not None

    async def _is_first(self, rows: Sequence[_Row]) -> bool:
        """Check the dimensions of what is to be stored, and tell whether it is to fix them."""
        dimension = await self._known_dimension()
        for row in rows:
            _check_dimension(len(row.unit), len(rows[0].unit) if dimension is None else dimension)
        return dimension is None

    async def _upsert_first(self, rows: Sequence[_Row]) -> None:
        """Fix the dimension and store the vectors, or neither: another may have been faster."""
        async with self._database.transaction() as connection:
            # This locks out every other first upsert until the commit, index included.
            dimension = await connection.fetchval(self._fix_dimension, len(rows[0].unit))
            _check_dimension(len(rows[0].unit), dimension)
            if self._index is not None:
                await self._index.build(connection, self._database.schema, self._database.pgvector)
            await connection.execute(self._upsert_many, *_columns(rows))

    async def _search_index(
        self, unit: array[float], top_k: int
    ) -> Sequence[asyncpg.Record] | None:
        """Return what the index finds, or None where it is not to be asked."""
        index = self._index
        if index is None or top_k > index.ef_search:
            return None
        search = self._nearest_in(index, len(unit))
        if not self._set_locally:
            return await self._database.fetch(search, unit, top_k)
        async with self._database.transaction() as connection:
            for name, value in index.settings.items():
                await connection.execute(f"SET LOCAL {name} = {value}")
            return await connection.fetch(search, unit, top_k)

    def _nearest_in(self, index: HNSW, dimension: int) -> str:
        # Only this expression is indexed, so a search by the bare column is exact.
        column, query = (
            f"({index.cast(vector, self._database.pgvector, dimension)})"
            for vector in ("embedding", f"$1::{self._database.pgvector}.vector")
        )
        if index.is_whole(dimension):
            return self._nearest(column)
        return self._database.sql(
            """
            SELECT id, embedding OPERATOR({pgvector}.<#>) $1 AS distance, metadata
            FROM (
                SELECT id, embedding, metadata FROM {schema}.vectors
                ORDER BY {column} OPERATOR({pgvector}.<#>) {query}, id LIMIT {most}
            ) AS candidates
            ORDER BY distance, id LIMIT $2
            """,
            column=column,
            query=query,
            most=index.ef_search,
        )

    def _nearest(self, embedding: str) -> str:
        return self._database.sql(
            """
            SELECT id, {embedding} OPERATOR({pgvector}.<#>) $1 AS distance, metadata
            FROM {schema}.vectors ORDER BY distance, id LIMIT $2
            """,
            embedding=embedding,
        )


def vector_to_wire(unit: array[float] | bytes) -> bytes:
    """Return `unit` in pgvector's binary format, if it is not in that already."""
    if isinstance(unit, bytes):
        return unit
    body = array("f", unit)
    if sys.byteorder == "little":
        body.byteswap()
    return struct.pack(">HH", len(unit), 0) + body.tobytes()


def vector_from_wire(data: bytes) -> array[float]:
    """Return the vector that is `data` in pgvector's binary format."""
    body = array("f")
    body.frombytes(data[4:])
    if sys.byteorder == "little":
        body.byteswap()
    return body


def _row(id: str, vector: Vector, metadata: JsonValue) -> _Row:
    check_id(id)
    unit, record = unit_vector(vector), encode(metadata).decode()
    return _Row(id, unit, record, filter_of(record))


def _columns(rows: Sequence[_Row]) -> Sequence[Sequence[object]]:
    return (
        [row.id for row in rows],
        # As bytes: the driver would take an array of arrays for one of more dimensions.
        [vector_to_wire(row.unit) for row in rows],
        [row.metadata for row in rows],
        [row.filter for row in rows],
    )


def _checked(id: str) -> str:
    check_id(id)
    return id


def _check_dimension(dimension: int, expected: int | None) -> None:
    if expected not in (None, dimension):
        raise ValueError(f"vectors here have {expected} dimensions, not {dimension}")
    if dimension > _LARGEST_DIMENSION:
        raise SerializationError(
            f"pgvector stores up to {_LARGEST_DIMENSION} dimensions, not {dimension}"
        )


def _result(row: asyncpg.Record) -> VectorResult:
    key, distance, metadata = row[:3]
    return VectorResult(id=key, score=-distance, metadata=_metadata(key, metadata))


def _entry(row: asyncpg.Record) -> VectorEntry:
    key, unit, metadata = row
    return VectorEntry(key, unit, _metadata(key, metadata))


def _metadata(key: str, record: str) -> JsonValue:
    return decode(JsonValue, record.encode(), key=key)
