"""What distinguishes two values, field by field, and values in few words."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeAlias, TypeGuard

from pydantic import BaseModel

__all__ = ["brief", "difference"]

_MOST_LINES = 8

_HEAD, _TAIL, _CUT = 40, 12, "\ue000"

_PLAIN = {str, int, bool, float, type(None)}

_Object: TypeAlias = dict[str, object]


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlist = self.maxtuple = 4
        self.maxdict = 6
        self.maxlong = 40
        self.maxlevel = 6

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, BaseModel):
            return self._model(x, level)
        if isinstance(x, datetime):
            return x.isoformat()
        return super().repr1(x, level)

    def repr_str(self, x: str, level: int) -> str:
        if len(x) <= self.maxstring:
            return repr(x)
        # In one piece, so that both ends stand in the same kind of quotes.
        ends = repr(f"{x[:_HEAD]}{_CUT}{x[-_TAIL:]}")
        return ends.replace(repr(_CUT)[1:-1], f"…({len(x):,} characters)…")

    def _model(self, value: BaseModel, level: int) -> str:
        # Fields at their defaults say nothing about a failure.
        shown = [
            f"{name}={self.repr1(content, level - 1)}"
            for name, content in _contents(value).items()
            if not _at_default(value, name, content)
        ]
        return f"{type(value).__name__}({', '.join(shown)})"


def _at_default(value: BaseModel, name: str, content: object) -> bool:
    field = type(value).model_fields.get(name)
    return field is not None and content == field.get_default(
        call_default_factory=True, validated_data={}
    )


_BRIEF = _Brief()


def brief(value: object) -> str:
    """Return `value` in at most a few hundred characters."""
    try:
        return _BRIEF.repr(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a store's class may have any repr)
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def difference(expected: object, came: object) -> list[str]:
    """Return a line for each place where two values differ; no line means that they are the same.

    Stricter than `==`: types must match (True, 1 and 1.0 are three values), timestamps must be in
    UTC, and sequences must be of equal length, though a tuple may stand for a list.
    """
    found = _differences(expected, came, "")
    lines = list(islice(found, _MOST_LINES))
    if next(found, None) is not None:
        lines.append("and more")
    return lines


def _differences(expected: object, came: object, path: str) -> Iterator[str]:
    if type(expected) in _PLAIN and type(expected) is type(came) and expected == came:
        return  # what most values are, told at once
    if isinstance(expected, BaseModel) and isinstance(came, type(expected)):
        yield from _models(expected, came, path)
    elif _is_object(expected) and _is_object(came):
        yield from _mappings(expected, came, path)
    elif _is_sequence(expected) and _is_sequence(came):
        yield from _sequences(expected, came, path)
    elif type(expected) is not type(came) or expected != came:
        yield _line(path, _typed(expected, came), _typed(came, expected))
    elif isinstance(came, datetime) and came.utcoffset() != timedelta():
        yield _line(path, "a timestamp in UTC", came.isoformat())


def _models(expected: BaseModel, came: BaseModel, path: str) -> Iterator[str]:
    if type(came) is not type(expected):
        yield _line(path, f"a {type(expected).__name__}", f"a {type(came).__name__}")
    yield from _mappings(_contents(expected), _contents(came), path)


def _is_object(value: object) -> TypeGuard[_Object]:
    return type(value) is dict


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _contents(value: BaseModel) -> _Object:
    return {**value.__dict__, **(value.__pydantic_extra__ or {})}


def _mappings(
    expected: Mapping[str, object], came: Mapping[str, object], path: str
) -> Iterator[str]:
    for key, content in expected.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in came:
            yield _line(where, brief(content), "nothing")
        else:
            yield from _differences(content, came[key], where)
    for key in came:
        if key not in expected:
            yield _line(f"{path}.{key}" if path else str(key), "nothing", brief(came[key]))


def _sequences(expected: Sequence[object], came: Sequence[object], path: str) -> Iterator[str]:
    if _are_texts(expected) and _are_texts(came) and Counter(expected) != Counter(came):
        # One that is missing moves all that follow; which it is says more than where they are.
        yield from _texts(Counter(expected), Counter(came), path)
        return
    if len(expected) != len(came):
        yield _line(f"{path}: length" if path else "length", str(len(expected)), str(len(came)))
    for index, (left, right) in enumerate(zip(expected, came, strict=False)):
        yield from _differences(left, right, f"{path}[{index}]")


def _are_texts(values: Sequence[object]) -> bool:
    return len(values) > 1 and all(type(value) is str for value in values)


def _texts(expected: Counter[object], came: Counter[object], path: str) -> Iterator[str]:
    where = f"{path}: " if path else ""
    for value, times in (expected - came).items():
        yield f"{where}missing {brief(value)}" + (f", {times} times" if times > 1 else "")
    for value, times in (came - expected).items():
        yield f"{where}unexpected {brief(value)}" + (f", {times} times" if times > 1 else "")


def _line(path: str, expected: str, came: str) -> str:
    return f"{path or 'value'}: expected {expected}, came {came}"


def _typed(value: object, other: object) -> str:
    if type(value) is not type(other):
        return f"{brief(value)} ({type(value).__name__})"
    if isinstance(value, str) and isinstance(other, str):
        return _where_strings_part(value, other)
    return brief(value)


def _where_strings_part(value: str, other: str) -> str:
    if len(value) <= 60:
        return ascii(value)
    pairs = enumerate(zip(value, other, strict=False))
    at = next((i for i, (left, right) in pairs if left != right), min(len(value), len(other)))
    part = ascii(value[max(0, at - 10) : at + 20])
    return f"…{part}… of {len(value)} characters, parting at {at}"
