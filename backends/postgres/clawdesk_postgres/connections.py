"""Server connections, lent to one operation at a time.

The driver's pool makes them, and mends or replaces what breaks. It also spends on every loan about
as much as a statement costs, so a connection that comes back in order stays here for the next one.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

__all__ = ["Connection", "Connections"]

Connection: TypeAlias = "PoolConnectionProxy[Any]"

# How long a connection may take to come to rest after a cancelled statement; then it is cut.
_SETTLE_SECONDS = 5.0


class Connections:
    """At most `size` connections of `pool`, the one used last first.

    Args:
        pool: Where connections come from, with at least `size` of them.
        size: How many can be lent at the same time; who comes next waits in line.
    """

    def __init__(self, pool: asyncpg.Pool[Any], size: int) -> None:
        self._pool = pool
        self._size = size
        self._free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)

    async def take(self) -> Connection:
        """Wait for a connection and return it; `keep` or `mend` must take it back."""
        free = await self._free.get()
        try:
            if free is not None and _is_usable(free):
                return free
            return await self._pool.acquire()
        except BaseException:
            self._free.put_nowait(None)
            raise

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose statement has ended well."""
        self._free.put_nowait(connection)

    async def mend(self, connection: Connection) -> None:
        """Take back a connection after an error: what still runs is cancelled and rolled back."""
        try:
            await self._pool.release(connection, timeout=_SETTLE_SECONDS)
        finally:
            self._free.put_nowait(None)

    async def close(self) -> None:
        """Close all connections once those who wait in line have been served."""
        for _ in range(self._size):
            free = await self._free.get()
            if free is not None:
                await self._pool.release(free)
        await self._pool.close()
        self._release_waiters()

    def abort(self) -> None:
        """Cut all connections, whatever they are doing."""
        self._pool.terminate()
        self._release_waiters()

    def _release_waiters(self) -> None:
        for _ in range(self._size):  # who still waits in line learns that the pool is closed
            self._free.put_nowait(None)


def _is_usable(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # it broke while it lay here, and the pool has taken it back
        return False
