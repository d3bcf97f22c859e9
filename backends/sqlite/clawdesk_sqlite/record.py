"""Values as they lie in the file: bytes with a checksum beside them.

JSON alone would notice a broken bracket, not a changed letter.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload
from zlib import crc32

from clawdesk_storage import JsonValue, SerializationError, decode, encode
from pydantic import BaseModel

__all__ = ["check", "seal", "unseal"]

_Model = TypeVar("_Model", bound=BaseModel)


def seal(value: BaseModel | JsonValue) -> tuple[bytes, int]:
    """Return the bytes of `value` and their checksum.

    Raises:
        SerializationError: The value cannot be stored as it is.
    """
    record = encode(value)
    return record, crc32(record)


@overload
def unseal(kind: type[_Model], record: bytes, checksum: int, key: str) -> _Model: ...
@overload
def unseal(kind: Any, record: bytes, checksum: int, key: str) -> Any: ...
def unseal(kind: Any, record: bytes, checksum: int, key: str) -> Any:
    """Return what `seal` made `record` and `checksum` of.

    Args:
        kind: The model's class, or `JsonValue`.
        record: The stored bytes.
        checksum: The number stored beside them.
        key: Where they were stored, for the message.

    Raises:
        SerializationError: The record is damaged; the message names `key`.
    """
    check(record, checksum, key)
    return decode(kind, record, key=key)


def check(record: bytes, checksum: int, key: str) -> None:
    """Refuse bytes that are not those the checksum was made of.

    Raises:
        SerializationError: They are damaged; the message names `key`.
    """
    if crc32(record) != checksum:
        raise SerializationError(f"damaged record of {key!r}: its checksum does not match")
