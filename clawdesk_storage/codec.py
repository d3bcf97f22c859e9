"""Values to bytes and back, exactly or not at all.

The bytes are UTF-8 JSON. `encode` refuses what would not come back as it went in (NaN, a tuple, a
set, a lone surrogate, a cycle); `decode` refuses what `encode` cannot have written. Both raise
`SerializationError`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from clawdesk_storage.errors import SerializationError

__all__ = ["decode", "encode"]

_Model = TypeVar("_Model", bound=BaseModel)

_N, _I = b"NI"


@lru_cache(maxsize=1)
def _json() -> TypeAdapter[Any]:
    # Built on first use: an application that stores no vectors never pays for it.
    return TypeAdapter(JsonValue, config=ConfigDict(allow_inf_nan=False))


def encode(value: BaseModel | JsonValue, /) -> bytes:
    """Return `value`, one of the contract's models or a JSON value, as bytes for `decode`.

    Raises:
        SerializationError: The value would not come back equal.
    """
    try:
        if isinstance(value, BaseModel):
            model = type(value)
            # Validating again catches what was put into a frozen model's dicts and lists later.
            valid = model.__pydantic_validator__.validate_python(value, strict=True)
            return model.__pydantic_serializer__.to_json(valid)
        return _json().dump_json(_json().validate_python(value, strict=True))
    except (ValidationError, PydanticSerializationError, RecursionError) as error:
        raise SerializationError(f"cannot store {_name(value)}: {_reason(error)}") from error


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
        if kind is JsonValue:
            return _json().validate_json(data, strict=True)
        return kind.__pydantic_validator__.validate_json(data, strict=True)
    except ValueError as error:
        where = f" of {key!r}" if key else ""
        raise SerializationError(f"damaged record{where}: {_reason(error)}") from error


def _name(value: object) -> str:
    key = getattr(value, "id", None)
    return type(value).__name__ + (f" {key!r}" if isinstance(key, str) else "")


def _reason(error: Exception) -> str:
    """Say what is wrong without quoting the value, which may hold a secret."""
    if not isinstance(error, ValidationError):
        return "it is nested too deep" if isinstance(error, RecursionError) else str(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(map(str, first["loc"]))
    return f"{path}: {first['msg']}" if path else first["msg"]
