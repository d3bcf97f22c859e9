"""Sessions read one by one, together with others, and in pages."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from clawdesk_storage import ChannelId, SerializationError, Session, SessionId

from clawdesk_postgres import PostgresStorage

COUNT = 150


def session(number: int) -> Session:
    """One of many sessions, all different."""
    return Session(id=SessionId(f"s{number}"), channel=ChannelId("c"), message_count=number)


@pytest.fixture
async def sessions(storage: PostgresStorage) -> list[Session]:
    """Many sessions that are stored, newest first."""
    stored = [session(number) for number in range(COUNT)]
    await asyncio.gather(*map(storage.sessions.save, stored))
    return sorted(stored, key=lambda each: each.last_activity, reverse=True)


async def test_reads_at_the_same_time_are_answered_each_with_its_own(
    storage: PostgresStorage, sessions: list[Session]
) -> None:
    """They share statements, and some ask for the same session, or for one that is not there."""
    ids = [*(each.id for each in sessions), sessions[0].id, SessionId("absent")]
    found = await asyncio.gather(*map(storage.sessions.get, ids))
    assert [*sessions, sessions[0], None] == found


async def test_a_damaged_session_is_an_error_for_its_reader_alone(
    storage: PostgresStorage, sessions: list[Session], admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Those who read others in the same statement get them."""
    await admin.execute(f"UPDATE {schema}.sessions SET record = 'x' WHERE id = 's100'")
    found = await asyncio.gather(
        *(storage.sessions.get(each.id) for each in sessions), return_exceptions=True
    )
    failed = [each.id for each, came in zip(sessions, found, strict=True) if each != came]
    assert ["s100"] == failed


async def test_a_cancelled_read_waits_for_nobody(
    storage: PostgresStorage, sessions: list[Session], admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Those who share its statement are still answered, once the server does."""
    async with admin.transaction():
        await admin.execute(f"LOCK TABLE {schema}.sessions")
        reads = [asyncio.create_task(storage.sessions.get(each.id)) for each in sessions[:9]]
        await asyncio.sleep(0.1)
        for read in reads[:2]:  # these have a statement each, and the others' is sent after them
            read.cancel()
        await asyncio.sleep(0.1)
        reads[5].cancel()
        ended, _ = await asyncio.wait([reads[5]], timeout=5)
    found = await asyncio.gather(*reads[2:5], *reads[6:])
    assert ({reads[5]}, [*sessions[2:5], *sessions[6:9]]) == (ended, found)


@pytest.mark.parametrize("damage", ["left(record, -1)", "''", "record || ',' || record"])
async def test_a_damaged_session_is_named_in_a_page(
    storage: PostgresStorage,
    sessions: list[Session],
    admin: asyncpg.Connection[Any],
    schema: str,
    damage: str,
) -> None:
    """Though its page is read in one piece, what is broken, missing or doubled is found."""
    await admin.execute(f"UPDATE {schema}.sessions SET record = {damage} WHERE id = 's7'")
    with pytest.raises(SerializationError, match="'s7'"):
        await storage.sessions.list(COUNT, 0)


async def test_what_is_doubled_does_not_make_up_for_what_is_missing(
    storage: PostgresStorage, sessions: list[Session], admin: asyncpg.Connection[Any], schema: str
) -> None:
    """As many sessions as records, and yet two records are damaged."""
    await admin.execute(
        f"UPDATE {schema}.sessions SET record = record || ',' || record WHERE id = 's3';"
        f"UPDATE {schema}.sessions SET record = '' WHERE id = 's7'"
    )
    with pytest.raises(SerializationError, match=r"'s[37]'"):
        await storage.sessions.list(COUNT, 0)
