"""The clock: before a step the machine's clock may be set, back as well, and then stands still."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from random import Random

from clawdesk_storage.conformance.material.samples import EPOCH
from clawdesk_storage.conformance.trial import Inconclusive, Opened, Trial

__all__ = ["ShiftingClock", "clock_at"]


def clock_at(hour: int) -> AbstractContextManager[object]:
    """Let the machine's clock stand still at that hour, for this process.

    Raises:
        Inconclusive: That cannot be done here.
    """
    try:
        from time_machine import travel  # noqa: PLC0415  (few laws need it)
    except ImportError as error:
        raise Inconclusive(
            'time-machine is not installed: pip install "clawdesk-storage[conformance]"'
        ) from error
    return travel(EPOCH.replace(hour=hour), tick=False)


class ShiftingClock:
    """A `Circumstance` in which each step may come after the clock was set."""

    places: Sequence[str] = ()

    def place(self, random: Random) -> str:
        """See `Circumstance.place`."""
        return str(random.choice((7, 8, 8, 9))) if random.random() < 0.2 else ""

    @asynccontextmanager
    async def open(self, trial: Trial, number: int) -> AsyncGenerator[_Stage]:
        """See `Circumstance.open`."""
        with ExitStack() as clocks:
            async with trial.open(number) as storage:
                yield _Stage(storage, clocks)

    def lines(self, place: str, earlier: Sequence[str]) -> Sequence[str]:
        """See `Circumstance.lines`."""
        if not place:
            return ()
        return (
            f"from {__name__} import clock_at",
            f"stack.enter_context(clock_at({place}))  # the hour of the machine's clock",
        )

    def handle(self, place: str) -> str:
        """See `Circumstance.handle`."""
        return "storage"


class _Stage:
    def __init__(self, storage: Opened, clocks: ExitStack) -> None:
        self._storage, self._clocks = storage, clocks

    async def at(self, place: str) -> Opened:
        if place:
            self._clocks.enter_context(clock_at(int(place)))
        return self._storage
