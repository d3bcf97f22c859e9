"""A read on its way to a thread and back, and the connection that performs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from clawdesk_sqlite.errors import own_error
from clawdesk_sqlite.file import File, execute, wait_for_locks

__all__ = ["Call", "Cursor", "Reader", "settle"]

Cursor: TypeAlias = Any
"""The driver's, whose annotations need Python 3.12."""

_STEPS = 10_000
"""How much of SQLite's work, some 0.2 ms of it, lies between two looks whether it is wanted."""


class Call:
    """A read, and who waits for it. Only the loop touches `answer`, but for asking its state."""

    __slots__ = ("answer", "error", "found", "work")

    def __init__(self, work: Callable[[Cursor], Any], answer: asyncio.Future[Any]) -> None:
        self.work = work
        self.answer = answer
        self.found: Any = None
        self.error: BaseException | None = None

    def met(self, kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
        """Whether it failed because of an exception of this kind."""
        return self.error is not None and isinstance(self.error.__cause__, kind)


def settle(calls: Iterable[Call]) -> None:
    """Answer calls that were performed. To be called on the event loop."""
    for call in calls:
        if call.answer.done():
            continue
        if call.error is None:
            call.answer.set_result(call.found)
        else:
            call.answer.set_exception(call.error)


class Reader:
    """A connection with one cursor for all statements: making one costs a third of a read.

    To be used by one thread at a time.

    Args:
        file: What to read.
        cache: How many KiB of pages to keep at most; None is SQLite's own choice, 2,000.
    """

    def __init__(self, file: File, cache: int | None = None) -> None:
        self._connection = file.connect()
        if cache is not None:
            execute(self._connection, f"PRAGMA cache_size = {-cache}")
        self._cursor: Cursor = self._connection.cursor()
        self._waiting = True

    def perform(self, call: Call) -> None:
        """Let `call` find what it looks for, or fail; nothing where its caller was cancelled."""
        try:
            if not call.answer.cancelled():
                call.found = call.work(self._cursor)
        except BaseException as raised:  # noqa: BLE001  (the caller's error, not the thread's)
            call.error = own_error(raised)
            self._let_go()

    def perform_while_wanted(self, call: Call) -> None:
        """Do the same, and break off soon after the caller was cancelled."""
        # Asked by the statement itself, so that nothing comes too late and hits the next one.
        self._connection.set_progress_handler(call.answer.cancelled, _STEPS)
        try:
            self.perform(call)
        finally:
            self._connection.set_progress_handler(None)

    def wait_for_locks(self, waiting: bool) -> None:
        """Set whether a read waits for a lock, or fails at once."""
        if self._waiting != waiting:
            self._waiting = waiting
            wait_for_locks(self._connection, waiting)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _let_go(self) -> None:
        """End what was broken off: a statement that is not run to its end holds its snapshot."""
        self._cursor.close(True)
        if self._connection.in_transaction:
            execute(self._connection, "ROLLBACK")
        self._cursor = self._connection.cursor()
