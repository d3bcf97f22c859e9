"""Short reads: asked for together, answered together, and each for itself."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest
from clawdesk_storage import NotFoundError, StorageIOError

from clawdesk_sqlite import haste
from clawdesk_sqlite.file import File, execute
from clawdesk_sqlite.points import Points
from clawdesk_sqlite.reader import Cursor

FEW = 4


def one(_: Cursor) -> int:
    """A read that takes no time."""
    return 1


def here(_: Cursor) -> bool:
    """Whether it is read in the thread of the event loop."""
    return threading.current_thread() is threading.main_thread()


def wait(_: Cursor) -> None:
    """A read that takes long because of something else."""
    time.sleep(0.01)


def work(_: Cursor) -> None:
    """A read that takes long by itself."""
    began = time.thread_time()
    while time.thread_time() - began < 0.01:
        pass


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

    def fail(_: Cursor) -> int:
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


@pytest.fixture
async def quick(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Points]:
    """A few may be read on the loop, however busy the machine is, and the connection is there."""
    monkeypatch.setattr(haste, "_TURN_SECONDS", 60)
    monkeypatch.setattr(haste, "_SLOW_SECONDS", 60)
    file = File(path)
    points = Points(file, FEW)
    await points.read(one)
    yield points
    points.end()
    await asyncio.to_thread(points.close)
    file.close()


async def patient(points: Points) -> list[bool]:
    """Where several of a turn are read, one more than the loop may."""
    return await asyncio.gather(*(points.read(here) for _ in range(FEW + 1)))


async def test_a_few_are_read_on_the_loop(quick: Points) -> None:
    """As many as were allowed in one turn, whoever asks."""
    assert [True] * FEW == await asyncio.gather(*(quick.read(here) for _ in range(FEW)))


async def test_more_are_read_in_the_thread(quick: Points) -> None:
    """All of the turn together."""
    assert [False] * (FEW + 1) == await patient(quick)


async def test_the_first_is_read_in_the_thread(path: Path) -> None:
    """Connecting takes as long as the disk does."""
    file = File(path)
    points = Points(file, FEW)
    found = await points.read(here), await points.read(here)
    points.end()
    await asyncio.to_thread(points.close)
    file.close()
    assert (False, True) == found


async def test_none_is_read_on_the_loop_while_the_thread_reads(quick: Points) -> None:
    """They have one connection, and the loop would wait for the thread."""
    let_go = threading.Event()
    slow = quick.read(lambda _: let_go.wait(), rows=FEW + 1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    behind = quick.read(here)
    await asyncio.sleep(0)
    let_go.set()
    assert (True, False) == (await slow, await behind)


async def test_a_busy_file_is_waited_for_in_the_thread(quick: Points) -> None:
    """And what comes after in the same turn."""
    attempts: list[bool] = []

    def busy(cursor: Cursor) -> bool:
        attempts.append(here(cursor))
        if attempts[-1]:
            raise apsw.BusyError
        return here(cursor)

    found = await asyncio.gather(quick.read(here), quick.read(busy), quick.read(here))
    assert ([True, False, False], [True, False]) == (found, attempts)


async def test_no_lock_is_waited_for_on_the_loop(quick: Points) -> None:
    """The connection waits in the thread alone."""

    def timeout(cursor: Cursor) -> int:
        [(milliseconds,)] = execute(cursor, "PRAGMA busy_timeout")
        return milliseconds

    on_the_loop = await quick.read(timeout)
    in_the_thread = await quick.read(timeout, rows=FEW + 1)
    assert (0, 5000) == (on_the_loop, in_the_thread)


async def test_the_rest_of_a_long_turn_is_read_in_the_thread(
    quick: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop has other things to do; the next turn is read there again."""
    monkeypatch.setattr(haste, "_TURN_SECONDS", 0)
    turns = [await asyncio.gather(quick.read(here), quick.read(here)) for _ in range(2)]
    assert [[True, False]] * 2 == turns


@pytest.mark.parametrize("slow", [wait, work])
async def test_a_slow_read_is_followed_by_a_pause(
    slow: Callable[[Cursor], None], quick: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it waited for the disk or worked; once that is over, the loop reads again."""
    monkeypatch.setattr(haste, "_SLOW_SECONDS", 0.002)
    await quick.read(slow)
    monkeypatch.setattr(haste, "_SLOW_SECONDS", 60)
    paused = await quick.read(here)
    later = time.monotonic() + 3600
    monkeypatch.setattr(haste, "monotonic", lambda: later)
    assert (False, True) == (paused, await quick.read(here))


async def test_whoever_had_no_processor_was_not_slow(
    quick: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time passes on a busy machine, while the thread neither works nor waits."""
    monkeypatch.setattr(haste, "_SLOW_SECONDS", 0.5)
    began = time.monotonic()
    passing = iter([began, *[began + 1] * 9])
    monkeypatch.setattr(haste, "monotonic", lambda: next(passing))
    await quick.read(one)
    assert await quick.read(here)


async def test_a_failure_on_the_loop_is_its_callers_alone(quick: Points) -> None:
    """The others of its turn are answered."""

    def fail(_: Cursor) -> int:
        raise apsw.IOError

    found = await asyncio.gather(
        quick.read(one), quick.read(fail), quick.read(here), return_exceptions=True
    )
    assert (1, StorageIOError, True) == (found[0], type(found[1]), found[2])


async def test_what_was_cancelled_before_its_turn_is_not_read_on_the_loop(quick: Points) -> None:
    """Nobody wants to know any more."""
    begun = threading.Event()
    quick.read(lambda _: begun.set()).cancel()
    assert (1, False) == (await quick.read(one), begun.is_set())


async def test_the_file_is_checked_on_the_loop_too(quick: Points, path: Path) -> None:
    """What was removed answers nobody."""
    path.unlink()
    with pytest.raises(NotFoundError):
        await quick.read(one)


def test_an_interrupt_ends_the_loop(path: Path) -> None:
    """Ctrl-C that comes while the loop reads is no error of the caller's."""

    def interrupted(_: Cursor) -> None:
        raise KeyboardInterrupt

    async def run() -> None:
        file = File(path)
        points = Points(file, FEW)
        await points.read(one)
        try:
            await points.read(interrupted)
        finally:
            points.end()
            await asyncio.to_thread(points.close)
            file.close()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run())
