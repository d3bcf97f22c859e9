"""Which ids there are, in memory and in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from clawdesk_sochdb.records import Records

__all__ = ["Ids"]

_Id = TypeVar("_Id", bound=str)


class Ids(Generic[_Id]):
    """The ids that have a record of one kind, in code-point order; read when first asked for.

    Args:
        kind: What the keys of these records begin with.
        make: What makes such an id of text.
    """

    def __init__(self, kind: bytes, make: Callable[[str], _Id]) -> None:
        self._kind = kind
        self._make = make
        self._order: list[_Id] | None = None

    def add(self, id: _Id) -> None:
        """Note that there is a record of `id`."""
        if self._order is not None:
            place = bisect_left(self._order, id)
            if self._order[place : place + 1] != [id]:
                self._order.insert(place, id)

    def remove(self, id: _Id) -> None:
        """Note that there is none any more."""
        if self._order is not None:
            place = bisect_left(self._order, id)
            if self._order[place : place + 1] == [id]:
                del self._order[place]

    def page(self, records: Records, after: _Id | None, limit: int) -> Sequence[_Id]:
        """Return the first `limit` ids beyond `after`, or of all for None."""
        order = self._read(records)
        start = 0 if after is None else bisect_right(order, after)
        return order[start : start + limit]

    def count(self, records: Records) -> int:
        """Return how many there are."""
        return len(self._read(records))

    def _read(self, records: Records) -> list[_Id]:
        if self._order is None:
            names = (key.decode(errors="replace") for key in records.keys(self._kind))
            self._order = sorted(map(self._make, names))
        return self._order
