"""Records as the engine keeps them: a checksum, and what was put.

The checksum covers the key too, so that a record that lies under another's key is none there.
"""

from __future__ import annotations

from zlib import crc32

from clawdesk_storage import SerializationError

__all__ = ["damaged", "seal", "unseal"]

_SIZE = 4


def seal(key: bytes, payload: bytes) -> bytes:
    """Return the record of `payload` under `key`: their CRC-32, little-endian, and the payload."""
    return _checksum(key, payload) + payload


def unseal(key: bytes, record: bytes, name: str) -> bytes:
    """Return what `seal` made a record of.

    Args:
        key: Where it was found.
        record: Its bytes.
        name: What was asked for, for the message.

    Raises:
        SerializationError: It is damaged, or belongs under another key.
    """
    payload = record[_SIZE:]
    if record[:_SIZE] != _checksum(key, payload):
        raise damaged(name, "its checksum does not match")
    return payload


def damaged(name: str, reason: str) -> SerializationError:
    """Return the error for a record that is not as it was stored."""
    return SerializationError(f"damaged record of {name!r}: {reason}")


def _checksum(key: bytes, payload: bytes) -> bytes:
    return crc32(payload, crc32(key)).to_bytes(_SIZE, "little")
