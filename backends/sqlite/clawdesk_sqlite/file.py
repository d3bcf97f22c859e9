"""The file: connecting to it, making it, and noticing that it is not ours or not there."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from operator import methodcaller
from pathlib import Path
from typing import Any

import apsw
from clawdesk_storage import NotFoundError, SerializationError, translate_errors

from clawdesk_sqlite import fork
from clawdesk_sqlite.errors import DRIVER
from clawdesk_sqlite.schema import APPLICATION, SCHEMA, VERSION
from clawdesk_sqlite.upgrade import is_version_1, upgrade

__all__ = ["File", "batches", "execute", "snapshot", "statement", "wait_for_locks"]

BUSY_SECONDS = 5.0
"""How long a call waits for another process's lock before it is `ConnectionFailedError`."""

_RETRY_SECONDS = 0.005
_LOOKS = 3
_MAIN, _INDEX = 0, 2
_LOG_HEADER, _FRAME_HEADER = 32, 24
_PAGES = "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size"
_BATCH = 100
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    # After a checkpoint that readers held up, the log does not stay at its peak.
    "PRAGMA journal_size_limit = 8388608",
    # What was deleted is overwritten, not only given up.
    "PRAGMA secure_delete = ON",
    # Nothing that is written into a damaged or a foreign file's schema is trusted.
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)


class File:
    """A database file, created with its directory if it is not there.

    Args:
        path: Where it is.

    Attributes:
        owner: The connection that created or checked it, for the writer.

    Raises:
        SerializationError: It is no database, another program's, or a newer version's.
        StorageIOError: The operating system refuses to read or write it.
        ConnectionFailedError: Another process holds it for longer than `BUSY_SECONDS`.

        ValueError: The path is not UTF-8.

    An error leaves the file as it was.
    """

    def __init__(self, path: Path) -> None:
        # Absolute, so that it stays the same place when the program changes its directory. No
        # Path, which takes longer to look at, at each commit.
        self._path = os.path.abspath(path)
        _check_encoding(self._path)
        self._parts = [self._path + suffix for suffix in ("", "-wal", "-shm")]
        with translate_errors(DRIVER):
            _make_private(Path(self._path))
            _check_inheritance(self._path)
            self.owner = _connect(self._path)
            try:
                _prepare(self.owner, path)
                self._identities = [_identity(part) for part in self._parts]
                self._sizes = [0] * len(self._parts)
            except BaseException:
                self.owner.close()
                raise
        self._generation = fork.generation()
        fork.opened(self._identities[0])

    @property
    def inherited(self) -> bool:
        """Whether this process was forked from the one that opened the file."""
        return self._generation != fork.generation()

    def connect(self) -> apsw.Connection:
        """Return another connection to the file."""
        return _connect(self._path)

    def check(self) -> None:
        """Refuse to go on with a file that is no longer at its path, or whose log is not.

        SQLite would read and acknowledge as before, in files that nobody can open again.

        Raises:
            NotFoundError: The file, its log (`-wal`) or the log's index (`-shm`) was removed,
                replaced or cut short.
        """
        for number, part in enumerate(self._parts):
            try:
                status = os.stat(part)
            except FileNotFoundError as error:
                raise NotFoundError(f"{part} was removed while open: open it anew") from error
            if _identified(status) != self._identities[number]:
                raise NotFoundError(f"{part} was replaced by another file while open: open it anew")
            if status.st_size < self._sizes[number]:
                self._check_shortened(number)
            else:
                self._sizes[number] = status.st_size

    def _check_shortened(self, number: int) -> None:
        """Refuse a part that lacks what is in use. A log shrinks when it begins anew."""
        part = self._parts[number]
        cause: apsw.Error | None = None
        for _ in range(_LOOKS):  # more than once, for it may begin anew at this moment
            try:
                needed = self._needed(number)
            except (apsw.IOError, apsw.CorruptError, apsw.NotADBError) as error:
                cause = error
                continue
            size = os.stat(part).st_size
            if size >= needed:
                self._sizes[number] = size
                return
        raise NotFoundError(f"{part} was cut short while open: open it anew") from cause

    def _needed(self, number: int) -> int:
        if number == _INDEX:  # never shrinks
            return self._sizes[number]
        with closing(self.connect()) as connection:
            [(pages, size)] = execute(connection, _PAGES)
            if number == _MAIN:
                return pages * size
            frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            return _LOG_HEADER + frames * (_FRAME_HEADER + size) if frames else 0

    def close(self) -> None:
        """Close the last connection, which merges the log into the file.

        Not where another log has taken the place of this one: merging would write over what was
        acknowledged there. Where the log was removed and no other has come, it still can be merged.
        What is left of one that was cut short is for whoever opens the file next.
        """
        if any(map(_replaced, self._parts, self._identities, self._sizes)):
            self.owner.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self.owner.close()
        fork.closed(self._identities[0])


def execute(connection: Any, statement: str, *bindings: Any) -> list[tuple[Any, ...]]:
    """Run a statement and return all its rows.

    All of them, because a statement that is not run to its end holds its snapshot of the file, and
    the connection's next read would not see what was written since.
    """
    rows: list[tuple[Any, ...]] = connection.execute(statement, bindings).fetchall()
    return rows


def batches(cursor: Any, statement: str, *bindings: Any) -> Iterator[list[tuple[Any, ...]]]:
    """Run a statement and give its rows, of which there may be many, a hundred at a time.

    Whoever leaves off before the last one closes the cursor, for the reason at `execute`.
    """
    found: Iterator[tuple[Any, ...]] = cursor.execute(statement, bindings)
    while rows := list(islice(found, _BATCH)):
        yield rows


@contextmanager
def snapshot(connection: Any) -> Generator[None, None, None]:
    """Let the statements inside see one and the same state of the file."""
    execute(connection, "BEGIN")
    try:
        yield
    finally:
        execute(connection, "COMMIT")


def statement(text: str, *bindings: Any) -> Callable[[Any], object]:
    """Return a write of one statement that answers no rows.

    It calls the driver from C: what waits for a commit waits for all the Python before it.
    """
    return methodcaller("execute", text, bindings)


def _check_encoding(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the location {os.fsencode(path)!r} is not UTF-8, which SQLite needs: choose another"
        ) from None


def _make_private(path: Path) -> None:
    """Make directory and file, for the owner alone, where they are not there."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not path.parent.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path.parent))
    if path.exists():
        return
    # Made under another name, since closing a file releases the locks that SQLite has on it.
    handle, made = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    os.close(handle)
    try:
        with suppress(FileExistsError):
            os.link(made, path)
    finally:
        Path(made).unlink()


def _check_inheritance(path: str) -> None:
    fork.check_opened_here(_identity(path))


def wait_for_locks(connection: apsw.Connection, waiting: bool) -> None:
    """Set whether the connection waits for locks, `BUSY_SECONDS` at most, or fails at once."""
    connection.set_busy_timeout(int(BUSY_SECONDS * 1000) if waiting else 0)


def _connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    wait_for_locks(connection, True)
    for setting in _SETTINGS:
        execute(connection, setting)
    return connection


def _identity(path: str) -> fork.Identity:
    return _identified(os.stat(path))


def _identified(status: os.stat_result) -> fork.Identity:
    return status.st_dev, status.st_ino


def _replaced(path: str, identity: fork.Identity, size: int) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return _identified(status) != identity or status.st_size < size


def _prepare(connection: apsw.Connection, path: Path) -> None:
    if connection.readonly("main"):
        raise apsw.ReadOnlyError(f"{path} cannot be written")
    # A file that is not ours is recognised before anything is written to it.
    _check_version(connection, path)
    _write_ahead(connection, path)
    execute(connection, "BEGIN IMMEDIATE")
    try:
        # Another process may have made the tables while this one waited.
        version = _check_version(connection, path)
        if version == 0:
            execute(connection, SCHEMA)
        elif version < VERSION:
            upgrade(connection)
        if version < VERSION:
            execute(connection, f"PRAGMA application_id = {APPLICATION}")
            execute(connection, f"PRAGMA user_version = {VERSION}")
    except BaseException:
        execute(connection, "ROLLBACK")
        raise
    execute(connection, "COMMIT")


def _check_version(connection: apsw.Connection, path: Path) -> int:
    version: int
    [(version, application, tables)] = execute(
        connection,
        "SELECT (SELECT user_version FROM pragma_user_version), "
        "(SELECT application_id FROM pragma_application_id), count(*) FROM sqlite_schema",
    )
    new = version == application == tables == 0
    old = version == 1 and application == 0 and is_version_1(connection)
    if not new and not old and application != APPLICATION:
        raise SerializationError(f"{path} is another program's database: choose another location")
    if version > VERSION:
        raise SerializationError(
            f"{path} was written by a newer clawdesk-sqlite (its version is {version}, this code "
            f"knows {VERSION}): upgrade clawdesk-sqlite"
        )
    return version


def _write_ahead(connection: apsw.Connection, path: Path) -> None:
    """Switch to the write-ahead log, which outlives the connection.

    SQLite refuses at once where two processes switch, so the bounded wait is here.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if execute(connection, "PRAGMA journal_mode = WAL") == [("wal",)]:
                return
        except apsw.BusyError:
            if time.monotonic() >= deadline:
                raise
        else:
            raise apsw.IOError(f"{path} is on a file system without a write-ahead log")
        time.sleep(_RETRY_SECONDS)
