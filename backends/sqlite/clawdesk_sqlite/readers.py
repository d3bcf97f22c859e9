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
from typing import TypeVar

from clawdesk_sqlite.errors import own_error
from clawdesk_sqlite.file import File
from clawdesk_sqlite.reader import Call, Cursor, Reader, settle

__all__ = ["Readers"]

_Answer = TypeVar("_Answer")


class Readers:
    """A few threads, started as they are needed.

    Not a `ThreadPoolExecutor`, whose way there and back takes twice as long.

    To be made and used on one event loop.

    Args:
        file: What to read.
        threads: How many may read at once.
        abandoning: Whether a read is broken off when its caller is cancelled. Otherwise it is
            finished, for what it keeps for the next.
    """

    def __init__(self, file: File, threads: int, abandoning: bool = True) -> None:
        self._file = file
        self._most = threads
        self._abandoning = abandoning
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._unanswered = 0
        self._threads: list[Thread] = []
        self._idle: deque[Reader] = deque()

    def read(self, work: Callable[[Cursor], _Answer]) -> asyncio.Future[_Answer]:
        """Return what `work` finds. Each statement sees everything committed before it.

        Raises:
            StorageError: The file cannot be read, or what was found is damaged.
            ValueError: What `work` itself raised.
        """
        self._unanswered += 1
        if len(self._threads) < min(self._unanswered, self._most):
            self._start_thread()
        call = Call(work, self._loop.create_future())
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
        try:
            self._perform(call)
        except BaseException as raised:  # noqa: BLE001  (the caller's error, not the thread's)
            call.error = own_error(raised)
        with suppress(RuntimeError):  # nobody is left to be told once the loop is closed
            self._loop.call_soon_threadsafe(self._settle, call)
        return True

    def _settle(self, call: Call) -> None:
        self._unanswered -= 1
        settle([call])

    def _perform(self, call: Call) -> None:
        self._file.check()
        reader = self._reader()
        try:
            if self._abandoning:
                reader.perform_while_wanted(call)
            else:
                reader.perform(call)
        finally:
            self._idle.append(reader)

    def _reader(self) -> Reader:
        try:
            return self._idle.pop()
        except IndexError:
            return Reader(self._file)
