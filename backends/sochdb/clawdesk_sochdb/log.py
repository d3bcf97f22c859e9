"""The engine's log: the file that is the database.

The engine appends to it, replays it when it opens, and never shortens it. Three of its faults are
mended here, by writing the log anew with nothing but the live records:

- A record torn by a kill stays in the log, and the replay stops there: whatever is appended behind
  it is lost.
- A deleted key comes back from the replay as an empty value.
- Deleted and replaced values stay for ever.

A log that was closed in order and has not doubled since is taken as it is, once its digest shows
that nobody changed it: the engine would silently drop everything behind a changed byte.

Records that version 1 of this package wrote are brought up to date on the same way: the fresh log
takes the place of the old one whole, or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from tempfile import TemporaryFile

from clawdesk_storage import NotFoundError, SerializationError

from clawdesk_sochdb.engine import Database, Transaction, get, open_database, scan
from clawdesk_sochdb.keys import FORMAT
from clawdesk_sochdb.record import damaged
from clawdesk_sochdb.upgrade import upgraded

__all__ = ["Log"]

_SLACK = 1024 * 1024  # bytes that a log may grow before it counts as doubled
_PRESENT = b"2"  # the format of the records


class Log:
    """The log of the database in one location.

    Args:
        location: The directory that holds the database and the seal of its log.
    """

    def __init__(self, location: Path) -> None:
        self._location = location
        self._database = location / "sochdb"
        self._file = self._database / "wal.log"
        self._seal = location / "seal.json"
        self._compact_size = 0
        self._identity = (0, 0)

    def open(self) -> Database:
        """Return the database, its log free of torn and dead records.

        Raises:
            SochDBError: Another handle has the database, or the engine cannot open it.
            SerializationError: The log, or its seal, was changed after it was closed, or a newer
                version of this package wrote it.
            OSError: The directory or the log cannot be made or written.
        """
        _make_private(self._database)
        # The engine does not say what the operating system refuses.
        _touch_private(self._file)
        before = set(self._database.iterdir())
        database = self._open()
        for made in set(self._database.iterdir()) - before:
            made.chmod(0o600)
        self._identity = _identity(self._file)
        return database

    def check(self) -> None:
        """Refuse to go on with a log that is no longer at its path.

        The engine would acknowledge as before, in a file that nobody can open again.

        Raises:
            NotFoundError: The log was removed or replaced.
        """
        try:
            if _identity(self._file) == self._identity:
                return
        except FileNotFoundError as error:
            raise NotFoundError(f"{self._file} was removed while open") from error
        raise NotFoundError(f"{self._file} was replaced by another file while open")

    def check_room(self) -> None:
        """Refuse a location in which a file cannot grow.

        Raises:
            OSError: The disk is full, or the like.
        """
        with TemporaryFile(dir=self._location) as file:
            file.write(bytes(_SLACK))
            file.flush()

    def seal(self, database: Database) -> None:
        """Note what the log is. The database must be closed next, and writes nothing then."""
        # Once it is closed another handle may write, so that it is too late for a look at the log.
        database.fsync()
        seal = {
            "digest": _digest(self._file),
            "compact_size": self._compact_size,
            "format": int(_PRESENT),
        }
        draft = self._seal.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        _touch_private(draft)
        with draft.open("w") as file:
            file.write(json.dumps(seal))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._seal)

    def _open(self) -> Database:
        database = open_database(self._database)
        try:
            if self._is_compact() and _has_present_format(database):
                return database
            self._rewrite(database)
        except BaseException:
            database.close()
            raise
        # The engine still appends to the old file, which has no name any more.
        database.close()
        return open_database(self._database)

    def _is_compact(self) -> bool:
        if not self._seal.exists():
            return not self._file.stat().st_size
        digest, self._compact_size = self._read_seal()
        if digest != _digest(self._file):
            raise SerializationError(
                f"the log {self._file} was changed after it was closed; restore it, or delete "
                f"{self._seal} to go on with the records that can still be read"
            )
        # From here on the log may be torn; without the seal the next opening writes it anew.
        self._seal.unlink()
        _sync(self._location)
        return self._file.stat().st_size <= 2 * self._compact_size + _SLACK

    def _read_seal(self) -> tuple[str, int]:
        try:
            seal = json.loads(self._seal.read_text())
            # Before anything is changed: whoever wrote it still finds its log as it was.
            if int(seal.get("format", 1)) > int(_PRESENT):
                raise _newer()
            return str(seal["digest"]), int(seal["compact_size"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SerializationError(
                f"the seal {self._seal} is damaged; restore it, or delete it to go on with the "
                "records that can be read"
            ) from error

    def _rewrite(self, database: Database) -> None:
        fresh = self._location / "rewritten"
        shutil.rmtree(fresh, ignore_errors=True)
        _make_private(fresh)
        _touch_private(fresh / "wal.log")
        copy = open_database(fresh)
        try:
            _copy(database, copy)
        finally:
            copy.close()
        self._compact_size = (fresh / "wal.log").stat().st_size
        shutil.copymode(self._file, fresh / "wal.log")
        (fresh / "wal.log").replace(self._file)
        _sync(self._database)
        shutil.rmtree(fresh)


def _has_present_format(database: Database) -> bool:
    """Whether the records need no upgrade; without any, note that they will not."""
    transaction = database.transaction()
    try:
        if _format(transaction) == _PRESENT:
            return True
        if any(record for _, record in scan(transaction, b"")):
            return False
    finally:
        transaction.abort()
    with database.transaction() as marking:
        marking.put(FORMAT, _PRESENT)
    return True


def _format(transaction: Transaction) -> bytes | None:
    noted = get(transaction, FORMAT)
    if noted in (None, _PRESENT):
        return noted
    raise _newer() if noted.isdigit() else damaged("format", "it is no number")


def _newer() -> SerializationError:
    return SerializationError(
        "the records were written by a newer version of clawdesk-sochdb; open them with that"
    )


def _copy(source: Database, target: Database) -> None:
    reading = source.transaction()
    old = _format(reading) is None
    with target.transaction() as writing:
        writing.put(FORMAT, _PRESENT)
        for key, record in scan(reading, b""):
            if record and key != FORMAT:
                writing.put(key, upgraded(key, record) if old else record)
    reading.abort()


def _make_private(directory: Path) -> None:
    # `Path.mkdir` gives its mode to the last directory alone.
    if not directory.is_dir():
        _make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _touch_private(file: Path) -> None:
    # Opened for appending: a log that cannot be written is refused here.
    os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))


def _identity(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_dev, status.st_ino


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
