"""Writes that wait at the same time, made by one call of the library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

__all__ = ["Together"]

_Row = TypeVar("_Row")


class Together(Generic[_Row]):
    """Collects what waits for the write under way, and writes it with the next one.

    Some libraries take milliseconds for a write, however much it holds: one that took each upsert
    by itself would be a poor user of theirs.

    Args:
        write: Writes rows by id.
    """

    def __init__(self, write: Callable[[Mapping[str, _Row]], Awaitable[object]]) -> None:
        self._write = write
        self._waiting: dict[str, _Row] = {}
        self._writing = asyncio.Lock()

    async def put(self, id: str, row: _Row) -> None:
        """Return when the row is written."""
        self._waiting[id] = row
        async with self._writing:
            rows, self._waiting = self._waiting, {}
            if rows:
                await self._write(rows)
