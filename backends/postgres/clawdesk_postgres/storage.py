"""The four stores together, and how to open them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from clawdesk_storage import NotFoundError, translate_errors

from clawdesk_postgres.checks import check_dsn, check_numbers, check_schema, raise_unreadable
from clawdesk_postgres.config import PostgresConfigStore
from clawdesk_postgres.connections import Connection, Connections, outwait
from clawdesk_postgres.conversations import PostgresConversationStore
from clawdesk_postgres.database import Database
from clawdesk_postgres.errors import DRIVER
from clawdesk_postgres.hnsw import HNSW
from clawdesk_postgres.schema import prepare
from clawdesk_postgres.sessions import PostgresSessionStore
from clawdesk_postgres.tables import quoted
from clawdesk_postgres.vectors import PostgresVectorStore, vector_from_wire, vector_to_wire

__all__ = ["PostgresStorage", "connect"]


class PostgresStorage:
    """The four stores in one schema of a PostgreSQL database, as a `Storage`."""

    def __init__(self, database: Database, index: HNSW | None, *, set_locally: bool) -> None:
        self.sessions = PostgresSessionStore(database)
        self.conversations = PostgresConversationStore(database)
        self.config = PostgresConfigStore(database)
        self.vectors = PostgresVectorStore(database, index, set_locally=set_locally)


@asynccontextmanager
async def connect(
    dsn: str,
    *,
    schema: str = "clawdesk",
    pool_size: int = 10,
    timeout: float = 30.0,
    connect_timeout: float = 5.0,
    idle_timeout: float = 300.0,
    pgbouncer: bool = False,
    index: HNSW | None = None,
) -> AsyncGenerator[PostgresStorage, None]:
    """Open the storage, creating the schema on first use, and close it afterwards.

        async with connect("postgresql://gateway@db.example/clawdesk") as storage:
            await storage.sessions.save(session)

    Args:
        dsn: The database, as `postgresql://user:password@host:port/name?sslmode=...`, with `%2F`
            and the like for special characters in the password. Several hosts, separated by
            commas, and `target_session_attrs=read-write` follow a failover.
        schema: The schema that holds the tables. Another schema shares nothing with it.
        pool_size: How many server connections there are at most. They are opened on demand.
        timeout: Seconds until an operation, waiting for a connection included, is given up.
        connect_timeout: Seconds until an attempt to reach the server is given up.
        idle_timeout: Seconds until a connection that nobody needs is closed; one stays. What has
            rested for a tenth of it is tried before it is used.
        pgbouncer: There is a pooler in transaction mode in between: prepare no statements, and
            expect no session to last.
        index: What to search vectors through; None searches exactly.

    Raises:
        ValueError: An argument is unusable.
        ConnectionFailedError: The server cannot be reached, or refuses the login.
        NotFoundError: There is no such database, or it lacks pgvector.
        SerializationError: The schema belongs to a later version of this package.
        StorageIOError: It belongs to an earlier one, and the role does not own it.
    """
    check_schema(schema)
    check_numbers(
        pool_size=pool_size,
        timeout=timeout,
        connect_timeout=connect_timeout,
        idle_timeout=idle_timeout,
    )
    check_dsn(dsn)
    settings = {} if pgbouncer else {"default_transaction_isolation": "read committed"}
    if index is not None and not pgbouncer:
        settings |= index.settings
    server = _Server(dsn, settings, connect_timeout, prepares=not pgbouncer)
    connections = Connections(
        server.connected, pool_size, idle_timeout=idle_timeout, settle_timeout=timeout
    )
    try:
        with translate_errors(DRIVER):
            server.pgvector = await _prepared(connections, schema, index)
        database = Database(connections, quoted(schema), quoted(server.pgvector), timeout)
    except BaseException:
        connections.abort()
        raise
    try:
        yield PostgresStorage(database, index, set_locally=pgbouncer)
    finally:
        await database.close()


class _Server:
    """Where connections come from.

    Args:
        dsn: Of the server, or of several of which one will do.
        settings: What a server session is to begin with.
        timeout: Seconds for one attempt.
        prepares: Statements are prepared, and the server remembers them.
    """

    def __init__(
        self, dsn: str, settings: dict[str, str], timeout: float, *, prepares: bool
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._timeout = timeout
        self._cache_size = 100 if prepares else 0
        self.pgvector: str | None = None

    async def connected(self) -> Connection:
        """Return a new connection, which knows of vectors once it is known where these are."""
        connection = await self._logged_in()
        if self.pgvector is not None:
            await _teach_vectors(connection, self.pgvector)
        return connection

    async def _logged_in(self) -> Connection:
        try:
            return await asyncpg.connect(
                self._dsn,
                timeout=self._timeout,
                statement_cache_size=self._cache_size,
                server_settings=self._settings,
            )
        except (
            asyncpg.UndefinedObjectError,
            asyncpg.CantChangeRuntimeParamError,
            asyncpg.InvalidParameterValueError,
        ) as error:
            refused = str(error.args[0])
        except (ValueError, OverflowError):
            refused = None
        # Not in the handlers above: an exception of the driver would come with this one, and may
        # quote the part of the DSN that it stumbled over, perhaps the password.
        if refused is None:
            raise_unreadable()
        raise ValueError(f"the server refuses an option of the DSN: {refused}")


async def _prepared(connections: Connections, schema: str, index: HNSW | None) -> str:
    connection = await connections.take()
    try:
        pgvector = await prepare(connection, schema, index)
        await _teach_vectors(connection, pgvector)
    except BaseException as error:
        await outwait(connections.mend(connection, error))
        raise
    connections.keep(connection)
    return pgvector


async def _teach_vectors(connection: Connection, pgvector: str) -> None:
    """Have vectors sent and received in the extension's binary format."""
    try:
        await connection.set_type_codec(
            "vector",
            schema=pgvector,
            encoder=vector_to_wire,
            decoder=vector_from_wire,
            format="binary",
        )
    except BaseException as error:
        connection.terminate()
        if isinstance(error, ValueError):
            raise NotFoundError("the extension pgvector has been dropped") from error
        raise
