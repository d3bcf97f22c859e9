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
from typing import Any

import apsw
from clawdesk_storage import StorageIOError

from clawdesk_sqlite.errors import own_error
from clawdesk_sqlite.file import File, execute
from clawdesk_sqlite.schema import VERSION

__all__ = ["Transaction", "Work", "Writer"]

_POSITION = "SELECT position FROM state WHERE id = 1"
_SET_POSITION = "UPDATE state SET position = ? WHERE id = 1"


class Transaction:
    """What writes are given: the cursor's `execute`, and positions that are never given twice.

    Args:
        cursor: Of the connection that has begun a transaction.
    """

    def __init__(self, cursor: apsw.Cursor) -> None:
        self.connection = cursor.connection
        driver: Any = cursor  # whose annotations need Python 3.12
        self.execute: Callable[..., Any] = driver.execute
        self._position: int | None = None

    def next_position(self) -> int:
        """Return the next position. The last one is stored once, for all writes together."""
        last = self._position
        if last is None:
            last = int(self.execute(_POSITION).fetchall()[0][0])
        self._position = last + 1
        return self._position

    def finish(self) -> None:
        """Store what is to be stored at the end, before the commit."""
        if self._position is not None:
            self.execute(_SET_POSITION, (self._position,))


Work = Callable[[Transaction], object]
"""One write. What it changes, it changes by one statement or inside a savepoint, so that it leaves
nothing behind where it fails."""


class _Job:
    """A write on its way through the thread. Only the loop touches `woken` and `answered`."""

    __slots__ = ("_work", "answered", "error", "woken")

    def __init__(self, work: Work, woken: asyncio.Future[None]) -> None:
        self._work = [work]
        self.woken = woken
        self.error: BaseException | None = None
        self.answered = False

    def take(self) -> Work | None:
        """Return the work to whoever asks first: the thread that does it, or who withdraws it.

        Popping from a list is atomic, and looking for the job among those that wait is not needed.
        """
        try:
            return self._work.pop()
        except IndexError:
            return None


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
        self._in_doubt = False
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
        if job.take():
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
        self._file.close()

    def _commit(self) -> None:
        present = len(self._waiting)
        jobs: list[_Job] = []
        try:
            self._begin()
            transaction = Transaction(self._cursor)
            # Those that wait now, no more: a stream of new ones must not keep these from a commit.
            for _ in range(len(self._waiting)):
                job = self._waiting.popleft()
                if work := job.take():
                    jobs.append(job)
                    self._perform(job, work, transaction)
            transaction.finish()
            self._end()
        except BaseException as error:  # noqa: BLE001  (the callers' error, not the thread's)
            self._roll_back()
            # Without a transaction no job was claimed; whoever came while it was awaited waits on.
            self._refuse(jobs or self._taken(present), error)
        else:
            self._answer(jobs)

    def _begin(self) -> None:
        self._file.check()
        if self._in_doubt:
            self._erase()
        execute(self._cursor, "BEGIN IMMEDIATE")

    def _end(self) -> None:
        try:
            execute(self._cursor, "COMMIT")
        except apsw.Error as error:
            self._roll_back()
            self._in_doubt = True
            if not self._erased():
                raise StorageIOError(
                    f"{error}; the write may have taken place, and no other is taken until the "
                    "log can be written"
                ) from error
            raise
        # What went into a log that was removed meanwhile cannot be found again.
        self._file.check()

    def _erased(self) -> bool:
        """Whether what a failed commit may have left in the log cannot come back.

        The whole of it may lie there. Nobody reads it, until the log is recovered after a crash;
        so another transaction takes its place.
        """
        try:
            self._erase()
        except apsw.Error:
            return False
        return True

    def _erase(self) -> None:
        execute(self._cursor, "BEGIN IMMEDIATE")
        try:
            execute(self._cursor, f"PRAGMA user_version = {VERSION}")
            execute(self._cursor, "COMMIT")
        except apsw.Error:
            self._roll_back()
            raise
        self._in_doubt = False

    def _perform(self, job: _Job, work: Work, transaction: Transaction) -> None:
        try:
            work(transaction)
        except BaseException as error:
            # A full disk makes SQLite roll back all of the transaction, not this job alone.
            if not self._connection.in_transaction:
                raise
            job.error = own_error(error)

    def _roll_back(self) -> None:
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                execute(self._cursor, "ROLLBACK")

    def _taken(self, count: int) -> Iterator[_Job]:
        for _ in range(count):
            job = self._waiting.popleft()
            if job.take():
                yield job

    def _refuse(self, jobs: Iterable[_Job], error: BaseException) -> None:
        refused = list(jobs)
        for job in refused:
            job.error = own_error(error)
        self._answer(refused)

    def _answer(self, jobs: Sequence[_Job]) -> None:
        with suppress(RuntimeError):  # nobody is left to be told once the loop is closed
            self._loop.call_soon_threadsafe(_answer, jobs)


def _answer(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.answered = True
        if not job.woken.done():
            job.woken.set_result(None)
