"""Appends from many processes: positions are commit order, and readers see no gap."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from clawdesk_storage import Message, Role, SessionId
from processes import run_all

from clawdesk_postgres import PostgresStorage

SESSION = SessionId("shared")

APPEND = """
import asyncio, sys
from clawdesk_postgres import connect
from clawdesk_storage import Message, Role, SessionId

async def main(dsn, schema, name):
    async with connect(dsn, schema=schema, pool_size=4) as storage:
        async def work(task):
            for number in range(25):
                message = Message(role=Role.USER, content=f"{name} {task} {number}")
                await storage.conversations.append_message(SessionId("shared"), message)
        await asyncio.gather(*map(work, range(4)))

asyncio.run(main(*sys.argv[1:]))
"""


def message(content: str) -> Message:
    """A message that says `content`."""
    return Message(role=Role.USER, content=content)


async def contents(storage: PostgresStorage) -> list[str]:
    """What the messages of the session say, in order."""
    return [each.content for each in await storage.conversations.get_messages(SESSION, limit=9999)]


async def test_appends_of_many_processes_are_all_kept_in_each_ones_order(
    storage: PostgresStorage, dsn: str, schema: str
) -> None:
    """Nothing is lost or doubled, and every task's messages follow each other."""
    await run_all(APPEND, [[dsn, schema, str(process)] for process in range(4)])
    stored = await contents(storage)
    for process in range(4):
        for task in range(4):
            mine = f"{process} {task} "
            expected = [f"{mine}{number}" for number in range(25)]
            assert expected == [content for content in stored if content.startswith(mine)]


async def test_a_reader_sees_a_history_that_only_grows_at_its_end(
    storage: PostgresStorage, dsn: str, schema: str
) -> None:
    """What was read once is the beginning of whatever is read later."""
    writing = asyncio.create_task(run_all(APPEND, [[dsn, schema, str(n)] for n in range(2)]))
    earlier: list[str] = []
    while not writing.done():
        later = await contents(storage)
        assert earlier == later[: len(earlier)]
        earlier = later
    await writing


async def test_an_append_waits_for_the_one_before_it(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """While an earlier append is not committed, a later one cannot become visible."""
    transaction = admin.transaction()
    await transaction.start()
    first = message("first").model_dump_json()
    await admin.execute(f"SELECT {schema}.append_message('shared', $1)", first)
    second = asyncio.create_task(storage.conversations.append_message(SESSION, message("second")))
    await asyncio.sleep(0.1)
    seen = await contents(storage)
    await transaction.commit()
    await second
    assert (seen, await contents(storage)) == ([], ["first", "second"])


async def test_clear_removes_what_was_appended_while_it_waited(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """The append was first, so that nothing of it may be left, on disk either."""
    await storage.conversations.append_message(SESSION, message("old"))
    transaction = admin.transaction()
    await transaction.start()
    new = message("new").model_dump_json()
    await admin.execute(f"SELECT {schema}.append_message('shared', $1)", new)
    clearing = asyncio.create_task(storage.conversations.clear(SESSION))
    await asyncio.sleep(0.1)
    await transaction.commit()
    await clearing
    assert await admin.fetchval(f"SELECT count(*) FROM {schema}.messages") == 0


async def test_a_cancelled_append_leaves_no_lock_and_no_transaction(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Cancelled while it waits for another's lock, it has ended on the server too."""
    await storage.conversations.append_message(SESSION, message("first"))
    async with admin.transaction():
        await admin.execute(f"SELECT * FROM {schema}.conversations FOR UPDATE")
        append = asyncio.create_task(storage.conversations.append_message(SESSION, message("no")))
        await asyncio.sleep(0.1)
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append
        waiting = await admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    await storage.conversations.append_message(SESSION, message("second"))
    assert (waiting, await contents(storage)) == (0, ["first", "second"])


async def test_contents_are_the_conversations_that_have_messages(
    storage: PostgresStorage,
) -> None:
    """What was cleared keeps its counter, and is not there."""
    for name in ("a", "b", "c"):
        await storage.conversations.append_message(SessionId(name), message("x"))
    await storage.conversations.clear(SessionId("b"))
    ids = await storage.conversations.ids(None, limit=9)
    later = await storage.conversations.ids(SessionId("a"), limit=9)
    assert (["a", "c"], ["c"], 2) == (ids, later, await storage.conversations.count())
