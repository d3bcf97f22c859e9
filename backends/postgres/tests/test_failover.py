"""A primary that is killed, and a standby that takes its place, under the same handle."""

from __future__ import annotations

import asyncio
import time

from clawdesk_storage import ConnectionFailedError, Message, Role, SessionId
from replication import replicated

from clawdesk_postgres import connect

TASKS = 8


async def test_what_a_synchronous_pair_acknowledged_outlives_its_primary() -> None:
    """Every acknowledged message is there once, in order; writing goes on within seconds."""
    acknowledged: dict[int, list[int]] = {task: [] for task in range(TASKS)}
    first_after: list[float] = []
    async with (
        replicated(synchronous=True) as pair,
        connect(pair.dsn, timeout=5, connect_timeout=2) as storage,
    ):
        over = asyncio.Event()
        promoted = 0.0

        async def write(task: int) -> None:
            number = 0
            while not over.is_set():
                number += 1
                message = Message(role=Role.USER, content=str(number))
                try:
                    await storage.conversations.append_message(SessionId(str(task)), message)
                except ConnectionFailedError:
                    await asyncio.sleep(0.02)
                else:
                    acknowledged[task].append(number)
                    if promoted and len(first_after) < TASKS:
                        first_after.append(time.monotonic() - promoted)

        writers = [asyncio.create_task(write(task)) for task in range(TASKS)]
        await asyncio.sleep(0.7)
        await pair.kill_primary()
        before = sum(map(len, acknowledged.values()))
        await asyncio.sleep(0.2)
        await pair.promote()
        promoted = time.monotonic()
        await asyncio.sleep(1.5)
        over.set()
        await asyncio.gather(*writers)
        for task, numbers in acknowledged.items():
            history = await storage.conversations.get_messages(SessionId(str(task)), limit=10**6)
            stored = [int(message.content) for message in history]
            assert sorted(set(stored)) == stored
            assert set(numbers) <= set(stored)
    assert before > 100
    assert sum(map(len, acknowledged.values())) > before + 100
    assert max(first_after) < 5
