"""Appends that come while others are on their way travel together.

A lone append is a statement of its own, at once. Under load the statements are shared, so that the
cost of the way to the server and of a commit is divided by the number of appends that wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from clawdesk_storage import SerializationError

from clawdesk_postgres.database import Database

__all__ = ["Appends"]

# Two, so that the server works on one statement while the next is being put together.
_LANES = 2
_LARGEST_BATCH = 100


@dataclass(eq=False)
class _Append:
    session: str
    record: str
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, error: Exception | None) -> None:
        """Tell the outcome, unless it has been told."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Appends:
    """The appends of one process to all conversations of a schema."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one = database.sql("SELECT {schema}.append_message($1, $2)")
        self._many = database.sql("""
            SELECT {schema}.append_message(session, record)
            FROM unnest($1::text[], $2::text[]) AS appends (session, record)
        """)
        self._free_lanes = _LANES
        self._waiting: deque[_Append] = deque()
        self._flights: set[asyncio.Task[None]] = set()

    async def append(self, session: str, record: str) -> None:
        """Store one message, in a statement of its own or together with others.

        Cancelled, it took place or not when this raises: nothing is still on its way.
        """
        if self._free_lanes:
            await self._alone(session, record)
        else:
            append = _Append(session, record)
            self._waiting.append(append)
            await self._together(append)

    async def _alone(self, session: str, record: str) -> None:
        self._free_lanes -= 1
        try:
            await self._database.fetch(self._one, session, record)
        finally:
            self._free_lanes += 1
            self._depart()

    async def _together(self, append: _Append) -> None:
        try:
            await asyncio.shield(append.done)
        except asyncio.CancelledError:
            if append in self._waiting:
                self._waiting.remove(append)
            else:
                await _settled(append)
            raise

    def _depart(self) -> None:
        """Send those who wait on their way, if there is one."""
        if self._free_lanes and self._waiting:
            self._free_lanes -= 1
            size = min(len(self._waiting), _LARGEST_BATCH)
            batch = [self._waiting.popleft() for _ in range(size)]
            flight = asyncio.create_task(self._fly(batch))
            self._flights.add(flight)
            flight.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._free_lanes += 1
        self._depart()

    async def _fly(self, batch: list[_Append]) -> None:
        # Every process locks conversations in the same order: none waits for another in a circle.
        batch.sort(key=lambda append: append.session)
        sessions = [append.session for append in batch]
        records = [append.record for append in batch]
        try:
            error = await self._try(self._many, sessions, records)
            if isinstance(error, SerializationError):  # one of them, and the others are innocent
                for append in batch:
                    append.settle(await self._try(self._one, append.session, append.record))
            for append in batch:
                append.settle(error)
        finally:
            for append in batch:  # the event loop is being shut down
                append.done.cancel()

    async def _try(self, sql: str, *arguments: object) -> Exception | None:
        try:
            await self._database.fetch(sql, *arguments)
        except Exception as error:  # noqa: BLE001  (it belongs to those who wait for the outcome)
            return error
        return None


async def _settled(append: _Append) -> None:
    while not append.done.done():
        with suppress(asyncio.CancelledError):  # the caller is being cancelled as it is
            await asyncio.wait([append.done])
    if not append.done.cancelled():
        append.done.exception()  # nobody else will look at it
