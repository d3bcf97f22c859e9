"""The vector store."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence

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

from clawdesk_sochdb.keys import DIMENSION, METADATA, VECTORS, key_of
from clawdesk_sochdb.matrix import Matrix
from clawdesk_sochdb.number import read_number
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBVectorStore"]


class SochDBVectorStore:
    """A `VectorStore` on SochDB: exact, by brute force over all vectors in memory.

    The engine's own search keeps replaced vectors, forgets everything when it is reopened and shows
    the vectors of other databases; the README has the reproductions.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._matrix: Matrix | None = None

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._worker.check_open()
        check_id(id)
        await self._worker.write(self._upsert, id, unit_vector(vector), encode(metadata))

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._worker.check_open()
        top_k = check_limit(top_k, "top_k")
        return await self._worker.read(self._search, unit_vector(query), top_k)

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._worker.check_open()
        check_id(id)
        await self._worker.write(self._delete, id)

    def _upsert(self, records: Records, id: str, unit: array[float], metadata: bytes) -> None:
        _check_dimension(records, unit)
        with records.writing() as changes:
            changes.put(DIMENSION, b"%d" % len(unit))
            changes.put(key_of(VECTORS, id), _packed(unit))
            changes.put(key_of(METADATA, id), metadata)
        if self._matrix is not None:
            self._matrix.put(id, unit)

    def _search(self, records: Records, unit: array[float], top_k: int) -> Sequence[VectorResult]:
        _check_dimension(records, unit)
        if self._matrix is None:
            self._matrix = Matrix(_stored(records, len(unit)))
        return [_result(records, id, score) for id, score in self._matrix.best(unit, top_k)]

    def _delete(self, records: Records, id: str) -> None:
        with records.writing() as changes:
            changes.delete(key_of(VECTORS, id))
            changes.delete(key_of(METADATA, id))
        if self._matrix is not None:
            self._matrix.remove(id)


def _check_dimension(records: Records, unit: array[float]) -> None:
    dimension = read_number(records, DIMENSION, "dimension")
    if dimension not in (None, len(unit)):
        raise ValueError(f"vectors here have {dimension} dimensions, not {len(unit)}")


def _stored(records: Records, dimension: int) -> Iterator[tuple[str, array[float]]]:
    for key, record in records.scan(VECTORS):
        id = key.decode(errors="replace")
        yield id, _unpacked(record, dimension, id)


def _result(records: Records, id: str, score: float) -> VectorResult:
    metadata = records.get(key_of(METADATA, id))
    if metadata is None:
        raise SerializationError(f"the metadata of {id!r} is gone")
    return VectorResult(id=id, score=score, metadata=decode(JsonValue, metadata, key=id))


def _packed(unit: array[float]) -> bytes:
    values = _little_endian(unit).tobytes()
    return struct.pack("<I", zlib.crc32(values)) + values


def _unpacked(record: bytes, dimension: int, id: str) -> array[float]:
    checksum, values = record[:4], record[4:]
    if len(values) != 4 * dimension or struct.pack("<I", zlib.crc32(values)) != checksum:
        raise SerializationError(f"damaged record of {id!r}: its checksum does not match")
    return _little_endian(array("f", values))


def _little_endian(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values = array("f", values)
        values.byteswap()
    return values
