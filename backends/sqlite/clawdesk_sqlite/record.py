"""Values as they lie in the file: bytes with a checksum beside them.

JSON alone would notice a broken bracket, not a changed letter. The checksum covers the keys of the
record too, so that one which lies in another's place is no valid record there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar, overload
from zlib import crc32

from clawdesk_storage import JsonValue, SerializationError, decode, encode
from pydantic import BaseModel, RootModel

__all__ = ["check", "checksum_of", "damaged", "decode_all", "key_of", "mixed", "seal", "unseal"]

_BYTES_TOGETHER = 100_000
_CHANGED = "its checksum does not match"

_Model = TypeVar("_Model", bound=BaseModel)


def key_of(*keys: str | int) -> int:
    """Return the CRC-32 of the keys that a record is stored under, for `check` and `unseal`."""
    return crc32("\0".join(map(str, keys)).encode(errors="surrogatepass"))


def checksum_of(record: bytes, *keys: str | int) -> int:
    """Return the CRC-32 of the keys that a record is stored under and of the record."""
    return crc32(record, key_of(*keys))


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
    kind: type[_Model], record: bytes, checksum: int | None, name: str, key: int
) -> _Model: ...
@overload
def unseal(kind: Any, record: bytes, checksum: int | None, name: str, key: int) -> Any: ...
def unseal(kind: Any, record: bytes, checksum: int | None, name: str, key: int) -> Any:
    """Return what `seal` made `record` and `checksum` of.

    Args:
        kind: The model's class, or `JsonValue`.
        record: The stored bytes.
        checksum: The number stored beside them.
        name: What was asked for, for the message.
        key: `key_of` what it was sealed with.

    Raises:
        SerializationError: The record is damaged; the message names `name`.
    """
    # As `check`; a call more for each record is a fiftieth of a read.
    if not isinstance(record, bytes) or crc32(record, key) != checksum:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise damaged(name, _CHANGED)
    return decode(kind, record, key=name)


def decode_all(
    kind: type[_Model],
    kinds: type[RootModel[list[_Model]]],
    records: Sequence[bytes],
    names: Sequence[str],
) -> list[_Model]:
    """Return the values of records that were checked, in three quarters of the time.

    Args:
        kind: The model's class.
        kinds: The class of a list of them.
        records: What to decode.
        names: What was asked for, for the message about one of them.

    Raises:
        SerializationError: One of them cannot be read.
    """
    # Long ones by themselves: the interpreter is not let go of in the middle.
    if sum(map(len, records)) <= _BYTES_TOGETHER:
        with suppress(Exception):  # told below, for the one record whose it is
            return decode(kinds, b"[" + b",".join(records) + b"]").root
    pairs = zip(records, names, strict=True)
    return [decode(kind, record, key=name) for record, name in pairs]


def check(record: bytes, checksum: int | None, name: str, key: int) -> None:
    """Refuse bytes that are not those the checksum was made of.

    Raises:
        SerializationError: They are damaged; the message names `name`.
    """
    # A damaged row can hold a value of another type.
    if not isinstance(record, bytes) or crc32(record, key) != checksum:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise damaged(name, _CHANGED)


def damaged(name: str, reason: str) -> SerializationError:
    """Return the error for a record that is not as it was stored."""
    return SerializationError(f"damaged record of {name!r}: {reason}")
