"""Reading in threads: how many at once, and what becomes of a cancelled read."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from clawdesk_sqlite.file import File
from clawdesk_sqlite.readers import Readers


class Held:
    """Reads that begin and do not end until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()

    def __call__(self, _: apsw.Connection) -> int:
        """Answer 1 at last."""
        self.begun.release()
        self.let_go.wait()
        return 1


def answer(_: apsw.Connection) -> int:
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
