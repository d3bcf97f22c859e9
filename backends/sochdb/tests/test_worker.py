"""The one thread: every caller is answered, for itself, whatever a job does."""

import asyncio
import gc
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Never

import pytest
from clawdesk_storage import ConnectionFailedError, StorageError, StorageIOError

from clawdesk_sochdb import open_storage
from clawdesk_sochdb.engine import SochDBError, Transaction
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.worker import Worker

TIMEOUT = 10.0
ERRORS = [
    StopIteration,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
    MemoryError,
    TypeError,
    SochDBError,
]


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    """A worker, closed afterwards."""
    worker = Worker(tmp_path)
    await worker.open()
    yield worker
    await worker.close()


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that give way to each other at every chance."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def put(records: Records, id: bytes) -> None:
    """A write."""
    with records.writing() as changes:
        changes.put(b"k/" + id, id)


def ids(records: Records) -> list[str]:
    """A read."""
    return [id for id, _ in records.scan(b"k/")]


def raising(kind: type[BaseException]) -> Callable[[Records], None]:
    """A job that raises in the middle of its changes."""

    def job(records: Records) -> None:
        with records.writing() as changes:
            changes.put(b"k/refused", b"refused")
            raise kind("no")

    return job


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_job_that_raises_is_its_callers_alone(
    worker: Worker, kind: type[BaseException]
) -> None:
    """Those beside it are answered, it is told one of the four errors, and later calls go on."""
    calls = [worker.write(put, b"a"), worker.write(raising(kind)), worker.write(put, b"b")]
    async with asyncio.timeout(TIMEOUT):
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert ["a", "b"] == await worker.read(ids)
    assert [type(None), StorageIOError, type(None)] == [type(answer) for answer in answers]


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_commit_that_fails_is_told_to_each_caller(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """By an exception of its own, in whose reach nothing of another caller's is."""

    def fail(records: Records) -> Never:
        raise kind("no")

    monkeypatch.setattr(Records, "commit", fail)
    secrets = [f"secret {number}".encode() for number in range(3)]
    calls = [worker.write(put, secret) for secret in secrets]
    async with asyncio.timeout(TIMEOUT):
        answers = await asyncio.gather(*calls, return_exceptions=True)
    monkeypatch.undo()
    errors = [answer for answer in answers if isinstance(answer, StorageError)]
    assert 3 == len({id(error) for error in errors})
    for own, error in zip(secrets, errors, strict=True):
        assert {own} == reachable(error) & set(secrets)


def reachable(error: BaseException) -> set[bytes]:
    """The bytes that the package's frames lead to, from the tracebacks of an error."""
    left: list[Any] = []
    cause: BaseException | None = error
    while cause is not None:
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            left += [caller for caller, _ in traceback.walk_stack(frame) if is_ours(caller)]
        cause = cause.__cause__ or cause.__context__
    seen = dict[int, Any]()
    while left:
        one = left.pop()
        if id(one) not in seen and not is_shared(one):
            seen[id(one)] = one
            left += gc.get_referents(one)
    return {one for one in seen.values() if isinstance(one, bytes)}


def is_shared(one: Any) -> bool:
    """Whether an object leads to everything there is."""
    if isinstance(one, FrameType):
        return not is_ours(one)
    if isinstance(one, dict):
        return "__builtins__" in one  # a module's
    return isinstance(one, (ModuleType, type, asyncio.Future, asyncio.AbstractEventLoop))


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is of the package."""
    return "clawdesk_sochdb" in frame.f_code.co_filename


async def test_a_commit_that_the_engine_refuses_may_have_taken_place(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can know before the log is read again, and so the error says no more."""

    def fail(transaction: Transaction) -> Never:
        raise SochDBError("no")

    monkeypatch.setattr(Transaction, "commit", fail)
    with pytest.raises(StorageIOError, match="shows when the storage is opened again"):
        await worker.write(put, b"a")
    with pytest.raises(ConnectionFailedError, match="close the storage and open it again"):
        await worker.read(ids)


async def test_a_call_behind_the_close_is_refused(worker: Worker) -> None:
    """Where another loop closes between a call's look and its job."""
    await worker.close()
    worker._closed = False  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(TIMEOUT):
        with pytest.raises(ConnectionFailedError, match="has been closed"):
            await worker.read(ids)
    worker._closed = True  # pyright: ignore[reportPrivateUsage]


@pytest.mark.usefixtures("switching")
async def test_loops_use_one_storage_together(tmp_path: Path) -> None:
    """None of their calls is left behind, however they meet."""
    async with open_storage(tmp_path) as storage:

        async def count() -> None:
            for _ in range(300):
                await storage.sessions.count()

        async with asyncio.timeout(60):
            await asyncio.gather(*(asyncio.to_thread(asyncio.run, count()) for _ in range(4)))


async def test_no_thread_outlives_the_close(tmp_path: Path) -> None:
    """Not for a moment, and not where whoever closes is cancelled."""
    before = set(threading.enumerate())
    async with open_storage(tmp_path / "one") as storage:
        await storage.sessions.count()
    left = set(threading.enumerate()) - before
    worker = Worker(tmp_path / "two")
    await worker.open()
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    async with asyncio.timeout(TIMEOUT):
        while set(threading.enumerate()) - before:
            await asyncio.sleep(0.01)
    assert set[threading.Thread]() == left


@pytest.mark.parametrize("name", [b"caf\xe9", b"\xed\xa0\x80"])
async def test_a_location_that_is_not_utf8_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """By a sentence that names it, before anything is made; also where it is the working folder."""
    location = Path(str(tmp_path)) / name.decode("utf-8", "surrogateescape")
    with pytest.raises(ValueError, match="is not UTF-8"):
        await open_storage(location).__aenter__()
    assert not location.exists()
    location.mkdir()
    monkeypatch.chdir(location)
    with pytest.raises(ValueError, match="is not UTF-8"):
        await open_storage(Path("data")).__aenter__()
    assert [] == list(location.iterdir())
