"""What can go wrong in a storage, and how a driver's exceptions become it.

    Exception
    └── StorageError
        ├── NotFoundError           what the storage itself needs is gone
        ├── ConnectionFailedError   the engine cannot be reached, or the storage is closed
        ├── SerializationError      a value cannot be stored, or a record cannot be read back
        ├── StorageIOError          the operating system refused
        └── ConflictError           another writer was first; only abilities raise it

The first four and their messages mirror `StorageError` of the Rust crate `clawdesk-storage`.
A caller's mistake (an empty id, a negative limit, an unusable vector) is none of them: it is a
plain `ValueError`, raised before anything changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import ClassVar, TypeVar

__all__ = [
    "ConflictError",
    "ConnectionFailedError",
    "NotFoundError",
    "SerializationError",
    "StorageError",
    "StorageIOError",
    "translate_errors",
]


class StorageError(Exception):
    """Base of everything a storage raises for a reason other than its caller's mistake.

    Args:
        detail: What went wrong; a driver's exception will do. It follows the class's own words in
            the message.

    Raise one of the subclasses, never this class itself.
    """

    message: ClassVar[str] = "storage error: {0}"

    def __init__(self, detail: object) -> None:
        # The detail alone goes into args, so that pickle and copy rebuild the same error.
        super().__init__(str(detail))

    @property
    def detail(self) -> str:
        """What went wrong, without the class's own words."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message.format(self.detail)


class NotFoundError(StorageError):
    """What the storage itself needs is gone: the file, the table, the bucket.

    Never raised for an absent session, conversation or vector: those are ordinary answers.
    """

    message = "item not found: {0}"


class ConnectionFailedError(StorageError):
    """The engine cannot be reached, or the storage has been closed."""

    message = "storage connection failed: {0}"


class SerializationError(StorageError):
    """A value cannot be stored as it is, or a stored record cannot be read back."""

    message = "serialization error: {0}"


class StorageIOError(StorageError):
    """The operating system refused: disk full, permission denied and the like."""

    message = "storage I/O error: {0}"


class ConflictError(StorageError):
    """What was to be changed is no longer as the caller saw it; nothing has changed.

    Raised by abilities alone. Read again, decide again, and try again.
    """

    message = "conflict: {0}"


# A variable, because the keys of a Mapping are invariant: a table of one class would not pass.
_DriverClass = TypeVar("_DriverClass", bound=type[Exception])

_FROM_THE_SYSTEM: Mapping[type[Exception], Callable[[Exception], StorageError]] = {
    ConnectionError: ConnectionFailedError,
    TimeoutError: ConnectionFailedError,
    FileNotFoundError: NotFoundError,
    OSError: StorageIOError,
}


class translate_errors:  # noqa: N801  (used as a statement, like contextlib.suppress)
    """Turn a driver's exceptions into the four errors inside a `with` block.

    Args:
        table: For each class of driver exception the error it becomes: one of the four classes, or
            a function that takes the exception and returns an error, where the class alone does
            not tell. The most specific class wins. `ConnectionError`, `TimeoutError`,
            `FileNotFoundError` and `OSError` are known without being named, and can be overridden.

    The original exception becomes `__cause__`, and the traceback leads to where it arose. A
    `StorageError`, a `ValueError` not named in the table, and everything else unknown pass
    unchanged.

        DRIVER = {driver.Locked: ConnectionFailedError, driver.Error: StorageIOError}

        with translate_errors(DRIVER):
            cursor.execute(...)
    """

    def __init__(
        self, table: Mapping[_DriverClass, Callable[[Exception], StorageError]] | None = None
    ) -> None:
        self._table = dict(_FROM_THE_SYSTEM)
        if table is not None:
            self._table.update(table.items())

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, StorageError):
            return
        for ancestor in type(error).__mro__:
            make = self._table.get(ancestor)
            if make is not None:
                # With the driver's traceback, whose last frames show the call that failed; the
                # error's own would end at the line of the `with`.
                raise make(error).with_traceback(traceback) from error
