"""What the driver raises, as the errors of the contract."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import apsw
from clawdesk_storage import (
    ConnectionFailedError,
    NotFoundError,
    SerializationError,
    StorageError,
    StorageIOError,
    translate_errors,
)

__all__ = ["DRIVER", "own_error", "stripped"]


def _refused_statement(error: Exception) -> StorageError:
    # "SQL logic error" is all that the class tells; the statements here are right, so what they
    # name must be gone.
    missing = "no such table" in str(error) or "no such column" in str(error)
    return NotFoundError(error) if missing else StorageIOError(error)


DRIVER: Mapping[type[Exception], Callable[[Exception], StorageError]] = {
    apsw.Error: StorageIOError,
    apsw.BusyError: ConnectionFailedError,
    apsw.LockedError: ConnectionFailedError,
    apsw.ProtocolError: ConnectionFailedError,
    apsw.ConnectionClosedError: ConnectionFailedError,
    apsw.CorruptError: SerializationError,
    apsw.FormatError: SerializationError,
    apsw.NotADBError: SerializationError,
    apsw.ConstraintError: SerializationError,
    apsw.TooBigError: SerializationError,
    apsw.SQLError: _refused_statement,
    # A damaged page can hold text that is none.
    UnicodeDecodeError: SerializationError,
}
"""For `translate_errors`."""


def stripped(error: BaseException) -> BaseException:
    """Return `error` without the frames it came through.

    In a thread's frames stand the calls of others, and what they store.
    """
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen.__context__ = None
        seen = seen.__cause__
    return error


def own_error(error: BaseException) -> StorageError | ValueError:
    """Return a new exception for one of the callers of what failed with `error`."""
    own = copy.copy(stripped(error))
    own.__cause__ = error.__cause__
    if isinstance(own, StorageError | ValueError) and not isinstance(own, UnicodeDecodeError):
        return own
    try:
        with translate_errors({**DRIVER, Exception: StorageIOError}):
            if isinstance(own, Exception):
                raise own
    except StorageError as made:
        made.__cause__ = stripped(own)
        return made
    failed = StorageIOError(f"the call was broken off: {type(own).__name__}")
    failed.__cause__ = own
    return failed
