"""The vectors: kept in the file, searched in memory.

A search first brings the `Index` up to what is committed, whoever committed it: each row has a
revision that no other row ever had, so what is new is what has a higher one than was seen last.
What is gone leaves no row; a counter tells that something went.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import apsw
import numpy as np
from clawdesk_storage import JsonValue, Vector, VectorResult, check_id, check_limit, unit_vector

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import execute
from clawdesk_sqlite.index import Floats, Index
from clawdesk_sqlite.record import check, seal, unseal

__all__ = ["SQLiteVectorStore"]

# The same bytes on every machine.
_STORED = np.dtype("<f4")
_ROWS_AT_ONCE = 1000

_FIX_DIMENSION = "INSERT OR IGNORE INTO vector_space (id, dimension, deletions) VALUES (1, ?, 0)"
_SPACE = """
SELECT dimension, deletions, (SELECT max(revision) FROM vectors) FROM vector_space WHERE id = 1
"""
_COUNT_DELETION = "UPDATE vector_space SET deletions = deletions + 1 WHERE id = 1"
_UPSERT = """
INSERT OR REPLACE INTO vectors (id, unit, unit_checksum, record, checksum) VALUES (?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM vectors WHERE id = ?"
_NEWER = """
SELECT revision, id, unit, unit_checksum FROM vectors WHERE revision > ? ORDER BY revision LIMIT ?
"""
_IDS = "SELECT id FROM vectors"
_RECORDS = "SELECT id, record, checksum FROM vectors WHERE id IN carray(?)"


class SQLiteVectorStore:
    """A `VectorStore` in a SQLite file: exact, by brute force over vectors held in memory."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._replica = _Replica()

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._engine.check_open()
        check_id(id)
        unit = _unit(vector)
        stored = unit.astype(_STORED).tobytes()
        row = id, stored, crc32(stored), *seal(metadata)

        def upsert(cursor: apsw.Cursor) -> None:
            with cursor.connection:
                execute(cursor, _FIX_DIMENSION, len(unit))
                _check_dimension(execute(cursor, _SPACE)[0][0], unit)
                execute(cursor, _UPSERT, *row)

        await self._engine.write(upsert)

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._engine.check_open()
        check_limit(top_k, "top_k")
        unit = _unit(query)

        def search(connection: apsw.Connection) -> Sequence[VectorResult]:
            execute(connection, "BEGIN")  # one snapshot for all that is read
            try:
                return self._replica.search(connection, unit, top_k)
            finally:
                execute(connection, "COMMIT")

        return await self._engine.search(search)

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._engine.check_open()
        check_id(id)

        def delete(cursor: apsw.Cursor) -> None:
            with cursor.connection:
                execute(cursor, _DELETE, id)
                if cursor.connection.changes():
                    execute(cursor, _COUNT_DELETION)

        await self._engine.write(delete)


class _Replica:
    """The file's vectors in memory. Only the one thread that searches touches it."""

    def __init__(self) -> None:
        self._index: Index | None = None
        self._revision = 0
        self._deletions = 0

    def search(
        self, connection: apsw.Connection, query: Floats, top_k: int
    ) -> Sequence[VectorResult]:
        for dimension, deletions, newest in execute(connection, _SPACE):
            _check_dimension(dimension, query)
            index = self._index = self._index or Index(dimension)
            if newest != self._revision:
                self._take_newer(connection, index)
            if deletions != self._deletions:
                index.keep({id for (id,) in execute(connection, _IDS)})
                self._deletions = deletions
            return _results(connection, index.nearest(query, top_k))
        return []

    def _take_newer(self, connection: apsw.Connection, index: Index) -> None:
        while rows := execute(connection, _NEWER, self._revision, _ROWS_AT_ONCE):
            for revision, id, stored, checksum in rows:
                check(stored, checksum, id)
                index.put(id, np.frombuffer(stored, _STORED))
                self._revision = revision


def _unit(vector: Vector) -> Floats:
    return np.frombuffer(unit_vector(vector), np.float32)


def _check_dimension(dimension: int, vector: Floats) -> None:
    if len(vector) != dimension:
        raise ValueError(f"vectors here have {dimension} dimensions, not {len(vector)}")


def _results(
    connection: apsw.Connection, nearest: Sequence[tuple[str, float]]
) -> Sequence[VectorResult]:
    if not nearest:
        return []
    driver: Any = apsw  # whose annotations need Python 3.12
    ids = driver.carray(tuple(id for id, _ in nearest))
    metadata = {
        id: unseal(JsonValue, record, checksum, id)
        for id, record, checksum in execute(connection, _RECORDS, ids)
    }
    return [VectorResult(id=id, score=score, metadata=metadata[id]) for id, score in nearest]
