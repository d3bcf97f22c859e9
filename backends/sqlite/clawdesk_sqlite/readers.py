"""Threads that read, each on a connection of its own.

In write-ahead mode a reader sees the last commit and waits for no writer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import apsw
from clawdesk_storage import translate_errors

from clawdesk_sqlite.errors import DRIVER
from clawdesk_sqlite.file import File

__all__ = ["Readers"]

_Answer = TypeVar("_Answer")


class Readers:
    """A few threads, started as they are needed.

    Args:
        file: What to read.
        threads: How many may read at once.
    """

    def __init__(self, file: File, threads: int) -> None:
        self._file = file
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="clawdesk-sqlite-reader")
        self._idle: deque[apsw.Connection] = deque()

    async def read(self, work: Callable[[apsw.Connection], _Answer]) -> _Answer:
        """Return what `work` finds. Each statement sees everything committed before it.

        Raises:
            StorageError: The file cannot be read, or what was found is damaged.
            ValueError: What `work` itself raised.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._perform, work)

    def close(self) -> None:
        """Let the reads under way finish and close the connections. Blocks; to be called once."""
        self._threads.shutdown()
        while self._idle:
            self._idle.pop().close()

    def _perform(self, work: Callable[[apsw.Connection], _Answer]) -> _Answer:
        with translate_errors(DRIVER):
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
