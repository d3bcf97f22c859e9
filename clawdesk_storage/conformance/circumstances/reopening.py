"""Reopening: between two operations the storage may be closed and opened again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from clawdesk_storage.conformance.trial import Opened, Trial

__all__ = ["Reopening"]

_REOPENED = "reopened here"


class Reopening:
    """A `Circumstance` in which each step may come first after an opening."""

    places: Sequence[str] = (_REOPENED,)

    def place(self, random: Random) -> str:
        """See `Circumstance.place`."""
        return _REOPENED if random.random() < 0.06 else ""

    @asynccontextmanager
    async def open(self, trial: Trial, number: int) -> AsyncGenerator[_Stage]:
        """See `Circumstance.open`."""
        async with AsyncExitStack() as stack:
            yield await _Stage.opened(stack, trial, number)

    def lines(self, place: str, earlier: Sequence[str]) -> Sequence[str]:
        """See `Circumstance.lines`."""
        if not place:
            return ()
        return (
            f"await stack.aclose()  # {place}",
            "storage = await stack.enter_async_context(open_here(location))",
        )

    def handle(self, place: str) -> str:
        """See `Circumstance.handle`."""
        return "storage"


class _Stage:
    def __init__(self, stack: AsyncExitStack, trial: Trial, number: int) -> None:
        self._stack, self._trial, self._number = stack, trial, number

    @classmethod
    async def opened(cls, stack: AsyncExitStack, trial: Trial, number: int) -> _Stage:
        stage = cls(stack, trial, number)
        stage._storage = await stack.enter_async_context(trial.open(number))
        return stage

    async def at(self, place: str) -> Opened:
        if place:
            await self._stack.aclose()
            self._storage = await self._stack.enter_async_context(self._trial.open(self._number))
        return self._storage
