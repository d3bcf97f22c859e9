"""The vector store."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence

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
    decode,
    encode,
    unit_vector,
)
from numpy.typing import NDArray

from clawdesk_sochdb.columns import Columns
from clawdesk_sochdb.ids import Ids
from clawdesk_sochdb.keys import DIMENSION, METADATA, VECTORS, key_of
from clawdesk_sochdb.matrix import Matrix
from clawdesk_sochdb.record import damaged
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBVectorStore"]


class SochDBVectorStore:
    """A `VectorStore` on SochDB: exact, by brute force over all vectors in memory.

    With the abilities `VectorBatches`, `VectorFilters` and `VectorContents`.

    The engine's own search keeps replaced vectors, forgets everything when it is reopened and shows
    the vectors of other databases; the README has the reproductions.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._ids = Ids(VECTORS, str)
        self._matrix: Matrix | None = None
        self._columns = Columns()

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        await self.upsert_many([VectorEntry(id, vector, metadata)])

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._worker.check_open()
        top_k = check_limit(top_k, "top_k")
        return await self._worker.read(self._search, unit_vector(query), None, top_k)

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        await self.delete_many([id])

    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        """See `VectorBatches.upsert_many`."""
        self._worker.check_open()
        batch: dict[str, tuple[array[float], bytes]] = {}
        dimension = None
        for id, vector, metadata in entries:
            check_id(id)
            unit = unit_vector(vector)
            _check_dimension(dimension, unit)
            dimension = len(unit)
            batch[id] = unit, encode(metadata)
        if batch:
            await self._worker.write(self._upsert, batch)

    async def delete_many(self, ids: Sequence[str], /) -> None:
        """See `VectorBatches.delete_many`."""
        self._worker.check_open()
        unwanted = list(ids)
        for id in unwanted:
            check_id(id)
        if unwanted:
            await self._worker.write(self._delete, unwanted)

    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        """See `VectorFilters.search_where`."""
        self._worker.check_open()
        check_filter(where)
        top_k = check_limit(top_k, "top_k")
        return await self._worker.read(self._search, unit_vector(query), where, top_k)

    async def delete_where(self, where: Where, /) -> None:
        """See `VectorFilters.delete_where`."""
        self._worker.check_open()
        check_filter(where)
        await self._worker.write(self._delete_where, where)

    async def get(self, id: str, /) -> VectorEntry | None:
        """See `VectorContents.get`."""
        self._worker.check_open()
        check_id(id)
        return await self._worker.read(_entry, id)

    async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]:
        """See `VectorContents.entries`."""
        self._worker.check_open()
        if after is not None:
            check_id(after, "after")
        limit = check_limit(limit)
        return await self._worker.read(self._entries, after, limit)

    async def count(self) -> int:
        """See `VectorContents.count`."""
        return await self._worker.read(self._ids.count)

    def _upsert(self, records: Records, batch: Mapping[str, tuple[array[float], bytes]]) -> None:
        dimension = _dimension(records)
        for unit, _ in batch.values():
            _check_dimension(dimension, unit)
        with records.writing() as changes:
            for id, (unit, metadata) in batch.items():
                if dimension is None:
                    dimension = len(unit)
                    changes.put(DIMENSION, b"%d" % dimension)
                changes.put(key_of(VECTORS, id), _little_endian(unit).tobytes())
                changes.put(key_of(METADATA, id), metadata)
        for id, (unit, metadata) in batch.items():
            self._ids.add(id)
            if self._matrix is not None:
                row = self._matrix.put(id, unit)
                if self._columns:
                    self._columns.put(row, decode(JsonValue, metadata, key=id))

    def _search(
        self, records: Records, unit: array[float], where: Where | None, top_k: int
    ) -> Sequence[VectorResult]:
        _check_dimension(_dimension(records), unit)
        matrix = self._read(records)
        among = None if where is None else self._rows(records, matrix, where)
        return [
            VectorResult(id=id, score=score, metadata=_metadata(records, id))
            for id, score in matrix.best(unit, top_k, among)
        ]

    def _delete(self, records: Records, ids: Sequence[str]) -> None:
        with records.writing() as changes:
            for id in ids:
                changes.delete(key_of(VECTORS, id))
                changes.delete(key_of(METADATA, id))
        for id in ids:
            self._ids.remove(id)
            moved = None if self._matrix is None else self._matrix.remove(id)
            if moved:
                self._columns.move(*moved)

    def _delete_where(self, records: Records, where: Where) -> None:
        matrix = self._read(records)
        ids = matrix.ids(self._rows(records, matrix, where).tolist())
        if ids:
            self._delete(records, ids)

    def _entries(self, records: Records, after: str | None, limit: int) -> Sequence[VectorEntry]:
        ids = self._ids.page(records, after, limit)
        return [_present(_entry(records, id), id) for id in ids]

    def _read(self, records: Records) -> Matrix:
        if self._matrix is None:
            self._matrix = Matrix(_stored(records))
        return self._matrix

    def _rows(self, records: Records, matrix: Matrix, where: Where) -> NDArray[np.intp]:
        """The rows that a filter matches."""
        self._columns.prepare(where, (_metadata(records, id) for id in matrix.ids()))
        return np.flatnonzero(self._columns.mask(where, len(matrix)))


def _dimension(records: Records) -> int | None:
    dimension = records.get(DIMENSION, "dimension")
    return None if dimension is None else int(dimension)


def _check_dimension(dimension: int | None, unit: array[float]) -> None:
    if dimension not in (None, len(unit)):
        raise ValueError(f"vectors here have {dimension} dimensions, not {len(unit)}")


def _stored(records: Records) -> Iterator[tuple[str, array[float]]]:
    dimension = _dimension(records)
    for id, floats in records.scan(VECTORS):
        yield id, _unit(floats, dimension, id)


def _entry(records: Records, id: str) -> VectorEntry | None:
    floats = records.get(key_of(VECTORS, id), id)
    if floats is None:
        return None
    return VectorEntry(id, _unit(floats, _dimension(records), id), _metadata(records, id))


def _present(entry: VectorEntry | None, id: str) -> VectorEntry:
    if entry is None:
        raise damaged(id, "it is gone")
    return entry


def _metadata(records: Records, id: str) -> JsonValue:
    metadata = records.get(key_of(METADATA, id), id)
    if metadata is None:
        raise damaged(id, "its metadata is gone")
    return decode(JsonValue, metadata, key=id)


def _unit(floats: bytes, dimension: int | None, id: str) -> array[float]:
    if len(floats) != 4 * (dimension or 0):
        raise damaged(id, f"it has not {dimension} dimensions")
    return _little_endian(array("f", floats))


def _little_endian(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values = array("f", values)
        values.byteswap()
    return values
