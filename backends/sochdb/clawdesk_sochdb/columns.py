"""Metadata by path, for filters: a number for each row, which stands for the value there.

A leaf of a filter is decided once for each different value, and for all rows by one look-up. A path
has a column from the first filter that names it on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

import numpy as np
from clawdesk_storage import And, Compares, Contains, Equals, Exists, JsonValue, Not, Or, Where
from numpy.typing import NDArray

__all__ = ["Columns"]

_Path: TypeAlias = tuple[str, ...]
_Mask: TypeAlias = NDArray[np.bool_]
_Leaf: TypeAlias = Equals | Compares | Contains | Exists

_MOST_COLUMNS = 64
_FIRST_ROOM = 1024
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Columns:
    """The columns of the paths that filters named last. Rows are numbered as in the `Matrix`."""

    def __init__(self) -> None:
        self._columns: dict[_Path, _Column] = {}

    def __bool__(self) -> bool:
        return bool(self._columns)

    def prepare(self, where: Where, rows: Iterable[JsonValue]) -> None:
        """Make the columns that a filter needs and that are not there.

        Args:
            where: The filter.
            rows: The metadata of every row, looked at only where a column is missing.
        """
        wanted = _paths(where)
        made = {path: _Column() for path in wanted if path not in self._columns}
        if made:
            for row, metadata in enumerate(rows):
                for path, column in made.items():
                    column.put(row, _found(path, metadata))
        # The last used stand last, and those of this filter stay, however many they are.
        kept = {path: one for path, one in self._columns.items() if path not in wanted}
        used = {path: self._columns.get(path) or made[path] for path in wanted}
        for path in list(kept)[: max(0, len(kept) + len(used) - _MOST_COLUMNS)]:
            del kept[path]
        self._columns = kept | used

    def put(self, row: int, metadata: JsonValue) -> None:
        """Set what a row has."""
        for path, column in self._columns.items():
            column.put(row, _found(path, metadata))
        self._columns = {path: one for path, one in self._columns.items() if not one.worn}

    def move(self, source: int, target: int) -> None:
        """Let the row `target` have what `source` has."""
        for column in self._columns.values():
            column.move(source, target)

    def mask(self, where: Where, count: int) -> _Mask:
        """Return which of the first `count` rows a filter matches, as shape `(count,)`.

        It must have been prepared.
        """
        match where:
            case And(parts):
                mask = np.ones(count, np.bool_)
                for part in parts:
                    mask &= self.mask(part, count)
                return mask
            case Or(parts):
                mask = np.zeros(count, np.bool_)
                for part in parts:
                    mask |= self.mask(part, count)
                return mask
            case Not(part):
                return ~self.mask(part, count)
            case _:
                return self._columns[where.path].mask(where, count)


class _Column:
    """What each row has at one path. Code 0 stands for nothing."""

    def __init__(self) -> None:
        self._codes: NDArray[np.int32] = np.zeros(_FIRST_ROOM, np.int32)
        self._code_of: dict[Any, int] = {None: 0}

    @property
    def worn(self) -> bool:
        """Whether most of its values are in no row any more."""
        return len(self._code_of) > 2 * len(self._codes)

    def put(self, row: int, key: Any) -> None:
        while row >= len(self._codes):
            self._codes = np.concatenate([self._codes, np.zeros_like(self._codes)])
        self._codes[row] = self._code_of.setdefault(key, len(self._code_of))

    def move(self, source: int, target: int) -> None:
        self._codes[target] = self._codes[source]

    def mask(self, leaf: _Leaf, count: int) -> _Mask:
        codes = self._codes[:count]
        match leaf:
            case Exists():
                return codes != 0
            case Equals(value=value):
                return codes == self._code_of.get(_key(value), -1)
            case Contains() | Compares():
                holds = map(_decided(leaf), self._code_of)
                return np.fromiter(holds, np.bool_, len(self._code_of))[codes]


def _decided(leaf: Contains | Compares) -> Callable[[Any], bool]:
    """Return what tells whether the leaf holds for the value with a key."""
    kind, bound = wanted = _key(leaf.value)
    if isinstance(leaf, Contains):
        return lambda key: key is not None and key[0] == "array" and wanted in key[1]
    if kind not in ("number", "text"):
        return lambda key: False
    compare = _SIGNS[leaf.sign]
    return lambda key: key is not None and key[0] == kind and compare(key[1], bound)


def _key(value: Any) -> tuple[str, Any]:
    """Return what is the same for values that no filter can tell apart, and for no others."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", value  # which hash and compare by their mathematical value
    if isinstance(value, str):
        return "text", value
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        return "array", frozenset(_key(one) for one in elements if not isinstance(one, list | dict))
    return "object", None


def _found(path: _Path, metadata: Any) -> tuple[str, Any] | None:
    for key in path:
        if not isinstance(metadata, dict) or key not in metadata:
            return None
        metadata = cast("dict[str, Any]", metadata)[key]
    return _key(metadata)


def _paths(where: Where) -> set[_Path]:
    match where:
        case And(parts) | Or(parts):
            return {path for part in parts for path in _paths(part)}
        case Not(part):
            return _paths(part)
        case _:
            return {where.path}
