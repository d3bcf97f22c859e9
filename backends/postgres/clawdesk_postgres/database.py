"""One schema of a database, and the statements that it answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg
from clawdesk_storage import ConnectionFailedError, translate_errors

from clawdesk_postgres.connections import Connection, Connections, outwait
from clawdesk_postgres.errors import DRIVER

__all__ = ["Database"]

_TRANSLATED = translate_errors(DRIVER)


class Database:
    """Statements in one schema.

    Args:
        connections: What they go through.
        schema: The schema's name, quoted for SQL.
        pgvector: The name of the schema that pgvector is in, quoted for SQL.
        timeout: Seconds that one operation may take, waiting for a connection included.
    """

    def __init__(
        self, connections: Connections, schema: str, pgvector: str, timeout: float
    ) -> None:
        self.schema = schema
        self.pgvector = pgvector
        self.timeout = timeout
        self.lanes = connections.size
        self._connections = connections
        self._closed = False
        self._process = os.getpid()

    def check_open(self) -> None:
        """Raise `ConnectionFailedError` once the storage has been closed, or after a fork."""
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")
        if os.getpid() != self._process:
            raise ConnectionFailedError(
                "the storage was opened before this process was forked, and its connections are"
                " the parent's: open one in each process"
            )

    def sql(self, template: str, **names: object) -> str:
        """Return `template` with `{schema}`, `{pgvector}` and `names` filled in."""
        return template.format(schema=self.schema, pgvector=self.pgvector, **names)

    async def fetch(self, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """Run one statement, which is a transaction of its own, and return its rows.

        Cancelled, it has ended on the server when this raises, or the connection is cut.
        """
        with _TRANSLATED:
            async with asyncio.timeout(self.timeout) as bound:
                connection = await self._connections.take()
                try:
                    rows = await connection.fetch(sql, *arguments)
                except BaseException as error:
                    await self._mend(connection, error, bound)
                    raise
                self._connections.keep(connection)
                return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """Run several statements on the connection this yields, all of them or none."""
        with _TRANSLATED:
            async with asyncio.timeout(self.timeout) as bound:
                connection = await self._connections.take()
                try:
                    await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                    yield connection
                    await connection.execute("COMMIT")
                except BaseException as error:
                    await self._mend(connection, error, bound)
                    raise
                self._connections.keep(connection)

    async def close(self) -> None:
        """Refuse new operations, let those under way finish, and close the connections."""
        self._closed = True
        if os.getpid() != self._process:
            return
        try:
            async with asyncio.timeout(self.timeout):
                await self._connections.close()
        except BaseException as error:
            self._connections.abort()
            if not isinstance(
                error, (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
            ):
                raise

    async def _mend(
        self, connection: Connection, error: BaseException, bound: asyncio.Timeout
    ) -> None:
        """Have the connection mended, and wait for that unless the time is over.

        A caller who cancels is told so only when the statement cannot take place any more. The
        timeout is a bound, however: after it the connection comes to rest by itself.
        """
        task = self._connections.mend(connection, error)
        if not bound.expired():
            bound.reschedule(None)
            await outwait(task)
