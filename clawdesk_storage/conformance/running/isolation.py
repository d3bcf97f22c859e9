"""Code that may hang, in a thread and an event loop of its own.

A store that hangs, even one that blocks its loop or swallows cancellation, holds up nobody but its
own thread. Where the laws run in a process of their own, it ends with that process.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Container, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

from clawdesk_storage.conformance.running.pace import Pace
from clawdesk_storage.conformance.telling.frames import waiting_at
from clawdesk_storage.conformance.trial import LawViolation

__all__ = ["Escaped", "Hung", "Isolated", "in_thread"]

_GRACE = 3.0
"""Seconds that code has to end once it was cancelled, before it is given up."""

_BRIEF = 2.0
"""Seconds after which code is taken to hang where others have hung before."""

_STEP = 0.2

_T = TypeVar("_T")


class Hung(Exception):
    """The code took too long.

    Args:
        message: What was waited for.
        place: Where it waited in the store's code, or nothing.
        stuck: Whether it could not even be cancelled, and so runs on.
    """

    def __init__(self, message: str, place: str, *, stuck: bool) -> None:
        super().__init__(message)
        self.place = place
        self.stuck = stuck


class Escaped(Exception):
    """The code let out what ends programs and tasks: CancelledError, SystemExit and the like."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}".rstrip(": "))


def in_thread(work: Callable[[], object]) -> None:
    """Start `work` in a thread that does not keep the interpreter from ending."""
    threading.Thread(target=work, daemon=True).start()


@dataclass
class Isolated(Generic[_T]):
    """Something that runs in a thread, an event loop and a temporary directory of its own.

    Args:
        run: What to run; it is given the directory.
        make_loop: Makes the loop; None makes an ordinary one.
        pace: How its calls come along.
        parent: Where the temporary directory is made; None is the system's place.
        start: Starts the work in another thread than that of who waits for the outcome.
    """

    run: Callable[[Path], Coroutine[object, object, _T]]
    make_loop: Callable[[], AbstractEventLoop] | None = None
    pace: Pace = field(default_factory=Pace)
    parent: Path | None = None
    start: Callable[[Callable[[], object]], None] = in_thread

    def __post_init__(self) -> None:
        self._ended: Future[_T] = Future()
        self._thread: int | None = None
        self._loop: AbstractEventLoop | None = None
        self._task: asyncio.Task[_T] | None = None

    async def outcome(self, timeout: float, known: Container[str] = ()) -> _T:
        """Run it and return what came of it.

        Args:
            timeout: Seconds without any call returning, after which it is cancelled.
            known: Places at which others have hung: there it is not waited for so long.

        Raises:
            Hung: It took longer.
            Escaped: It let out something that is no `Exception`.
            Exception: It raised this itself.
        """
        self.start(self._work)
        ended = asyncio.wrap_future(self._ended)
        try:
            await self._wait(ended, timeout, known)
            if ended.done():
                return ended.result()
            told, place = waiting_at(self._thread, self._loop)
            waited = self.pace.waited()
            self._cancel()
            done, _ = await asyncio.wait([ended], timeout=_GRACE)
        except asyncio.CancelledError:
            self._cancel()
            await asyncio.wait([ended], timeout=_GRACE)
            raise
        if done and not ended.cancelled() and isinstance(ended.exception(), LawViolation):
            return ended.result()  # what it had found by then says more
        how = "" if done else ", and it could not be cancelled"
        message = (
            f"no call has returned for {waited:.1f} seconds ({self.pace}){how}; it waits{told}\n"
            f"where that is only slow, allow more: --timeout, which is {timeout:g}"
        )
        raise Hung(message, place, stuck=not done)

    async def _wait(self, ended: asyncio.Future[_T], timeout: float, known: Container[str]) -> None:
        while (left := timeout - self.pace.waited()) > 0:
            done, _ = await asyncio.wait([ended], timeout=min(left, _STEP))
            if done:
                return
            if self.pace.waited() > _BRIEF and waiting_at(self._thread, self._loop)[1] in known:
                return

    def _cancel(self) -> None:
        if self._loop is not None and self._task is not None and not self._ended.done():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _work(self) -> None:
        self._thread = threading.get_ident()
        try:
            result = self._in_directory()
        except BaseException as error:  # noqa: BLE001  (it belongs to who waits for the outcome)
            failure = error if isinstance(error, Exception) else Escaped(error)
            self._ended.set_exception(failure)
        else:
            self._ended.set_result(result)

    def _in_directory(self) -> _T:
        with (
            TemporaryDirectory(dir=self.parent, ignore_cleanup_errors=True) as directory,
            asyncio.Runner(loop_factory=self.make_loop) as runner,
        ):
            self._loop = runner.get_loop()
            return runner.run(self._remembered(Path(directory)))

    async def _remembered(self, directory: Path) -> _T:
        self._task = asyncio.current_task()
        return await self.run(directory)
