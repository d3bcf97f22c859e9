"""Reading in threads: how many at once, and what becomes of a cancelled read."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from clawdesk_storage import ChannelId, SerializationError, Session, SessionId

from clawdesk_sqlite import SQLiteStorage
from clawdesk_sqlite.file import File, batches, execute, snapshot
from clawdesk_sqlite.reader import Cursor
from clawdesk_sqlite.readers import Readers

MILLION = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)
SELECT n FROM numbers
"""
ENDLESS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
SELECT count(*) FROM numbers
"""


class Held:
    """Reads that begin and do not end until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()

    def __call__(self, _: Cursor) -> int:
        """Answer 1 at last."""
        self.begun.release()
        self.let_go.wait()
        return 1


def answer(_: Cursor) -> int:
    """A read that takes no time."""
    return 2


@pytest.fixture
async def readers(path: Path) -> AsyncIterator[Readers]:
    """Two readers, closed afterwards."""
    file = File(path)
    readers = Readers(file, 2)
    yield readers
    await asyncio.to_thread(readers.close)
    file.close()


async def test_a_read_does_not_wait_for_a_slow_one(readers: Readers) -> None:
    """There is a thread for each, up to the number that was asked for."""
    held = Held()
    slow = readers.read(held)
    found = await readers.read(answer)
    held.let_go.set()
    assert (2, 1) == (found, await slow)


async def test_a_read_behind_slow_ones_has_its_turn(readers: Readers) -> None:
    """What finds every thread at work waits, and is answered."""
    held = Held()
    slow = [readers.read(held) for _ in range(2)]
    last = readers.read(answer)
    await asyncio.to_thread(lambda: [held.begun.acquire() for _ in slow])
    held.let_go.set()
    assert 2 == await last


async def test_a_cancelled_read_still_counts_while_it_runs(readers: Readers) -> None:
    """Its thread is not free: another one answers the next read."""
    held = Held()
    slow = readers.read(held)
    await asyncio.to_thread(held.begun.acquire)
    slow.cancel()
    found = await readers.read(answer)
    held.let_go.set()
    assert 2 == found


async def test_a_read_cancelled_while_waiting_never_begins(readers: Readers) -> None:
    """Nobody wants to know any more."""
    held, unwanted = Held(), Held()
    slow = [readers.read(held) for _ in range(2)]
    readers.read(unwanted).cancel()
    held.let_go.set()
    await asyncio.gather(*slow)
    await readers.read(answer)
    assert not unwanted.begun.acquire(blocking=False)


async def test_closing_answers_what_waits(path: Path) -> None:
    """A read that was asked for before the end is not dropped."""
    file = File(path)
    readers = Readers(file, 1)
    reads = [readers.read(answer) for _ in range(5)]
    await asyncio.to_thread(readers.close)
    file.close()
    assert [2] * 5 == await asyncio.gather(*reads)


class Long:
    """A read of a million rows that stops after the first hundred until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.rows = 0

    def __call__(self, cursor: Cursor) -> int:
        """Go through the rows in one snapshot."""
        with snapshot(cursor):
            for rows in batches(cursor, MILLION):
                self.rows += len(rows)
                self.begun.set()
                self.let_go.wait()
        return self.rows


async def test_a_long_read_that_is_cancelled_is_broken_off(path: Path) -> None:
    """It ends with a small part of its rows, and its connection goes on with the next read."""
    file = File(path)
    readers = Readers(file, 1)
    long = Long()
    read = readers.read(long)
    await asyncio.to_thread(long.begun.wait)
    read.cancel()
    long.let_go.set()
    found = await readers.read(lambda cursor: execute(cursor, "SELECT 2"))
    await asyncio.to_thread(readers.close)
    file.close()
    assert ([(2,)], True) == (found, long.rows < 50_000)


async def test_a_long_statement_that_is_cancelled_is_broken_off(readers: Readers) -> None:
    """One that never gives a row ends too; otherwise closing would wait for it for ever."""
    begun = threading.Event()

    def endless(cursor: Cursor) -> object:
        begun.set()
        return execute(cursor, ENDLESS)

    read = readers.read(endless)
    await asyncio.to_thread(begun.wait)
    read.cancel()


async def test_what_keeps_something_is_finished(path: Path) -> None:
    """Where that is asked for, so that the next one finds it."""
    file = File(path)
    readers = Readers(file, 1, abandoning=False)
    long = Long()
    read = readers.read(long)
    await asyncio.to_thread(long.begun.wait)
    read.cancel()
    long.let_go.set()
    await asyncio.to_thread(readers.close)
    file.close()
    assert 1_000_000 == long.rows


async def test_what_was_broken_off_holds_no_snapshot(path: Path) -> None:
    """The same connection sees what was written since, and lets the log be merged."""
    file = File(path)
    readers = Readers(file, 1)

    def fail(cursor: Cursor) -> None:
        for _ in batches(cursor, "SELECT * FROM sqlite_schema"):
            raise SerializationError("damaged")

    with pytest.raises(SerializationError):
        await readers.read(fail)
    execute(file.owner, "CREATE TABLE notes (note)")
    [(busy, *_)] = execute(file.owner, "PRAGMA wal_checkpoint(TRUNCATE)")
    found = await readers.read(lambda cursor: execute(cursor, "SELECT count(*) FROM notes"))
    await asyncio.to_thread(readers.close)
    file.close()
    assert (0, [(0,)]) == (busy, found)


async def test_short_reads_do_not_queue_behind_long_ones(storage: SQLiteStorage) -> None:
    """A session is read while every thread for long reads is at work."""
    session = Session(id=SessionId("a"), channel=ChannelId("c"))
    await storage.sessions.save(session)
    engine: Any = vars(storage.sessions)["_engine"]
    held = Held()
    long = [engine.read(held) for _ in range(8)]
    await asyncio.to_thread(lambda: [held.begun.acquire() for _ in range(4)])
    found = [
        await storage.sessions.get(session.id),
        *await storage.sessions.list(50, 0),
        *await storage.sessions.list(100, 0),
    ]
    held.let_go.set()
    await asyncio.gather(*long)
    assert [session] * 3 == found
