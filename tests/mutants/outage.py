"""Broken by an outage: stores that hide it, wait for ever, or do not get over it."""

from __future__ import annotations

import asyncio
import sqlite3
from array import array
from asyncio import Semaphore
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from sqlite3 import Connection

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ConnectionFailedError,
    JsonValue,
    Message,
    Session,
    SessionId,
    Vector,
    VectorResult,
)
from tests.mutants.filed import (
    File,
    FiledConfigStore,
    FiledConversationStore,
    FiledSessionStore,
    FiledVectorStore,
    VectorRow,
    filed_mutant,
)

# While it lasts


@filed_mutant("OUT-01", "OUT-02")
class OutageIsTheDriversError(FiledSessionStore):
    """What the driver raises is passed on as it is."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        try:
            return await super().get(id)
        except ConnectionFailedError as error:
            if self.file.closed:
                raise
            raise sqlite3.OperationalError("unable to open database file") from error


@filed_mutant("OUT-01", "OUT-02")
class NothingIsFoundInAnOutage(FiledVectorStore):
    """A search that cannot be made finds nothing."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        try:
            return await super().search(query, top_k)
        except ConnectionFailedError:
            if self.file.closed:
                raise
            return []


@filed_mutant("OUT-01")
class ReconnectingTakesAnotherPlace(FiledConfigStore):
    """Who finds its connection dead waits for another, and all that wait hold a dead one."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._places = Semaphore(2)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        async with self._places:
            try:
                await asyncio.sleep(0)
                yield
            except ConnectionFailedError:
                async with self._places:
                    raise

    @override
    async def get_config(self) -> AppConfig:
        async with self._place():
            return await super().get_config()

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        async with self._place():
            await super().save_config(config)


# When it is over


@filed_mutant("OUT-02")
class ConnectionStaysDead(FiledSessionStore):
    """A connection that has failed is kept, and fails for ever."""

    _is_dead = False

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        try:
            if self._is_dead:
                raise ConnectionFailedError("the connection was lost")
            return await super().get(id)
        except ConnectionFailedError:
            self._is_dead = True
            raise


@filed_mutant("OUT-02")
class IndexIsEmptyAfterwards(FiledVectorStore):
    """The index is gone with the connection, and only what comes after is in the new one."""

    _indexed: set[str] | None = None

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        try:
            return await super().search(query, top_k)
        except ConnectionFailedError:
            self._indexed = set()
            raise

    @override
    def put(self, connection: Connection, id: str, unit: array[float], record: bytes) -> None:
        super().put(connection, id, unit, record)
        if self._indexed is not None:
            self._indexed.add(id)

    @override
    def rows(self, connection: Connection, unit: array[float]) -> Sequence[VectorRow]:
        rows = super().rows(connection, unit)
        return [row for row in rows if self._indexed is None or row[0] in self._indexed]


@filed_mutant("OUT-03")
class FailedAppendsAreSentAgain(FiledConversationStore):
    """What failed is sent again later, without asking whether it had arrived."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._failed: list[tuple[SessionId, Message]] = []

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        try:
            await super().append_message(session_id, message)
        except ConnectionFailedError:
            self._failed.append((session_id, message))
            raise

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        self.file.check_reachable()
        failed, self._failed = self._failed, []
        for id, message in failed:
            await super().append_message(id, message)
        return await super().get_messages(session_id, limit)


@filed_mutant("OUT-01")
class KnownSessionsAreServedInAnOutage(FiledSessionStore):
    """What was read before comes from a cache, whether the engine is there or not."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._read: dict[str, Session] = {}

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        try:
            session = await super().get(id)
        except ConnectionFailedError:
            if id in self._read and not self.file.closed:
                return self._read[id]
            raise
        if session is not None:
            self._read[id] = session
        return session


@filed_mutant("OUT-03")
class SavesInFlightRaiseTheDriversError(FiledSessionStore):
    """A save whose answer is lost raises what the driver raises."""

    @override
    async def save(self, session: Session, /) -> None:
        there = not (self.file.location / "unreachable").exists()
        try:
            await super().save(session)
        except ConnectionFailedError as error:
            if there and not self.file.closed:
                raise ConnectionResetError("the server closed the connection") from error
            raise


@filed_mutant("OUT-02")
class RefusedSavesAreMadeLater(FiledSessionStore):
    """A save that failed is kept, and made before the next one that does not fail."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._refused: list[Session] = []

    @override
    async def save(self, session: Session, /) -> None:
        try:
            await super().save(session)
        except ConnectionFailedError:
            if not self.file.closed:
                self._refused.append(session)
            raise
        refused, self._refused = self._refused, []
        for one in refused:
            await super().save(one)


@filed_mutant("OUT-02")
class PagesOutliveTheOutage(FiledSessionStore):
    """Pages read before an outage are given after it, until something is saved."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._pages: dict[tuple[int, int], Sequence[Session]] = {}
        self._is_stale = False

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        self.file.check_reachable()
        if self._is_stale and not self.file.closed and (limit, offset) in self._pages:
            return [one.model_copy(deep=True) for one in self._pages[limit, offset]]
        page = await super().list(limit, offset)
        self._pages[limit, offset] = page
        return [one.model_copy(deep=True) for one in page]

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        try:
            return await super().get(id)
        except ConnectionFailedError:
            self._is_stale = True
            raise

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._pages.clear()


@filed_mutant("OUT-02")
class FailedUpsertsFixTheDimension(FiledVectorStore):
    """The dimension is noted before the engine is asked, and stays when that fails."""

    _noted: int | None = None

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        if not self.file.closed:
            if self._noted not in {None, len(vector)}:
                raise ValueError(f"vectors here have {self._noted} dimensions")
            self._noted = len(vector) if id and len(vector) else None
        await super().upsert(id, vector, metadata)


@filed_mutant("OUT-01", "COR-02")
class ReadersShareAnError(FiledConversationStore):
    """Equal reads at once are one, and its exception object is raised to all who asked."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._reading: dict[tuple[str, int], asyncio.Future[Sequence[Message]]] = {}

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        key = session_id, limit
        if key not in self._reading:
            read = super().get_messages(session_id, limit)
            self._reading[key] = asyncio.ensure_future(read)
            self._reading[key].add_done_callback(lambda _: self._reading.pop(key))
        messages = await asyncio.shield(self._reading[key])
        return [one.model_copy(deep=True) for one in messages]
