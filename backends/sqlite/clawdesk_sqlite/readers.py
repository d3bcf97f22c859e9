"""Threads that read, each on a connection of its own.

In write-ahead mode a reader sees the last commit and waits for no writer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import apsw

from clawdesk_sqlite.errors import own_error
from clawdesk_sqlite.file import File

__all__ = ["Readers"]

_Answer = TypeVar("_Answer")


class _Call(NamedTuple):
    work: Callable[[apsw.Connection], Any]
    answer: asyncio.Future[Any]


class Readers:
    """A few threads, started as they are needed.

    Not a `ThreadPoolExecutor`, whose way there and back takes twice as long.

    To be made and used on one event loop.

    Args:
        file: What to read.
        threads: How many may read at once.
    """

    def __init__(self, file: File, threads: int) -> None:
        self._file = file
        self._most = threads
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._unanswered = 0
        self._threads: list[Thread] = []
        self._idle: deque[apsw.Connection] = deque()

    def read(self, work: Callable[[apsw.Connection], _Answer]) -> asyncio.Future[_Answer]:
        """Return what `work` finds. Each statement sees everything committed before it.

        Raises:
            StorageError: The file cannot be read, or what was found is damaged.
            ValueError: What `work` itself raised.
        """
        self._unanswered += 1
        if len(self._threads) < min(self._unanswered, self._most):
            self._start_thread()
        call = _Call(work, self._loop.create_future())
        self._calls.put(call)
        return call.answer

    def close(self) -> None:
        """Let the reads under way finish and close the connections. Blocks; to be called once."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        while self._idle:
            self._idle.pop().close()

    def _start_thread(self) -> None:
        thread = Thread(target=self._serve, name="clawdesk-sqlite-reader", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _serve(self) -> None:
        while self._take():
            pass

    def _take(self) -> bool:
        # A function of its own, so that a thread that waits holds on to no answer.
        call = self._calls.get()
        if call is None:
            return False
        answer, error = None, None
        try:
            if not call.answer.cancelled():
                answer = self._perform(call.work)
        except BaseException as raised:  # noqa: BLE001  (the caller's error, not the thread's)
            error = own_error(raised)
        with suppress(RuntimeError):  # nobody is left to be told once the loop is closed
            self._loop.call_soon_threadsafe(self._settle, call, answer, error)
        return True

    def _settle(self, call: _Call, answer: Any, error: Exception | None) -> None:
        self._unanswered -= 1
        if call.answer.done():
            return
        if error is None:
            call.answer.set_result(answer)
        else:
            call.answer.set_exception(error)

    def _perform(self, work: Callable[[apsw.Connection], _Answer]) -> _Answer:
        self._file.check()
        connection = self._connection()
        try:
            return work(connection)
        finally:
            self._idle.append(connection)

    def _connection(self) -> apsw.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._file.connect()
