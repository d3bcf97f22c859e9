"""The thread that makes the engine's blocking calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from clawdesk_storage import ConnectionFailedError, StorageIOError, translate_errors

from clawdesk_sochdb.engine import SochDBError
from clawdesk_sochdb.records import Records

__all__ = ["Worker"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Worker:
    """One thread with the records of one location.

    It does one job after the other, in the order in which they were asked for. That makes the
    stores linearizable, and it makes cancellation simple: a job that has not begun is dropped, and
    one that has begun takes place whole.

    Args:
        location: The directory of the storage.
    """

    def __init__(self, location: Path) -> None:
        self._location = location
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sochdb")
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
        """Raise `ConnectionFailedError` once the worker is closed."""
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")

    async def run(
        self,
        job: Callable[Concatenate[Records, _P], _T],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> _T:
        """Return what `job` makes of the records and the arguments.

        Raises:
            StorageError: The worker is closed, or the engine failed.
        """
        self.check_open()
        with translate_errors({SochDBError: StorageIOError}):
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, lambda: job(self._opened(), *arguments, **keywords)
            )

    async def close(self) -> None:
        """Finish the jobs that were asked for, then close the records; later calls do nothing."""
        if self._closed:
            return
        self._closed = True
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        with translate_errors({SochDBError: StorageIOError}):
            # A caller who is cancelled stops waiting; the thread closes all the same.
            await asyncio.shield(closing)

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
