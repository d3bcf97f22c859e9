"""What the driver raises, as the errors of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import apsw
from clawdesk_storage import (
    ConnectionFailedError,
    NotFoundError,
    SerializationError,
    StorageError,
    StorageIOError,
)

__all__ = ["DRIVER"]


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
