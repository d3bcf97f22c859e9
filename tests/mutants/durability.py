"""Broken by a restart: what was acknowledged is not there, or not as it was."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Self, TypeVar

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ConnectionFailedError,
    Message,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)
from tests.mutants.filed import (
    File,
    FiledConfigStore,
    FiledConversationStore,
    FiledStorage,
    filed_mutant,
)

_T = TypeVar("_T")

_A_WHILE = 0.02
"""Seconds between an answer and the write: enough to be killed in."""

# Reopening


@filed_mutant("DUR-01", "DUR-02", shared=False)
class PositionsStartAnew(FiledConversationStore):
    """Positions are counted from 1 after each opening, and new messages replace old ones."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._last = 0

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        check_id(session_id)
        record = encode(message)

        def append(connection: Connection) -> None:
            self._last += 1
            row = (self._last, session_id, record)
            connection.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", row)

        await self.file.write(append)


@filed_mutant("DUR-01", shared=False)
class ClearingIsForgotten(FiledConversationStore):
    """What was cleared is hidden by the process that cleared it."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._hidden: dict[SessionId, int] = {}

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        check_id(session_id)
        check_limit(limit)
        query = (
            "SELECT record FROM messages WHERE session = ? AND position > ?"
            " ORDER BY position DESC LIMIT ?"
        )

        def rows(connection: Connection) -> Sequence[tuple[bytes]]:
            hidden = self._hidden.get(session_id, 0)
            return connection.execute(query, (session_id, hidden, limit)).fetchall()

        return self.decoded(session_id, [row[0] for row in reversed(await self.file.read(rows))])

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        check_id(session_id)
        query = "SELECT MAX(position) FROM messages"

        def hide(connection: Connection) -> None:
            self._hidden[session_id] = connection.execute(query).fetchone()[0] or 0

        await self.file.read(hide)


@filed_mutant("DUR-01", "VEC-09")
class DimensionIsForgotten(FiledStorage):
    """The dimension is a setting, and opening sets it back."""

    @override
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.file.write(lambda connection: connection.execute("DELETE FROM dimension"))
        return self


# Killed


class _Buffered(FiledConversationStore):
    """Keeps messages in memory until somebody reads or clears."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._buffer: list[tuple[str, bytes]] = []

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        check_id(session_id)
        record = encode(message)
        await self.file.read(_nothing)
        self._buffer.append((session_id, record))

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        await self.flush()
        return await super().get_messages(session_id, limit)

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await self.flush()
        await super().clear(session_id)

    async def flush(self) -> None:
        """Write what is kept."""
        await self.file.write(self._write)

    def _write(self, connection: Connection) -> None:
        rows, self._buffer = self._buffer, []
        connection.executemany("INSERT INTO messages (session, record) VALUES (?, ?)", rows)


def _nothing(connection: Connection) -> None:
    """Ask the file for nothing, to find out whether it is there."""


class _BufferedStorage(FiledStorage):
    """Writes what is kept when it is closed."""

    kinds = FiledStorage.kinds | {"conversations": _Buffered}
    conversations: _Buffered

    @override
    async def __aexit__(self, *error: object) -> None:
        await self.conversations.flush()
        await super().__aexit__(*error)


@filed_mutant("DUR-02", shared=False)
class BufferIsInMemory(_BufferedStorage):
    """Messages are written when they are read, or when the storage is closed."""


@filed_mutant("DUR-02", shared=False)
class FlushesOnATimer(_BufferedStorage):
    """Messages are written five times a second."""

    @override
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._timer = asyncio.create_task(self._flush_again_and_again())
        return self

    async def _flush_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            with suppress(ConnectionFailedError):
                await self.conversations.flush()

    @override
    async def __aexit__(self, *error: object) -> None:
        self._timer.cancel()
        await super().__aexit__(*error)


class _Deferred(FiledConfigStore):
    """Writes in a task of its own; who reads waits for it."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._latest: AppConfig | None = None
        self._task: Task[None] | None = None

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        encode(config)  # refuses what must be refused
        await self.file.read(_nothing)
        self._latest = config.model_copy(deep=True)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(_A_WHILE)
        while self._latest is not None:
            config, self._latest = self._latest, None
            with suppress(ConnectionFailedError):
                await super().save_config(config)

    @override
    async def get_config(self) -> AppConfig:
        await self.written()
        return await super().get_config()

    async def written(self) -> None:
        """Wait until what was saved is written."""
        if self._task is not None:
            await asyncio.wait([self._task])


@filed_mutant("DUR-02", shared=False)
class AcknowledgesBeforeTheWrite(FiledStorage):
    """`save_config` returns, and writes after that, if it can."""

    kinds = FiledStorage.kinds | {"config": _Deferred}
    config: _Deferred

    @override
    async def __aexit__(self, *error: object) -> None:
        await self.config.written()
        await super().__aexit__(*error)


class _Truncating(FiledConfigStore):
    """Removes the old configuration at once, and writes the new one when somebody reads."""

    _unwritten: bytes | None = None

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        record = encode(config)

        def truncate(connection: Connection) -> None:
            connection.execute("DELETE FROM config")
            self._unwritten = record

        await self.file.write(truncate)

    @override
    async def get_config(self) -> AppConfig:
        def rows(connection: Connection) -> Sequence[tuple[bytes]]:
            self.write(connection)
            return connection.execute("SELECT record FROM config").fetchall()

        found = await self.file.write(rows)
        return decode(AppConfig, found[0][0]) if found else AppConfig()

    def write(self, connection: Connection) -> None:
        """Write what is not written."""
        if self._unwritten is not None:
            row = (self._unwritten,)
            connection.execute("INSERT OR REPLACE INTO config VALUES (1, ?)", row)
            self._unwritten = None


@filed_mutant("DUR-02", shared=False)
class ConfigIsWrittenInPlace(FiledStorage):
    """Opening the file to write empties it, and its new content is in a buffer for a while."""

    kinds = FiledStorage.kinds | {"config": _Truncating}
    config: _Truncating

    @override
    async def __aexit__(self, *error: object) -> None:
        await self.file.write(self.config.write)
        await super().__aexit__(*error)


@filed_mutant("DUR-02", shared=False)
class LockFileIsLeft(FiledStorage):
    """A file says that the location is in use, and goes on saying so when its process is killed."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self._lock = location / "lock"

    @override
    async def __aenter__(self) -> Self:
        try:
            self._lock.touch(exist_ok=False)
        except FileExistsError as error:
            raise ConnectionFailedError("the location is in use") from error
        return await super().__aenter__()

    @override
    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._lock.unlink()


@filed_mutant("STO-08", shared=False)
class LocationIsFoundAgain(FiledStorage):
    """A relative path is looked up at each call, wherever the program is by then."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.file = _Wandering(location)
        for port, kind in self.kinds.items():
            setattr(self, port, kind(self.file))


class _Wandering(File):
    """Opens the file anew for each call."""

    @override
    async def read(self, job: Callable[[Connection], _T]) -> _T:
        await self._connected()
        return await super().read(job)

    @override
    async def write(self, job: Callable[[Connection], _T]) -> _T:
        await self._connected()
        return await super().write(job)

    async def _connected(self) -> None:
        if not self.closed:
            self.location.mkdir(exist_ok=True, parents=True)
            await self.open()
