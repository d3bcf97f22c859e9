"""What asyncpg and the server raise, as the four errors of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import asyncpg
from clawdesk_storage import (
    ConnectionFailedError,
    NotFoundError,
    SerializationError,
    StorageError,
    StorageIOError,
)

__all__ = ["DRIVER", "is_rolled_back", "said"]

_POOLER = (
    "; is there a pooler in transaction mode, such as pgbouncer, in between? Then connect with"
    " pgbouncer=True"
)


def said(error: Exception) -> str:
    """Return what an error says, without the detail, which quotes the rows that are refused."""
    if isinstance(error, asyncpg.PostgresError):
        error.detail = None  # nor is it to stand in a log, as the cause of ours
        return str(error.args[0])
    return str(error)


def is_rolled_back(error: StorageError) -> bool:
    """Tell whether the server has certainly undone the one statement that raised this."""
    cause = error.__cause__
    if isinstance(cause, asyncpg.StatementCompletionUnknownError):
        return False
    if isinstance(cause, asyncpg.QueryCanceledError):
        return True
    unsure = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)
    return isinstance(cause, asyncpg.PostgresError) and not isinstance(cause, unsure)


def _as(kind: type[StorageError], advice: str = "") -> Callable[[Exception], StorageError]:
    def translated(error: Exception) -> StorageError:
        return kind(said(error) + advice)

    return translated


def _silence(error: Exception) -> StorageError:
    return ConnectionFailedError(str(error) or "no answer from the server within the timeout")


def _statement_timeout(error: Exception) -> StorageError:
    return ConnectionFailedError(f"the server gave up: {said(error)}")


def _out_of_step(error: Exception) -> StorageError:
    """The driver's state machine met what it did not expect: mostly a farewell of the server."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return ConnectionFailedError(said(error))
    return ConnectionFailedError("the server, or something in between, has ended the connection")


_read_only = _as(
    ConnectionFailedError,
    ": the server is a replica, or has become read-only. All connections are replaced: with the"
    " hosts of primary and standby in the DSN and target_session_attrs=read-write the next call"
    " goes to the one that takes writes",
)
_too_large = _as(
    SerializationError,
    "; an id or channel can have about 2,600 bytes of UTF-8, a record 1 GiB, less in metadata",
)
_incomplete = _as(NotFoundError, "; was the schema dropped or restored in part?")
_refused = _as(StorageIOError)
_unreachable = _as(ConnectionFailedError)
_pooled = _as(ConnectionFailedError, _POOLER)


def _protocol(error: Exception) -> StorageError:
    if "startup parameter" in said(error):
        return _pooled(error)
    return _unreachable(error)


DRIVER: Mapping[type[Exception], Callable[[Exception], StorageError]] = {
    # Every file this storage ever opens is a socket, so a missing one is a missing server.
    OSError: ConnectionFailedError,
    FileNotFoundError: ConnectionFailedError,
    TimeoutError: _silence,
    asyncpg.InterfaceError: ConnectionFailedError,
    asyncpg.InternalClientError: _out_of_step,
    asyncpg.PostgresConnectionError: _unreachable,
    asyncpg.ProtocolViolationError: _protocol,
    asyncpg.InvalidSQLStatementNameError: _pooled,
    asyncpg.DuplicatePreparedStatementError: _pooled,
    asyncpg.InvalidAuthorizationSpecificationError: _unreachable,
    asyncpg.OperatorInterventionError: _unreachable,
    asyncpg.QueryCanceledError: _statement_timeout,
    asyncpg.LockNotAvailableError: _statement_timeout,
    asyncpg.TooManyConnectionsError: _unreachable,
    asyncpg.ReadOnlySQLTransactionError: _read_only,
    asyncpg.InvalidTransactionStateError: _unreachable,
    asyncpg.TransactionRollbackError: _unreachable,
    asyncpg.InvalidCatalogNameError: _as(NotFoundError),
    asyncpg.InvalidSchemaNameError: _incomplete,
    asyncpg.UndefinedTableError: _incomplete,
    asyncpg.UndefinedColumnError: _incomplete,
    asyncpg.UndefinedFunctionError: _incomplete,
    asyncpg.UndefinedObjectError: _incomplete,
    asyncpg.DataError: _as(SerializationError),
    asyncpg.ProgramLimitExceededError: _too_large,
    asyncpg.DataCorruptedError: _as(SerializationError),
    asyncpg.IndexCorruptedError: _as(SerializationError),
    # Disk full, out of memory, permission denied and all that has no better name.
    asyncpg.PostgresError: _refused,
}
