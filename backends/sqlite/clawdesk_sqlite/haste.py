"""Whether reading is quick enough for the event loop."""

from __future__ import annotations

import sys
from time import monotonic, thread_time

if sys.platform == "linux":
    from resource import RUSAGE_THREAD, getrusage

__all__ = ["Haste"]

_TURN_SECONDS = 0.001
_SLOW_SECONDS = 0.002
_PAUSE = 100


class Haste:
    """Keeps reads on the event loop short, by what they took.

    A turn has a millisecond: what is left then is for a thread. A turn of more than two, because
    the thread worked or waited as long and not because others had the processor, is followed by a
    pause of a hundred times its length. So the loop stands still for a hundredth of its time at
    most, whatever the disk does and however long the records are.

    Only on Linux, which counts how often a thread has waited.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._began = 0.0

    def begin(self) -> bool:
        """Begin a turn, if it may be now."""
        if sys.platform != "linux":
            return False
        self._began = monotonic()
        if self._began < self._until:
            return False
        self._worked = thread_time()
        self._waits = getrusage(RUSAGE_THREAD).ru_nvcsw
        return True

    def over(self) -> bool:
        """Whether the turn's time is used up."""
        return monotonic() - self._began > _TURN_SECONDS

    def end(self) -> None:
        """End the turn."""
        now = monotonic()
        taken = now - self._began
        if taken <= _SLOW_SECONDS or sys.platform != "linux":
            return
        worked = thread_time() - self._worked
        waits = getrusage(RUSAGE_THREAD).ru_nvcsw - self._waits
        if waits or worked > _SLOW_SECONDS:
            self._until = now + _PAUSE * taken
