"""How long an event loop stands still while something runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import NamedTuple

__all__ = ["Stops", "stops_during"]

_TICK = 0.001


class Stops(NamedTuple):
    """Seconds by which a task that sleeps a millisecond at a time woke too late.

    Attributes:
        seconds: How long the work took.
        longest: The worst of them.
        usual: The 99th of a hundred.
    """

    seconds: float
    longest: float
    usual: float


async def stops_during(work: Awaitable[object]) -> Stops:
    """Await `work` and tell how the loop fared meanwhile."""
    late: list[float] = []

    async def probe() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_TICK)
            late.append(time.perf_counter() - began - _TICK)

    probing = asyncio.create_task(probe())
    await asyncio.sleep(2 * _TICK)
    began = time.perf_counter()
    await work
    seconds = time.perf_counter() - began
    await asyncio.sleep(2 * _TICK)
    probing.cancel()
    with suppress(asyncio.CancelledError):
        await probing
    late.sort()
    return Stops(seconds, late[-1], late[int(len(late) * 0.99)])
