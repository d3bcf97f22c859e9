"""The vectors: kept in the file, searched in memory.

A search first brings the `Index` up to what is committed, whoever committed it: each change has a
revision that no other ever had, so what is new is what has a higher one than was seen last. A
deletion leaves its revision behind; the last of them are kept, and whoever has not looked for
longer compares all ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apsw
import numpy as np
from clawdesk_storage import (
    JsonValue,
    Vector,
    VectorEntry,
    VectorResult,
    Where,
    check_filter,
    check_id,
    check_limit,
    matches,
    unit_vector,
)

from clawdesk_sqlite.columns import Columns
from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import batches, execute, snapshot
from clawdesk_sqlite.index import Floats, Index
from clawdesk_sqlite.reader import Cursor
from clawdesk_sqlite.record import check, checksum_of, damaged, key_of, seal, unseal
from clawdesk_sqlite.writer import Transaction

__all__ = ["SQLiteVectorStore"]

# The same bytes on every machine.
_STORED = np.dtype("<f4")
_ROWS_AT_ONCE = 1000
_DELETIONS_KEPT = 50_000

_SPACE = "SELECT dimension, revision, vectors, checksum FROM vector_space WHERE id = 1"
_SET_SPACE = """
UPDATE vector_space SET dimension = ?, revision = ?, vectors = ?, checksum = ? WHERE id = 1
"""
_REVISION = "SELECT revision FROM vectors WHERE id = ?"
_UPSERT = """
INSERT OR REPLACE INTO vectors (revision, id, unit, unit_checksum, record, checksum)
VALUES (?, ?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM vectors WHERE revision = ?"
_KEEP_DELETION = "INSERT INTO vector_deletions (revision, id) VALUES (?, ?)"
_FORGET_DELETIONS = "DELETE FROM vector_deletions WHERE revision <= ?"
_DELETIONS = "SELECT id FROM vector_deletions WHERE revision > ?"
_NEWER = """
SELECT revision, id, unit, unit_checksum, NULL, NULL FROM vectors WHERE revision > ?
ORDER BY revision LIMIT ?
"""
_NEWER_WHOLE = """
SELECT revision, id, unit, unit_checksum, record, checksum FROM vectors WHERE revision > ?
ORDER BY revision LIMIT ?
"""
_NEWER_RECORDS = "SELECT id, record, checksum FROM vectors WHERE revision > ? ORDER BY revision"
_IDS = "SELECT id FROM vectors"
_ALL_RECORDS = "SELECT id, record, checksum FROM vectors WHERE revision > 0"
_RECORDS = "SELECT id, record, checksum FROM vectors WHERE id IN carray(?)"
_GET = "SELECT id, unit, unit_checksum, record, checksum FROM vectors WHERE id = ?"
_ENTRIES = """
SELECT id, unit, unit_checksum, record, checksum FROM vectors WHERE id > ? ORDER BY id LIMIT ?
"""


class SQLiteVectorStore:
    """A `VectorStore` in a SQLite file: exact, by brute force over vectors held in memory.

    With the abilities `VectorBatches`, `VectorFilters` and `VectorContents`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._replica = _Replica()

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        await self.upsert_many([VectorEntry(id, vector, metadata)])

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        return await self._search(query, None, top_k)

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        await self.delete_many([id])

    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        """See `VectorBatches.upsert_many`."""
        self._engine.check_open()
        rows = [_row(*entry) for entry in entries]
        if not rows:
            return
        dimension = rows[0].dimension
        for row in rows:
            _check_dimension(dimension, row.dimension)

        def upsert(transaction: Transaction) -> None:
            with transaction.connection:
                _upsert(transaction, rows)

        await self._engine.write(upsert)

    async def delete_many(self, ids: Sequence[str], /) -> None:
        """See `VectorBatches.delete_many`."""
        self._engine.check_open()
        unwanted = list(ids)
        for id in unwanted:
            check_id(id)
        if not unwanted:
            return

        def delete(transaction: Transaction) -> None:
            with transaction.connection:
                _delete(transaction, unwanted)

        await self._engine.write(delete)

    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        """See `VectorFilters.search_where`."""
        self._engine.check_open()
        check_filter(where)
        return await self._search(query, where, top_k)

    async def delete_where(self, where: Where, /) -> None:
        """See `VectorFilters.delete_where`."""
        self._engine.check_open()
        check_filter(where)

        def find(cursor: Cursor) -> tuple[list[str], int]:
            with snapshot(cursor):
                return self._replica.matching(cursor, where)

        found, revision = await self._engine.search(find)

        def delete(transaction: Transaction) -> None:
            with transaction.connection:
                # What was stored since is looked at here, for nobody can store more meanwhile.
                newer = _decoded(execute(transaction, _NEWER_RECORDS, revision))
                later = {id: matches(where, metadata) for id, metadata in newer}
                unwanted = [id for id in found if id not in later]
                unwanted += [id for id, matching in later.items() if matching]
                if unwanted:
                    _delete(transaction, unwanted)

        await self._engine.write(delete)

    async def get(self, id: str, /) -> VectorEntry | None:
        """See `VectorContents.get`."""
        self._engine.check_open()
        check_id(id)

        def read(cursor: Cursor) -> VectorEntry | None:
            for row in execute(cursor, _GET, id):
                return _entry(row, id)
            return None

        return await self._engine.read_point(read)

    async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]:
        """See `VectorContents.entries`."""
        self._engine.check_open()
        if after is not None:
            check_id(after)
        limit = check_limit(limit)

        def read(cursor: Cursor) -> Sequence[VectorEntry]:
            found = batches(cursor, _ENTRIES, after or "", limit)
            return [_entry(row) for rows in found for row in rows]

        return await self._engine.read_rows(read, limit)

    async def count(self) -> int:
        """See `VectorContents.count`."""
        self._engine.check_open()
        return await self._engine.read_point(lambda cursor: _space(cursor).vectors)

    async def _search(
        self, query: Vector, where: Where | None, top_k: int
    ) -> Sequence[VectorResult]:
        self._engine.check_open()
        top_k = check_limit(top_k, "top_k")
        unit = _unit(query)

        def search(cursor: Cursor) -> Sequence[VectorResult]:
            with snapshot(cursor):  # one for all that is read
                return self._replica.search(cursor, unit, where, top_k)

        return await self._engine.search(search)


class _Row(NamedTuple):
    """An entry as it is stored, but for its revision."""

    id: str
    unit: bytes
    unit_checksum: int
    record: bytes
    checksum: int

    @property
    def dimension(self) -> int:
        return len(self.unit) // _STORED.itemsize


class _Space(NamedTuple):
    """What holds for all vectors; the dimension is 0 until there was one."""

    dimension: int
    revision: int
    vectors: int


class _Replica:
    """The file's vectors in memory. Only the one thread that searches touches it."""

    def __init__(self) -> None:
        self._index: Index | None = None
        self._columns = Columns()
        self._revision = 0

    def search(
        self, cursor: Cursor, query: Floats, where: Where | None, top_k: int
    ) -> Sequence[VectorResult]:
        space = _space(cursor)
        if not space.dimension:
            return []
        _check_dimension(space.dimension, len(query))
        index = self._follow(cursor, space)
        among = None if where is None else self._rows(cursor, index, where)
        return _results(cursor, index.nearest(query, top_k, among))

    def matching(self, cursor: Cursor, where: Where) -> tuple[list[str], int]:
        """Return the ids that a filter matches, and the revision at which it does."""
        space = _space(cursor)
        if not space.dimension:
            return [], space.revision
        index = self._follow(cursor, space)
        return index.ids(self._rows(cursor, index, where)), space.revision

    def _rows(self, cursor: Cursor, index: Index, where: Where) -> Any:
        if self._columns.missing(where):
            records = _decoded(execute(cursor, _ALL_RECORDS))
            self._columns.add(where, ((index.row(id), metadata) for id, metadata in records))
        return np.flatnonzero(self._columns.mask(where, len(index)))

    def _follow(self, cursor: Cursor, space: _Space) -> Index:
        index = self._index = self._index or Index(space.dimension)
        if space.revision == self._revision and len(index) == space.vectors:
            return index
        if self._revision < space.revision - _DELETIONS_KEPT:
            present = {id for (id,) in execute(cursor, _IDS)}
            gone = [id for id in index.ids() if id not in present]
        else:
            gone = [id for (id,) in execute(cursor, _DELETIONS, self._revision)]
        for id in gone:
            if moved := index.remove(id):
                self._columns.move(*moved)
        self._take_newer(cursor, index)
        self._revision = space.revision
        if len(index) != space.vectors:
            self._index, self._revision = None, 0
            self._columns.clear()
            raise damaged("vectors", f"{len(index)} are there of {space.vectors}")
        return index

    def _take_newer(self, cursor: Cursor, index: Index) -> None:
        query = _NEWER_WHOLE if self._columns else _NEWER
        seen = self._revision
        while rows := execute(cursor, query, seen, _ROWS_AT_ONCE):
            for revision, id, unit, unit_checksum, record, checksum in rows:
                check(unit, unit_checksum, id, key_of("unit", id))
                row = index.put(id, np.frombuffer(unit, _STORED))
                if self._columns:
                    self._columns.put(row, _metadata(id, record, checksum))
                seen = revision


def _row(id: str, vector: Vector, metadata: JsonValue) -> _Row:
    check_id(id)
    unit = _unit(vector).astype(_STORED).tobytes()
    return _Row(id, unit, checksum_of(unit, "unit", id), *seal(metadata, "vector", id))


def _space(cursor: Any) -> _Space:
    for *found, checksum in execute(cursor, _SPACE):
        space = _Space(*found)
        if checksum == (checksum_of(b"space", *space) if any(space) else 0):
            return space
    raise damaged("vectors", "their number is not there")


def _set_space(transaction: Transaction, space: _Space) -> None:
    execute(transaction, _SET_SPACE, *space, checksum_of(b"space", *space))


def _upsert(transaction: Transaction, rows: Iterable[_Row]) -> None:
    dimension, revision, vectors = _space(transaction)
    for row in rows:
        dimension = dimension or row.dimension
        _check_dimension(dimension, row.dimension)
        revision += 1
        vectors += not execute(transaction, _REVISION, row.id)
        execute(transaction, _UPSERT, revision, *row)
    _set_space(transaction, _Space(dimension, revision, vectors))


def _delete(transaction: Transaction, ids: Iterable[str]) -> None:
    dimension, revision, vectors = _space(transaction)
    for id in ids:
        for (stored,) in execute(transaction, _REVISION, id):
            revision += 1
            vectors -= 1
            execute(transaction, _DELETE, stored)
            execute(transaction, _KEEP_DELETION, revision, id)
    if dimension:
        execute(transaction, _FORGET_DELETIONS, revision - _DELETIONS_KEPT)
        _set_space(transaction, _Space(dimension, revision, vectors))


def _metadata(id: str, record: bytes, checksum: int) -> JsonValue:
    return unseal(JsonValue, record, checksum, id, key_of("vector", id))


def _decoded(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, JsonValue]]:
    return ((id, _metadata(id, record, checksum)) for id, record, checksum in rows)


def _entry(row: tuple[Any, ...], asked: str | None = None) -> VectorEntry:
    found, unit, unit_checksum, record, checksum = row
    id = asked or found
    check(unit, unit_checksum, id, key_of("unit", id))
    vector = np.frombuffer(unit, _STORED).astype(np.float32)
    return VectorEntry(id, vector, _metadata(id, record, checksum))


def _unit(vector: Vector) -> Floats:
    return np.frombuffer(unit_vector(vector), np.float32)


def _check_dimension(dimension: int, found: int) -> None:
    if found != dimension:
        raise ValueError(f"vectors here have {dimension} dimensions, not {found}")


def _results(cursor: Cursor, nearest: Sequence[tuple[str, float]]) -> Sequence[VectorResult]:
    if not nearest:
        return []
    driver: Any = apsw  # whose annotations need Python 3.12
    ids = driver.carray(tuple(id for id, _ in nearest))
    metadata = {
        id: _metadata(id, record, checksum)
        for id, record, checksum in execute(cursor, _RECORDS, ids)
    }
    for id, _ in nearest:
        if id not in metadata:
            raise damaged(id, "the index by id does not have it")
    return [VectorResult(id=id, score=score, metadata=metadata[id]) for id, score in nearest]
