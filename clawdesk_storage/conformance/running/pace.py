"""How the calls of a law come along: a slow store is told from one that hangs."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic

__all__ = ["Pace"]

_LATEST = 3

_LONGEST = 4
"""One call may wait so many times as long as all of them, while others return."""


class Pace:
    """Which calls have returned, and since when none has."""

    def __init__(self) -> None:
        self.returned: int = 0
        self._latest: deque[float] = deque(maxlen=_LATEST)
        self._last = monotonic()
        self._begun: dict[object, float] = {}

    @contextmanager
    def call(self) -> Generator[None]:
        """Count what happens inside as one call, however it ends."""
        key, started = object(), monotonic()
        self._begun[key] = started
        try:
            yield
        finally:
            del self._begun[key]
            self._last = monotonic()
            self.returned += 1
            self._latest.append(self._last - started)

    def heard(self) -> None:
        """Count a call that has returned in another process, which told so."""
        self._last = monotonic()
        self.returned += 1

    def waited(self) -> float:
        """Return for how many seconds no call has returned.

        One call that hangs while others go on counts too, after a multiple of that.
        """
        now = monotonic()
        oldest = min(list(self._begun.values()), default=now)
        return max(now - self._last, (now - oldest) / _LONGEST)

    def __str__(self) -> str:
        if not self.returned:
            return "no call had returned before"
        took = ", ".join(f"{seconds:.3g}" for seconds in self._latest)
        return f"{self.returned:,} calls had returned before, the latest after {took} s"
