"""The threads that do the work of one open storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from clawdesk_storage import ConnectionFailedError

from clawdesk_sqlite.file import File
from clawdesk_sqlite.points import Points
from clawdesk_sqlite.reader import Cursor
from clawdesk_sqlite.readers import Readers
from clawdesk_sqlite.writer import Work, Writer

__all__ = ["Engine"]

_READERS = 4
_FEW = 64
_PAGE = 120
_SKIPPED_TO_A_ROW = 50

_Answer = TypeVar("_Answer")


class Engine:
    """A writer, a thread for points, one for pages, a few for more, one for the vector search.

    Reads of different lengths are kept apart, so that none queues behind one that takes longer. The
    search has one thread because it keeps vectors in memory there.

    To be made and used on one event loop.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(file)
        self._points = Points(file, _FEW)
        self._pages = Points(file)
        self._readers = Readers(file, _READERS)
        self._searcher = Readers(file, 1, abandoning=False)
        self._closed = False
        self.read = self._readers.read
        self.read_point = self._points.read
        self.search = self._searcher.read

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the file at `path`.

        Raises:
            StorageError: See `File`.
        """
        return cls(await asyncio.to_thread(File, path))

    def check_open(self) -> None:
        """Refuse to go on after `close`, on another event loop and after a fork.

        Raises:
            ConnectionFailedError: It is one of these; nothing was done.
        """
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")
        if self._file.inherited:
            raise ConnectionFailedError(
                "this process was forked from the one that opened the storage: open one here, in "
                "a process that was spawned"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise ConnectionFailedError(
                "the storage was opened on another event loop: open one on this loop"
            )

    async def close(self) -> None:
        """Finish the calls that are in flight, refuse new ones, close the file.

        After a fork the threads and the file are the parent's, and nothing is done to them.
        """
        self._closed = True
        if self._file.inherited:
            return
        self._points.end()
        self._pages.end()
        # Shielded: a cancelled caller does not wait on, but the file is closed all the same.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._close))

    def write(self, work: Work) -> Coroutine[Any, Any, None]:
        """Have `work` done and committed: see `Writer.write`.

        Raises:
            ConnectionFailedError: It was closed, perhaps since the call began: no thread is left.
        """
        self.check_open()
        return self._writer.write(work)

    def read_rows(
        self, work: Callable[[Cursor], _Answer], limit: int, offset: int = 0
    ) -> asyncio.Future[_Answer]:
        """Return what `work` finds, which reads and skips as many rows: one of its length."""
        rows = limit + offset // _SKIPPED_TO_A_ROW
        if rows <= _FEW:
            return self._points.read(work, rows)
        return (self._pages if rows <= _PAGE else self._readers).read(work)

    def _close(self) -> None:
        self._points.close()
        self._pages.close()
        self._readers.close()
        self._searcher.close()
        self._writer.close()
