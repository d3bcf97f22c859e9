"""How the tables come to be there exactly once, and to be of this version."""

from __future__ import annotations

import asyncpg
from clawdesk_storage import NotFoundError, SerializationError, StorageIOError

from clawdesk_postgres.connections import Connection
from clawdesk_postgres.filters import fill
from clawdesk_postgres.hnsw import HNSW
from clawdesk_postgres.tables import CREATE, MIGRATE, VERSION, filled, quoted

__all__ = ["LOCK", "prepare"]

LOCK = "SELECT pg_advisory_xact_lock(7237113801244271)"
"""One key for all schemas: they share the database's one extension."""

# Whoever waits for a table's lock holds up all who come later: rather fail than do so for long.
_IMPATIENT = "SET LOCAL lock_timeout = '10s'"

# Not to_regclass: inside a transaction it may not know yet what others have created.
_FIND = """
    SELECT EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = $1 AND relname = $2
    )
"""

_FIND_SCHEMA = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)"

_FIND_EXTENSION = """
    SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'vector'
"""


async def prepare(connection: Connection, schema: str, index: HNSW | None) -> str:
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
        StorageIOError: They are of an earlier version, and the role does not own them.
    """
    _check_encoding(connection)
    if not await _exists(connection, schema):
        async with connection.transaction():
            await connection.execute(LOCK)
            if not await _exists(connection, schema):
                await _create(connection, schema)
    if await _version(connection, schema) < VERSION:
        await _migrate(connection, schema)
    pgvector = await _extension(connection)
    await fill(connection, quoted(schema), LOCK)
    if index is not None and not await _exists(connection, schema, "vectors_hnsw"):
        async with connection.transaction():
            await connection.execute(LOCK)
            await index.build(connection, quoted(schema), quoted(pgvector))
    return pgvector


async def _exists(connection: Connection, schema: str, relation: str = "version") -> bool:
    return bool(await connection.fetchval(_FIND, schema, relation))


async def _create(connection: Connection, schema: str) -> None:
    extension = await _extension(connection)
    # IF NOT EXISTS would ask for the right to create one even where it is there.
    if not await connection.fetchval(_FIND_SCHEMA, schema):
        await connection.execute(f"CREATE SCHEMA {quoted(schema)}")
    await connection.execute(filled(CREATE, schema, extension))


async def _migrate(connection: Connection, schema: str) -> None:
    """Bring tables of version 1 to this one, unless another process has been faster."""
    try:
        async with connection.transaction():
            await connection.execute(LOCK)
            if await _version(connection, schema) < VERSION:
                await connection.execute(_IMPATIENT)
                await connection.execute(filled(MIGRATE, schema, await _extension(connection)))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StorageIOError(
            f"schema {schema!r} is of version 1 ({error.args[0]}): open it once as the role that"
            " owns its tables, which brings them to this version"
        ) from error


async def _extension(connection: Connection) -> str:
    found = await connection.fetchval(_FIND_EXTENSION)
    if found is not None:
        return str(found)
    try:
        await connection.execute("CREATE EXTENSION vector")
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        raise NotFoundError(
            f"the database lacks the extension pgvector ({error.args[0]}): install it on the server"
            " (Debian and Ubuntu: the package postgresql-VERSION-pgvector; managed services have"
            " it), then run CREATE EXTENSION vector in this database as its owner or a superuser"
        ) from error
    return str(await connection.fetchval(_FIND_EXTENSION))


async def _version(connection: Connection, schema: str) -> int:
    found: int = await connection.fetchval(
        f"SELECT version FROM {quoted(schema)}.version"  # noqa: S608
    )
    if found > VERSION:
        raise SerializationError(
            f"schema {schema!r} is of version {found}, and this program knows {VERSION}:"
            " upgrade clawdesk-postgres, or use another schema"
        )
    return found


def _check_encoding(connection: Connection) -> None:
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise SerializationError(
            f"the database's encoding is {encoding}: create one with ENCODING 'UTF8'"
        )
