"""The tables, and how they come to be there exactly once."""

from __future__ import annotations

from typing import Any

import asyncpg
from clawdesk_storage import NotFoundError, SerializationError

from clawdesk_postgres.hnsw import HNSW

__all__ = ["VERSION", "prepare", "quoted"]

VERSION = 1
"""Version of the tables below; a database with a later one is refused."""

# One key for all schemas: they share the database's one extension.
_LOCK = "SELECT pg_advisory_xact_lock(7237113801244271)"

# Not to_regclass: inside a transaction it may not know yet what others have created.
_FIND = """
    SELECT EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = $1 AND relname = $2
    )
"""

_FIND_EXTENSION = """
    SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'vector'
"""

_FIND_DIMENSION = "SELECT dimension FROM {schema}.vector_space"

_TABLES = """
CREATE SCHEMA IF NOT EXISTS {schema};

CREATE TABLE {schema}.version (version integer NOT NULL);
INSERT INTO {schema}.version VALUES ({version});

-- record is JSON as text: json would do, jsonb would lose NUL and the difference of 1 and 1.0.
CREATE TABLE {schema}.sessions (
    id text COLLATE "C" PRIMARY KEY,
    channel text COLLATE "C" NOT NULL,
    last_activity timestamptz NOT NULL,
    record text NOT NULL
);
CREATE INDEX sessions_newest ON {schema}.sessions (last_activity DESC, id);
CREATE INDEX sessions_channel ON {schema}.sessions (channel, last_activity DESC);

-- One row per conversation is its lock and its counter; half-empty pages keep the update in place.
CREATE TABLE {schema}.conversations (
    session_id text COLLATE "C" PRIMARY KEY,
    length bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE {schema}.messages (
    session_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (session_id, position)
);

-- The row lock on the conversation lasts until the commit, so positions are commit order.
CREATE FUNCTION {schema}.append_message(session text, message text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
BEGIN
    INSERT INTO {schema}.conversations AS c (session_id, length) VALUES (session, 1)
    ON CONFLICT (session_id) DO UPDATE SET length = c.length + 1
    RETURNING length INTO last;
    INSERT INTO {schema}.messages VALUES (session, last, message);
END
$$;

-- Two statements, because the second must see what was appended while the first waited.
CREATE FUNCTION {schema}.clear_messages(session text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.conversations WHERE session_id = session;
    DELETE FROM {schema}.messages WHERE session_id = session;
END
$$;

CREATE TABLE {schema}.config (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    record text NOT NULL
);

CREATE TABLE {schema}.vectors (
    id text COLLATE "C" PRIMARY KEY,
    embedding {pgvector}.vector NOT NULL,
    metadata text NOT NULL
);
CREATE TABLE {schema}.vector_space (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    dimension integer NOT NULL
);
"""


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


async def prepare(connection: asyncpg.Connection[Any], schema: str, index: HNSW | None) -> str:
    """Make sure that the tables are there, and return the name of pgvector's schema.

    Finding them there takes no lock and writes nothing, so that it works on a replica and without
    the right to create.

    Args:
        connection: A connection outside of any transaction.
        schema: The schema's plain name; created if it is not there.
        index: What must be there once there are vectors.

    Raises:
        NotFoundError: The server has no pgvector.
        SerializationError: The tables are of a later version, or the encoding is not UTF-8.
    """
    _check_encoding(connection)
    if not await _exists(connection, schema):
        async with connection.transaction():
            await connection.execute(_LOCK)
            if not await _exists(connection, schema):
                await _create(connection, schema)
    await _check_version(connection, schema)
    pgvector = await _extension(connection)
    if index is not None and not await _exists(connection, schema, "vectors_hnsw"):
        async with connection.transaction():
            await connection.execute(_LOCK)
            dimension = await connection.fetchval(_FIND_DIMENSION.format(schema=quoted(schema)))
            if dimension is not None:
                await index.build(connection, quoted(schema), quoted(pgvector), dimension)
    return pgvector


async def _exists(
    connection: asyncpg.Connection[Any], schema: str, relation: str = "version"
) -> bool:
    return bool(await connection.fetchval(_FIND, schema, relation))


async def _create(connection: asyncpg.Connection[Any], schema: str) -> None:
    extension = await _extension(connection)
    names = {"schema": quoted(schema), "pgvector": quoted(extension), "version": VERSION}
    await connection.execute(_TABLES.format(**names))


async def _extension(connection: asyncpg.Connection[Any]) -> str:
    found = await connection.fetchval(_FIND_EXTENSION)
    if found is not None:
        return str(found)
    try:
        await connection.execute("CREATE EXTENSION vector")
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        raise NotFoundError(
            f"the database lacks the extension pgvector ({error}): install it on the server"
            " (Debian and Ubuntu: the package postgresql-VERSION-pgvector; managed services have"
            " it), then run CREATE EXTENSION vector in this database as its owner or a superuser"
        ) from error
    return str(await connection.fetchval(_FIND_EXTENSION))


async def _check_version(connection: asyncpg.Connection[Any], schema: str) -> None:
    found = await connection.fetchval(f"SELECT version FROM {quoted(schema)}.version")  # noqa: S608
    if found != VERSION:
        raise SerializationError(
            f"schema {schema!r} is of version {found}, and this program knows {VERSION}:"
            " upgrade clawdesk-postgres, or use another schema"
        )


def _check_encoding(connection: asyncpg.Connection[Any]) -> None:
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise SerializationError(
            f"the database's encoding is {encoding}: create one with ENCODING 'UTF8'"
        )
