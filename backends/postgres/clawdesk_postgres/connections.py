"""Server connections, lent to one operation at a time.

Not the driver's pool: it spends on every loan about as much as a statement costs, and a call that
is cancelled while it waits there leaves its statement behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import asyncpg
from clawdesk_storage import ConnectionFailedError

__all__ = ["Connection", "Connections", "outwait"]

Connection: TypeAlias = "asyncpg.Connection[Any]"

# How long a connection may take to come to rest after a cancelled statement; then it is cut.
_SETTLE_SECONDS = 5.0
# A connection that has lain for this share of the idle time is tried before it is lent.
_RESTED = 0.1
_LOOK_SECONDS = 1.0
_NOTHING = "SELECT"
_OUT_OF_ORDER = (asyncpg.InternalClientError, asyncpg.ReadOnlySQLTransactionError)


class Connections:
    """At most `size` connections, the one used last first.

    Args:
        open: Makes one.
        size: How many there can be at the same time; who comes next waits in line.
        idle_timeout: Seconds until one that nobody needs is closed; the last one stays.
        settle_timeout: Seconds that one may take to come to rest; no more than five count.
    """

    def __init__(
        self,
        open: Callable[[], Awaitable[Connection]],
        size: int,
        *,
        idle_timeout: float,
        settle_timeout: float,
    ) -> None:
        self.size = size
        self._open = open
        self._idle_timeout = idle_timeout
        self._settle_timeout = min(settle_timeout, _SETTLE_SECONDS)
        self._permits = asyncio.Semaphore(size)
        self._free: list[tuple[Connection, float]] = []
        self._all: set[Connection] = set()
        self._good: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self) -> Connection:
        """Wait for a connection and return it; `keep` or `mend` must take it back."""
        await self._permits.acquire()
        try:
            while self._free:
                connection, since = self._free.pop()
                rested = asyncio.get_running_loop().time() - since
                if await self._is_usable(connection, rested):
                    return connection
            return await self._opened()
        except BaseException:
            self._permits.release()
            raise

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose statement has ended well."""
        loop = asyncio.get_running_loop()
        self._free.append((connection, loop.time()))
        if self._sweep is None and not self._closed:
            self._sweep = loop.call_later(self._idle_timeout, self._close_idle)
        self._permits.release()

    def mend(self, connection: Connection, error: BaseException) -> asyncio.Task[None]:
        """Take back a connection after an error.

        What still runs is cancelled and rolled back, or the connection is cut.

        Returns:
            The task that does so; `outwait` waits for it.
        """
        if isinstance(error, _OUT_OF_ORDER):
            # Either this connection is confused, or its server is no more what it was: all of them
            # would go on saying so for as long as they last.
            self._good.clear()
        return self._background(self._settle(connection))

    async def close(self) -> None:
        """Close all connections once those who wait in line have been served."""
        for _ in range(self.size):
            await self._permits.acquire()
        self._end()
        free, self._free = self._free, []
        await asyncio.gather(*(connection.close() for connection, _ in free))
        self._forget_waiters()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abort(self) -> None:
        """Cut all connections, whatever they are doing."""
        self._end()
        for connection in self._all:
            connection.terminate()
        self._forget_waiters()

    async def _opened(self) -> Connection:
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")
        connection = await self._open()
        self._all = {each for each in self._all if not each.is_closed()} | {connection}
        self._good.add(connection)
        if self._closed:
            connection.terminate()
            raise ConnectionFailedError("the storage has been closed")
        return connection

    async def _is_usable(self, connection: Connection, rested: float) -> bool:
        if connection.is_closed():
            return False
        if connection not in self._good:
            self._background(self._part(connection))
            return False
        if rested < self._idle_timeout * _RESTED:
            return True
        # Whatever stands between may have forgotten it, and would let a statement wait for ever.
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await connection.execute(_NOTHING)
        except BaseException as error:
            connection.terminate()
            if not isinstance(error, (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
                raise
            return False
        return True

    async def _settle(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(self._settle_timeout):
                # The driver lets nothing pass before the server has taken note of a cancellation.
                if not connection.is_closed():
                    await connection.execute(
                        "ROLLBACK" if connection.is_in_transaction() else _NOTHING
                    )
                if connection.is_in_transaction():
                    await connection.execute("ROLLBACK")
        except BaseException as error:
            connection.terminate()
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            if connection in self._good and not connection.is_closed() and not self._closed:
                self.keep(connection)
            else:
                connection.terminate()
                self._good.discard(connection)
                self._permits.release()

    async def _part(self, connection: Connection) -> None:
        """Say goodbye to the server, which may not hear it."""
        try:
            await connection.close(timeout=_LOOK_SECONDS)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, asyncio.CancelledError):
                raise

    def _close_idle(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        oldest_first = sorted(self._free, key=lambda each: each[1])
        for each in oldest_first[:-1]:
            if loop.time() - each[1] >= self._idle_timeout:
                self._free.remove(each)
                self._good.discard(each[0])
                self._background(self._part(each[0]))
        if len(self._free) > 1:
            rest = min(since for _, since in self._free) + self._idle_timeout
            self._sweep = loop.call_at(rest, self._close_idle)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _end(self) -> None:
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _forget_waiters(self) -> None:
        for _ in range(self.size):  # who still waits in line learns that the storage is closed
            self._permits.release()


async def outwait(task: asyncio.Future[Any]) -> None:
    """Wait until `task` has ended, through all cancellations: the caller raises one already."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
