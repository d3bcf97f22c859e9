"""Broken when tasks overlap, or are cancelled: sound stores with an await in the wrong place."""

from __future__ import annotations

import asyncio
import sys
from array import array
from asyncio import CancelledError, Lock, Task
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from typing import Any

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    JsonValue,
    Message,
    Session,
    SessionId,
    StorageIOError,
    Vector,
    VectorResult,
    check_id,
    check_limit,
    decode,
    encode,
)
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryVectorStore,
)
from tests.mutants.mutant import mutant


async def _engine() -> None:
    """Wait, as for an engine: what a store knew before it may not hold after it."""
    await asyncio.sleep(0)


# Sessions


@mutant("CON-01", "STO-02")
class OneBlobForAllSessions(MemorySessionStore):
    """All sessions are one file, which is read, changed and written as a whole."""

    @override
    async def save(self, session: Session, /) -> None:
        before = dict(self._records)
        await super().save(session)
        record = self._records[session.id]
        self._records = before
        await _engine()
        self._records = {**before, session.id: record}


@mutant("CON-01", "CON-06")
class MetadataIsWrittenApart(MemorySessionStore):
    """A session's metadata has a table of its own, written after the rest without a transaction."""

    @override
    async def save(self, session: Session, /) -> None:
        earlier = self._records.get(session.id)
        await super().save(session)
        whole = self._records[session.id]
        metadata = decode(Session, earlier).metadata if earlier else {}
        self._records[session.id] = encode(session.model_copy(update={"metadata": metadata}))
        await _engine()
        there = self._records.get(session.id)
        if there is not None:
            metadata = decode(Session, whole).metadata
            with_it = decode(Session, there).model_copy(update={"metadata": metadata})
            self._records[session.id] = encode(with_it)


@mutant("CON-05", "CON-06")
class DeletesThenInserts(MemorySessionStore):
    """Replacing a session is DELETE and INSERT, without a transaction around them."""

    @override
    async def save(self, session: Session, /) -> None:
        earlier = self._records.get(session.id)
        await super().save(session)
        if earlier is not None:
            record = self._records.pop(session.id)
            await _engine()
            self._records[session.id] = record


@mutant("CON-05")
class CacheIsFilledLate(MemorySessionStore):
    """What `get` read before a save goes into the cache after it."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[SessionId, bytes] = {}

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        session = await super().get(id)
        if id in self._cache:
            return decode(Session, self._cache[id])
        await _engine()
        if session is not None:
            self._cache[id] = encode(session)
        return session

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._cache.pop(session.id, None)

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self._cache.pop(id, None)


@mutant("CON-05")
class ListsAreJoined(MemorySessionStore):
    """Who asks for a page that another is being given gets the same, from before a save."""

    def __init__(self) -> None:
        super().__init__()
        self._under_way: dict[tuple[int, int], Task[Sequence[Session]]] = {}

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        page = limit, offset
        if page not in self._under_way:
            self._under_way[page] = asyncio.create_task(self._load(limit, offset))
        return await asyncio.shield(self._under_way[page])

    async def _load(self, limit: int, offset: int) -> Sequence[Session]:
        try:
            sessions = await super().list(limit, offset)
            await _engine()
            return sessions
        finally:
            del self._under_way[limit, offset]


# Conversations


@mutant("CON-02", "CON-05", "STO-02")
class ReadsAppendsAndWrites(MemoryConversationStore):
    """A history is one record, which is read, appended to and written back."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        before = list(self._histories.get(session_id, []))
        await super().append_message(session_id, message)
        longer = self._histories[session_id]
        self._histories[session_id] = before
        await _engine()
        self._histories[session_id] = longer


class _Refusing(MemoryConversationStore):
    """Refuses at once what must be refused, and stores later."""

    async def refuse(self, session_id: SessionId, message: Message) -> None:
        """Raise what an append would."""
        self._check_open()
        await MemoryConversationStore().append_message(session_id, message)


class _Positioned(_Refusing):
    """Keeps messages by position."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[SessionId, dict[int, bytes]] = {}

    def put(self, id: SessionId, position: int, message: Message) -> None:
        """Store a message at a position, whatever is there."""
        rows = self._rows.setdefault(id, {})
        rows[position] = encode(message)
        self._histories[id] = [record for _, record in sorted(rows.items())]

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self._rows.pop(session_id, None)


@mutant("CON-02", "CON-05", "STO-02")
class NextPositionIsAsked(_Positioned):
    """`SELECT MAX(position) + 1`, and then an INSERT that replaces, outside of a transaction."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await self.refuse(session_id, message)
        position = max(self._rows.get(session_id, {}), default=0) + 1
        await _engine()
        self.put(session_id, position, message)


@mutant("CON-02", "CON-05")
class PositionIsTakenEarly(_Positioned):
    """A sequence gives the position before the row is there, and readers see a gap filled."""

    _last = 0

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await self.refuse(session_id, message)
        self._last += 1
        position = self._last
        await _engine()
        self.put(session_id, position, message)


@mutant("CON-05")
class ClearsRowByRow(MemoryConversationStore):
    """`clear` removes a message at a time, oldest first."""

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        doomed = list(self._histories.get(session_id, []))
        await super().clear(session_id)
        if doomed:
            self._histories[session_id] = doomed
        for _ in list(doomed):
            await _engine()
            doomed[:1] = []


# Configuration


class _InParts(MemoryConfigStore):
    """Keeps the configuration in parts."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[str, Any] = AppConfig().model_dump()

    @override
    async def get_config(self) -> AppConfig:
        await super().get_config()
        return AppConfig.model_validate(self._parts)


@mutant("CON-03", "CON-05", "CON-06")
class SectionsAreWrittenOneByOne(_InParts):
    """Each section is a row, and rows are written one after the other."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        parts = config.model_dump()
        for name in [*self._parts, *parts]:
            if name in parts:
                self._parts[name] = parts[name]
            else:
                self._parts.pop(name, None)
            await _engine()


@mutant("CON-03")
class SectionsAreReadOneByOne(_InParts):
    """Each section is a row, and rows are read one after the other."""

    @override
    async def get_config(self) -> AppConfig:
        await super().get_config()
        came: dict[str, Any] = {}
        for name in list(self._parts):
            await _engine()
            if name in self._parts:
                came[name] = self._parts[name]
        return AppConfig.model_validate(came)

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        self._parts = config.model_dump()


@mutant("CON-03", "CON-05", "CON-06")
class ConfigIsTruncatedFirst(MemoryConfigStore):
    """The file is opened for writing, which empties it, and an empty one is the default."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        record, self._record = self._record, None
        await _engine()
        self._record = record


# Vectors


@mutant("CON-04", "STO-02", "VEC-09")
class IndexIsRebuiltFromASnapshot(MemoryVectorStore):
    """A new index is built from a copy, and takes the place of one that knows more by then."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        before = dict(self._entries)
        await super().upsert(id, vector, metadata)
        rebuilt = dict(self._entries)
        self._entries = before
        await _engine()
        self._entries = rebuilt


@mutant("CON-04", "CON-06")
class VectorIsStoredWithoutMetadata(MemoryVectorStore):
    """The vector goes into the index, and its metadata into a table after that."""

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        _, earlier = self._entries.get(id, (None, encode(None)))
        await super().upsert(id, vector, metadata)
        unit, record = self._entries[id]
        self._entries[id] = unit, earlier
        await _engine()
        self._entries[id] = self._entries.get(id, (unit, record))[0], record


@mutant("CON-04")
class MetadataIsFetchedLater(MemoryVectorStore):
    """A search finds ids and scores first, and then looks up the metadata of now."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        found = await super().search(query, top_k)
        await _engine()
        return [
            VectorResult(id=one.id, score=one.score, metadata=decode(JsonValue, entry[1]))
            for one in found
            if (entry := self._entries.get(one.id)) is not None
        ]


@mutant("CON-05")
class SearchesAnOldIndex(MemoryVectorStore):
    """A search that finds the index being refreshed takes the old one."""

    def __init__(self) -> None:
        super().__init__()
        self._refreshing = 0
        self._old: dict[str, tuple[array[float], bytes]] = {}

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        before = dict(self._entries)
        await super().upsert(id, vector, metadata)
        if not self._refreshing:
            self._old = before
        self._refreshing += 1
        try:
            await _engine()
        finally:
            self._refreshing -= 1

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        entries = self._entries
        if self._refreshing:
            self._entries = self._old
        try:
            return await super().search(query, top_k)
        finally:
            self._entries = entries


# Cancellation


@mutant("CON-06")
class LockIsKept(MemorySessionStore):
    """A lock is given back after the write, not whatever becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()

    @override
    async def save(self, session: Session, /) -> None:
        self._check_open()
        await self._lock.acquire()
        await _engine()
        try:
            await super().save(session)
        finally:
            self._lock.release()


@mutant("CON-06")
class PlacesInThePoolAreLost(MemoryVectorStore):
    """A call that is cancelled while it connects does not give its place in the pool back."""

    def __init__(self) -> None:
        super().__init__()
        self._places = asyncio.Semaphore(2)

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        await self._places.acquire()
        await _engine()
        try:
            return await super().search(query, top_k)
        finally:
            self._places.release()


@mutant("CON-06")
class TransactionIsLeftOpen(_Refusing):
    """No ROLLBACK after a cancellation: the next BEGIN finds a transaction open."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._begun = False

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await self.refuse(session_id, message)
        async with self._lock:
            if self._begun:
                raise StorageIOError("cannot start a transaction within a transaction")
            self._begun = True
            await _engine()
            await super().append_message(session_id, message)
            self._begun = False


@mutant("CON-06")
class CancellationIsSwallowed(MemoryConfigStore):
    """`except BaseException` around a read, for the sake of its robustness."""

    @override
    async def get_config(self) -> AppConfig:
        try:
            await _engine()
        except BaseException:  # noqa: BLE001
            return await super().get_config()
        return await super().get_config()


@mutant("CON-06")
class CancellationIsAnError(MemoryConversationStore):
    """Whatever ends a call early is a StorageIOError."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        try:
            await _engine()
        except CancelledError as error:
            raise StorageIOError("the write was interrupted") from error
        await super().append_message(session_id, message)


class _InBackground:
    """Makes calls that nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[Task[None]] = set()

    def start(self, call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Make a call a little later."""
        task = asyncio.create_task(self._later(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await asyncio.sleep(0.001)
        await call()


@mutant("CON-06")
class CancelledSavesAreRetried(MemoryConfigStore):
    """A save that was interrupted is made again in the background."""

    def __init__(self) -> None:
        super().__init__()
        self._background = _InBackground()

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        try:
            await _engine()
        except CancelledError:
            self._background.start(lambda: MemoryConfigStore.save_config(self, config))
            raise
        await super().save_config(config)


@mutant("CON-06")
class DeletionGoesOnInBackground(MemoryVectorStore):
    """`shield` around a deletion: it takes place when the caller has long gone on."""

    def __init__(self) -> None:
        super().__init__()
        self._background = _InBackground()

    @override
    async def delete(self, id: str, /) -> None:
        await MemoryVectorStore.delete(MemoryVectorStore(), id)  # refuses what is bad
        self._check_open()
        try:
            await _engine()
        except CancelledError:
            self._background.start(lambda: MemoryVectorStore.delete(self, id))
            raise
        await super().delete(id)


# Sequences


@mutant("CON-07")
class NumbersAreGivenAgain(MemoryConversationStore):
    """A session that was cleared keeps its number, which the next new session is given too."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[SessionId, SessionId] = {}

    def _number(self, id: SessionId) -> SessionId:
        check_id(id)
        names = map(SessionId, map(str, count()))
        free = next(name for name in names if name not in self._histories)
        return self._numbers.setdefault(id, free)

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        return await super().get_messages(self._numbers.get(session_id, session_id), limit)

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(self._number(session_id), message)

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(self._numbers.get(session_id, session_id))


@mutant("CON-07")
class SlotsAreFreedTwice(MemoryVectorStore):
    """Deleting what is deleted already frees its slot again, and two entries are given it."""

    def __init__(self) -> None:
        super().__init__()
        self._slots: dict[str, int] = {}
        self._free: list[int] = []

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        known = id in self._entries
        await super().upsert(id, vector, metadata)
        if not known:
            slot = self._free.pop() if self._free else len(self._slots)
            for other in [
                one for one in self._entries if one != id and self._slots.get(one) == slot
            ]:
                del self._entries[other]
            self._slots[id] = slot

    @override
    async def delete(self, id: str, /) -> None:
        await super().delete(id)
        if id in self._slots:
            self._free.append(self._slots[id])


# Refused and cancelled among others


@mutant("CON-05")
class OneBadMessageFailsTheBatch(MemoryConversationStore):
    """Appends are gathered and written together, and fail together."""

    def __init__(self) -> None:
        super().__init__()
        self._batch: list[tuple[SessionId, Message]] = []
        self._writing: Task[None] | None = None

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        check_id(session_id)
        self._check_open()
        self._batch.append((session_id, message.model_copy(deep=True)))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(self._writing)

    async def _write(self) -> None:
        await _engine()
        batch, self._batch, self._writing = self._batch, [], None
        for _, message in batch:
            encode(message)
        for id, message in batch:
            await super().append_message(id, message)


@mutant("CON-06")
class ReadersShareACancellation(MemoryConfigStore):
    """Who reads while another does waits for the same task, and cancels it with its own."""

    _reading: Task[AppConfig] | None = None

    @override
    async def get_config(self) -> AppConfig:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return (await self._reading).model_copy(deep=True)

    async def _read(self) -> AppConfig:
        config = await super().get_config()
        await _engine()
        return config


@mutant("CON-06")
class ThreadsGoOnAlone(MemorySessionStore):
    """`to_thread` and nothing around it: a cancelled save takes place when its thread begins."""

    @override
    async def save(self, session: Session, /) -> None:
        await MemorySessionStore().save(session)  # refuses what must be refused
        self._check_open()
        record = encode(session)
        await asyncio.to_thread(self._records.__setitem__, session.id, record)


# Writers that are turned away


@mutant("CON-02")
class SecondAppendIsTurnedAway(MemoryConversationStore):
    """An append that finds another under way raises "database is locked" instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = False

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        if self._writing:
            raise StorageIOError("database is locked")
        self._writing = True
        try:
            await _engine()
            await super().append_message(session_id, message)
        finally:
            self._writing = False


@mutant("CON-03")
class SecondSaveIsTurnedAway(MemoryConfigStore):
    """A save of the configuration that finds another under way raises instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = False

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        if self._writing:
            raise StorageIOError("database is locked")
        self._writing = True
        try:
            await _engine()
            await super().save_config(config)
        finally:
            self._writing = False


# Cancelled a little later, or twice


@mutant("CON-06")
class LastOfThoseWhoWaitWritesForAll(MemorySessionStore):
    """Saves of one session that wait are done by the last; when that is cancelled, none is."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._latest: dict[str, object] = {}

    @override
    async def save(self, session: Session, /) -> None:
        await MemorySessionStore().save(session)  # refuses what must be refused
        self._check_open()
        mine = self._latest[session.id] = session.model_copy(deep=True)
        async with self._lock:
            await _engine()
            if self._latest[session.id] is mine:
                await super().save(mine)


@mutant("CON-06")
class BatchIsWrittenAgain(MemoryConversationStore):
    """Of a batch that was written while one was cancelled, the others are written again."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[SessionId, Message, asyncio.Future[None]]] = []

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await MemoryConversationStore().append_message(session_id, message)
        self._check_open()
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((session_id, message.model_copy(deep=True), done))
        if len(self._waiting) == 1:
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        await _engine()
        batch, self._waiting = self._waiting, []
        while batch:
            for id, message, _ in batch:
                await super().append_message(id, message)
            await asyncio.sleep(0.002)
            left = [one for one in batch if not one[2].cancelled()]
            if len(left) == len(batch):
                for *_, done in batch:
                    done.set_result(None)
                return
            batch = left


@mutant("CON-06")
class ClearsALittleLater(MemoryConversationStore):
    """`clear` is left to a task that begins after a while, whether its caller is there or not."""

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        self._check_open()
        check_id(session_id)
        await asyncio.shield(asyncio.ensure_future(self._clear(session_id)))

    async def _clear(self, id: SessionId) -> None:
        await asyncio.sleep(0.003)
        await super().clear(id)


@mutant("CON-06")
class SecondCancellationCutsTheEnd(MemorySessionStore):
    """A cancelled save is finished first, as it should; another cancellation cuts that short."""

    def __init__(self) -> None:
        super().__init__()
        self._channels: dict[str, str] = {}

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        try:
            await _engine()
        finally:
            await _engine()
            self._channels[session.id] = session.channel

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        check_id(channel, "channel")
        every = await super().list(sys.maxsize, 0)
        return [one for one in every if self._channels.get(one.id) == channel]


@mutant("CON-06")
class CancelledSavesLeaveTheIndex(MemorySessionStore):
    """The index by channel is written after the record, unless the save was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self._channels: dict[str, str] = {}

    @override
    async def save(self, session: Session, /) -> None:
        channel = session.channel
        await super().save(session)
        await _engine()
        self._channels[session.id] = channel

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        check_id(channel, "channel")
        every = await super().list(sys.maxsize, 0)
        return [one for one in every if self._channels.get(one.id, one.channel) == channel]


# What is read in parts, and what is given out while it changes


@mutant("CON-05")
class ListsArePages(MemorySessionStore):
    """A long list is read in pages of a hundred, and put together while others save."""

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        limit, offset = check_limit(limit), check_limit(offset, "offset")
        found: list[Session] = []
        while limit > len(found):
            size = min(100, limit - len(found))
            page = await super().list(size, offset + len(found))
            found += page
            if len(page) < size:
                break
            await _engine()
        return found


@mutant("CON-05")
class HistoriesArePages(MemoryConversationStore):
    """A long history is read in pages of a hundred, each counted from its present end."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        limit = check_limit(limit)
        found: list[Message] = []
        while limit > len(found):
            size = min(100, limit - len(found))
            upto = await super().get_messages(session_id, len(found) + size)
            page = upto[: len(upto) - len(found)]
            found[:0] = page
            if len(page) < size:
                break
            await _engine()
        return found if limit else await super().get_messages(session_id, 0)


@mutant("CON-07")
class HistoryIsALiveView(MemoryConversationStore):
    """Who reads all of a history is given the store's own list, which grows under their eyes."""

    def __init__(self) -> None:
        super().__init__()
        self._views: dict[str, list[Message]] = {}

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        found = await super().get_messages(session_id, limit)
        if limit < sys.maxsize:
            return found
        view = self._views.setdefault(session_id, [])
        view[:] = found
        return view
