"""Keys and values in a database, as its one thread sees them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from clawdesk_storage import ConnectionFailedError, NotFoundError

from clawdesk_sochdb.engine import Database, SochDBError, Transaction
from clawdesk_sochdb.log import Log

__all__ = ["Changes", "Records"]


class Changes:
    """Puts and deletes that belong together."""

    def __init__(self) -> None:
        self._made: list[tuple[bytes, bytes | None]] = []

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value, which is not empty, under `key`."""
        self._made.append((key, value))

    def delete(self, key: bytes) -> None:
        """Remove the value of `key`; an absent one is no error."""
        self._made.append((key, None))

    def make(self, transaction: Transaction) -> None:
        """Make them in the transaction."""
        for key, value in self._made:
            if value is None:
                transaction.delete(key)
            else:
                transaction.put(key, value)


class Records:
    """The records of one location. Values are never empty: to the engine that means deleted.

    One thread may use it, and transactions follow one another; each is in the log, whole, before
    it counts.

    Args:
        location: The directory of the storage; created if it is not there.

    Raises:
        ConnectionFailedError: Another handle, in this process or in another, has it open.
        SerializationError: The log was changed after it was closed.
        OSError: The directory or the log cannot be made or written.
    """

    def __init__(self, location: Path) -> None:
        self._log = Log(location)
        self._database = _opened(self._log, location)
        self._transaction: Transaction | None = None
        self._changed = False
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
    def writing(self) -> Generator[Changes]:
        """Take what the block puts and deletes into the next commit; nothing when it raises.

        Raises:
            SochDBError: As in `commit`.
        """
        transaction = self._current()
        changes = Changes()
        yield changes
        with self._failing():
            changes.make(transaction)
        self._changed = True

    def commit(self) -> None:
        """Store all changes since the last commit, together.

        Raises:
            SochDBError: The log could not be written; from then on the records refuse to work,
                because what is appended behind a torn record would be lost.
            NotFoundError: The log was removed or replaced; they refuse to work from then on too.
        """
        if self._changed:
            with self._failing():
                self._log.check()
                self._current().commit()
            self._transaction, self._changed = None, False

    def close(self) -> None:
        """Let go of the database, for another handle to open."""
        try:
            if self._transaction is not None:
                self._transaction.abort()
            if not self._failed:
                self._log.seal(self._database)
        finally:
            self._database.close()

    def _current(self) -> Transaction:
        # Each transaction adds to the log, one that only reads too; so there is one at a time, and
        # reads share it until changes are committed.
        if self._transaction is None:
            self._check_working()
            self._transaction = self._database.transaction()
        return self._transaction

    @contextmanager
    def _failing(self) -> Generator[None]:
        try:
            yield
        except (SochDBError, NotFoundError):
            self._transaction, self._failed = None, True
            raise

    def _check_working(self) -> None:
        if self._failed:
            raise ConnectionFailedError(
                "the engine failed to write earlier; close the storage and open it again"
            )


def _opened(log: Log, location: Path) -> Database:
    try:
        return log.open()
    except SochDBError as error:
        log.check_room()  # the engine says the same of a full disk and of another handle
        raise ConnectionFailedError(
            f"cannot open {location}: another handle has it, or the engine cannot read or write it"
        ) from error
