"""Writes that are cancelled, refused or locked out, and what others of the process notice of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from clawdesk_storage import (
    AppConfig,
    ChannelId,
    ConnectionFailedError,
    Message,
    Role,
    Session,
    SessionId,
    StorageIOError,
    VectorEntry,
)

from clawdesk_postgres import PostgresStorage, connect

SESSION = SessionId("s")
SAVED = Session(id=SESSION, channel=ChannelId("c"))


def message(content: str) -> Message:
    """A message that says `content`."""
    return Message(role=Role.USER, content=content)


WRITES: dict[str, Callable[[PostgresStorage], Awaitable[object]]] = {
    "append": lambda s: s.conversations.append_message(SESSION, message("late")),
    "batch": lambda s: s.conversations.append_messages(SESSION, [message("late")] * 3),
    "guarded": lambda s: s.conversations.append_after(SESSION, 1, [message("late")]),
    "clear": lambda s: s.conversations.clear(SESSION),
    "save": lambda s: s.sessions.save(SAVED.model_copy(update={"message_count": 9})),
    "config": lambda s: s.config.save_config(AppConfig.model_validate({"extra": "late"})),
    "upsert": lambda s: s.vectors.upsert("v", [1.0, 0.0], metadata="late"),
    "vectors": lambda s: s.vectors.upsert_many([VectorEntry("v", [1.0, 0.0], "late")]),
}
TABLES = {"save": "sessions", "config": "config", "upsert": "vectors", "vectors": "vectors"}


async def state(storage: PostgresStorage) -> list[object]:
    """All there is."""
    return [
        await storage.conversations.get_messages(SESSION, limit=99),
        await storage.sessions.get(SESSION),
        await storage.config.get_config(),
        await storage.vectors.search([1.0, 0.0], top_k=9),
    ]


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_is_cancelled_twice_does_not_take_place_afterwards(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str, name: str
) -> None:
    """A timeout, then a shutdown: by the time of CancelledError the server has let go of it."""
    await storage.conversations.append_message(SESSION, message("first"))
    await storage.sessions.save(SAVED)
    await storage.config.save_config(AppConfig())
    await storage.vectors.upsert("v", [1.0, 0.0], metadata="first")
    before = await state(storage)
    for pause in (0.0, 0.001, 0.003):
        async with admin.transaction():
            await admin.execute(f"LOCK TABLE {schema}.{TABLES.get(name, 'conversations')}")
            task = asyncio.ensure_future(WRITES[name](storage))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(pause)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            running = await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid)"
                " WHERE NOT granted AND query LIKE $1",
                f"%{schema}%",
            )
            assert running == 0
    assert before == await state(storage)


async def test_a_locked_conversation_holds_up_nobody_else(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Others go on by the hundred while one is locked by somebody else, in whatever it shares."""
    names = [SessionId(f"c{number}") for number in range(8)]
    for name in [SESSION, *names]:
        await storage.conversations.append_message(name, message("first"))
    async with admin.transaction():
        await admin.execute(f"SELECT FROM {schema}.conversations WHERE session_id = 's' FOR UPDATE")
        stuck = [
            asyncio.create_task(storage.conversations.append_message(SESSION, message(str(n))))
            for n in range(30)
        ]
        stuck.append(asyncio.create_task(storage.conversations.clear(SESSION)))
        done = 0

        async def work(name: SessionId) -> None:
            nonlocal done
            while not over.done():
                await storage.conversations.append_message(name, message("x"))
                done += 1

        over = asyncio.get_running_loop().create_future()
        workers = [asyncio.create_task(work(name)) for name in names]
        await asyncio.sleep(2)
        over.set_result(None)
        await asyncio.wait_for(asyncio.gather(*workers), 1)
    await asyncio.gather(*stuck)
    assert done > 100
    assert await storage.conversations.get_messages(SESSION, limit=99) == []


async def test_appends_to_one_conversation_keep_their_order_when_it_was_locked(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Though the statement that they shared is given up, and each goes by itself."""
    for name in ("a", SESSION):
        await storage.conversations.append_message(SessionId(name), message("first"))
    async with admin.transaction():
        await admin.execute(f"SELECT FROM {schema}.conversations WHERE session_id = 's' FOR UPDATE")
        tasks = [
            asyncio.create_task(
                storage.conversations.append_message(SessionId(name), message(str(number)))
            )
            for number in range(20)
            for name in ("a", SESSION)
        ]
        await asyncio.sleep(0.4)
    await asyncio.gather(*tasks)
    expected = ["first", *map(str, range(20))]
    for name in ("a", SESSION):
        history = await storage.conversations.get_messages(SessionId(name), limit=99)
        assert expected == [each.content for each in history]


async def test_an_append_that_is_refused_fails_alone_and_quotes_nobody(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Of those that share its statement all others are stored; no text is told to anybody."""
    await admin.execute(
        f"ALTER TABLE {schema}.messages ADD CHECK (record NOT LIKE '%refused secret%')"
    )
    outcomes = await asyncio.gather(
        *(
            storage.conversations.append_message(
                SessionId(f"s{n % 50}"), message("refused secret" if n == 77 else str(n))
            )
            for n in range(200)
        ),
        return_exceptions=True,
    )
    (failure,) = [each for each in outcomes if each is not None]
    assert isinstance(failure, StorageIOError)
    assert "secret" not in f"{failure} {failure.__cause__}"
    assert await admin.fetchval(f"SELECT count(*) FROM {schema}.messages") == 199


async def test_each_caller_gets_an_error_of_his_own(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Though it was one statement that failed for all of them."""
    await admin.execute(f"DROP FUNCTION {schema}.append_message")
    calls = (
        storage.conversations.append_message(SessionId(str(n)), message("x")) for n in range(20)
    )
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert len({id(each) for each in outcomes}) == 20


@pytest.mark.parametrize("shared", [False, True])
async def test_the_timeout_is_a_bound(
    storage: PostgresStorage,
    admin: asyncpg.Connection[Any],
    dsn: str,
    schema: str,
    *,
    shared: bool,
) -> None:
    """No call takes much longer, whatever it waits for: a lock, a connection, its turn."""
    taken: list[float] = []
    async with connect(dsn, schema=schema, timeout=0.5, pool_size=2) as hurried:

        async def append(session: str) -> None:
            started = time.monotonic()
            with pytest.raises(ConnectionFailedError):
                await hurried.conversations.append_message(SessionId(session), message("x"))
            taken.append(time.monotonic() - started)

        async with admin.transaction():
            await admin.execute(f"LOCK TABLE {schema}.conversations")
            names = (str(n) if shared else "s" for n in range(12))
            await asyncio.gather(*map(append, names))
    assert max(taken) < 1.5


async def test_cancelling_many_waiting_appends_is_quick(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Their number does not multiply with itself: it was 56 seconds."""
    async with admin.transaction():
        await admin.execute(f"LOCK TABLE {schema}.conversations")
        tasks = [
            asyncio.create_task(storage.conversations.append_message(SESSION, message("x")))
            for _ in range(20_000)
        ]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.wait_for(asyncio.wait(tasks), 20)
    assert await storage.conversations.get_messages(SESSION, limit=9) == []


async def test_the_loop_goes_on_while_a_long_history_is_decoded(
    storage: PostgresStorage, admin: asyncpg.Connection[Any], schema: str
) -> None:
    """Between any two pages others have their turn."""
    record = message("x").model_dump_json()
    await admin.execute(
        f"INSERT INTO {schema}.messages SELECT 's', n, $1 FROM generate_series(1, 20000) AS n",
        record,
    )
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    rows = asyncio.create_task(storage.conversations.get_messages(SESSION, limit=20_000))
    counting = asyncio.create_task(count())
    assert len(await rows) == 20_000
    counting.cancel()
    assert turns >= 200


async def test_a_forked_child_is_refused_and_harms_nobody(storage: PostgresStorage) -> None:
    """The connections are its parent's, which goes on with them."""
    await storage.sessions.save(SAVED)
    child = os.fork()
    if not child:  # no assertion here: pytest's machinery is the parent's, too
        os._exit(_refused_in_child(storage))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert (0, SAVED) == (os.waitstatus_to_exitcode(status), await storage.sessions.get(SESSION))


def _refused_in_child(storage: PostgresStorage) -> int:
    async def refused() -> None:
        calls = [
            storage.sessions.get(SESSION),
            storage.conversations.append_message(SESSION, message("x")),
            storage.vectors.search([1.0], top_k=1),
            storage.config.get_config(),
        ]
        for call in calls:
            try:
                await call
            except ConnectionFailedError as error:
                if "fork" in str(error):
                    continue
            raise RuntimeError

    try:
        coroutine = refused()
        coroutine.send(None)
    except StopIteration:
        return 0
    except BaseException:  # noqa: BLE001
        return 1
    return 2
