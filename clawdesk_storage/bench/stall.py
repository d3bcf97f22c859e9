"""How long the event loop stood still."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractContextManager, suppress
from time import perf_counter
from types import TracebackType
from typing import Self

__all__ = ["RESOLUTION", "Heartbeat"]

RESOLUTION = 0.001
"""Seconds between two beats. A stall is seen up to this much shorter than it was."""


class _Scheduler:
    """What the system tells of the thread that makes this."""

    def __init__(self) -> None:
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

    def waited(self) -> float:
        """Return the seconds that the thread was ready to run and had no processor."""
        if self._file is None:
            return 0.0
        return int(os.pread(self._file, 64, 0).split()[1]) * 1e-9

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)


class Heartbeat(AbstractContextManager["Heartbeat"]):
    """Beats on the running loop every millisecond; a beat that comes late shows a stall.

    It sees whatever keeps the loop from its work: a call that blocks, a long computation, a thread
    that does not let go of the interpreter. The time that the loop's thread was ready to run and
    other programs had the processors does not count, where the system tells it: on Linux.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._scheduler = _Scheduler()
        self._last = perf_counter()
        self._waited = 0.0
        self._longest = 0.0
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scheduler.close()
        if self._next is not None:
            self._next.cancel()

    def _begin(self) -> None:
        self._last, self._waited = perf_counter(), self._scheduler.waited()
        self._next = self._loop.call_later(RESOLUTION, self._beat)

    def _beat(self) -> None:
        self._longest = self.longest
        self._begin()

    def overdue(self, now: float) -> bool:
        """Tell whether a beat should have come by now; who never waits must let the loop work."""
        return now - self._last > RESOLUTION

    @property
    def longest(self) -> float:
        """Seconds of the longest stall until now, while it beats."""
        late = perf_counter() - self._last - RESOLUTION
        if late <= self._longest:
            return self._longest
        return max(self._longest, late - (self._scheduler.waited() - self._waited))
