"""Calls cancelled at every await in turn.

A call suspends at certain points, each inside of some await. `attempts` makes the call again and
again: the first time it is cancelled at its first suspension, the next time at its second, and so
on until a call ends before it could be cancelled. At each suspension there are two moments, and
both are tried:

- while it waits: what it awaits is cancelled too, as when a timeout strikes;
- as it resumes: what it awaits is done, and the cancellation comes before the call learns of it.
  A connection taken from a pool, a lock or a transaction is lost here most easily.

A third one, which `Counted` alone knows, is a little later: what the call waits for has gone on,
and is perhaps half done.

        async for attempt in attempts(lambda: store.save(session), timeout=5):
            if attempt.outcome is not Outcome.CANCELLED:
                ...  # swallowed, turned into another error, or hung: `attempt` says which and where
            ...  # look at the store: the session is there whole or not at all, and a save works

What the call sees is an ordinary cancellation of an ordinary task: `asyncio.current_task`,
`asyncio.timeout` and `Task.uncancel` work in it as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

__all__ = ["Attempt", "Counted", "Moment", "Outcome", "attempts"]


class Moment(StrEnum):
    """When a cancellation comes, at a suspension."""

    WAITING = "while waiting"
    RESUMING = "on resuming"
    LATER = "a little later"


class Outcome(StrEnum):
    """What became of a call that was cancelled."""

    CANCELLED = "cancelled"
    """The `CancelledError` reached the caller, as it should."""
    COMPLETED = "completed"
    """The call returned as if nothing had happened: it swallowed the cancellation."""
    RAISED = "raised"
    """Another exception reached the caller."""
    HUNG = "hung"
    """The call had not ended when the time was up."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call, cancelled once.

    Args:
        suspension: At which of its suspensions the call was cancelled, from 1.
        moment: Whether that was while it waited or as it resumed.
        place: The line of code that was awaiting, as `file:line in function`.
        outcome: What became of it.
        result: What the call returned, if it did.
        error: What the call raised instead of the `CancelledError`, if it did.
    """

    suspension: int
    moment: Moment
    place: str
    outcome: Outcome
    result: object = None
    error: BaseException | None = None

    def __str__(self) -> str:
        what = f": {self.error!r}" if self.outcome is Outcome.RAISED else ""
        where = f"{self.moment} at await {self.suspension} ({self.place})"
        return f"cancelled {where}, the call {self.outcome}{what}"


async def attempts(
    call: Callable[[], Coroutine[Any, Any, object]], *, timeout: float
) -> AsyncGenerator[Attempt, None]:
    """Make `call` anew for every moment at which it can be cancelled, and cancel it there.

    Between two attempts the store can be looked at; no call runs then, unless the last one hung and
    could not be ended by another cancellation. A call that ends uncancelled, because it does not
    suspend so often, is the last and gives no attempt; one that hangs uncancelled, perhaps because
    an earlier call kept a lock, is the last and gives one.

    Args:
        call: Returns the call's coroutine, not yet begun; called for each attempt.
        timeout: How many seconds a call has to end. Without its cancellation, it has as many.

    Yields:
        What became of each call that was cancelled, or that hung.

    Raises:
        Exception: What a call raised that was not cancelled.
    """
    for suspension in count(1):
        for moment in (Moment.WAITING, Moment.RESUMING):
            counted = Counted(call(), suspension, moment)
            attempt = await _attempt(counted, timeout)
            if attempt is not None:
                yield attempt
            if not counted.cancelled:
                return


async def _attempt(counted: Counted, timeout: float) -> Attempt | None:
    task = asyncio.create_task(_awaited(counted))
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout)
        place = counted.place or counted.here()
    finally:
        counted.armed = False
        await _end(task, timeout)
    made = partial(Attempt, counted.suspension, counted.moment, place)
    if not done:
        return made(Outcome.HUNG)
    if not counted.cancelled:
        task.result()
        return None
    if task.cancelled():
        return made(Outcome.CANCELLED)
    error = task.exception()
    return made(Outcome.RAISED, error=error) if error else made(Outcome.COMPLETED, task.result())


async def _awaited(call: Awaitable[object]) -> object:
    # The task's own coroutine is a native one: some libraries inspect it.
    return await call


async def _end(task: asyncio.Task[object], timeout: float) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=timeout)
    if task.done() and not task.cancelled():
        task.exception()  # Looked at, it is not logged as forgotten.


class Counted(Generator[Any, Any, object], Awaitable[object]):
    """A coroutine that counts its suspensions and cancels its task at one of them.

    Args:
        coroutine: The call.
        suspension: At which suspension, from 1.
        moment: When, at that suspension.
        again: Whether to cancel it another time, at the next.
        pause: Seconds until it is cancelled, where that is a little later.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, object],
        suspension: int,
        moment: Moment,
        *,
        again: bool = False,
        pause: float = 0.0,
    ) -> None:
        self._pause = pause
        self._again = again
        self.suspension = suspension
        self.moment = moment
        self._coroutine = coroutine
        self._remaining = suspension
        self.armed = True
        self.cancelled: bool = False
        self.place: str = ""

    def __await__(self) -> Generator[Any, Any, object]:
        return self

    def send(self, value: Any, /) -> Any:
        """See `Generator.send`."""
        return self._suspended(self._coroutine.send(value))

    def throw(self, *error: Any) -> Any:
        """See `Generator.throw`."""
        return self._suspended(self._coroutine.throw(*error))

    def close(self) -> None:
        """See `Generator.close`."""
        self._coroutine.close()

    def _suspended(self, awaited: object) -> object:
        self._remaining -= 1
        if self._remaining == 0:
            self._strike(awaited)
        elif self.cancelled and self._again:
            # What it does to end well is cancelled, too.
            self._again = False
            self._cancel(asyncio.current_task())
        return awaited

    def _strike(self, awaited: object) -> None:
        task = asyncio.current_task()
        self.place = self.here()
        if self.moment is Moment.RESUMING and isinstance(awaited, asyncio.Future):
            # This callback comes before the task's own, which wakes it.
            cast("asyncio.Future[object]", awaited).add_done_callback(lambda _: self._cancel(task))
        elif self.moment is Moment.LATER:
            # In no context of the call's, which may put off what the call wants to do later.
            Context().run(asyncio.get_running_loop().call_later, self._pause, self._cancel, task)
        else:
            self._cancel(task)

    def _cancel(self, task: asyncio.Task[object] | None) -> None:
        if self.armed and task is not None:
            self.cancelled = task.cancel() or self.cancelled

    def here(self) -> str:
        """Where the call is suspended: the innermost line that is neither asyncio's nor ours."""
        found = ""
        inner: Any = self._coroutine
        while inner is not None:
            frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
            if frame is not None and Path(frame.f_code.co_filename).parent not in _NOT_SHOWN:
                code = frame.f_code
                found = f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_qualname}"
            inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
        return found


_NOT_SHOWN = {Path(asyncio.__file__).parent, Path(__file__).parent}
