"""Code that may hang, in a thread and an event loop of its own.

A store that hangs, even one that blocks its loop or swallows cancellation, holds up nobody but its
own thread, which is given up in the end.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

from clawdesk_storage.conformance.telling.frames import stack_of

__all__ = ["Escaped", "Hung", "Isolated", "lingering"]

_GRACE = 3.0
"""Seconds that code has to end once it was cancelled, before its thread is given up."""

_THREAD = "clawdesk-isolated"

_T = TypeVar("_T")


class Hung(Exception):
    """The code took too long."""


class Escaped(Exception):
    """The code let out what ends programs and tasks: CancelledError, SystemExit and the like."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}".rstrip(": "))


def lingering() -> bool:
    """Tell whether code that was given up still runs, and may keep the process from ending."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


@dataclass
class Isolated(Generic[_T]):
    """Something that runs in a thread, an event loop and a temporary directory of its own.

    Args:
        run: What to run; it is given the directory.
        make_loop: Makes the loop; None makes an ordinary one.
    """

    run: Callable[[Path], Coroutine[object, object, _T]]
    make_loop: Callable[[], AbstractEventLoop] | None = None

    def __post_init__(self) -> None:
        self._ended: Future[_T] = Future()
        self._thread = threading.Thread(target=self._work, daemon=True, name=_THREAD)
        self._loop: AbstractEventLoop | None = None
        self._task: asyncio.Task[_T] | None = None

    async def outcome(self, timeout: float) -> _T:
        """Run it and return what came of it.

        Args:
            timeout: Seconds after which it is cancelled, and then given up.

        Raises:
            Hung: It took longer.
            Escaped: It let out something that is no `Exception`.
            Exception: It raised this itself.
        """
        self._thread.start()
        ended = asyncio.wrap_future(self._ended)
        try:
            done, _ = await asyncio.wait([ended], timeout=timeout)
            if done:
                return ended.result()
            stack = stack_of(self._thread)
            self._cancel()
            done, _ = await asyncio.wait([ended], timeout=_GRACE)
        except asyncio.CancelledError:
            self._cancel()
            await asyncio.wait([ended], timeout=_GRACE)
            raise
        if done:
            ended.exception()  # the cancellation, or what the store made of it
        how = "" if done else ", and could not be cancelled"
        raise Hung(f"it had not ended after {timeout:g} seconds{how}{stack}")

    def _cancel(self) -> None:
        if self._loop is not None and self._task is not None and not self._ended.done():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _work(self) -> None:
        try:
            result = self._in_directory()
        except BaseException as error:  # noqa: BLE001  (it belongs to who waits for the outcome)
            failure = error if isinstance(error, Exception) else Escaped(error)
            self._ended.set_exception(failure)
        else:
            self._ended.set_result(result)

    def _in_directory(self) -> _T:
        with (
            TemporaryDirectory(ignore_cleanup_errors=True) as directory,
            asyncio.Runner(loop_factory=self.make_loop) as runner,
        ):
            self._loop = runner.get_loop()
            return runner.run(self._remembered(Path(directory)))

    async def _remembered(self, directory: Path) -> _T:
        self._task = asyncio.current_task()
        return await self.run(directory)
