"""Keys and values in a database, as its one thread sees them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from clawdesk_storage import ConnectionFailedError, StorageIOError

from clawdesk_sochdb.engine import Database, SochDBError, Transaction, get, scan
from clawdesk_sochdb.log import Log
from clawdesk_sochdb.record import seal, unseal

__all__ = ["Changes", "Records"]


class Changes:
    """Puts and deletes that belong together."""

    def __init__(self) -> None:
        self._made: list[tuple[bytes, bytes | None]] = []

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value under `key`."""
        self.put_sealed(key, seal(key, value))

    def put_sealed(self, key: bytes, record: bytes) -> None:
        """Store the bytes of a record, which are not empty, under `key`."""
        self._made.append((key, record))

    def delete(self, key: bytes) -> None:
        """Remove the value of `key`; an absent one is no error."""
        self._made.append((key, None))

    def make(self, transaction: Transaction) -> None:
        """Make them in the transaction."""
        for key, record in self._made:
            if record is None:
                transaction.delete(key)
            else:
                transaction.put(key, record)


class Records:
    """The records of one location; each is sealed, so that what is read is what was put there.

    One thread may use it, and transactions follow one another; each is in the log, whole, before
    it counts. To the engine an empty record means a deleted one.

    Args:
        location: The directory of the storage; created if it is not there.

    Raises:
        ConnectionFailedError: Another handle, in this process or in another, has it open.
        SerializationError: The log was changed after it was closed, or a newer version wrote it.
        OSError: The directory or the log cannot be made or written.
    """

    def __init__(self, location: Path) -> None:
        self._log = Log(location)
        self._database = _opened(self._log, location)
        self._transaction: Transaction | None = None
        self._changed = False
        self._failed = False

    def get(self, key: bytes, name: str) -> bytes | None:
        """Return the value of `key`, or None.

        Args:
            key: Where to look.
            name: What to call the record in the message.

        Raises:
            SerializationError: The record is damaged, or is that of another key.
        """
        record = get(self._current(), key)
        return unseal(key, record, name) if record else None

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Yield what follows `prefix` (2 bytes or more) in each key, in order."""
        for key, record in scan(self._current(), prefix):
            if record:
                yield key[len(prefix) :]

    def scan(self, kind: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield the id and the value of each record of a kind, in order.

        Raises:
            SerializationError: A record is damaged; the message names its id.
        """
        for key, record in scan(self._current(), kind):
            if record:
                id = key[len(kind) :].decode(errors="replace")
                yield id, unseal(key, record, id)

    @contextmanager
    def writing(self) -> Generator[Changes]:
        """Take what the block puts and deletes into the next commit; nothing when it raises.

        Raises:
            SochDBError: The log could not be written, as in `commit`.
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
            StorageIOError: The log could not be written; from then on the records refuse to work,
                because what is appended behind a torn record would be lost.
            NotFoundError: The log was removed or replaced; they refuse to work from then on too.
        """
        if self._changed:
            with self._failing():
                self._log.check()
                _commit(self._current())
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
        except BaseException:
            # Whatever it was: a part of the changes may have been made.
            self._transaction, self._failed = None, True
            raise

    def _check_working(self) -> None:
        if self._failed:
            raise ConnectionFailedError(
                "the engine failed to write earlier; close the storage and open it again"
            )


def _commit(transaction: Transaction) -> None:
    try:
        transaction.commit()
    except SochDBError as error:
        # All of it may be in the log, and the engine cannot take it back.
        raise StorageIOError(
            f"{error}; whether the write took place shows when the storage is opened again"
        ) from error


def _opened(log: Log, location: Path) -> Database:
    try:
        return log.open()
    except SochDBError as error:
        log.check_room()  # the engine says the same of a full disk and of another handle
        raise ConnectionFailedError(
            f"cannot open {location}: another handle has it, or the engine cannot read or write it"
        ) from error
