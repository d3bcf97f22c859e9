"""What the engine's thread is asked to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from clawdesk_sochdb.errors import own_error

__all__ = ["Job"]

_T = TypeVar("_T")
_Outcome = TypeVar("_Outcome")


class Job(Generic[_T]):
    """Some work, and the answer to it: a write is answered when it is committed, not before.

    Args:
        work: What is to be done.
        writes: Whether it changes records.

    Attributes:
        loop: Where the answer is waited for.
        answer: The result of the work, or its exception.
    """

    def __init__(self, work: Callable[[], _T], writes: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[_T] = self.loop.create_future()
        self.writes = writes
        self._work = work

    def goes_with(self, other: Job[object]) -> bool:
        """Return whether both can be committed and answered together."""
        return self.writes and other.writes and self.loop is other.loop

    def done(self) -> Callable[[], None]:
        """Do the work, and return what gives the answer, which is for the loop to call."""
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  (it belongs to who waits for the answer)
            return self.failed(error)
        return partial(self._give, self.answer.set_result, result)

    def failed(self, error: BaseException) -> Callable[[], None]:
        """Return what gives the error for an answer, which is for the loop to call."""
        return partial(self._give, self.answer.set_exception, own_error(error))

    def _give(self, give: Callable[[_Outcome], None], outcome: _Outcome) -> None:
        if not self.answer.done():
            give(outcome)
