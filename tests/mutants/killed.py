"""Broken by a kill: a write in two steps, or one that is made when the storage is closed."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, ClassVar, Self, cast

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    JsonValue,
    Message,
    Session,
    SessionId,
    Vector,
    check_id,
    decode,
    encode,
    unit_vector,
)
from tests.mutants.filed import (
    FiledConversationStore,
    FiledSessionStore,
    FiledVectorStore,
    VectorRow,
    filed_mutant,
)
from tests.mutants.logged import (
    Log,
    LoggedConfigStore,
    LoggedSessionStore,
    LoggedStorage,
    logged_mutant,
)

# Two commits


@filed_mutant("DUR-02", shared=False)
class DeletesAndInsertsInTwoCommits(FiledSessionStore):
    """Replacing a session is a DELETE that is committed, and then an INSERT."""

    @override
    async def save(self, session: Session, /) -> None:
        check_id(session.id)
        check_id(session.channel, "channel")
        encode(session)
        await self.file.write(lambda connection: self.remove(connection, session.id))
        await super().save(session)


@filed_mutant("DUR-02", shared=False)
class MovesTheChannelLater(FiledSessionStore):
    """The record is committed, and the column that it is listed by after that."""

    @override
    def put(self, connection: Connection, row: tuple[str, str, str, bytes]) -> None:
        id, channel, at, record = row
        query = "SELECT channel, at FROM sessions WHERE id = ?"
        old = connection.execute(query, (id,)).fetchone() or (channel, at)
        super().put(connection, (id, old[0], old[1], record))
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        super().put(connection, row)


@filed_mutant("DUR-02", shared=False)
class MessageBeforeItsPosition(FiledConversationStore):
    """The message is committed, and the number of messages after that: the next one replaces it."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        check_id(session_id)
        record = encode(message)
        count = "CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, number INTEGER)"

        def append(connection: Connection) -> int:
            connection.execute(count)
            row = connection.execute("SELECT number FROM counts WHERE id = 1").fetchone()
            position = 1 + (row[0] if row else 0)
            values = (position, session_id, record)
            connection.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", values)
            return position

        position = await self.file.write(append)
        change = "INSERT OR REPLACE INTO counts VALUES (1, ?)"
        await self.file.write(lambda connection: connection.execute(change, (position,)).rowcount)


@filed_mutant("DUR-02", shared=False)
class ClearsInSeveralCommits(FiledConversationStore):
    """`clear` removes a message at a time, and commits each."""

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        check_id(session_id)
        one = (
            "DELETE FROM messages WHERE position ="
            " (SELECT MIN(position) FROM messages WHERE session = ?)"
        )
        while await self.file.write(
            lambda connection: connection.execute(one, (session_id,)).rowcount
        ):
            pass


@filed_mutant("DUR-02", shared=False)
class VectorBeforeItsMetadata(FiledVectorStore):
    """The vector is committed with the metadata of before, and its own after that."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        check_id(id)
        unit, record = unit_vector(vector), encode(metadata)

        def put_vector(connection: Connection) -> None:
            query = "SELECT record FROM vectors WHERE id = ?"
            old = connection.execute(query, (id,)).fetchone() or (record,)
            self.put(connection, id, unit, old[0])

        await self.file.write(put_vector)
        await self.file.write(lambda connection: self.put(connection, id, unit, record))


@logged_mutant("DUR-02")
class ConfigIsTruncatedAndWritten(LoggedConfigStore):
    """The file is opened, which empties it, and then written; an empty one is the default."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        record = encode(config)
        await super().get_config()  # refuses what must be refused
        with self._path().open("wb", buffering=0) as file:
            file.write(record)

    @override
    async def get_config(self) -> AppConfig:
        await super().get_config()
        record = self._path().read_bytes() if self._path().exists() else b""
        return decode(AppConfig, record) if record else AppConfig()

    def _path(self) -> Path:
        return self.log.path.with_name("config.json")


# When it is closed


class _Listed(LoggedSessionStore):
    """Knows the sessions of a channel by an index that is kept in a file."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.index: dict[str, str] = {}

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self.index[session.id] = session.channel

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        found = await super().list_by_channel(channel)
        return [session for session in found if self.index.get(session.id) == channel]


@logged_mutant("DUR-02")
class IndexIsFlushedOnClosing(LoggedStorage):
    """The index by channel is written when the storage is closed, and a crash never closes it."""

    kinds: ClassVar[dict[str, Any]] = {**LoggedStorage.kinds, "sessions": _Listed}

    def _indexing(self) -> _Listed:
        return cast("_Listed", self.sessions)

    @override
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        path = self.log.path.with_name("index.json")
        self._indexing().index = json.loads(path.read_bytes()) if path.exists() else {}
        return self

    @override
    async def __aexit__(self, *error: object) -> None:
        path = self.log.path.with_name("index.json")
        path.write_text(json.dumps(self._indexing().index))
        await super().__aexit__(*error)


class _LateLog(Log):
    """Keeps deletes until the file is closed."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self._late: list[tuple[Any, ...]] = []

    @override
    def write(self, port: str, method: str, *arguments: Any) -> None:
        self._late.append((port, method, *arguments))
        if method != "delete":
            self._flush()

    def _flush(self) -> None:
        late, self._late = self._late, []
        for line in late:
            super().write(*line)

    @override
    def close(self) -> None:
        self._flush()
        super().close()


@logged_mutant("DUR-02")
class DeletesAreWrittenWithTheNextSave(LoggedStorage):
    """A tombstone waits for the next write, or for the end."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.log = _LateLog(location)
        for port, kind in self.kinds.items():
            setattr(self, port, kind(self.log))


@filed_mutant("DUR-02", shared=False)
class WorkIsCommittedEveryThird(FiledVectorStore):
    """Deleted vectors are removed from the file when three are gone."""

    _gone: frozenset[str] = frozenset()

    @override
    def remove(self, connection: Connection, id: str) -> None:
        self._gone |= {id}
        if len(self._gone) == 3:
            for one in self._gone:
                super().remove(connection, one)
            self._gone = frozenset()

    @override
    def put(self, connection: Connection, id: str, unit: array[float], record: bytes) -> None:
        self._gone -= {id}
        super().put(connection, id, unit, record)

    @override
    def rows(self, connection: Connection, unit: array[float]) -> Sequence[VectorRow]:
        return [row for row in super().rows(connection, unit) if row[0] not in self._gone]
