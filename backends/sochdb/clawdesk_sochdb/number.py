"""Records that are a number."""

from __future__ import annotations

from clawdesk_storage import SerializationError

from clawdesk_sochdb.records import Records

__all__ = ["read_number"]


def read_number(records: Records, key: bytes, name: str) -> int | None:
    """Return the number stored under `key`, or None.

    Args:
        records: Where to look.
        key: The record's key.
        name: What to call the record in the message.

    Raises:
        SerializationError: The record is damaged.
    """
    record = records.get(key)
    if record is None:
        return None
    if not record.isdigit() or len(record) > 19:
        raise SerializationError(f"damaged record of {name!r}: it is no number")
    return int(record)
