"""Records that version 1 of this package wrote, as the present version keeps them.

Version 1 had no checksums but those of vectors, no revisions, no positions, and forgot all of a
conversation that was cleared. Its messages were numbered from 0 without a gap; what was their
number is their position now.
"""

from __future__ import annotations

import struct
from zlib import crc32

from clawdesk_sochdb.history import Head, positioned
from clawdesk_sochdb.keys import CONFIG, HEADS, MESSAGES, SESSIONS, VECTORS
from clawdesk_sochdb.record import seal
from clawdesk_sochdb.revision import revise

__all__ = ["upgraded"]


def upgraded(key: bytes, value: bytes) -> bytes:
    """Return the record that takes the place of a value of version 1.

    One that was damaged stays as it is, which makes it a damaged record.
    """
    if key.startswith(HEADS):
        if not value.isdigit() or len(value) > 19:
            return value
        return seal(key, Head(0, 0, 0).grown(int(value)).packed())
    if key.startswith(VECTORS):
        checksum, floats = value[:4], value[4:]
        return seal(key, floats) if struct.pack("<I", crc32(floats)) == checksum else value
    if key.startswith(MESSAGES):
        return seal(key, positioned(int.from_bytes(key[-8:], "big"), value))
    if key.startswith(SESSIONS) or key == CONFIG:
        return seal(key, revise(value))
    return seal(key, value)
