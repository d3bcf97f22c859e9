"""Calls that come while others of their kind are on their way share a statement.

A lone call is a statement of its own, at once. Under load the statements are shared, so that the
cost of the way to the server and of a commit is divided by the number of calls that wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clawdesk_storage import ConnectionFailedError, SerializationError

__all__ = ["Shared"]

# Two, so that the server works on one statement while the next is being put together.
_LANES = 2
_LARGEST_BATCH = 100

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(eq=False)
class _Call(Generic[_Item, _Answer]):
    item: _Item
    deadline: float
    done: asyncio.Future[_Answer] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, outcome: _Answer | Exception) -> None:
        """Tell the outcome, unless it has been told."""
        if self.done.done():
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class Shared(Generic[_Item, _Answer]):
    """The calls of one kind in one process.

    Args:
        one: Runs the statement for one item.
        many: Runs it for several and returns their answers in order; an error is everybody's,
            except `SerializationError`, after which each item is tried by itself.
        timeout: Seconds that a call may wait for its turn.
        writes: A cancelled call waits until it has taken place or cannot any more.
    """

    def __init__(
        self,
        one: Callable[[_Item], Awaitable[_Answer]],
        many: Callable[[Sequence[_Item]], Awaitable[Sequence[_Answer]]],
        timeout: float,
        *,
        writes: bool,
    ) -> None:
        self._one = one
        self._many = many
        self._timeout = timeout
        self._writes = writes
        self._free_lanes = _LANES
        self._waiting: deque[_Call[_Item, _Answer]] = deque()
        self._flights: set[asyncio.Task[None]] = set()

    async def run(self, item: _Item) -> _Answer:
        """Run the statement for `item`, by itself or together with others.

        Cancelled, it took place or not when this raises: no write is still on its way.
        """
        if self._free_lanes:
            return await self._alone(item)
        call = _Call[_Item, _Answer](item, asyncio.get_running_loop().time() + self._timeout)
        self._waiting.append(call)
        return await self._together(call)

    async def _alone(self, item: _Item) -> _Answer:
        self._free_lanes -= 1
        try:
            return await self._one(item)
        finally:
            self._free_lanes += 1
            self._depart()

    async def _together(self, call: _Call[_Item, _Answer]) -> _Answer:
        try:
            return await asyncio.shield(call.done)
        except asyncio.CancelledError:
            if call in self._waiting:
                self._waiting.remove(call)
            elif self._writes:
                await _settled(call.done)
            else:
                call.done.cancel()
            raise

    def _depart(self) -> None:
        """Send those who wait on their way, if there is one."""
        self._give_up()
        if self._free_lanes and self._waiting:
            self._free_lanes -= 1
            size = min(len(self._waiting), _LARGEST_BATCH)
            batch = [self._waiting.popleft() for _ in range(size)]
            flight = asyncio.create_task(self._fly(batch))
            self._flights.add(flight)
            flight.add_done_callback(self._land)

    def _give_up(self) -> None:
        """Let those go whose time is over, lest they fail one batch after the other."""
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0].deadline <= now:
            late = ConnectionFailedError("no answer from the server within the timeout")
            self._waiting.popleft().settle(late)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._free_lanes += 1
        self._depart()

    async def _fly(self, batch: Sequence[_Call[_Item, _Answer]]) -> None:
        try:
            for call, outcome in zip(batch, await self._outcomes(batch), strict=True):
                call.settle(outcome)
        finally:
            for call in batch:  # the event loop is being shut down
                call.done.cancel()

    async def _outcomes(
        self, batch: Sequence[_Call[_Item, _Answer]]
    ) -> Sequence[_Answer | Exception]:
        try:
            return await self._many([call.item for call in batch])
        except SerializationError:  # one of them, and the others are innocent
            return [await self._outcome(call.item) for call in batch]
        except Exception as error:  # noqa: BLE001  (it belongs to those who wait for the outcome)
            return [error] * len(batch)

    async def _outcome(self, item: _Item) -> _Answer | Exception:
        try:
            return await self._one(item)
        except Exception as error:  # noqa: BLE001  (likewise)
            return error


async def _settled(done: asyncio.Future[_Answer]) -> None:
    while not done.done():
        with suppress(asyncio.CancelledError):  # the caller is being cancelled as it is
            await asyncio.wait([done])
    if not done.cancelled():
        done.exception()  # nobody else will look at it
