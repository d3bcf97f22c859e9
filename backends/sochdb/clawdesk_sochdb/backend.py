"""The storage as the conformance suite knows it."""

from __future__ import annotations

from pathlib import Path

from clawdesk_storage.conformance import Backend

from clawdesk_sochdb.keys import CONFIG, HEADS, MESSAGES, METADATA, SESSIONS, VECTORS
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.storage import open_storage

__all__ = ["backend"]

_KINDS = {
    "sessions": (SESSIONS,),
    "conversations": (HEADS, MESSAGES),
    "config": (CONFIG,),
    "vectors": (VECTORS, METADATA),
}


async def _corrupt(location: Path, port: str) -> None:
    records = Records(location)
    damaged = [kind + rest for kind in _KINDS[port] for rest in records.keys(kind)]
    with records.writing() as changes:
        for key in damaged:
            changes.put_sealed(key, b"\xffdamaged")
    records.commit()
    records.close()


backend = Backend(
    open_storage,
    shared=False,
    abilities=(
        "SessionRevisions",
        "MessageBatches",
        "MessagePages",
        "MessageGuards",
        "Contents",
        "ConfigRevisions",
        "VectorBatches",
        "VectorFilters",
        "VectorContents",
    ),
    corrupt=_corrupt,
)
