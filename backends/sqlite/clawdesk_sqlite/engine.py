"""The threads that do the work of one open storage."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from clawdesk_storage import ConnectionFailedError

from clawdesk_sqlite.file import File
from clawdesk_sqlite.readers import Readers
from clawdesk_sqlite.writer import Writer

__all__ = ["Engine"]

_READERS = 4


class Engine:
    """A writer, a few readers, and a reader of its own for the vector search.

    The search has one thread because it keeps vectors in memory there, and because it takes
    milliseconds: ordinary reads must not queue behind it.

    To be made and used on one event loop.
    """

    def __init__(self, file: File) -> None:
        self._writer = Writer(file)
        self._readers = Readers(file, _READERS)
        self._searcher = Readers(file, 1)
        self._closed = False
        self.write = self._writer.write
        self.read = self._readers.read
        self.search = self._searcher.read

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the file at `path`.

        Raises:
            StorageError: See `File`.
        """
        return cls(await asyncio.to_thread(File, path))

    def check_open(self) -> None:
        """Refuse to go on after `close`.

        Raises:
            ConnectionFailedError: The storage has been closed.
        """
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")

    async def close(self) -> None:
        """Finish the calls that are in flight, refuse new ones, close the file."""
        self._closed = True
        # Shielded: a cancelled caller does not wait on, but the file is closed all the same.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._close))

    def _close(self) -> None:
        self._readers.close()
        self._searcher.close()
        self._writer.close()
