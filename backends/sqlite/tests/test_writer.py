"""Group commit: what is shared between callers, and what is not."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from clawdesk_storage import ConnectionFailedError, SerializationError

from clawdesk_sqlite import file as file_module
from clawdesk_sqlite.file import File, execute, statement
from clawdesk_sqlite.writer import Transaction, Work, Writer


class Bench:
    """A writer on a file with the one table `notes`, and a connection to look at it."""

    def __init__(self, path: Path) -> None:
        self.file = File(path)
        execute(self.file.owner, "CREATE TABLE notes (note TEXT PRIMARY KEY)")
        self.other = self.file.connect()
        self.commits = 0
        self.file.owner.set_commit_hook(self._count)
        self.writer = Writer(self.file)

    def _count(self) -> bool:
        self.commits += 1
        return False

    def notes(self) -> list[str]:
        """What is committed."""
        return [note for (note,) in execute(self.other, "SELECT note FROM notes ORDER BY note")]


def add(note: str) -> Work:
    """A write of one statement."""
    return statement("INSERT INTO notes VALUES (?)", note)


class Held:
    """A write that the thread begins, and finishes when it is let go."""

    def __init__(self, note: str) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self._note = note

    def __call__(self, transaction: Transaction) -> None:
        """Write the note."""
        self.begun.set()
        self.let_go.wait()
        execute(transaction, "INSERT INTO notes VALUES (?)", self._note)


@pytest.fixture
async def bench(path: Path) -> AsyncIterator[Bench]:
    """A writer, closed afterwards."""
    bench = Bench(path)
    yield bench
    bench.other.close()
    await asyncio.to_thread(bench.writer.close)


async def test_waiting_writes_share_a_commit(bench: Bench) -> None:
    """Sixty-four tasks that write at once are flushed to the disk once."""
    await asyncio.gather(*(bench.writer.write(add(f"{n:02}")) for n in range(64)))
    assert 1 == bench.commits


async def test_writes_of_a_commit_keep_their_order(bench: Bench) -> None:
    """They take place in the order in which they were asked for."""
    done: list[int] = []
    writes = (bench.writer.write(lambda _, n=n: done.append(n)) for n in range(64))
    await asyncio.gather(*writes)
    assert list(range(64)) == done


async def test_a_failure_is_its_callers_alone(bench: Bench) -> None:
    """A constraint that one write violates does not touch the others of its commit."""
    writes = [bench.writer.write(add(note)) for note in ("a", "b", "a", "c")]
    results = await asyncio.gather(*writes, return_exceptions=True)
    kinds = [type(result) for result in results]
    expected = [type(None), type(None), SerializationError, type(None)]
    assert (expected, ["a", "b", "c"]) == (kinds, bench.notes())


async def test_a_failure_names_the_drivers(bench: Bench) -> None:
    """The driver's exception is the cause of the error."""
    await bench.writer.write(add("a"))
    with pytest.raises(SerializationError) as caught:
        await bench.writer.write(add("a"))
    assert isinstance(caught.value.__cause__, apsw.ConstraintError)


async def test_a_lost_transaction_is_everybodys(bench: Bench) -> None:
    """Where the engine rolls back all of it, nobody in it is told that a write took place."""
    trigger = "CREATE TRIGGER t BEFORE INSERT ON notes WHEN new.note = 'bad' BEGIN {} END"
    execute(bench.other, trigger.format("SELECT RAISE(ROLLBACK, 'bad');"))
    writes = [bench.writer.write(add(note)) for note in ("a", "bad", "b")]
    results = await asyncio.gather(*writes, return_exceptions=True)
    refused = [isinstance(result, SerializationError) for result in results]
    # What came after the failure had not begun, and starts a transaction of its own.
    assert ([True, True, False], ["b"]) == (refused, bench.notes())


async def test_the_writer_goes_on_after_a_lost_transaction(bench: Bench) -> None:
    """The next write is as good as any."""
    trigger = "CREATE TRIGGER t BEFORE INSERT ON notes WHEN new.note = 'bad' BEGIN {} END"
    execute(bench.other, trigger.format("SELECT RAISE(ROLLBACK, 'bad');"))
    await asyncio.gather(bench.writer.write(add("bad")), return_exceptions=True)
    await bench.writer.write(add("good"))
    assert ["good"] == bench.notes()


async def test_a_write_cancelled_while_waiting_is_withdrawn(bench: Bench) -> None:
    """Behind a transaction under way, it never begins."""
    held = Held("first")
    first = asyncio.create_task(bench.writer.write(held))
    await asyncio.to_thread(held.begun.wait)
    second = asyncio.create_task(bench.writer.write(add("second")))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.wait([second])
    held.let_go.set()
    await first
    assert (True, ["first"]) == (second.cancelled(), bench.notes())


async def test_a_write_cancelled_before_its_signal_is_withdrawn(bench: Bench) -> None:
    """It never reaches the thread."""
    write = asyncio.create_task(bench.writer.write(add("a")))
    await asyncio.sleep(0)
    write.cancel()
    await asyncio.wait([write])
    await bench.writer.write(add("b"))
    assert (True, ["b"]) == (write.cancelled(), bench.notes())


async def test_a_write_cancelled_under_way_is_done_when_the_caller_knows(bench: Bench) -> None:
    """However often it is cancelled, what was begun is committed before the caller hears of it."""
    held = Held("a")
    write = asyncio.create_task(bench.writer.write(held))
    await asyncio.to_thread(held.begun.wait)
    for _ in range(3):
        write.cancel()
        await asyncio.sleep(0)
    unheard = not write.done()
    held.let_go.set()
    await asyncio.wait([write])
    assert (True, True, ["a"]) == (unheard, write.cancelled(), bench.notes())


async def test_a_lock_that_never_frees_is_a_failed_connection(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for another process is bounded, and the writer works once the lock is free."""
    monkeypatch.setattr(file_module, "BUSY_SECONDS", 0.05)
    bench = Bench(path)
    execute(bench.other, "BEGIN IMMEDIATE")
    with pytest.raises(ConnectionFailedError) as caught:
        await bench.writer.write(add("a"))
    execute(bench.other, "ROLLBACK")
    await bench.writer.write(add("b"))
    found = type(caught.value.__cause__), bench.notes()
    bench.other.close()
    await asyncio.to_thread(bench.writer.close)
    assert (apsw.BusyError, ["b"]) == found


async def test_a_write_that_waits_for_a_lock_can_be_cancelled(bench: Bench) -> None:
    """The caller does not wait for the lock, and nothing is written when it comes free."""
    execute(bench.other, "BEGIN IMMEDIATE")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bench.writer.write(add("a")), 0.05)
    execute(bench.other, "ROLLBACK")
    await bench.writer.write(add("b"))
    assert ["b"] == bench.notes()


async def test_closing_commits_what_waits(path: Path) -> None:
    """A write that was asked for before the end is not dropped."""
    bench = Bench(path)
    write = asyncio.create_task(bench.writer.write(add("a")))
    await asyncio.sleep(0)
    await asyncio.to_thread(bench.writer.close)
    await write
    found = bench.notes()
    bench.other.close()
    assert ["a"] == found
