"""Broken by a second handle: what one knows by heart the other has changed."""

from __future__ import annotations

from array import array
from asyncio import Lock
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection
from threading import Lock as ThreadLock
from typing import ClassVar
from weakref import WeakValueDictionary

from typing_extensions import override

from clawdesk_storage import (
    Message,
    Session,
    SessionId,
    check_id,
    decode,
    encode,
)
from tests.mutants.filed import (
    File,
    FiledConversationStore,
    FiledSessionStore,
    FiledVectorStore,
    VectorRow,
    check_dimension,
    filed_mutant,
)

# Caches


class _Cache:
    """Records by id, in use by several threads for as long as the first file is open."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.guard = ThreadLock()
        self.records: dict[str, bytes] = {}


class _Caching(FiledSessionStore):
    """Answers `get` from a cache that its own changes keep current."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self.cache = self.make_cache()

    def make_cache(self) -> _Cache:
        raise NotImplementedError

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        check_id(id)
        record = await self.file.read(lambda connection: self._cached(connection, id))
        return None if record is None else decode(Session, record, key=id)

    def _cached(self, connection: Connection, id: str) -> bytes | None:
        query = "SELECT record FROM sessions WHERE id = ?"
        with self.cache.guard:
            if id not in self.cache.records:
                for (record,) in connection.execute(query, (id,)):
                    self.cache.records[id] = record
            return self.cache.records.get(id)

    @override
    def put(self, connection: Connection, row: tuple[str, str, str, bytes]) -> None:
        super().put(connection, row)
        self.cache.records.pop(row[0], None)

    @override
    def remove(self, connection: Connection, id: str) -> None:
        super().remove(connection, id)
        self.cache.records.pop(id, None)


@filed_mutant("SHR-01", "SHR-03")
class EachHandleCaches(_Caching):
    """`get` is answered from a cache that knows its own handle's saves."""

    @override
    def make_cache(self) -> _Cache:
        return _Cache(self.file)


@filed_mutant("SHR-03")
class EachProcessCaches(_Caching):
    """`get` is answered from a cache that all handles of a process share."""

    _caches: ClassVar[WeakValueDictionary[Path, _Cache]] = WeakValueDictionary()

    @override
    def make_cache(self) -> _Cache:
        cache = self._caches.get(self.file.location)
        if cache is None or cache.file.closed:
            cache = self._caches[self.file.location] = _Cache(self.file)
        return cache


class _Loading(FiledVectorStore):
    """Searches what was loaded, until its own handle changes something."""

    _loaded: Sequence[VectorRow] | None = None

    @override
    def rows(self, connection: Connection, unit: array[float]) -> Sequence[VectorRow]:
        if self._loaded is None or self.is_outdated(connection, self._loaded):
            self._loaded = super().rows(connection, unit)
        check_dimension(connection, unit)
        return self._loaded

    def is_outdated(self, connection: Connection, loaded: Sequence[VectorRow]) -> bool:
        """Tell whether what was loaded must be loaded again."""
        return False

    @override
    def put(self, connection: Connection, id: str, unit: array[float], record: bytes) -> None:
        super().put(connection, id, unit, record)
        self._loaded = None

    @override
    def remove(self, connection: Connection, id: str) -> None:
        super().remove(connection, id)
        self._loaded = None


@filed_mutant("SHR-01", "SHR-03")
class IndexFollowsItsOwnHandle(_Loading):
    """The index is in memory, and is loaded again after a change through its own handle."""


@filed_mutant("SHR-01", "SHR-03")
class IndexIsComparedByCount(_Loading):
    """The index is loaded again when the number of vectors has changed."""

    @override
    def is_outdated(self, connection: Connection, loaded: Sequence[VectorRow]) -> bool:
        count: int = connection.execute("SELECT COUNT(*) FROM vectors").fetchone()[0]
        return count != len(loaded)


# Positions


@filed_mutant("SHR-01", "SHR-02", "SHR-03", "SHR-04")
class EachHandleCounts(FiledConversationStore):
    """A handle asks for the last position once, and then counts by itself."""

    _last: int | None = None

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        check_id(session_id)
        record = encode(message)

        def append(connection: Connection) -> None:
            last = _last_position(connection) if self._last is None else self._last
            self._last = last + 1
            _put(connection, self._last, session_id, record)

        await self.file.write(append)


def _last_position(connection: Connection) -> int:
    return connection.execute("SELECT MAX(position) FROM messages").fetchone()[0] or 0


def _put(connection: Connection, position: int, session_id: str, record: bytes) -> None:
    row = (position, session_id, record)
    connection.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", row)


class _Asking(FiledConversationStore):
    """Asks for the last position in one transaction, and writes the next in another."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self.lock = self.make_lock()

    def make_lock(self) -> Lock:
        raise NotImplementedError

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        check_id(session_id)
        record = encode(message)
        async with self.lock:
            next = await self.file.read(_last_position) + 1
            await self.file.write(lambda connection: _put(connection, next, session_id, record))


@filed_mutant("SHR-02", "SHR-04")
class EachHandleLocks(_Asking):
    """`MAX(position) + 1` outside of a transaction, behind a lock that each handle has."""

    @override
    def make_lock(self) -> Lock:
        return Lock()


@filed_mutant("SHR-04")
class EachProcessLocks(_Asking):
    """`MAX(position) + 1` outside of a transaction, behind a lock that each process has."""

    _locks: ClassVar[WeakValueDictionary[Path, Lock]] = WeakValueDictionary()

    @override
    def make_lock(self) -> Lock:
        return self._locks.setdefault(self.file.location, Lock())
