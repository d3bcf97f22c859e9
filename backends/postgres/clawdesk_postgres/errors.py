"""What asyncpg and the server raise, as the four errors of the contract."""

from collections.abc import Callable, Mapping

import asyncpg
from clawdesk_storage import (
    ConnectionFailedError,
    NotFoundError,
    SerializationError,
    StorageError,
    StorageIOError,
)

__all__ = ["DRIVER"]


def _silence(error: Exception) -> StorageError:
    return ConnectionFailedError(str(error) or "no answer from the server within the timeout")


def _statement_timeout(error: Exception) -> StorageError:
    return ConnectionFailedError(f"the server gave up: {error}")


def _read_only(error: Exception) -> StorageError:
    return ConnectionFailedError(
        f"{error}: the server is a read-only replica or in recovery; point the DSN at the primary,"
        " or list all hosts and add target_session_attrs=read-write"
    )


def _too_large(error: Exception) -> StorageError:
    return SerializationError(
        f"{error}; an id or channel can have about 2,600 bytes of UTF-8, a record 1 GiB"
    )


def _incomplete(error: Exception) -> StorageError:
    return NotFoundError(f"{error}; was the schema dropped or restored in part?")


DRIVER: Mapping[type[Exception], Callable[[Exception], StorageError]] = {
    # Every file this storage ever opens is a socket, so a missing one is a missing server.
    OSError: ConnectionFailedError,
    FileNotFoundError: ConnectionFailedError,
    TimeoutError: _silence,
    asyncpg.InterfaceError: ConnectionFailedError,
    asyncpg.InternalClientError: ConnectionFailedError,
    asyncpg.PostgresConnectionError: ConnectionFailedError,
    asyncpg.InvalidAuthorizationSpecificationError: ConnectionFailedError,
    asyncpg.OperatorInterventionError: ConnectionFailedError,
    asyncpg.QueryCanceledError: _statement_timeout,
    asyncpg.TooManyConnectionsError: ConnectionFailedError,
    asyncpg.ReadOnlySQLTransactionError: _read_only,
    asyncpg.InvalidTransactionStateError: ConnectionFailedError,
    asyncpg.TransactionRollbackError: ConnectionFailedError,
    asyncpg.InvalidCatalogNameError: NotFoundError,
    asyncpg.InvalidSchemaNameError: _incomplete,
    asyncpg.UndefinedTableError: _incomplete,
    asyncpg.UndefinedColumnError: _incomplete,
    asyncpg.UndefinedFunctionError: _incomplete,
    asyncpg.UndefinedObjectError: _incomplete,
    asyncpg.DataError: SerializationError,
    asyncpg.ProgramLimitExceededError: _too_large,
    asyncpg.DataCorruptedError: SerializationError,
    asyncpg.IndexCorruptedError: SerializationError,
    # Disk full, out of memory, permission denied and all that has no better name.
    asyncpg.PostgresError: StorageIOError,
}
