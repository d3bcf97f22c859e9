"""A server killed in the middle of writing loses nothing that it acknowledged."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clawdesk_storage import ConnectionFailedError, Message, Role, SessionId

from clawdesk_postgres import connect, server

SESSION = SessionId("s")


async def test_what_was_acknowledged_outlives_the_server(victim: Path) -> None:
    """Every append that returned is there once, in order, read through the same handle."""
    acknowledged: list[int] = []

    async with connect(server.start(victim)) as storage:

        async def write() -> None:
            for number in range(1_000_000):
                message = Message(role=Role.USER, content=str(number))
                await storage.conversations.append_message(SESSION, message)
                acknowledged.append(number)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.kill, victim)
        (failure,) = await asyncio.gather(writing, return_exceptions=True)
        await asyncio.to_thread(server.start, victim)
        messages = await storage.conversations.get_messages(SESSION, limit=10**9)

    stored = [int(message.content) for message in messages]
    assert isinstance(failure, ConnectionFailedError)
    assert stored in (acknowledged, [*acknowledged, len(acknowledged)])
