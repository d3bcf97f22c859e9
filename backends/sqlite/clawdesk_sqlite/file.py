"""The file: connecting to it, making it, and noticing that it is not ours or not there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import apsw
from clawdesk_storage import NotFoundError, SerializationError, translate_errors

from clawdesk_sqlite.errors import DRIVER
from clawdesk_sqlite.schema import SCHEMA, VERSION

__all__ = ["File", "execute", "statement"]

BUSY_SECONDS = 5.0
"""How long a call waits for another process's lock before it is `ConnectionFailedError`."""

_RETRY_SECONDS = 0.005


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

    An error leaves the file as it was.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)  # a Path takes longer to look at, at each commit
        with translate_errors(DRIVER):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.owner = _connect(self._path, apsw.SQLITE_OPEN_CREATE)
            try:
                _prepare(self.owner, path)
                self._identity = _identity(self._path)
            except BaseException:
                self.owner.close()
                raise

    def connect(self) -> apsw.Connection:
        """Return another connection to the file."""
        return _connect(self._path)

    def check(self) -> None:
        """Refuse to go on with a file that is no longer at its path.

        SQLite would read and acknowledge as before, in a file that nobody can open again.

        Raises:
            NotFoundError: The file was removed or replaced.
        """
        try:
            if _identity(self._path) == self._identity:
                return
        except FileNotFoundError as error:
            raise NotFoundError(f"{self._path} was removed while open") from error
        raise NotFoundError(f"{self._path} was replaced by another file while open")


def execute(
    connection: apsw.Connection | apsw.Cursor, statement: str, *bindings: Any
) -> list[tuple[Any, ...]]:
    """Run a statement and return all its rows.

    All of them, because a statement that is not run to its end holds its snapshot of the file, and
    the connection's next read would not see what was written since.
    """
    driver: Any = connection  # whose annotations need Python 3.12
    rows: list[tuple[Any, ...]] = driver.execute(statement, bindings).fetchall()
    return rows


def statement(text: str, *bindings: Any) -> Callable[[apsw.Cursor], object]:
    """Return a write of one statement that answers no rows.

    It calls the driver from C: what waits for a commit waits for all the Python before it.
    """
    return methodcaller("execute", text, bindings)


def _connect(path: str, create: int = 0) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | create)
    connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
    execute(connection, "PRAGMA synchronous = FULL")
    return connection


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _prepare(connection: apsw.Connection, path: Path) -> None:
    if connection.readonly("main"):
        raise apsw.ReadOnlyError(f"{path} cannot be written")
    # A file that is not ours is recognised before anything is written to it.
    _check_version(connection, path)
    _write_ahead(connection, path)
    execute(connection, "BEGIN IMMEDIATE")
    try:
        # Another process may have made the tables while this one waited.
        if _check_version(connection, path) == 0:
            execute(connection, SCHEMA)
            execute(connection, f"PRAGMA user_version = {VERSION}")
    except BaseException:
        execute(connection, "ROLLBACK")
        raise
    execute(connection, "COMMIT")


def _check_version(connection: apsw.Connection, path: Path) -> int:
    version: int
    [(version, tables)] = execute(
        connection,
        "SELECT (SELECT user_version FROM pragma_user_version), count(*) FROM sqlite_schema",
    )
    if version > VERSION:
        raise SerializationError(
            f"{path} was written by a newer clawdesk-sqlite (its version is {version}, this code "
            f"knows {VERSION}): upgrade clawdesk-sqlite"
        )
    if version == 0 and tables:
        raise SerializationError(f"{path} is another program's database: choose another location")
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
