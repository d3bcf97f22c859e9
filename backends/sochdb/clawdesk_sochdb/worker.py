"""The thread that makes the engine's blocking calls."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

from clawdesk_storage import ConnectionFailedError, StorageIOError, translate_errors

from clawdesk_sochdb.engine import SochDBError
from clawdesk_sochdb.job import Job
from clawdesk_sochdb.records import Records

__all__ = ["Worker"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Worker:
    """One thread with the records of one location.

    It does one job after the other, in the order in which they were asked for, and commits writes
    that follow one another together. That makes the stores linearizable, and it makes cancellation
    simple: a job that has not begun is dropped, and one that has begun takes place whole.

    Args:
        location: The directory of the storage.

    Raises:
        ValueError: The engine knows no directory of that name.
    """

    def __init__(self, location: Path) -> None:
        # The working directory may change while it is open.
        self._location = location.absolute()
        _check_name(self._location)
        self._process = os.getpid()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sochdb")
        self._lock = Lock()  # of the two below
        self._jobs: deque[Job[Any]] = deque()
        self._working = False
        self._records: Records | None = None
        self._closed = False

    async def open(self) -> None:
        """Open the records.

        Raises:
            StorageError: They cannot be opened.
        """
        with translate_errors({SochDBError: StorageIOError}):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    def check_open(self) -> None:
        """Raise `ConnectionFailedError` once the worker is closed, and in a forked child."""
        # The thread stays behind in the parent: a child would wait for it for ever.
        if os.getpid() != self._process:
            raise ConnectionFailedError(
                "the storage was opened before a fork; open one in the child, once the parent's "
                "is closed"
            )
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")

    async def read(
        self, work: Callable[Concatenate[Records, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Return what `work` makes of the records and the arguments.

        Raises:
            StorageError: The worker is closed, or the engine failed.
        """
        return await self._answer(Job(lambda: work(self._opened(), *args, **kwargs), writes=False))

    async def write(
        self, work: Callable[Concatenate[Records, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Return what `work` makes, once the changes that it made are on the disk.

        Raises:
            StorageError: The worker is closed, or the engine failed.
        """
        return await self._answer(Job(lambda: work(self._opened(), *args, **kwargs), writes=True))

    async def close(self) -> None:
        """Finish the jobs that were asked for, then close the records; later calls do nothing."""
        if self._closed:
            return
        self._closed = True
        if os.getpid() != self._process:
            return  # what is open belongs to the parent
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        # By then the thread has nothing left to do, and is waited for in no time.
        closing.add_done_callback(lambda _: self._thread.shutdown())
        with translate_errors({SochDBError: StorageIOError}):
            # A caller who is cancelled stops waiting; the thread closes all the same.
            await asyncio.shield(closing)

    async def _answer(self, job: Job[_T]) -> _T:
        self.check_open()
        with self._lock:
            if not self._working:
                self._start()
            self._jobs.append(job)
        return await job.answer

    def _start(self) -> None:
        try:
            self._thread.submit(self._work)
        except RuntimeError as error:  # another loop has closed it, or the interpreter ends
            raise ConnectionFailedError("the storage has been closed") from error
        self._working = True

    def _work(self) -> None:
        while jobs := self._next():
            answers = self._answers([job for job in jobs if not job.answer.cancelled()])
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                jobs[0].loop.call_soon_threadsafe(_give, answers)

    def _answers(self, jobs: Sequence[Job[Any]]) -> Sequence[Callable[[], None]]:
        answers = [job.done() for job in jobs]
        try:
            if self._records is not None:
                self._records.commit()
        except BaseException as error:  # noqa: BLE001  (it belongs to who waits for the answers)
            return [job.failed(error) for job in jobs]
        return answers

    def _next(self) -> Sequence[Job[Any]]:
        """The jobs to do together, of those that wait now; without any the thread has done."""
        with self._lock:
            jobs: list[Job[Any]] = []
            while self._jobs and (not jobs or jobs[0].goes_with(self._jobs[0])):
                jobs.append(self._jobs.popleft())
            self._working = bool(jobs)
            return jobs

    def _open(self) -> None:
        self._records = Records(self._location)

    def _opened(self) -> Records:
        if self._records is None:
            raise ConnectionFailedError("the storage is not open")
        return self._records

    def _close(self) -> None:
        if self._records is not None:
            self._records.close()
            self._records = None


def _check_name(location: Path) -> None:
    try:
        str(location).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the location {str(location)!r} is not UTF-8, and the engine takes no other name"
        ) from None


def _give(answers: Sequence[Callable[[], None]]) -> None:
    for answer in answers:
        answer()
