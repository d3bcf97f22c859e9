"""The storage as the conformance suite knows it."""

from __future__ import annotations

from pathlib import Path

from clawdesk_storage.conformance import Backend

from clawdesk_sochdb.keys import CONFIG, COUNTS, MESSAGES, METADATA, SESSIONS, VECTORS
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.storage import open_storage

__all__ = ["backend"]

_KINDS = {
    "sessions": (SESSIONS,),
    "conversations": (COUNTS, MESSAGES),
    "config": (CONFIG,),
    "vectors": (VECTORS, METADATA),
}


async def _corrupt(location: Path, port: str) -> None:
    records = Records(location)
    damaged = [kind + rest for kind in _KINDS[port] for rest, _ in records.scan(kind)]
    with records.writing() as changes:
        for key in damaged:
            changes.put(key, b"\xffdamaged")
    records.commit()
    records.close()


backend = Backend(open_storage, shared=False, corrupt=_corrupt)
