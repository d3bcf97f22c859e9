"""The watch over the event loop."""

import asyncio
import time

from clawdesk_storage.bench.stall import RESOLUTION, Heartbeat


async def test_a_call_that_blocks_is_seen() -> None:
    """All of it but the part of a beat that had passed."""
    with Heartbeat() as heart:
        await asyncio.sleep(0.01)
        time.sleep(0.2)  # noqa: ASYNC251
        await asyncio.sleep(0.01)
        assert heart.longest >= 0.2 - 2 * RESOLUTION


async def test_a_stall_that_has_not_ended_is_seen() -> None:
    """The loop need not work again before."""
    with Heartbeat() as heart:
        time.sleep(0.2)  # noqa: ASYNC251
        assert heart.longest >= 0.2 - 2 * RESOLUTION


async def test_waiting_is_no_stall() -> None:
    """The loop works while something waits."""
    with Heartbeat() as heart:
        await asyncio.sleep(0.3)
        assert heart.longest < 0.3 - 2 * RESOLUTION
