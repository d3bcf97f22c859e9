"""The vectors in memory."""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Sequence
from itertools import islice

from clawdesk_storage.abilities import VectorEntry
from clawdesk_storage.arguments import check_filter, check_id, check_limit, unit_vector
from clawdesk_storage.codec import decode, encode
from clawdesk_storage.models import JsonValue, Vector, VectorResult
from clawdesk_storage.testing.page import page_of
from clawdesk_storage.testing.store import Store
from clawdesk_storage.where import Where, matches

__all__ = ["MemoryVectorStore"]


class MemoryVectorStore(Store):
    """A `VectorStore` in memory, by brute force.

    With `VectorBatches`, `VectorFilters` and `VectorContents`.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[array[float], bytes]] = {}
        self._dimension: int | None = None

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._check_open()
        check_id(id)
        unit = self._usable(vector)
        record = encode(metadata)
        self._dimension = len(unit)
        self._entries[id] = unit, record

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._check_open()
        top_k = check_limit(top_k, "top_k")
        unit = self._usable(query)
        return [self._result(hit) for hit in self._ranking(unit)[:top_k]]

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._check_open()
        check_id(id)
        self._entries.pop(id, None)

    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        """See `VectorBatches.upsert_many`."""
        self._check_open()
        batch: dict[str, tuple[array[float], bytes]] = {}
        dimension = self._dimension
        for id, vector, metadata in entries:
            check_id(id)
            unit = self._usable(vector, dimension)
            batch[id] = unit, encode(metadata)
            dimension = len(unit)
        self._dimension = dimension
        self._entries.update(batch)

    async def delete_many(self, ids: Sequence[str], /) -> None:
        """See `VectorBatches.delete_many`."""
        self._check_open()
        for id in ids:
            check_id(id)
        for id in ids:
            self._entries.pop(id, None)

    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        """See `VectorFilters.search_where`."""
        self._check_open()
        check_filter(where)
        top_k = check_limit(top_k, "top_k")
        unit = self._usable(query)
        hits = (hit for hit in self._ranking(unit) if self._matches(where, hit[1]))
        return [self._result(hit) for hit in islice(hits, top_k)]

    async def delete_where(self, where: Where, /) -> None:
        """See `VectorFilters.delete_where`."""
        self._check_open()
        check_filter(where)
        for id in [id for id in self._entries if self._matches(where, id)]:
            del self._entries[id]

    async def get(self, id: str, /) -> VectorEntry | None:
        """See `VectorContents.get`."""
        self._check_open()
        check_id(id)
        return self._entry(id) if id in self._entries else None

    async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]:
        """See `VectorContents.entries`."""
        self._check_open()
        return [self._entry(id) for id in page_of(self._entries, after, limit)]

    async def count(self) -> int:
        """See `VectorContents.count`."""
        self._check_open()
        return len(self._entries)

    def _usable(self, vector: Vector, dimension: int | None = None) -> array[float]:
        unit = unit_vector(vector)
        expected = self._dimension if dimension is None else dimension
        if expected not in (None, len(unit)):
            raise ValueError(f"vectors here have {expected} dimensions, not {len(unit)}")
        return unit

    def _ranking(self, unit: array[float]) -> Sequence[tuple[float, str]]:
        """Every entry's score, negated, and id: the best first, equal scores by id."""
        return sorted((-_dot(unit, stored), id) for id, (stored, _) in self._entries.items())

    def _result(self, hit: tuple[float, str]) -> VectorResult:
        negated, id = hit
        return VectorResult(id=id, score=-negated, metadata=self._metadata(id))

    def _matches(self, where: Where, id: str) -> bool:
        return matches(where, self._metadata(id))

    def _entry(self, id: str) -> VectorEntry:
        return VectorEntry(id, self._entries[id][0][:], self._metadata(id))

    def _metadata(self, id: str) -> JsonValue:
        return decode(JsonValue, self._entries[id][1], key=id)


def _dot(left: array[float], right: array[float]) -> float:
    return math.fsum(map(operator.mul, left, right))
