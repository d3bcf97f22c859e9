"""The four stores together, and how to open them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from clawdesk_storage import NotFoundError, check_id, translate_errors

from clawdesk_postgres.config import PostgresConfigStore
from clawdesk_postgres.connections import Connections
from clawdesk_postgres.conversations import PostgresConversationStore
from clawdesk_postgres.database import Database
from clawdesk_postgres.errors import DRIVER
from clawdesk_postgres.hnsw import HNSW
from clawdesk_postgres.schema import prepare, quoted
from clawdesk_postgres.sessions import PostgresSessionStore
from clawdesk_postgres.vectors import PostgresVectorStore, vector_to_wire

__all__ = ["PostgresStorage", "connect"]

_LONGEST_NAME = 63


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
        pgbouncer: There is a pooler in transaction mode in between: prepare no statements, and
            expect no session to last.
        index: What to search vectors through; None searches exactly.

    Raises:
        ValueError: An argument is unusable.
        ConnectionFailedError: The server cannot be reached, or refuses the login.
        NotFoundError: There is no such database, or it lacks pgvector.
        SerializationError: The schema belongs to a later version of this package.
    """
    _check_schema(schema)
    _check_numbers(pool_size=pool_size, timeout=timeout, connect_timeout=connect_timeout)
    settings = {} if pgbouncer else {"default_transaction_isolation": "read committed"}
    if index is not None and not pgbouncer:
        settings |= index.settings
    options: dict[str, Any] = {
        "max_size": pool_size,
        "timeout": connect_timeout,
        "statement_cache_size": 0 if pgbouncer else 100,
        "server_settings": settings,
    }
    with translate_errors(DRIVER):
        pool, pgvector = await _opened(dsn, options, schema, index)
    connections = Connections(pool, pool_size)
    database = Database(connections, quoted(schema), quoted(pgvector), timeout)
    try:
        yield PostgresStorage(database, index, set_locally=pgbouncer)
    finally:
        await database.close()


def _check_schema(schema: str) -> None:
    check_id(schema, "schema")
    if len(schema.encode()) > _LONGEST_NAME:
        raise ValueError(f"schema {schema!r}: a name has {_LONGEST_NAME} bytes of UTF-8 at most")
    if schema.startswith("pg_"):
        raise ValueError(f"schema {schema!r}: names that begin with pg_ are PostgreSQL's own")


def _check_numbers(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise ValueError(f"{name} must be greater than 0, and is {value}")


async def _opened(
    dsn: str, options: dict[str, Any], schema: str, index: HNSW | None
) -> tuple[asyncpg.Pool[Any], str]:
    """Return the pool, with a first connection that has seen to the tables, and where pgvector is.

    Raises:
        ValueError: The DSN cannot be read.
    """
    pgvector: str | None = None

    async def set_up(connection: asyncpg.Connection[Any]) -> None:
        nonlocal pgvector
        if pgvector is None:
            pgvector = await prepare(connection, schema, index)
        await _teach_vectors(connection, pgvector)

    try:
        pool = await asyncpg.create_pool(
            dsn, min_size=1, init=set_up, reset=_leave_alone, **options
        )
    except ValueError:
        # What the driver says quotes the part that it stumbled over, which may be the password.
        raise ValueError(
            "the DSN cannot be read: it looks like postgresql://user:password@host:port/name, with"
            " special characters in the password written as %XX"
        ) from None
    return pool, cast("str", pgvector)


async def _teach_vectors(connection: asyncpg.Connection[Any], pgvector: str) -> None:
    try:
        await connection.set_type_codec(
            "vector", schema=pgvector, encoder=vector_to_wire, decoder=bytes, format="binary"
        )
    except ValueError as error:
        raise NotFoundError("the extension pgvector has been dropped") from error


async def _leave_alone(connection: asyncpg.Connection[Any]) -> None:
    """Save the round trip that resets what no statement of ours changes."""
