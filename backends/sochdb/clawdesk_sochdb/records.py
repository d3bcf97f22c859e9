"""Keys and values in a database, as its one thread sees them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from clawdesk_storage import ConnectionFailedError

from clawdesk_sochdb.engine import Database, SochDBError, Transaction
from clawdesk_sochdb.log import Log

__all__ = ["Records"]


class Records:
    """The records of one location. Values are never empty: to the engine that means deleted.

    One thread may use it, and transactions follow one another; each is in the log, whole, before
    it counts.

    Args:
        location: The directory of the storage; created if it is not there.

    Raises:
        ConnectionFailedError: Another handle, in this process or in another, has it open.
        SerializationError: The log was changed after it was closed.
    """

    def __init__(self, location: Path) -> None:
        self._log = Log(location)
        self._database = _opened(self._log, location)
        self._view: Transaction | None = None
        self._failed = False

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self._current().get(key) or None

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield what follows `prefix` (2 bytes or more) in each key, and the value, in order."""
        for key, value in self._current().scan_prefix(prefix):
            if value:
                yield key[len(prefix) :], value

    @contextmanager
    def writing(self) -> Generator[Transaction]:
        """Store what the block puts and deletes, all of it or, when the block raises, nothing.

        Raises:
            SochDBError: The log could not be written; from then on the records refuse to work,
                because what is appended behind a torn record would be lost.
        """
        self._check_working()
        self._forget_view()
        transaction = self._database.transaction()
        try:
            with transaction:  # commits, or aborts when the block raises
                yield transaction
        except SochDBError:
            self._failed = True
            raise

    def close(self) -> None:
        """Let go of the database, for another handle to open."""
        try:
            self._forget_view()
            if not self._failed:
                self._log.seal(self._database)
        finally:
            self._database.close()

    def _current(self) -> Transaction:
        # Each transaction adds to the log, one that only reads too; so reads share theirs until
        # the next write.
        if self._view is None:
            self._check_working()
            self._view = self._database.transaction()
        return self._view

    def _forget_view(self) -> None:
        if self._view is not None:
            self._view.abort()
            self._view = None

    def _check_working(self) -> None:
        if self._failed:
            raise ConnectionFailedError(
                "the engine failed to write earlier; close the storage and open it again"
            )


def _opened(log: Log, location: Path) -> Database:
    try:
        return log.open()
    except SochDBError as error:
        raise ConnectionFailedError(
            f"cannot open {location}: another handle has it, or the engine cannot read or write it"
        ) from error
