"""Broken vector stores."""

from __future__ import annotations

import json
import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any, cast

from typing_extensions import override

from clawdesk_storage import (
    JsonValue,
    NotFoundError,
    SerializationError,
    Vector,
    VectorResult,
    check_id,
    check_limit,
    decode,
    encode,
    unit_vector,
)
from clawdesk_storage.testing import MemoryVectorStore
from tests.mutants.json_text import as_json
from tests.mutants.keyed import Keyed, cut
from tests.mutants.mutant import mutant


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=False))


def _with(result: VectorResult, **fields: Any) -> VectorResult:
    return result.model_copy(update=fields)


class _Answering(MemoryVectorStore):
    """Chooses in a way of its own what to answer with, from all results in order."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        check_limit(top_k, "top_k")
        return self.answer([*await super().search(query, sys.maxsize)], top_k)

    def answer(self, all: list[VectorResult], top_k: int) -> list[VectorResult]:
        raise NotImplementedError


# How many


@mutant("STO-01", "STO-02", "STO-05", "VEC-01", "VEC-12")
class EmptyStoreRaises(MemoryVectorStore):
    """Searching before the index has been made is an error."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        results = await super().search(query, top_k)
        if self._dimension is None:
            raise NotFoundError("index 'vectors'")
        return results


@mutant("VEC-01", "VEC-03")
class TopZeroIsTheDefault(_Answering):
    """`top_k or 10`: 0 is taken for not given."""

    @override
    def answer(self, all: list[VectorResult], top_k: int) -> list[VectorResult]:
        return all[: top_k or 10]


@mutant("VEC-07", "VEC-11")
class CapsTopK(_Answering):
    """A search finds a hundred at most, whatever was asked for."""

    @override
    def answer(self, all: list[VectorResult], top_k: int) -> list[VectorResult]:
        return all[: min(top_k, 100)]


@mutant("VEC-01")
class NegativeTopKIsAll(MemoryVectorStore):
    """A negative `top_k` is no limit."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        return await super().search(query, top_k if top_k >= 0 else sys.maxsize)


# The score


class _Scoring(MemoryVectorStore):
    """Makes something else of the cosine."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        results = await super().search(query, top_k)
        return [_with(one, score=self.score(one.score)) for one in results]

    def score(self, cosine: float) -> float:
        raise NotImplementedError


@mutant(
    "VEC-02",
    "VEC-03",
    "VEC-04",
    "VEC-05",
    "VEC-06",
    "VEC-07",
    "VEC-08",
    "VEC-09",
    "VEC-10",
    "VEC-12",
)
class ScoreIsTheDistance(_Scoring):
    """The score is the cosine distance, as most engines give it."""

    @override
    def score(self, cosine: float) -> float:
        return 1 - cosine


@mutant("VEC-02", "VEC-03", "VEC-04", "VEC-05", "VEC-07", "VEC-10")
class NegativeScoresAreDropped(_Answering):
    """`if score > 0`: what points the other way is no result."""

    @override
    def answer(self, all: list[VectorResult], top_k: int) -> list[VectorResult]:
        return [one for one in all if one.score >= 0][:top_k]


class _Lengthy(MemoryVectorStore):
    """Knows the length of each vector, which the reference forgets."""

    def __init__(self) -> None:
        super().__init__()
        self._lengths: dict[str, float] = {}

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self._lengths[id] = math.hypot(*map(float, vector))

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        results = await super().search(query, top_k)
        length = math.hypot(*map(float, query))
        return [_with(one, score=self.score(one.score, self._lengths[one.id], length))
                for one in results]  # fmt: skip

    def score(self, cosine: float, stored: float, query: float) -> float:
        raise NotImplementedError


@mutant("VEC-02", "VEC-03", "VEC-04", "VEC-06", "VEC-07", "VEC-08", "VEC-10")
class ScoreIsTheDotProduct(_Lengthy):
    """The score is the dot product, the same for vectors of length 1 alone."""

    @override
    def score(self, cosine: float, stored: float, query: float) -> float:
        return cosine * stored * query


@mutant("VEC-02")
class SmallLengthsVanish(_Lengthy):
    """1e-8 is added to the lengths, lest they be 0, and short vectors score nothing."""

    @override
    def score(self, cosine: float, stored: float, query: float) -> float:
        return cosine * stored * query / (stored * query + 1e-8)


# The order


class _Ordering(MemoryVectorStore):
    """Sorts the results in a way of its own."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        check_limit(top_k, "top_k")
        by_id = {one.id: one for one in await super().search(query, sys.maxsize)}
        inserted = [by_id[id] for id in self._entries if id in by_id]
        return self.ordered(inserted, top_k)

    def ordered(self, inserted: list[VectorResult], top_k: int) -> list[VectorResult]:
        raise NotImplementedError


@mutant("STO-02", "VEC-03")
class WorstFirst(_Ordering):
    """Results are sorted by score without `reverse`, after the best were found."""

    @override
    def ordered(self, inserted: list[VectorResult], top_k: int) -> list[VectorResult]:
        best = sorted(inserted, key=lambda one: (-one.score, one.id))[:top_k]
        return best[::-1]


@mutant("VEC-03")
class TiesByInsertion(_Ordering):
    """Equal scores come in the order of the upserts."""

    @override
    def ordered(self, inserted: list[VectorResult], top_k: int) -> list[VectorResult]:
        return sorted(inserted, key=lambda one: -one.score)[:top_k]


@mutant("VEC-03")
class TiesAreCutByInsertion(_Ordering):
    """Only the results that were chosen are sorted by id; the index chose among equal ones."""

    @override
    def ordered(self, inserted: list[VectorResult], top_k: int) -> list[VectorResult]:
        best = sorted(inserted, key=lambda one: -one.score)[:top_k]
        return sorted(best, key=lambda one: (-one.score, one.id))


@mutant("VEC-03")
class TiesTakeTurns(_Ordering):
    """Two workers answer in turn, and each has its own order of equal scores."""

    _turn = False

    @override
    def ordered(self, inserted: list[VectorResult], top_k: int) -> list[VectorResult]:
        self._turn = not self._turn
        by_id = sorted(inserted, key=lambda one: one.id, reverse=not self._turn)
        return sorted(by_id, key=lambda one: -one.score)[:top_k]


# Replacing


class _Replacing(MemoryVectorStore):
    """Keeps something of an earlier entry."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        earlier = self._entries.get(id)
        await super().upsert(id, vector, metadata)
        if earlier is not None:
            self._entries[id] = self.replaced(earlier, self._entries[id])

    def replaced(self, earlier: _Entry, entry: _Entry) -> _Entry:
        raise NotImplementedError


_Entry = tuple["array[float]", bytes]


@mutant("VEC-04")
class KeepsTheOldMetadata(_Replacing):
    """Only the index is updated, not the table beside it."""

    @override
    def replaced(self, earlier: _Entry, entry: _Entry) -> _Entry:
        return entry[0], earlier[1]


@mutant("VEC-02", "VEC-04", "VEC-05", "VEC-07")
class CacheIsKeyedByCount(MemoryVectorStore):
    """The matrix of vectors is made anew when their number changes, not when one is replaced."""

    def __init__(self) -> None:
        super().__init__()
        self._matrix: dict[str, array[float]] = {}

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        await super().search(query, top_k)
        if len(self._matrix) != len(self._entries):
            self._matrix = {id: unit for id, (unit, _) in self._entries.items()}
        unit = self._usable(query)
        scores = {id: _dot(unit, self._matrix[id]) for id in self._entries if id in self._matrix}
        best = sorted(scores, key=lambda id: (-scores[id], id))[:top_k]
        return [VectorResult(id=id, score=scores[id], metadata=self._metadata(id)) for id in best]


@mutant("VEC-02", "VEC-04", "VEC-06", "VEC-07")
class AddsASecondEntry(MemoryVectorStore):
    """The index only adds: the old vector of an id is found beside the new one."""

    def __init__(self) -> None:
        super().__init__()
        self._older: list[tuple[str, array[float]]] = []

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        earlier = self._entries.get(id)
        await super().upsert(id, vector, metadata)
        if earlier is not None:
            self._older.append((id, earlier[0]))

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        unit = self._usable(query)
        found = [*await super().search(query, top_k)]
        found += [
            VectorResult(id=id, score=_dot(unit, old), metadata=self._metadata(id))
            for id, old in self._older
        ]
        return sorted(found, key=lambda one: (-one.score, one.id))[:top_k]

    @override
    async def delete(self, id: str, /) -> None:
        await super().delete(id)
        self._older = [one for one in self._older if one[0] != id]


# Deleting


class _Tombstones(MemoryVectorStore):
    """Marks what is deleted and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self._dead: set[str] = set()

    @override
    async def delete(self, id: str, /) -> None:
        self._check_open()
        check_id(id)
        self._dead.add(id)


@mutant("VEC-05", "VEC-07")
class DeletedOnesTakeUpPlaces(_Tombstones):
    """What is deleted is left out after the top k were chosen."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self._dead.discard(id)

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        return [one for one in await super().search(query, top_k) if one.id not in self._dead]


@mutant("VEC-05")
class DeletedVectorsAreRestored(MemoryVectorStore):
    """A deleted id that comes back has its old vector."""

    def __init__(self) -> None:
        super().__init__()
        self._marked: dict[str, array[float]] = {}

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        unit, record = self._entries[id]
        self._entries[id] = self._marked.pop(id, unit), record

    @override
    async def delete(self, id: str, /) -> None:
        entry = self._entries.get(id)
        await super().delete(id)
        if entry is not None:
            self._marked[id] = entry[0]


@mutant("STO-02", "VEC-05")
class DeleteOfAnAbsentIdRaises(MemoryVectorStore):
    """Deleting an absent vector is an error."""

    @override
    async def delete(self, id: str, /) -> None:
        known = id in self._entries
        await super().delete(id)
        if not known:
            raise NotFoundError(id)


# Metadata


class _Changing(MemoryVectorStore):
    """Stores other metadata than it was given."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)  # refuses what must be refused
        self._entries[id] = self._entries[id][0], encode(self.changed(metadata))

    def changed(self, metadata: Any) -> Any:
        raise NotImplementedError


@mutant("VEC-04", "VEC-05", "VEC-06", "VEC-11")
class NoMetadataIsAnEmptyObject(_Changing):
    """`metadata or {}`: None, 0 and an empty list become an empty object."""

    @override
    def changed(self, metadata: Any) -> Any:
        return metadata or {}


@mutant("VEC-06")
class TextThatIsJsonIsParsed(_Changing):
    """Metadata is a JSON column: a text that is JSON comes back as what it says."""

    @override
    def changed(self, metadata: Any) -> Any:
        try:
            value = json.loads(metadata, parse_constant=str) if isinstance(metadata, str) else None
        except ValueError:
            return metadata
        return value if isinstance(metadata, str) else metadata


class _Keeping(MemoryVectorStore):
    """Keeps the metadata as an object."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[str, Any] = {}

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        results = await super().search(query, top_k)
        return [_with(one, metadata=self._objects.get(one.id, one.metadata)) for one in results]


@mutant("VEC-06")
class KeepsTheMetadataObject(_Keeping):
    """The metadata that was passed is kept as it is."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self._objects[id] = metadata

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        return [one.model_copy(deep=True) for one in await super().search(query, top_k)]


@mutant("VEC-06")
class HandsOutItsMetadata(_Keeping):
    """A search hands out the metadata of a cache."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self._objects[id] = decode(JsonValue, encode(metadata))


@mutant("VEC-06")
class KeepsTheVectorObject(MemoryVectorStore):
    """The vector that was passed is kept as it is and normalised when it is searched."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[str, Vector] = {}

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self._objects[id] = vector

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        for id, (_, record) in self._entries.items():
            self._entries[id] = unit_vector(self._objects[id]), record
        return await super().search(query, top_k)


# Large stores


class _Indexing(MemoryVectorStore):
    """Searches by brute force up to a thousand vectors, and through an index beyond."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        found = await super().search(query, top_k)
        if len(self._entries) <= 1000:
            return found
        return await self.indexed(query, top_k)

    async def indexed(self, query: Vector, top_k: int) -> list[VectorResult]:
        raise NotImplementedError


@mutant("VEC-07")
class IndexIsNotUpdated(_Indexing):
    """An update beyond the thousandth vector changes the table and not the index."""

    def __init__(self) -> None:
        super().__init__()
        self._index: dict[str, array[float]] = {}

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self._index.setdefault(id, self._entries[id][0])

    @override
    async def delete(self, id: str, /) -> None:
        await super().delete(id)
        self._index.pop(id, None)

    @override
    async def indexed(self, query: Vector, top_k: int) -> list[VectorResult]:
        unit = self._usable(query)
        scores = {id: _dot(unit, self._index[id]) for id in self._entries}
        best = sorted(scores, key=lambda id: (-scores[id], id))[:top_k]
        return [VectorResult(id=id, score=scores[id], metadata=self._metadata(id)) for id in best]


@mutant("VEC-07")
class DeletesCutTheGraph(_Indexing):
    """What was reached over a deleted vector is not reached any more."""

    def __init__(self) -> None:
        super().__init__()
        self._lost: set[str] = set()

    @override
    async def delete(self, id: str, /) -> None:
        ids = list(self._entries)
        await super().delete(id)
        if id in ids:
            self._lost.update(ids[ids.index(id) + 1 :][:1])

    @override
    async def indexed(self, query: Vector, top_k: int) -> list[VectorResult]:
        all = await super(_Indexing, self).search(query, sys.maxsize)
        return [one for one in all if one.id not in self._lost][:top_k]


@mutant("VEC-07", "VEC-11")
class RecordsThatBeginWithABraceAreDropped(MemoryVectorStore):
    """A record whose first byte is { is taken for JSON of an older format, and skipped."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        await super().search(query, top_k)
        all = await super().search(query, sys.maxsize)
        return [one for one in all if self._entries[one.id][0].tobytes()[0] != 0x7B][:top_k]


# Unusable vectors


@mutant("VEC-08")
class ZeroVectorScoresZero(MemoryVectorStore):
    """A zero vector is stored like any other and scores 0 against all."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        if len(vector) and not any(vector):
            check_id(id)
            self._dimension = self._dimension or len(vector)
            self._entries[id] = array("f", [0.0] * len(vector)), encode(metadata)
        else:
            await super().upsert(id, vector, metadata)


@mutant("VEC-08")
class NotANumberIsZero(MemoryVectorStore):
    """`nan_to_num` makes a vector of anything."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        numbers = [0.0 if math.isnan(one) else one for one in map(float, vector)]
        await super().upsert(id, numbers, metadata)


@mutant("VEC-08")
class ComputesInFloat64(MemoryVectorStore):
    """Numbers beyond float32 are scaled down in float64 and stored."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, _scaled(vector), metadata)


def _scaled(vector: Vector) -> Vector:
    largest = max((abs(float(one)) for one in vector), default=0.0)
    return [float(one) / largest for one in vector] if 1e38 < largest < math.inf else vector


@mutant("VEC-08", "VEC-11")
class RefusedVectorFixesTheDimension(MemoryVectorStore):
    """The table is made for the first vector's dimension before the vector is looked at."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        if len(vector) and self._dimension is None:
            self._dimension = len(vector)
        await super().upsert(id, vector, metadata)


@mutant("VEC-08", "VEC-09", "VEC-12")
class DeletesBeforeItLooks(MemoryVectorStore):
    """A replacing upsert deletes first, and then the vector is refused."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await self.delete(id)
        await super().upsert(id, vector, metadata)


# The dimension


class _Fitting(MemoryVectorStore):
    """Makes a query fit the dimension of the store."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        unit = unit_vector(query)
        wanted = self._dimension or len(unit)
        return await super().search(unit if len(unit) == wanted else self.fit(unit, wanted), top_k)

    def fit(self, unit: array[float], dimension: int) -> Vector:
        raise NotImplementedError


@mutant("VEC-09")
class PadsQueries(_Fitting):
    """A short query is filled up with zeros."""

    @override
    def fit(self, unit: array[float], dimension: int) -> Vector:
        return [*unit, *([0.0] * (dimension - len(unit)))]


@mutant("VEC-09")
class OtherDimensionsScoreZero(MemoryVectorStore):
    """Vectors of any dimension are stored, and score 0 where they do not fit."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        self._dimension = None
        await super().upsert(id, vector, metadata)

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        unit = unit_vector(query)
        self._dimension = len(unit)
        found = [*await super().search(query, sys.maxsize if top_k >= 0 else top_k)]
        fit = {id for id, (stored, _) in self._entries.items() if len(stored) == len(unit)}
        found = [one if one.id in fit else _with(one, score=0.0) for one in found]
        return sorted(found, key=lambda one: (-one.score, one.id))[:top_k]


# Kinds of vectors


class _Reading(MemoryVectorStore):
    """Reads vectors in a way of its own when they are stored."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, self.read(vector), metadata)

    def read(self, vector: Any) -> Any:
        raise NotImplementedError


@mutant("VEC-06", "VEC-10")
class AsksWhetherAVectorIsTrue(_Reading):
    """`if not vector` is ambiguous for a NumPy array, and raises."""

    @override
    def read(self, vector: Any) -> Any:
        if not vector:
            raise ValueError("the vector is empty")
        return vector


@mutant("VEC-06", "VEC-10")
class ReadsDoublesAsFloats(_Reading):
    """A buffer of float64 is read as float32, twice as many."""

    @override
    def read(self, vector: Any) -> Any:
        view = cast("memoryview", vector)
        doubles = isinstance(vector, memoryview) and view.format == "d" and view.contiguous
        return view.cast("B").cast("f")[: len(view)] if doubles else cast("Any", vector)


# Ids


@mutant("VEC-03", "VEC-11")
class IdsAreCut(MemoryVectorStore):
    """Ids are cut to fit VARCHAR(255)."""

    def __init__(self) -> None:
        super().__init__()
        self._entries = Keyed(cut)


@mutant("VEC-11")
class DeletingTheEmptyIdDeletesAll(MemoryVectorStore):
    """Deleting by prefix with an empty id removes every vector."""

    @override
    async def delete(self, id: str, /) -> None:
        if not id:
            self._entries.clear()
        await super().delete(id)


# What cannot be stored


class _Lenient(MemoryVectorStore):
    """Writes metadata by the json module, with an option too many."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        try:
            await super().upsert(id, vector, metadata)
        except SerializationError:
            await super().upsert(id, vector, json.loads(self.written(metadata)))

    def written(self, metadata: Any) -> str:
        raise NotImplementedError


@mutant("VEC-12")
class NanBecomesNull(_Lenient):
    """NaN and infinity become null."""

    @override
    def written(self, metadata: Any) -> str:
        return as_json(metadata, nan=None)


@mutant("VEC-12")
class WritesTheVectorFirst(MemoryVectorStore):
    """The vector is in the index before its metadata is refused."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        try:
            await super().upsert(id, vector, metadata)
        except SerializationError:
            earlier = self._entries.get(id)
            await super().upsert(id, vector, decode(JsonValue, earlier[1]) if earlier else None)
            raise


@mutant("VEC-10")
class ReadsTheMachinesByteOrder(MemoryVectorStore):
    """A NumPy array's bytes are read in the machine's order, whatever its own is."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        kind: Any = getattr(vector, "dtype", None)
        if kind is not None and not kind.isnative and kind.kind == "i":
            vector = cast("Any", vector).view(kind.newbyteorder())
        await super().upsert(id, vector, metadata)


@mutant("VEC-12")
class RefusedMetadataFixesTheDimension(MemoryVectorStore):
    """The dimension is noted before the metadata is looked at."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        self._check_open()
        check_id(id)
        self._dimension = len(self._usable(vector))
        await super().upsert(id, vector, metadata)
