"""Values to bytes and back, exactly or not at all.

The bytes are UTF-8 JSON. `encode` refuses what would not come back as it went in (NaN, a tuple, a
set, a lone surrogate, a cycle, what is nested deeper or is a longer number than `decode` reads);
`decode` refuses what `encode` cannot have written. Both raise `SerializationError`.

Nesting to a depth of 100 and integers to ±2^63 are kept for certain; so is, today, a depth of 190.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from clawdesk_storage import models
from clawdesk_storage.errors import SerializationError

__all__ = ["decode", "encode"]

_Model = TypeVar("_Model", bound=BaseModel)

_N, _I = b"NI"

# The parser reads a depth of 200 and 4,300 digits; the writer knows neither bound.
_SURE_DEPTH, _SURE_DIGITS = 190, 4300
_TOO_DEEP = "it is nested too deep, or holds itself"
_LIMIT = "recursion limit exceeded"
_CUT = 50
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))


@lru_cache(maxsize=1)
def _json() -> TypeAdapter[Any]:
    # Built on first use: an application that stores no vectors never pays for it.
    return TypeAdapter(JsonValue, config=ConfigDict(allow_inf_nan=False))


def encode(value: BaseModel | JsonValue, /) -> bytes:
    """Return `value`, one of the contract's models or a JSON value, as bytes for `decode`.

    Raises:
        SerializationError: The value would not come back equal.
    """
    kind = _contract_class(type(value)) if isinstance(value, BaseModel) else JsonValue
    try:
        data = _written(kind, value)
        if _may_be_unreadable(data):
            _validator(kind).validate_json(data, strict=True)
    except (ValueError, PydanticSerializationError, RecursionError) as error:
        raise SerializationError(f"cannot store {_name(value)}: {_reason(error)}") from error
    return data


@overload
def decode(  # pyright: ignore[reportOverlappingOverload]
    kind: type[_Model], data: bytes, /, *, key: str = ...
) -> _Model: ...
@overload
def decode(kind: Any, data: bytes, /, *, key: str = ...) -> JsonValue: ...
def decode(kind: Any, data: bytes, /, *, key: str = "") -> Any:
    """Return what `encode` made `data` of.

    Args:
        kind: The model's class, or `JsonValue`.
        data: The stored bytes.
        key: Where they were stored, for the message: whoever mends the record needs it.

    Raises:
        SerializationError: The bytes are damaged; the message names `key`.
    """
    try:
        # Looking for one byte first spares most records the search for the word, which is slower.
        if (_N in data and b"NaN" in data) or (_I in data and b"Infinity" in data):
            from_json(data, allow_inf_nan=False)  # refuses them outside of strings
        # Not by `_validator`: a call more is a fiftieth of the whole.
        validator: Any = _json().validator if kind is JsonValue else kind.__pydantic_validator__
        return validator.validate_json(data, strict=True)
    except ValueError as refused:
        error: ValueError | RecursionError = refused
        try:
            if _reason(error) == _TOO_DEEP:
                return _read_deep(kind, data)
        except (ValueError, RecursionError) as other:
            error = other
        where = f" of {key!r}" if key else ""
        raise SerializationError(f"damaged record{where}: {_reason(error)}") from error


def _written(kind: Any, value: object) -> bytes:
    # Validating again catches what was put into a frozen model's dicts and lists later.
    valid = _validator(kind).validate_python(value, strict=True)
    serializer: Any = _json().serializer if kind is JsonValue else kind.__pydantic_serializer__
    data: bytes = serializer.to_json(valid)
    return data


def _validator(kind: Any) -> Any:
    return _json().validator if kind is JsonValue else kind.__pydantic_validator__


def _read_deep(kind: Any, data: bytes) -> Any:
    """Read what earlier versions took, although their parser did not read it: a depth to 253."""
    import json  # noqa: PLC0415  (for next to nobody)

    whole = json.loads(data, parse_constant=_refuse)
    if kind is JsonValue:
        return _json().validate_python(whole, strict=True)
    cut = list(_cut(whole))
    value = _validator(kind).validate_json(json.dumps(whole), strict=True)
    for path, removed in cut:
        _child(value, path[:-1])[path[-1]] = _json().validate_python(removed, strict=True)
    return value


def _cut(whole: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Take out of a JSON value what is nested deeper than the models are, and tell where it was."""
    level: list[tuple[tuple[Any, ...], Any]] = [((), whole)]
    for depth in range(_CUT):
        below: list[tuple[tuple[Any, ...], Any]] = []
        for path, node in level:
            for key, child in _children(node):
                if isinstance(child, (dict, list)):
                    below.append(((*path, key), cast("Any", child)))
                    if depth == _CUT - 1:
                        node[key] = None
        level = below
    yield from level


def _children(node: dict[Any, Any] | list[Any]) -> list[tuple[Any, Any]]:
    return [*node.items()] if isinstance(node, dict) else [*enumerate(node)]


def _child(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = getattr(value, key) if isinstance(value, BaseModel) else value[key]
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _may_be_unreadable(data: bytes) -> bool:
    """Tell, without parsing, whether the parser could meet one of its bounds in `data`.

    What is counted may stand in strings; whoever is told yes finds out by reading.
    """
    if len(data) <= 2 * _SURE_DEPTH:
        return False
    if data.count(b"[") + data.count(b"{") > _SURE_DEPTH:
        return True
    return len(data) > _SURE_DIGITS and len(data.translate(None, _NO_DIGITS)) > _SURE_DIGITS


@lru_cache(maxsize=128)
def _contract_class(kind: type[BaseModel]) -> type[BaseModel]:
    """Return the class that a reader will ask for: the contract's own, not a subclass of it.

    Raises:
        SerializationError: The subclass has fields that would not come back.
    """
    ours = {getattr(models, name) for name in models.__all__}
    known = (one for one in kind.__mro__ if one in ours and issubclass(one, BaseModel))
    base = next(known, kind)
    more = set(kind.model_fields) - set(base.model_fields)
    if more:
        raise SerializationError(
            f"cannot store {kind.__name__}: {base.__name__} has no field {min(more)!r}"
        )
    return base


def _name(value: object) -> str:
    key = getattr(value, "id", None)
    return type(value).__name__ + (f" {key!r}" if isinstance(key, str) else "")


def _reason(error: Exception) -> str:
    """Say what is wrong without quoting the value, which may hold a secret."""
    if not isinstance(error, ValidationError):
        deep = isinstance(error, RecursionError) or str(error).startswith(_LIMIT)
        return _TOO_DEEP if deep else str(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"].startswith("recursion") or first["msg"].startswith(f"Invalid JSON: {_LIMIT}"):
        return _TOO_DEEP
    path = ".".join(map(str, first["loc"]))
    return f"{path}: {first['msg']}" if path else first["msg"]
