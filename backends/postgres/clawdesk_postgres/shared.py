"""Calls that come while others of their kind are on their way share a statement.

A lone call is a statement of its own, at once. Under load the statements are shared, so that the
cost of the way to the server and of a commit is divided by the number of calls that wait.

Calls may have a key: of one key there is one flight at a time, so that whoever is locked out on the
server holds up his like and nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clawdesk_storage import ConnectionFailedError, StorageError

from clawdesk_postgres.connections import outwait
from clawdesk_postgres.errors import is_rolled_back

__all__ = ["Shared"]

# Two, so that the server works on one statement while the next is being put together.
_LANES = 2
_LARGEST_BATCH = 100
# A flight that takes longer does not count any more: another may leave in its place.
_SLOW_SECONDS = 0.05

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(eq=False)
class _Call(Generic[_Item, _Answer]):
    item: _Item
    key: object
    alone: bool
    done: asyncio.Future[_Answer] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    flight: asyncio.Task[None] | None = None

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
        many: Runs it for several and returns their answers in order. After an error that has
            certainly undone it each item is tried by itself; another error is everybody's.
        timeout: Seconds that a call may take, waiting for its turn included.
        lanes: How many statements can be on their way at the same time.
        key: Tells what of an item must not be on its way twice.
        is_single: Tells that an item must not share a statement.
        writes: A cancelled call waits until it has taken place or cannot any more.
    """

    def __init__(
        self,
        one: Callable[[_Item], Awaitable[_Answer]],
        many: Callable[[Sequence[_Item]], Awaitable[Sequence[_Answer]]],
        timeout: float,
        lanes: int,
        *,
        key: Callable[[_Item], object] | None = None,
        is_single: Callable[[_Item], bool] | None = None,
        writes: bool,
    ) -> None:
        self._one = one
        self._many = many
        self._timeout = timeout
        self._most_lanes = lanes
        self._key = key
        self._is_single = is_single
        self._writes = writes
        self._departures: dict[object, float] = {}  # of the flights that count
        self._slow: set[object] = set()  # the others
        self._busy: set[object] = set()  # keys that are on their way
        self._waiting: dict[object, dict[_Call[_Item, _Answer], None]] = {}
        self._ready: dict[object, None] = {}  # keys that wait for a lane only
        self._flights: set[asyncio.Task[None]] = set()
        self._watch: asyncio.TimerHandle | None = None

    async def run(self, item: _Item) -> _Answer:
        """Run the statement for `item`, by itself or together with others.

        Cancelled, it took place or not when this raises: no write is still on its way.
        """
        key = None if self._key is None else self._key(item)
        if self._has_lane() and key not in self._busy:
            return await self._alone(item, key)
        alone = self._is_single is not None and self._is_single(item)
        return await self._together(_Call[_Item, _Answer](item, key, alone))

    async def _alone(self, item: _Item, key: object) -> _Answer:
        token = object()
        self._depart(token, [key])
        try:
            return await self._one(item)
        finally:
            self._arrive(token, [key])

    async def _together(self, call: _Call[_Item, _Answer]) -> _Answer:
        loop = asyncio.get_running_loop()
        over = loop.call_later(self._timeout, call.settle, _late())
        self._wait(call)
        try:
            return await asyncio.shield(call.done)
        except asyncio.CancelledError:
            if call.flight is None:
                self._leave(call)
            elif self._writes:
                await self._outwait(call)
            call.done.cancel()
            raise
        finally:
            over.cancel()
            if call.flight is None:
                self._leave(call)

    async def _outwait(self, call: _Call[_Item, _Answer]) -> None:
        """Wait for the end of a flight whose passenger has cancelled."""
        flight = call.flight
        call.done.cancel()
        if flight is not None:
            await outwait(flight)

    def _has_lane(self) -> bool:
        return (
            len(self._departures) < _LANES
            and len(self._departures) + len(self._slow) < self._most_lanes
        )

    def _depart(self, token: object, keys: Sequence[object]) -> None:
        self._departures[token] = asyncio.get_running_loop().time()
        if self._key is not None:
            self._busy.update(keys)

    def _arrive(self, token: object, keys: Sequence[object]) -> None:
        self._departures.pop(token, None)
        self._slow.discard(token)
        self._busy.difference_update(keys)
        self._ready.update((key, None) for key in keys if key in self._waiting)
        self._send()

    def _wait(self, call: _Call[_Item, _Answer]) -> None:
        self._waiting.setdefault(call.key, {})[call] = None
        if call.key not in self._busy:
            self._ready[call.key] = None
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(_SLOW_SECONDS, self._look)

    def _leave(self, call: _Call[_Item, _Answer]) -> None:
        calls = self._waiting.get(call.key, {})
        calls.pop(call, None)
        if not calls:
            self._waiting.pop(call.key, None)
            self._ready.pop(call.key, None)

    def _look(self) -> None:
        """Let those on their way for long not count any more."""
        self._watch = None
        loop = asyncio.get_running_loop()
        for token, since in list(self._departures.items()):
            if loop.time() - since >= _SLOW_SECONDS:
                del self._departures[token]
                self._slow.add(token)
        self._send()
        if self._waiting:
            self._watch = loop.call_later(_SLOW_SECONDS, self._look)

    def _send(self) -> None:
        """Send those who wait on their way, as far as there are lanes."""
        while self._ready and self._has_lane():
            batch = self._next_batch()
            if not batch:
                return
            token, keys = object(), list({call.key: None for call in batch})
            self._depart(token, keys)
            flight = asyncio.create_task(self._fly(batch))
            for call in batch:
                call.flight = flight
                call.done.add_done_callback(lambda _, b=batch, f=flight: _abandon(b, f))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
            flight.add_done_callback(lambda _, t=token, k=keys: self._arrive(t, k))

    def _next_batch(self) -> list[_Call[_Item, _Answer]]:
        batch: list[_Call[_Item, _Answer]] = []
        while self._ready and len(batch) < _LARGEST_BATCH:
            key = next(iter(self._ready))
            calls = self._waiting[key]
            if next(iter(calls)).alone:
                if batch:
                    break
                batch = [next(iter(calls))]
            else:
                for call in calls:
                    if call.alone or len(batch) == _LARGEST_BATCH:
                        break
                    batch.append(call)
            for call in batch:
                calls.pop(call, None)
            del self._ready[key]
            if not calls:
                del self._waiting[key]
            elif self._key is None:
                self._ready[key] = None
            if batch[0].alone or self._key is None:
                break
        return batch

    async def _fly(self, batch: Sequence[_Call[_Item, _Answer]]) -> None:
        try:
            for call, outcome in zip(batch, await self._outcomes(batch), strict=True):
                if outcome is not _AGAIN:
                    call.settle(outcome)  # pyright: ignore[reportArgumentType]
        finally:
            for call in batch:  # the event loop is being shut down
                if call.flight is not None:
                    call.done.cancel()

    async def _outcomes(
        self, batch: Sequence[_Call[_Item, _Answer]]
    ) -> Sequence[_Answer | Exception | object]:
        try:
            if len(batch) == 1:
                return [await self._one(batch[0].item)]
            return await self._many([call.item for call in batch])
        except StorageError as error:
            if len(batch) > 1 and is_rolled_back(error):
                self._split(batch)
                return [_AGAIN] * len(batch)
            return [_copy(error) for _ in batch]
        except Exception as error:  # noqa: BLE001  (it belongs to those who wait for the outcome)
            return [error] * len(batch)

    def _split(self, batch: Sequence[_Call[_Item, _Answer]]) -> None:
        """Let each go alone, before who came later: one of them failed, and the others did not."""
        again = [call for call in batch if not call.done.done()]
        for call in reversed(again):
            call.alone, call.flight = True, None
            later = self._waiting.get(call.key, {})
            self._waiting[call.key] = {call: None, **later}
            if self._key is None:
                self._ready[call.key] = None


def _abandon(batch: Sequence[_Call[_Item, _Answer]], flight: asyncio.Task[None]) -> None:
    """End a flight that nobody waits for any more."""
    if all(call.done.cancelled() for call in batch):
        flight.cancel()


_AGAIN = object()


def _late() -> ConnectionFailedError:
    return ConnectionFailedError("no answer from the server within the timeout")


def _copy(error: StorageError) -> StorageError:
    """The same error for another caller: nobody shares an exception object, nor its traceback."""
    copy = type(error)(error.detail)
    copy.__cause__ = error.__cause__
    return copy
