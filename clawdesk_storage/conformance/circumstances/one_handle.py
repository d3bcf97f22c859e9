"""One handle: nothing happens between the operations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from random import Random

from clawdesk_storage.conformance.trial import Opened, Trial

__all__ = ["OneHandle"]


class OneHandle:
    """A `Circumstance` with one place."""

    places: Sequence[str] = ()

    def place(self, random: Random) -> str:
        """See `Circumstance.place`."""
        return ""

    @asynccontextmanager
    async def open(self, trial: Trial, number: int) -> AsyncGenerator[_Stage]:
        """See `Circumstance.open`."""
        async with trial.open(number) as storage:
            yield _Stage(storage)

    def lines(self, place: str, earlier: Sequence[str]) -> Sequence[str]:
        """See `Circumstance.lines`."""
        return ()

    def handle(self, place: str) -> str:
        """See `Circumstance.handle`."""
        return "storage"


class _Stage:
    def __init__(self, storage: Opened) -> None:
        self._storage = storage

    async def at(self, place: str) -> Opened:
        return self._storage
