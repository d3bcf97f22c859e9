"""Short reads: a few are done on the event loop, more go to a thread, those of a turn together.

Handing over to a thread and back costs ten times what it costs to read a record. So whatever is
asked for in one turn of the loop goes there together and is answered together; and what is little
is read where it is asked for, as long as that is quick: see `Haste`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import apsw

from clawdesk_sqlite.errors import own_error
from clawdesk_sqlite.file import File
from clawdesk_sqlite.haste import Haste
from clawdesk_sqlite.reader import Call, Cursor, Reader, settle

__all__ = ["Points"]

_Answer = TypeVar("_Answer")

_ANSWER_SECONDS = 0.004
# Short reads go here and there in the file; each page that is not kept is a call of the system.
_CACHE = 16_000


class Points:
    """The thread, started with the first read.

    To be made and used on one event loop.

    Args:
        file: What to read.
        few: How many rows may be read on the event loop in one turn.
    """

    def __init__(self, file: File, few: int = 0) -> None:
        self._file = file
        self._few = few
        self._loop = asyncio.get_running_loop()
        self._asked: list[Call] = []
        self._rows = 0
        self._batches: SimpleQueue[list[Call] | None] = SimpleQueue()
        self._thread: Thread | None = None
        # Made by the thread, and used by the loop only while the thread has nothing to do.
        self._reader: Reader | None = None
        self._under_way = 0
        self._haste = Haste()

    def read(self, work: Callable[[Cursor], _Answer], rows: int = 1) -> asyncio.Future[_Answer]:
        """Return what `work` finds. Each statement sees everything committed before it.

        Args:
            work: What to do.
            rows: How many it goes through at most.

        Raises:
            StorageError: The file cannot be read, or what was found is damaged.
        """
        if not self._asked:
            self._loop.call_soon(self._hand_over)
        # As `create_future`, whose call takes longer than the rest.
        call = Call(work, asyncio.Future(loop=self._loop))
        self._asked.append(call)
        self._rows += rows
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
        if self._reader:
            self._reader.close()

    def _hand_over(self) -> None:
        calls, rows = self._asked, self._rows
        self._asked, self._rows = [], 0
        if rows <= self._few and self._reader and not self._under_way and self._haste.begin():
            calls = self._read_here(calls, self._reader)
        if not calls:
            return
        if self._thread is None:
            self._thread = Thread(target=self._serve, name="clawdesk-sqlite-points", daemon=True)
            self._thread.start()
        self._under_way += len(calls)
        self._batches.put(calls)

    def _read_here(self, calls: list[Call], reader: Reader) -> list[Call]:
        """Answer what can be answered at once, and return the rest."""
        answered = 0
        interrupted = False
        if self._checked(calls):
            reader.wait_for_locks(False)
            for call in calls:
                reader.perform(call)
                if call.error is not None:
                    if call.met(apsw.BusyError):
                        call.error = None
                        break
                    # By a signal, which is for the loop to end.
                    interrupted |= call.met((KeyboardInterrupt, SystemExit))
                answered += 1
                if self._haste.over():
                    break
        else:
            answered = len(calls)
        self._haste.end()
        settle(calls[:answered])
        if interrupted:
            raise KeyboardInterrupt
        return calls[answered:]

    def _serve(self) -> None:
        while self._take():
            pass

    def _take(self) -> bool:
        # A function of its own, so that a thread that waits holds on to no answer.
        calls = self._batches.get()
        if calls is None:
            return False
        reader = self._checked(calls)
        if reader is None:
            self._answer(calls)
            return True
        reader.wait_for_locks(True)
        done: list[Call] = []
        answered = now = time.monotonic()
        for call in calls:
            reader.perform(call)
            done.append(call)
            now = time.monotonic()
            # Nobody waits for the slow ones that come after.
            if now - answered > _ANSWER_SECONDS:
                self._answer(done)
                done, answered = [], now
        self._answer(done)
        return True

    def _checked(self, calls: Sequence[Call]) -> Reader | None:
        """Return the reader if the file can be read; otherwise that is the calls' error."""
        try:
            self._file.check()
            self._reader = self._reader or Reader(self._file, _CACHE)
        except BaseException as raised:  # noqa: BLE001  (the callers' error, not the thread's)
            for call in calls:
                call.error = own_error(raised)
            return None
        return self._reader

    def _answer(self, calls: Sequence[Call]) -> None:
        with suppress(RuntimeError):  # nobody is left to be told once the loop is closed
            self._loop.call_soon_threadsafe(self._settle, calls)

    def _settle(self, calls: Sequence[Call]) -> None:
        self._under_way -= len(calls)
        settle(calls)
