"""Short reads: asked for together, answered together, and each for itself."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from clawdesk_storage import StorageIOError

from clawdesk_sqlite.file import File
from clawdesk_sqlite.points import Points


def one(_: apsw.Connection) -> int:
    """A read that takes no time."""
    return 1


@pytest.fixture
async def points(path: Path) -> AsyncIterator[Points]:
    """The thread, closed afterwards."""
    file = File(path)
    points = Points(file)
    yield points
    points.end()
    await asyncio.to_thread(points.close)
    file.close()


async def test_each_is_answered(points: Points) -> None:
    """With what it asked for."""
    reads = [points.read(lambda _, n=n: n) for n in range(100)]
    assert list(range(100)) == await asyncio.gather(*reads)


async def test_a_failure_is_its_callers_alone(points: Points) -> None:
    """What is no `Exception` too; the thread goes on."""

    def fail(_: apsw.Connection) -> int:
        raise SystemExit

    reads = [points.read(one), points.read(fail), points.read(one)]
    found = await asyncio.gather(*reads, return_exceptions=True)
    assert (1, StorageIOError, 1) == (found[0], type(found[1]), found[2])


async def test_what_is_cancelled_while_waiting_never_begins(points: Points) -> None:
    """Nobody wants to know any more."""
    let_go, begun = threading.Event(), threading.Event()
    first = points.read(lambda _: let_go.wait())
    await asyncio.sleep(0.01)
    points.read(lambda _: begun.set()).cancel()
    let_go.set()
    await first
    await points.read(lambda _: None)
    assert not begun.is_set()


async def test_closing_answers_what_waits(path: Path) -> None:
    """A read that was asked for before the end is not dropped."""
    file = File(path)
    points = Points(file)
    reads = [points.read(lambda _: 2) for _ in range(5)]
    points.end()
    await asyncio.to_thread(points.close)
    file.close()
    assert [2] * 5 == await asyncio.gather(*reads)
