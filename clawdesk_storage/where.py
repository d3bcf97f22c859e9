"""The filter language: which entries of a vector store are meant, by their metadata.

    mine = Equals("user", "ada") & ~Exists("deleted")
    recent = mine & Compares(("source", "year"), ">=", 2024)

Seven frozen nodes, combined by `&`, `|` and `~`. Every question has one of two answers, and `Not`
is the exact complement. `matches` is the reference: what a backend finds is what it says.

- A path is one or more object keys; a single text stands for one key, and nothing is split at dots.
- Where a key is missing, or a step leads into what is no object (an array too), each leaf is false.
- Null is a value. Missing is not null; "not equal" and "missing" are said through `Not`.
- Booleans and numbers are never equal. 1 and 1.0 are; integers are compared exactly.
- Text is compared by code point, without folding.
- Unlike kinds do not compare: false, never an error.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from clawdesk_storage.models import JsonValue

__all__ = [
    "And",
    "Compares",
    "Contains",
    "Equals",
    "Exists",
    "Not",
    "Or",
    "Scalar",
    "Sign",
    "Where",
    "matches",
]

Scalar: TypeAlias = str | bool | int | float | None
"""What metadata is compared with: text, a boolean, a number or null."""

Sign: TypeAlias = Literal["<", "<=", ">", ">="]
"""How metadata is compared in order."""

_SIGNS: Final[Mapping[Sign, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DEEPEST = 100
_LARGEST = 2**63
_MISSING: Final = object()


class _Node:
    """What all nodes have: the three operators, and being a value."""

    __slots__ = ("_levels",)
    _levels: int

    def __and__(self, other: Where) -> And:
        """Return what both match; a chain of these is one node, however long."""
        return And((*_parts(And, self), *_parts(And, other)))

    def __or__(self, other: Where) -> Or:
        """Return what one of them matches; a chain of these is one node, however long."""
        return Or((*_parts(Or, self), *_parts(Or, other)))

    def __invert__(self) -> Not:
        """Return what this does not match."""
        return Not(cast("Where", self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Node) or type(self) is not type(other):
            return False
        return self._told() == other._told()

    def __hash__(self) -> int:
        return hash((type(self), self._told()))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), self._fields()  # a copy is validated like the original

    def _told(self) -> tuple[object, ...]:
        """What tells two nodes of a kind apart: for Python True is 1, for a filter it is not."""
        return tuple((isinstance(field, bool), field) for field in self._fields())

    def _fields(self) -> tuple[object, ...]:
        names: tuple[str, ...] = getattr(self, "__match_args__")  # noqa: B009
        return tuple(getattr(self, name) for name in names)

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, init=False, eq=False, slots=True)
class Equals(_Node):
    """The value at `path` equals the scalar `value`.

    Raises:
        ValueError: `path` or `value` is none.
    """

    path: tuple[str, ...]
    value: Scalar

    def __init__(self, path: str | Iterable[str], value: Scalar) -> None:
        self._set(_levels=1, path=_path(path), value=_scalar(value))


@dataclass(frozen=True, init=False, eq=False, slots=True)
class Compares(_Node):
    """The value at `path` and `value` are both numbers or both texts, and are in this order.

    Raises:
        ValueError: `path`, `sign` or `value` is none.
    """

    path: tuple[str, ...]
    sign: Sign
    value: Scalar

    def __init__(self, path: str | Iterable[str], sign: Sign, value: Scalar) -> None:
        if sign not in _SIGNS:
            raise ValueError(f"the sign must be one of {' '.join(_SIGNS)}, and is {sign!r}")
        self._set(_levels=1, path=_path(path), sign=sign, value=_scalar(value))


@dataclass(frozen=True, init=False, eq=False, slots=True)
class Contains(_Node):
    """There is an array at `path` that has the scalar `value` as an element.

    Raises:
        ValueError: `path` or `value` is none.
    """

    path: tuple[str, ...]
    value: Scalar

    def __init__(self, path: str | Iterable[str], value: Scalar) -> None:
        self._set(_levels=1, path=_path(path), value=_scalar(value))


@dataclass(frozen=True, init=False, eq=False, slots=True)
class Exists(_Node):
    """There is a value at `path`, null included.

    Raises:
        ValueError: `path` is none.
    """

    path: tuple[str, ...]

    def __init__(self, path: str | Iterable[str]) -> None:
        self._set(_levels=1, path=_path(path))


@dataclass(frozen=True, init=False, eq=False, slots=True)
class And(_Node):
    """Every one of `parts` is true; without parts it is true.

    Raises:
        ValueError: A part is no node, or they are nested beyond 100 levels.
    """

    parts: tuple[Where, ...]

    def __init__(self, parts: Iterable[Where] = ()) -> None:
        nodes = _nodes(parts)
        self._set(_levels=_levels(nodes), parts=nodes)


@dataclass(frozen=True, init=False, eq=False, slots=True)
class Or(_Node):
    """One of `parts` is true; without parts it is false.

    Raises:
        ValueError: A part is no node, or they are nested beyond 100 levels.
    """

    parts: tuple[Where, ...]

    def __init__(self, parts: Iterable[Where] = ()) -> None:
        nodes = _nodes(parts)
        self._set(_levels=_levels(nodes), parts=nodes)


@dataclass(frozen=True, init=False, eq=False, slots=True)
class Not(_Node):
    """`part` is false.

    Raises:
        ValueError: It is no node, or nested beyond 100 levels.
    """

    part: Where

    def __init__(self, part: Where) -> None:
        nodes = _nodes([part])
        self._set(_levels=_levels(nodes), part=nodes[0])


Where: TypeAlias = Equals | Compares | Contains | Exists | And | Or | Not
"""A filter: any of the seven nodes."""


def matches(where: Where, metadata: JsonValue, /) -> bool:
    """Tell whether `metadata`, any JSON value, is what `where` means.

    This is the reference for every backend, and will do for whoever filters in Python.
    """
    match where:
        case And(parts):
            return all(matches(part, metadata) for part in parts)
        case Or(parts):
            return any(matches(part, metadata) for part in parts)
        case Not(part):
            return not matches(part, metadata)
        case _:
            return _holds(where, _found(where.path, metadata))


def _found(path: tuple[str, ...], metadata: Any) -> Any:
    for key in path:
        if not isinstance(metadata, dict) or key not in metadata:
            return _MISSING
        metadata = cast("dict[str, Any]", metadata)[key]
    return metadata


def _holds(leaf: Equals | Compares | Contains | Exists, found: Any) -> bool:
    match leaf:
        case Equals(value=value):
            return _equal(found, value)
        case Compares(sign=sign, value=value):
            operand = cast("Any", value)
            return _kind(found) == _kind(value) in _ORDERED and _SIGNS[sign](found, operand)
        case Contains(value=value):
            return isinstance(found, list) and any(
                _equal(element, value) for element in cast("Sequence[Any]", found)
            )
        case Exists():
            return found is not _MISSING


def _equal(found: Any, value: Scalar) -> bool:
    kind = _kind(found)
    return kind is not None and kind == _kind(value) and bool(found == value)


def _kind(value: Any) -> str | None:
    """What a scalar is for a filter, or None for what is no scalar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


_ORDERED = ("number", "text")


def _parts(kind: type[And | Or], node: Any) -> tuple[Where, ...]:
    return node.parts if isinstance(node, kind) else (node,)


def _nodes(parts: Iterable[Where]) -> tuple[Where, ...]:
    nodes = tuple(parts)
    for node in nodes:
        if not isinstance(node, _Node):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"a part must be a filter, and is a {type(node).__name__}")
    return nodes


def _levels(nodes: tuple[Where, ...]) -> int:
    """How deep a node of these is, bounded so that nobody who reads one needs a deeper stack."""
    levels = 1 + max((node._levels for node in nodes), default=0)  # pyright: ignore[reportPrivateUsage]
    if levels > _DEEPEST:
        raise ValueError(f"the filter is nested beyond {_DEEPEST} levels")
    return levels


def _path(path: str | Iterable[str]) -> tuple[str, ...]:
    keys = (path,) if isinstance(path, str) else tuple(path)
    if not keys:
        raise ValueError("a path must have one key or more")
    return tuple(_text(key, "a key of the path") for key in keys)


def _scalar(value: Scalar) -> Scalar:
    """The operand as a plain value, so that no backend meets a subclass."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, "the text")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"the number must be finite, and is {value}")
        return float(value)
    return _integer(value)


def _integer(value: int) -> int:
    try:
        number = int(operator.index(value))
    except TypeError as error:
        raise ValueError(
            "metadata is compared with text, a boolean, a number or None, and not with a "
            f"{type(value).__name__}"
        ) from error
    if abs(number) > _LARGEST:
        raise ValueError("the integer is beyond ±2^63; a float of that size will do")
    return number


def _text(text: str, name: str) -> str:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"{name} must be a str, and is a {type(text).__name__}")
    plain = str.__str__(text)
    if not plain.isascii() and any("\ud800" <= character <= "\udfff" for character in plain):
        raise ValueError(f"{name} holds a lone surrogate, which no stored text does")
    return plain
