"""One thread that writes, and commits together whatever is waiting.

A commit costs a flush to the disk, whether it holds one write or a hundred. So the writes that
wait when a transaction starts all go into it, and each caller is answered after the flush.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

import apsw
from clawdesk_storage import translate_errors

from clawdesk_sqlite.errors import DRIVER
from clawdesk_sqlite.file import File, execute

__all__ = ["Work", "Writer"]

Work = Callable[[apsw.Cursor], object]
"""One write. What it changes, it changes by one statement or inside a savepoint, so that it leaves
nothing behind where it fails."""


class _Job:
    """A write on its way through the thread. Only the loop touches `woken` and `answered`."""

    __slots__ = ("answered", "error", "woken", "work")

    def __init__(self, work: Work, woken: asyncio.Future[None]) -> None:
        self.work = work
        self.woken = woken
        self.error: Exception | None = None
        self.answered = False


class Writer:
    """The thread, and the jobs that wait for it.

    To be made and used on one event loop.

    Args:
        file: What to write to. The writer owns `file.owner` from then on.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self._connection = file.owner
        # One for all statements: making a cursor costs a third of an insert.
        self._cursor = file.owner.cursor()
        self._loop = asyncio.get_running_loop()
        # Appended to by the loop and popped by the thread; each operation on a deque is atomic.
        self._waiting: deque[_Job] = deque()
        self._signals: SimpleQueue[bool] = SimpleQueue()
        self._signalled = False
        self._thread = Thread(target=self._serve, name="clawdesk-sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Work) -> None:
        """Have `work` done and committed.

        A caller cancelled before its transaction starts takes the write back; after that the write
        is carried out, and the cancellation arrives when it is.

        Raises:
            StorageError: It was not done; nothing of it is stored.
            ValueError: What `work` itself raised.
        """
        job = _Job(work, self._loop.create_future())
        self._waiting.append(job)
        self._signal()
        try:
            await job.woken
        except asyncio.CancelledError:
            await self._withdraw(job)
            raise
        if job.error is not None:
            with translate_errors(DRIVER):
                raise job.error

    def close(self) -> None:
        """Commit what is waiting and close the connection. Blocks; to be called once."""
        self._signals.put(False)
        self._thread.join()

    def _signal(self) -> None:
        # One signal at the end of the loop's turn: all tasks that run in it are in one commit, and
        # the thread does not compete with them for the interpreter.
        if not self._signalled:
            self._signalled = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._signalled = False
        self._signals.put(True)

    async def _withdraw(self, job: _Job) -> None:
        with suppress(ValueError):
            self._waiting.remove(job)
            return
        while not job.answered:
            job.woken = self._loop.create_future()
            with suppress(asyncio.CancelledError):
                await job.woken

    def _serve(self) -> None:
        going_on = True
        while going_on:
            going_on = self._signals.get()
            while self._waiting:
                self._commit()
        self._connection.close()

    def _commit(self) -> None:
        present = self._waiting.copy()
        jobs: list[_Job] = []
        try:
            self._file.check()
            execute(self._cursor, "BEGIN IMMEDIATE")
            for job in self._claimed():
                jobs.append(job)
                self._perform(job)
            execute(self._cursor, "COMMIT")
        except Exception as error:  # noqa: BLE001  (it is the callers' error, not the thread's)
            self._roll_back()
            # Without a transaction no job was claimed; whoever came while it was awaited waits on.
            self._refuse(jobs or self._taken_back(present), error)
        else:
            self._answer(jobs)

    def _claimed(self) -> Iterator[_Job]:
        """Those that wait now, no more: a stream of new ones must not keep these from a commit."""
        for _ in range(len(self._waiting)):
            try:
                yield self._waiting.popleft()
            except IndexError:  # a cancelled caller has withdrawn
                return

    def _perform(self, job: _Job) -> None:
        try:
            job.work(self._cursor)
        except Exception as error:
            # A full disk makes SQLite roll back all of the transaction, not this job alone.
            if not self._connection.in_transaction:
                raise
            job.error = error

    def _roll_back(self) -> None:
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                execute(self._cursor, "ROLLBACK")

    def _taken_back(self, jobs: Iterable[_Job]) -> Iterator[_Job]:
        for job in jobs:
            with suppress(ValueError):
                self._waiting.remove(job)
                yield job

    def _refuse(self, jobs: Iterable[_Job], error: Exception) -> None:
        refused = list(jobs)
        for job in refused:
            job.error = error
        self._answer(refused)

    def _answer(self, jobs: Sequence[_Job]) -> None:
        with suppress(RuntimeError):  # nobody is left to be told once the loop is closed
            self._loop.call_soon_threadsafe(_answer, jobs)


def _answer(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.answered = True
        if not job.woken.done():
            job.woken.set_result(None)
