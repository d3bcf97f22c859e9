"""One round of an operation in the process that has the storage open."""

from __future__ import annotations

import asyncio
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from clawdesk_storage.bench.load import Call, at_once
from clawdesk_storage.bench.memory import forget_peak, peak
from clawdesk_storage.bench.stall import Heartbeat

__all__ = ["Round"]


@dataclass(frozen=True)
class Round:
    """What came of a round.

    Args:
        seconds: How long the whole took.
        taken: Seconds of each call.
        stall: Seconds that the event loop stood still at a time, at most.
        peak: The most bytes of memory that the process held.
    """

    seconds: float
    taken: array[float]
    stall: float
    peak: int

    @property
    def throughput(self) -> float:
        """Calls per second."""
        return len(self.taken) / self.seconds

    def to_json(self) -> dict[str, Any]:
        """Return the round as it goes from process to process."""
        taken = b64encode(self.taken.tobytes()).decode()
        return {**vars(self), "taken": taken}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Round:
        """Return the round that another process told."""
        taken = array("d", b64decode(told["taken"]))
        return cls(told["seconds"], taken, told["stall"], told["peak"])

    @classmethod
    async def of(cls, calls: Sequence[Call], concurrency: int) -> Round:
        """Make the calls, so many at once, and watch.

        Each of the callers makes its next call when the last one has returned.
        """
        forget_peak()
        taken = array("d")
        with Heartbeat() as heart:
            start = perf_counter()
            await at_once(_timed(calls, taken, heart), concurrency)
            seconds = perf_counter() - start
            return cls(seconds, taken, heart.longest, peak())


def _timed(calls: Iterable[Call], taken: array[float], heart: Heartbeat) -> Iterable[Call]:
    def timed(call: Call) -> Call:
        async def run() -> None:
            start = perf_counter()
            await call()
            end = perf_counter()
            taken.append(end - start)
            if heart.overdue(end):  # a store that never waits would keep the loop from beating
                await asyncio.sleep(0)

        return run

    return map(timed, calls)
