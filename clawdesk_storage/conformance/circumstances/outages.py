"""Outages: before a step the engine may go, let calls of every kind fail, and come back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from random import Random

from clawdesk_storage.conformance.circumstances.unreachable import (
    calls_needing_the_engine,
    expect_unreachable,
    outage,
    recovered,
)
from clawdesk_storage.conformance.trial import Opened, Trial

__all__ = ["Outages"]

_AFTERWARDS = "after an outage in which calls of every kind have failed"


class Outages:
    """A `Circumstance` in which each step may come after an outage."""

    places: Sequence[str] = (_AFTERWARDS,)

    def place(self, random: Random) -> str:
        """See `Circumstance.place`."""
        return _AFTERWARDS if random.random() < 0.08 else ""

    @asynccontextmanager
    async def open(self, trial: Trial, number: int) -> AsyncGenerator[_Stage]:
        """See `Circumstance.open`."""
        async with trial.open(number) as storage:
            yield _Stage(trial, number, storage)

    def lines(self, place: str, earlier: Sequence[str]) -> Sequence[str]:
        """See `Circumstance.lines`."""
        return (f"# {place}",) if place else ()

    def handle(self, place: str) -> str:
        """See `Circumstance.handle`."""
        return "storage"


class _Stage:
    def __init__(self, trial: Trial, number: int, storage: Opened) -> None:
        self._trial, self._number, self._storage = trial, number, storage

    async def at(self, place: str) -> Opened:
        if place:
            # The same calls each time, so that a failing sequence can be made shorter.
            calls = await calls_needing_the_engine(Random(0), self._storage)  # noqa: S311
            async with outage(self._trial, self._number):
                await expect_unreachable(self._storage, calls, "during an outage", at_once=True)
            await recovered(self._storage)
        return self._storage
