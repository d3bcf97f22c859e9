"""Behind a pooler in transaction mode everything works; nothing is left in a session."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from clawdesk_storage import ChannelId, ConnectionFailedError, Message, Role, Session, SessionId
from pooler import pooled

from clawdesk_postgres import HNSW, connect, server


async def test_all_stores_work_where_no_session_lasts(victim: Path) -> None:
    """Sessions, conversations, the configuration and vectors, from several tasks at once."""
    dsn = server.start(victim)
    with tempfile.TemporaryDirectory() as place:
        async with (
            pooled(dsn, Path(place)) as address,
            connect(address, pgbouncer=True, index=HNSW()) as storage,
        ):

            async def work(task: int) -> None:
                session = Session(id=SessionId(str(task)), channel=ChannelId("c"))
                await storage.sessions.save(session)
                await storage.config.save_config(await storage.config.get_config())
                for number in range(10):
                    message = Message(role=Role.USER, content=str(number))
                    await storage.conversations.append_message(session.id, message)
                    vector = [1.0, 8.0 * number + task]
                    await storage.vectors.upsert(f"{task} {number}", vector, metadata=task)

            await asyncio.gather(*map(work, range(8)))
            sessions = await storage.sessions.list(99, 0)
            messages = await storage.conversations.get_messages(SessionId("7"), limit=99)
            found = await storage.vectors.search([1.0, 0.0], top_k=8)
    assert len(sessions) == 8
    assert [str(number) for number in range(10)] == [message.content for message in messages]
    assert [f"{task} 0" for task in range(8)] == [result.id for result in found]


async def test_without_the_option_the_pooler_refuses(victim: Path) -> None:
    """Which shows that the pooler of this test is one; the message says what to do."""
    dsn = server.start(victim)
    with tempfile.TemporaryDirectory() as place:
        async with pooled(dsn, Path(place)) as address:
            with pytest.raises(ConnectionFailedError, match="Then connect with pgbouncer=True"):
                async with connect(address):
                    pass
