"""Metadata by path, for filters: what each entry has there, as a number that stands for the value.

A filter's leaf is decided once for each different value, and then looked up for all entries at
once. A path has a column from the first filter that names it on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, cast

import numpy as np
from clawdesk_storage import And, Compares, Contains, Equals, Exists, JsonValue, Not, Or, Where
from numpy.typing import NDArray

__all__ = ["Columns", "paths_of"]

Path: TypeAlias = tuple[str, ...]
Mask: TypeAlias = NDArray[np.bool_]

_FIRST_CAPACITY = 1024
_MOST_COLUMNS = 64
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING: Any = object()
_OTHER = ("other",)


class Columns:
    """The columns of some paths. Rows are numbered as in the `Index`."""

    def __init__(self) -> None:
        self._columns: dict[Path, _Column] = {}

    def __bool__(self) -> bool:
        return bool(self._columns)

    def missing(self, where: Where) -> list[Path]:
        """Return the paths of a filter that have no column yet."""
        return [path for path in paths_of(where) if path not in self._columns]

    def add(self, where: Where, entries: Iterator[tuple[int, JsonValue]]) -> None:
        """Make the columns that a filter lacks, of every row and its metadata."""
        made = {path: _Column() for path in self.missing(where)}
        for row, metadata in entries:
            for path, column in made.items():
                column.put(row, _found(path, metadata))
        self._columns.update(made)
        # The oldest go, but never those that the filter is about to look into.
        needed = paths_of(where)
        others = [path for path in self._columns if path not in needed]
        for path in others[: max(0, len(self._columns) - _MOST_COLUMNS)]:
            del self._columns[path]

    def put(self, row: int, metadata: JsonValue) -> None:
        """Set what a row has."""
        for path, column in self._columns.items():
            column.put(row, _found(path, metadata))
        self._columns = {path: one for path, one in self._columns.items() if not one.worn}

    def move(self, source: int, target: int) -> None:
        """Let the row `target` have what `source` has."""
        for column in self._columns.values():
            column.move(source, target)

    def clear(self) -> None:
        """Forget all of them."""
        self._columns.clear()

    def mask(self, where: Where, count: int) -> Mask:
        """Return which of the first `count` rows a filter matches, as shape `(count,)`."""
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


def paths_of(where: Where) -> set[Path]:
    """Return the paths that a filter names."""
    match where:
        case And(parts) | Or(parts):
            return {path for part in parts for path in paths_of(part)}
        case Not(part):
            return paths_of(part)
        case _:
            return {where.path}


class _Column:
    """Code 0 is what has nothing at the path."""

    def __init__(self) -> None:
        self._codes: NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        self._code_of: dict[Any, int] = {None: 0}

    @property
    def worn(self) -> bool:
        """Whether most of its values are in no row any more."""
        return len(self._code_of) > 2 * len(self._codes)

    def put(self, row: int, value: Any) -> None:
        while row >= len(self._codes):
            self._codes = np.concatenate([self._codes, np.zeros_like(self._codes)])
        key = None if value is _MISSING else _key(value)
        self._codes[row] = self._code_of.setdefault(key, len(self._code_of))

    def move(self, source: int, target: int) -> None:
        self._codes[target] = self._codes[source]

    def mask(self, leaf: Equals | Compares | Contains | Exists, count: int) -> Mask:
        codes = self._codes[:count]
        match leaf:
            case Exists():
                return codes != 0
            case Equals(value=value):
                return codes == self._code_of.get(_key(value), -1)
            case Contains(value=value):
                wanted = _key(value)
                holds = (bool(key) and key[0] == "array" and wanted in key[1] for key in self._keys)
            case Compares(sign=sign, value=value):
                kind, bound = _key(value)
                if kind not in ("number", "text"):
                    return np.zeros(count, np.bool_)
                compare = _SIGNS[sign]
                holds = (
                    bool(key) and key[0] == kind and compare(key[1], bound) for key in self._keys
                )
        return np.fromiter(holds, np.bool_, len(self._code_of))[codes]

    @property
    def _keys(self) -> Iterator[Any]:
        return iter(self._code_of)


def _key(value: Any) -> Any:
    """What is equal for a filter, and nothing else, has the same key. Numbers hash by value."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, str):
        return "text", value
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        return "array", frozenset(_key(one) for one in elements if not isinstance(one, list | dict))
    return _OTHER


def _found(path: Path, metadata: Any) -> Any:
    for key in path:
        if not isinstance(metadata, dict) or key not in metadata:
            return _MISSING
        metadata = cast("dict[str, Any]", metadata)[key]
    return metadata
