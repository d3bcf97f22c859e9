"""A sound storage in one SQLite file: durable, shared, and open to outages and damage.

What the in-memory stores cannot be, and so what mutants of durability, sharing, outages and
corruption are made of. The slow way is taken wherever it is the plainer one.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import operator
import sqlite3
import time
from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection
from typing import Any, ClassVar, Final, Self, TypeAlias, TypeVar

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    ConnectionFailedError,
    JsonValue,
    Message,
    SerializationError,
    Session,
    SessionId,
    StorageIOError,
    Vector,
    VectorResult,
    check_id,
    check_limit,
    decode,
    encode,
    translate_errors,
    unit_vector,
)
from clawdesk_storage.conformance import Backend
from tests.mutants.mutant import MUTANTS, Mutant

__all__ = [
    "File",
    "FiledConfigStore",
    "FiledConversationStore",
    "FiledSessionStore",
    "FiledStorage",
    "FiledVectorStore",
    "VectorRow",
    "backend",
    "corrupt",
    "filed_mutant",
    "outage",
]

_FILE: Final = "storage.db"
_OUTAGE: Final = "unreachable"

_TABLES: Final = (
    "sessions (id TEXT PRIMARY KEY, channel TEXT, at TEXT, record BLOB)",
    "messages (position INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, record BLOB)",
    "config (id INTEGER PRIMARY KEY, record BLOB)",
    "vectors (id TEXT PRIMARY KEY, unit BLOB, record BLOB)",
    "dimension (id INTEGER PRIMARY KEY, number INTEGER)",
)

_ERRORS: Final = {
    sqlite3.OperationalError: ConnectionFailedError,
    sqlite3.Error: StorageIOError,
}

_T = TypeVar("_T")

VectorRow: TypeAlias = tuple[str, bytes, bytes]
"""Id, vector and metadata."""


class File:
    """A connection in a thread of its own: jobs are done one after the other, each whole."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.closed = False
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1)

    async def open(self) -> None:
        """Connect, and make the tables that are missing."""
        await self._in_thread(self._connect)

    async def close(self) -> None:
        """Make every later call raise `ConnectionFailedError`."""
        self.closed = True
        if self._connection is not None:
            await self._in_thread(self._connection.close)
        self._thread.shutdown(wait=False)

    async def read(self, job: Callable[[Connection], _T]) -> _T:
        """Return what `job` reads, all of it as of one moment."""
        return await self._done("BEGIN", job)

    async def write(self, job: Callable[[Connection], _T]) -> _T:
        """Return what `job` returns, once what it wrote is kept."""
        return await self._done("BEGIN IMMEDIATE", job)

    def check_reachable(self) -> None:
        """Raise `ConnectionFailedError` during an outage."""
        if (self.location / _OUTAGE).exists():
            raise ConnectionFailedError("the file is out of reach")

    async def _done(self, begin: str, job: Callable[[Connection], _T]) -> _T:
        if self.closed:
            raise ConnectionFailedError("the storage has been closed")
        self.check_reachable()
        result = await self._in_thread(self._transaction, begin, job)
        self.check_reachable()  # an outage loses answers as well as questions
        return result

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    def _connect(self) -> None:
        with translate_errors(_ERRORS):
            path = self.location / _FILE
            connection = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            # A killed process leaves what the system has; nobody pulls the plug on a test.
            connection.execute("PRAGMA synchronous = OFF")
            self._connection = connection
            self._transaction("BEGIN IMMEDIATE", _make_tables)
            # SQLite waits longer and longer, and the other process does all its work meanwhile.
            connection.execute("PRAGMA busy_timeout = 0")

    def _transaction(self, begin: str, job: Callable[[Connection], _T]) -> _T:
        connection = self._connection
        if connection is None:
            raise ConnectionFailedError("the storage has not been opened")
        with translate_errors(_ERRORS):
            _begin(connection, begin)
            try:
                result = job(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return result


def _begin(connection: Connection, begin: str) -> None:
    """Begin a transaction as soon as no other process is in one."""
    patience = time.monotonic() + 30
    while True:
        try:
            connection.execute(begin)
        except sqlite3.OperationalError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.0002)
        else:
            return


def _make_tables(connection: Connection) -> None:
    for table in _TABLES:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
    connection.execute("CREATE INDEX IF NOT EXISTS by_session ON messages (session, position)")


class FiledSessionStore:
    """A `SessionStore` in a file."""

    def __init__(self, file: File) -> None:
        self.file = file

    async def get(self, id: SessionId, /) -> Session | None:
        """See `SessionStore.get`."""
        check_id(id)
        query = "SELECT id, record FROM sessions WHERE id = ?"
        rows = await self.file.read(lambda connection: connection.execute(query, (id,)).fetchall())
        return next(iter(self.decoded(rows)), None)

    async def save(self, session: Session, /) -> None:
        """See `SessionStore.save`."""
        check_id(session.id)
        check_id(session.channel, "channel")
        record = encode(session)
        at = session.last_activity.isoformat(timespec="microseconds")
        row = (session.id, session.channel, at, record)
        await self.file.write(lambda connection: self.put(connection, row))

    async def delete(self, id: SessionId, /) -> None:
        """See `SessionStore.delete`."""
        check_id(id)
        await self.file.write(lambda connection: self.remove(connection, id))

    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        """See `SessionStore.list`."""
        limit, offset = check_limit(limit), check_limit(offset, "offset")
        query = "SELECT id, record FROM sessions ORDER BY at DESC, id LIMIT ? OFFSET ?"
        rows = await self.file.read(
            lambda connection: connection.execute(query, (limit, offset)).fetchall()
        )
        return self.decoded(rows)

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        """See `SessionStore.list_by_channel`."""
        check_id(channel, "channel")
        query = "SELECT id, record FROM sessions WHERE channel = ? ORDER BY at DESC, id"
        rows = await self.file.read(
            lambda connection: connection.execute(query, (channel,)).fetchall()
        )
        return self.decoded(rows)

    def put(self, connection: Connection, row: tuple[str, str, str, bytes]) -> None:
        """Write a row of id, channel, latest activity and record."""
        connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)", row)

    def remove(self, connection: Connection, id: str) -> None:
        """Remove the row of an id."""
        connection.execute("DELETE FROM sessions WHERE id = ?", (id,))

    def decoded(self, rows: Sequence[tuple[str, bytes]]) -> Sequence[Session]:
        """Return the sessions of rows of ids and records."""
        return [decode(Session, record, key=id) for id, record in rows]


class FiledConversationStore:
    """A `ConversationStore` in a file."""

    def __init__(self, file: File) -> None:
        self.file = file

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        check_id(session_id)
        limit = check_limit(limit)
        query = "SELECT record FROM messages WHERE session = ? ORDER BY position DESC LIMIT ?"
        rows = await self.file.read(
            lambda connection: connection.execute(query, (session_id, limit)).fetchall()
        )
        return self.decoded(session_id, [record for (record,) in reversed(rows)])

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        check_id(session_id)
        record = encode(message)
        change = "INSERT INTO messages (session, record) VALUES (?, ?)"
        await self.file.write(
            lambda connection: connection.execute(change, (session_id, record)).rowcount
        )

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        check_id(session_id)
        change = "DELETE FROM messages WHERE session = ?"
        await self.file.write(lambda connection: connection.execute(change, (session_id,)).rowcount)

    def decoded(self, session_id: SessionId, records: Sequence[bytes]) -> Sequence[Message]:
        """Return the messages of records, oldest first."""
        return [decode(Message, record, key=session_id) for record in records]


class FiledConfigStore:
    """A `ConfigStore` in a file."""

    def __init__(self, file: File) -> None:
        self.file = file

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        query = "SELECT record FROM config"
        rows = await self.file.read(lambda connection: connection.execute(query).fetchall())
        return decode(AppConfig, rows[0][0], key="config") if rows else AppConfig()

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        record = encode(config)
        change = "INSERT OR REPLACE INTO config VALUES (1, ?)"
        await self.file.write(lambda connection: connection.execute(change, (record,)).rowcount)


class FiledVectorStore:
    """A `VectorStore` in a file, by brute force."""

    def __init__(self, file: File) -> None:
        self.file = file

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        check_id(id)
        unit = unit_vector(vector)
        record = encode(metadata)
        await self.file.write(lambda connection: self.put(connection, id, unit, record))

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        top_k = check_limit(top_k, "top_k")
        unit = unit_vector(query)

        rows = await self.file.read(lambda connection: self.rows(connection, unit))
        return self.found(unit, rows, top_k)

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        check_id(id)
        await self.file.write(lambda connection: self.remove(connection, id))

    def put(self, connection: Connection, id: str, unit: array[float], record: bytes) -> None:
        """Write a vector and its metadata."""
        check_dimension(connection, unit)
        connection.execute("INSERT OR IGNORE INTO dimension VALUES (1, ?)", (len(unit),))
        row = (id, unit.tobytes(), record)
        connection.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", row)

    def rows(self, connection: Connection, unit: array[float]) -> Sequence[VectorRow]:
        """Return what a search has to look at."""
        check_dimension(connection, unit)
        return connection.execute("SELECT id, unit, record FROM vectors").fetchall()

    def remove(self, connection: Connection, id: str) -> None:
        """Remove the row of an id."""
        connection.execute("DELETE FROM vectors WHERE id = ?", (id,))

    def found(
        self, unit: array[float], rows: Sequence[VectorRow], top_k: int
    ) -> Sequence[VectorResult]:
        """Return the best of rows of ids, vectors and metadata."""
        scored = sorted((-self.score(unit, id, stored), id, record) for id, stored, record in rows)
        return [
            VectorResult(id=id, score=-negated, metadata=decode(JsonValue, record, key=id))
            for negated, id, record in scored[:top_k]
        ]

    def score(self, unit: array[float], id: str, stored: bytes) -> float:
        """Return the similarity of a query and a stored vector."""
        if len(stored) != len(unit) * unit.itemsize:
            raise SerializationError(f"the vector {id!r} is damaged")
        return math.fsum(map(operator.mul, unit, memoryview(stored).cast("f")))


def check_dimension(connection: Connection, unit: array[float]) -> None:
    """Raise `ValueError` unless the vector has the dimension of those stored."""
    row = connection.execute("SELECT number FROM dimension").fetchone()
    if row is not None and row[0] != len(unit):
        raise ValueError(f"vectors here have {row[0]} dimensions, not {len(unit)}")


class FiledStorage:
    """The four stores in one file, as a `Storage` that is opened by entering it."""

    # By port, so that a mutant replaces one of them.
    kinds: ClassVar[dict[str, Any]] = {
        "sessions": FiledSessionStore,
        "conversations": FiledConversationStore,
        "config": FiledConfigStore,
        "vectors": FiledVectorStore,
    }

    def __init__(self, location: Path) -> None:
        self.file = File(location)
        for port, kind in self.kinds.items():
            setattr(self, port, kind(self.file))

    async def __aenter__(self) -> Self:
        await self.file.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.file.close()


@asynccontextmanager
async def outage(location: Path) -> AsyncGenerator[None]:
    """Put the file out of reach, of handles that are open too."""
    (location / _OUTAGE).touch()
    try:
        yield
    finally:
        (location / _OUTAGE).unlink()


_RECORDS: Final = {
    "sessions": "UPDATE sessions SET record = ?",
    "conversations": "UPDATE messages SET record = ?",
    "config": "UPDATE config SET record = ?",
    "vectors": "UPDATE vectors SET unit = ?1, record = ?1",
}


async def corrupt(location: Path, port: str) -> None:
    """Write over every record of a port."""
    with closing(sqlite3.connect(location / _FILE)) as connection, connection:
        connection.execute(_RECORDS[port], (b"damaged",))


backend: Final = Backend(FiledStorage, outage=outage, corrupt=corrupt)


def filed_mutant(*laws: str, shared: bool = True) -> Callable[[type[Any]], type[FiledStorage]]:
    """Register what is decorated as a mutant, as `mutant` does with the in-memory stores.

    Args:
        laws: The numbers of all the laws that must catch it.
        shared: Whether the mutant claims that two handles are one storage.

    Returns:
        A decorator of a subclass of one of the stores in a file, or of `FiledStorage`. It returns
        the storage, which another process finds under the store's name.
    """

    def registered(broken: type[Any]) -> type[FiledStorage]:
        storage = broken if issubclass(broken, FiledStorage) else _with_one_replaced(broken)
        family = broken.__module__.rpartition(".")[2]
        flaw = " ".join((inspect.getdoc(broken) or "").split())
        claims = replace(backend, open=storage, shared=shared)
        MUTANTS.append(Mutant(family, broken.__name__, flaw, tuple(sorted(laws)), claims))
        return storage

    return registered


def _with_one_replaced(store: type[Any]) -> type[FiledStorage]:
    kinds = {
        port: store if issubclass(store, kind) else kind
        for port, kind in FiledStorage.kinds.items()
    }
    named = {"__module__": store.__module__, "__qualname__": store.__qualname__, "kinds": kinds}
    return type(store.__name__, (FiledStorage,), named)
