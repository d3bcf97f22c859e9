"""One thread for short reads, which takes all those of a turn of the loop at once.

Handing over to a thread and back costs more than to read a record. So whatever is asked for in one
turn goes there together and is answered together. Long reads go to `Readers`: nothing here waits
behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import apsw

from clawdesk_sqlite.errors import own_error
from clawdesk_sqlite.file import File

__all__ = ["Points"]

_Answer = TypeVar("_Answer")


class _Call:
    __slots__ = ("answer", "error", "found", "work")

    def __init__(self, work: Callable[[apsw.Connection], Any], answer: asyncio.Future[Any]) -> None:
        self.work = work
        self.answer = answer
        self.found: Any = None
        self.error: BaseException | None = None


class Points:
    """The thread, started with the first read.

    To be made and used on one event loop.

    Args:
        file: What to read.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Call] = []
        self._batches: SimpleQueue[list[_Call] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._connection: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None

    def read(self, work: Callable[[apsw.Connection], _Answer]) -> asyncio.Future[_Answer]:
        """Return what `work` finds. Each statement sees everything committed before it.

        Raises:
            StorageError: The file cannot be read, or what was found is damaged.
        """
        if not self._asked:
            self._loop.call_soon(self._hand_over)
        call = _Call(work, self._loop.create_future())
        self._asked.append(call)
        return call.answer

    def end(self) -> None:
        """Hand over what was asked for, as the last. To be called once, on the event loop.

        Here and not in `close`, which another thread calls: the loop would hand over meanwhile.
        """
        self._hand_over()
        self._batches.put(None)

    def close(self) -> None:
        """Wait until all is answered, and close the connection. Blocks; `end` comes before it."""
        if self._thread:
            self._thread.join()
        if self._connection:
            self._connection.close()

    def _hand_over(self) -> None:
        if not self._asked:
            return
        if self._thread is None:
            self._thread = Thread(target=self._serve, name="clawdesk-sqlite-points", daemon=True)
            self._thread.start()
        asked, self._asked = self._asked, []
        self._batches.put(asked)

    def _serve(self) -> None:
        while self._take():
            pass

    def _take(self) -> bool:
        # A function of its own, so that a thread that waits holds on to no answer.
        calls = self._batches.get()
        if calls is None:
            return False
        try:
            cursor = self._checked()
        except BaseException as raised:  # noqa: BLE001  (the callers' error, not the thread's)
            for call in calls:
                call.error = own_error(raised)
        else:
            for call in calls:
                _perform(call, cursor)
        with suppress(RuntimeError):  # nobody is left to be told once the loop is closed
            self._loop.call_soon_threadsafe(_settle, calls)
        return True

    def _checked(self) -> Any:
        self._file.check()
        if self._connection is None:
            self._connection = self._file.connect()
            # One for all statements: making a cursor costs a third of a read.
            self._cursor = self._connection.cursor()
        return self._cursor


def _perform(call: _Call, cursor: Any) -> None:
    try:
        if not call.answer.cancelled():
            call.found = call.work(cursor)
    except BaseException as raised:  # noqa: BLE001  (the caller's error, not the thread's)
        call.error = own_error(raised)


def _settle(calls: Sequence[_Call]) -> None:
    for call in calls:
        if call.answer.done():
            continue
        if call.error is None:
            call.answer.set_result(call.found)
        else:
            call.answer.set_exception(call.error)
