"""Where each record is kept. No two records share a key, whatever their ids hold.

    f/format        the format of all the others
    s/ID            a session: its revision, JSON
    h/ID            the head of a conversation that has messages
    m/LENGTH ID N   message number N: its position, JSON; LENGTH is the id's in bytes
    p/floor         the least position of a conversation that begins
    c/config        the configuration: its revision, JSON
    d/dimension     the vectors' dimension, decimal
    v/ID            a vector: float32, little-endian
    w/ID            a vector's metadata, JSON

Other integers are big-endian. An id is UTF-8 and, except in `m/`, goes to the key's end. A
message's place is its number, given in the transaction that stores it: neither a clock nor a
process has a part in the order.

The engine's prefix scan finds nothing under prefixes of one byte, hence the two.
"""

from __future__ import annotations

__all__ = [
    "CONFIG",
    "DIMENSION",
    "FLOOR",
    "FORMAT",
    "HEADS",
    "MESSAGES",
    "METADATA",
    "SESSIONS",
    "VECTORS",
    "key_of",
    "message_key",
    "message_prefix",
]

FORMAT = b"f/format"
SESSIONS = b"s/"
HEADS = b"h/"
MESSAGES = b"m/"
FLOOR = b"p/floor"
VECTORS = b"v/"
METADATA = b"w/"
CONFIG = b"c/config"
DIMENSION = b"d/dimension"


def key_of(kind: bytes, id: str) -> bytes:
    """Return the key of the record of that kind that belongs to `id`."""
    return kind + id.encode()


def message_prefix(session_id: str) -> bytes:
    """Return what the keys of one conversation's messages begin with, and no others."""
    id = session_id.encode()
    return MESSAGES + len(id).to_bytes(4, "big") + id


def message_key(session_id: str, number: int) -> bytes:
    """Return the key of a message; `number` counts from 0 in each conversation."""
    return message_prefix(session_id) + number.to_bytes(8, "big")
