"""Values as they lie in the file: bytes with a checksum beside them.

JSON alone would notice a broken bracket, not a changed letter. The checksum covers the keys of the
record too, so that one which lies in another's place is no valid record there.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload
from zlib import crc32

from clawdesk_storage import JsonValue, SerializationError, decode, encode
from pydantic import BaseModel

__all__ = ["check", "checksum_of", "damaged", "mixed", "seal", "unseal"]

_Model = TypeVar("_Model", bound=BaseModel)


def checksum_of(record: bytes, *keys: str | int) -> int:
    """Return the CRC-32 of a record and of the keys it is stored under."""
    text = "\0".join(map(str, keys))
    return crc32(record, crc32(text.encode(errors="surrogatepass")))


def seal(value: BaseModel | JsonValue, *keys: str | int) -> tuple[bytes, int]:
    """Return the bytes of `value` and the checksum of them and of `keys`.

    Raises:
        SerializationError: The value cannot be stored as it is.
    """
    record = encode(value)
    return record, checksum_of(record, *keys)


def mixed(position: int) -> int:
    """Return 32 bits that differ from one position to another (Fibonacci hashing)."""
    return position * 0x9E3779B97F4A7C15 >> 16 & 0xFFFFFFFF


@overload
def unseal(
    kind: type[_Model], record: bytes, checksum: int, name: str, *keys: str | int
) -> _Model: ...
@overload
def unseal(kind: Any, record: bytes, checksum: int, name: str, *keys: str | int) -> Any: ...
def unseal(kind: Any, record: bytes, checksum: int, name: str, *keys: str | int) -> Any:
    """Return what `seal` made `record` and `checksum` of.

    Args:
        kind: The model's class, or `JsonValue`.
        record: The stored bytes.
        checksum: The number stored beside them.
        name: What was asked for, for the message.
        keys: Those it was sealed with.

    Raises:
        SerializationError: The record is damaged; the message names `name`.
    """
    check(record, checksum, name, *keys)
    return decode(kind, record, key=name)


def check(record: bytes, checksum: int, name: str, *keys: str | int) -> None:
    """Refuse bytes that are not those the checksum was made of.

    Raises:
        SerializationError: They are damaged; the message names `name`.
    """
    # A damaged row can hold a value of another type.
    if not isinstance(record, bytes) or checksum_of(record, *keys) != checksum:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise damaged(name, "its checksum does not match")


def damaged(name: str, reason: str) -> SerializationError:
    """Return the error for a record that is not as it was stored."""
    return SerializationError(f"damaged record of {name!r}: {reason}")
