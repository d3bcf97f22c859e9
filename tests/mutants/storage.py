"""Storages whose stores are in each other's way, or have not the shape of their ports."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
import unicodedata
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import CoroutineType
from typing import Any, ClassVar, Self, cast

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ConnectionFailedError,
    ConversationStore,
    Message,
    NotFoundError,
    Session,
    SessionId,
    StorageIOError,
    Vector,
    VectorResult,
    translate_errors,
)
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryStorage,
    MemoryVectorStore,
)
from tests.mutants.filed import FiledConfigStore, FiledSessionStore, filed_mutant
from tests.mutants.logged import LoggedStorage, logged_mutant
from tests.mutants.mutant import mutant

# Ports in each other's way


class _Sessions(MemorySessionStore):
    """Sees the other stores."""

    def __init__(self, storage: MemoryStorage) -> None:
        super().__init__()
        self._storage = storage


class _Conversations(MemoryConversationStore):
    """Sees the other stores."""

    def __init__(self, storage: MemoryStorage) -> None:
        super().__init__()
        self._storage = storage


@mutant("CNV-09", "STO-01")
def deleting_a_session_clears_it(location: Path) -> MemoryStorage:
    """`ON DELETE CASCADE`: a conversation goes with its session."""

    class Sessions(_Sessions):
        @override
        async def delete(self, id: SessionId, /) -> None:
            await super().delete(id)
            await self._storage.conversations.clear(id)

    storage = MemoryStorage()
    storage.sessions = Sessions(storage)
    return storage


@mutant(
    "CNV-01",
    "CNV-02",
    "CNV-03",
    "CNV-04",
    "CNV-05",
    "CNV-06",
    "CNV-07",
    "CNV-08",
    "CNV-09",
    "CNV-10",
    "CNV-11",
    "CNV-12",
    "STO-01",
    "STO-02",
    "STO-03",
)
def appending_needs_a_session(location: Path) -> MemoryStorage:
    """A foreign key refuses the messages of a session that was not saved."""

    class Conversations(_Conversations):
        @override
        async def append_message(self, session_id: SessionId, message: Message, /) -> None:
            if await self._storage.sessions.get(session_id) is None:
                raise NotFoundError(f"session {session_id}")
            await super().append_message(session_id, message)

    storage = MemoryStorage()
    storage.conversations = Conversations(storage)
    return storage


@mutant("CNV-09", "STO-01", "STO-02", "STO-05")
def appending_counts_in_the_session(location: Path) -> MemoryStorage:
    """An append raises the session's `message_count`, which the application does too."""

    class Conversations(_Conversations):
        @override
        async def append_message(self, session_id: SessionId, message: Message, /) -> None:
            await super().append_message(session_id, message)
            session = await self._storage.sessions.get(session_id)
            if session is not None:
                counted = {"message_count": session.message_count + 1}
                await self._storage.sessions.save(session.model_copy(update=counted))

    storage = MemoryStorage()
    storage.conversations = Conversations(storage)
    return storage


@mutant("STO-01")
def deleting_a_session_deletes_a_vector(location: Path) -> MemoryStorage:
    """One key space without the port in its keys: deleting a session deletes a vector."""

    class Sessions(_Sessions):
        @override
        async def delete(self, id: SessionId, /) -> None:
            await super().delete(id)
            await self._storage.vectors.delete(id)

    storage = MemoryStorage()
    storage.sessions = Sessions(storage)
    return storage


@mutant("STO-01")
def config_is_a_session(location: Path) -> MemoryStorage:
    """The configuration is the record `config` among the sessions."""

    class Config(MemoryConfigStore):
        @override
        async def get_config(self) -> AppConfig:
            config = await super().get_config()
            session = await storage.sessions.get(SessionId("config"))
            return AppConfig.model_validate(session.model_dump()) if session else config

    storage = MemoryStorage()
    storage.config = Config()
    return storage


# First use


class _FirstUse:
    """Makes what a store needs on its first use."""

    def __init__(self, make: Callable[[], None]) -> None:
        self._make = make
        self._made = False

    async def ready(self) -> None:
        """Make it, unless it is made."""
        if not self._made:
            await asyncio.sleep(0)
            self._make()
            self._made = True


@mutant("STO-02")
class EachTaskMakesTheTable(MemorySessionStore):
    """Tasks that find no table make it one after the other, and the last one's is empty."""

    def __init__(self) -> None:
        super().__init__()
        self._first = _FirstUse(self._records.clear)

    @override
    async def save(self, session: Session, /) -> None:
        self._check_open()
        await self._first.ready()
        await super().save(session)


@mutant("STO-02")
class SecondTaskFindsTheTable(MemoryConversationStore):
    """`CREATE TABLE` without IF NOT EXISTS fails for the second task."""

    def __init__(self) -> None:
        super().__init__()
        self._first = _FirstUse(self._create)
        self._created = False

    def _create(self) -> None:
        if self._created:
            raise StorageIOError("table messages already exists")
        self._created = True

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        self._check_open()
        await self._first.ready()
        await super().append_message(session_id, message)


# After closing


@mutant("STO-03")
class AnswersWhenClosed(MemorySessionStore):
    """What is in memory can be read after the storage was closed."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        closed, self._closed = self._closed, False
        try:
            return await super().get(id)
        finally:
            self._closed = closed


@mutant("STO-03")
class AcceptsWhenClosed(MemoryConversationStore):
    """A message is queued after the storage was closed, and nobody will write it."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        if not self._closed:
            await super().append_message(session_id, message)


@mutant("STO-03")
class DriverErrorsWhenClosed(MemoryVectorStore):
    """A closed connection raises the driver's own exception."""

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        try:
            return await super().search(query, top_k)
        except ConnectionFailedError as error:
            raise RuntimeError("Cannot operate on a closed database.") from error


@mutant("STO-03")
class ClosesOnlyWhatWasUsed(MemoryVectorStore):
    """A store that was never used has no connection to close, and opens one later."""

    @override
    def close(self) -> None:
        if self._dimension is not None:
            super().close()


# The shape


class _SyncConfig(MemoryConfigStore):
    """Has a method that is no coroutine function."""

    @override
    def get_config(self) -> CoroutineType[Any, Any, AppConfig]:
        return super().get_config()


@mutant("STO-04")
def a_method_is_not_async(location: Path) -> MemoryStorage:
    """A method returns an awaitable, but is no coroutine function."""
    storage = MemoryStorage()
    storage.config = _SyncConfig()
    return storage


class _Inheriting(ConversationStore):
    """Inherits from the port and forgets `clear`."""

    def __init__(self) -> None:
        self._store = MemoryConversationStore()
        self.close = self._store.close

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        return await self._store.get_messages(session_id, limit)

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await self._store.append_message(session_id, message)


@mutant("CNV-06", "CNV-07", "CNV-09", "CNV-12", "STO-01", "STO-03", "STO-04")
def a_method_is_the_ports_stub(location: Path) -> MemoryStorage:
    """A class inherits from the port and forgets a method, which is then a stub."""
    storage: Any = MemoryStorage()
    inheriting: Any = _Inheriting  # a type checker would not let it be made
    storage.conversations = inheriting()
    return storage


class _Proxy:
    """Passes on whatever it is asked for."""

    def __init__(self, store: object) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@mutant("STO-04")
def methods_are_found_by_getattr(location: Path) -> MemoryStorage:
    """A proxy finds its methods by `__getattr__`, and `isinstance` does not."""
    storage: Any = MemoryStorage()
    storage.sessions = _Proxy(storage.sessions)
    return storage


class _Positional(MemorySessionStore):
    """Has parameters without a name."""

    @override
    async def list(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, limit: int, offset: int, /
    ) -> Sequence[Session]:
        return await super().list(limit, offset)


@mutant("SES-06", "SES-07", "SES-08", "STO-04")
def parameters_have_no_names(location: Path) -> MemoryStorage:
    """Parameters are positional alone, and a caller who names them gets a TypeError."""
    storage = MemoryStorage()
    storage.sessions = _Positional()
    return storage


# Locations


@mutant("STO-05")
@asynccontextmanager
async def one_connection_for_all(location: Path) -> AsyncGenerator[MemoryStorage]:
    """The connection is kept in the module, so that a second location is given the first."""
    _open_now.append(_open_now[0] if _open_now else MemoryStorage())
    try:
        yield _open_now[-1]
    finally:
        async with _open_now.pop():
            pass


_open_now: list[MemoryStorage] = []


@mutant("STO-01", "STO-02", "STO-05")
def names_are_cut(location: Path) -> MemoryStorage:
    """A schema is named after its location, and the name is cut where the engine cuts it."""
    storage = MemoryStorage()
    storage.conversations = _Schema(location.name[:16])
    return storage


class _Schema(MemoryConversationStore):
    """Shares its histories with every other schema of its name."""

    _all: ClassVar[dict[str, dict[SessionId, list[bytes]]]] = {}

    def __init__(self, name: str) -> None:
        super().__init__()
        self._histories = self._all.setdefault(name, {})


# Locations, openings and closings

_BY_NAME: dict[str, MemoryStorage] = {}


@mutant("STO-05")
@asynccontextmanager
async def location_is_its_clean_name(location: Path) -> AsyncGenerator[MemoryStorage]:
    """The table is named by the folder's name, in which what is no letter is an underscore."""
    name = re.sub(r"\W", "_", location.name)
    storage = _BY_NAME[name] if name in _BY_NAME else MemoryStorage()
    _BY_NAME[name] = storage
    try:
        async with storage:
            yield storage
    finally:
        _BY_NAME.pop(name, None)


@mutant("STO-06")
@asynccontextmanager
async def the_callers_exception_is_swallowed(location: Path) -> AsyncGenerator[MemoryStorage]:
    """Whatever ends the block is logged, so that closing goes on."""
    with suppress(BaseException):
        async with MemoryStorage() as storage:
            yield storage


@mutant("STO-10")
class QueueIsNotServed(MemoryStorage):
    """Configurations are saved by a task that reads a queue, and that closing cancels."""

    def __init__(self, location: Path) -> None:
        super().__init__()
        self.config = _Queued()

    @override
    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(cast("_Queued", self.config).write())
        return self

    @override
    async def __aexit__(self, *error: object) -> None:
        self._writer.cancel()
        await super().__aexit__(None, None, None)


class _Queued(MemoryConfigStore):
    def __init__(self) -> None:
        super().__init__()
        self._queue: asyncio.Queue[tuple[AppConfig, asyncio.Future[None]]] = asyncio.Queue()

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await MemoryConfigStore().save_config(config)  # refuses what must be refused
        self._check_open()
        done = asyncio.get_running_loop().create_future()
        await self._queue.put((config.model_copy(deep=True), done))
        await done

    async def write(self) -> None:
        while True:
            config, done = await self._queue.get()
            await super().save_config(config)
            if not done.done():
                done.set_result(None)


@mutant("STO-09")
class OneLockForAllLoops(MemorySessionStore):
    """The lock is the class's, and belongs to the loop that waited for it first."""

    _lock = asyncio.Lock()

    @override
    async def save(self, session: Session, /) -> None:
        await MemorySessionStore().save(session)  # refuses what must be refused
        self._check_open()
        async with self._lock:
            await asyncio.sleep(0)
            await super().save(session)


_DESCRIPTORS: list[int] = []


@mutant("STO-10")
@asynccontextmanager
async def a_descriptor_is_left(location: Path) -> AsyncGenerator[MemoryStorage]:
    """The lock file is opened, and never closed."""
    _DESCRIPTORS.append(os.open(location / "lock", os.O_CREAT | os.O_RDWR))
    async with MemoryStorage() as storage:
        yield storage


@mutant("STO-10")
@asynccontextmanager
async def a_thread_is_left(location: Path) -> AsyncGenerator[MemoryStorage]:
    """A thread that writes waits for more to write, after the end too."""
    threading.Thread(target=threading.Event().wait, daemon=True, name="writer").start()
    async with MemoryStorage() as storage:
        yield storage


@mutant("STO-10")
@asynccontextmanager
async def a_task_is_left(location: Path) -> AsyncGenerator[MemoryStorage]:
    """A task that checkpoints sleeps on."""
    task = asyncio.create_task(asyncio.sleep(3600))
    async with MemoryStorage() as storage:
        yield storage
    task.set_name("checkpoints")


@mutant("STO-03")
class KnownSessionsAreServedWhenClosed(MemorySessionStore):
    """A session that was read before comes from a cache, which closing does not empty."""

    def __init__(self) -> None:
        super().__init__()
        self._read: dict[SessionId, Session] = {}

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        if self._closed and id in self._read:
            return self._read[id]
        session = await super().get(id)
        if session is not None:
            self._read[id] = session
        return session


# Errors, loops and leftovers


@mutant("STO-03")
class OneErrorForAllCalls(MemoryConfigStore):
    """The exception that tells of closing is made once, and gathers everybody's traceback."""

    _error = ConnectionFailedError("the storage has been closed")

    @override
    def _check_open(self) -> None:
        if self._closed:
            raise self._error


def _named_so(name: str) -> MemoryStorage:
    """Return a storage whose conversations are those of every location of that name."""
    storage = MemoryStorage()
    storage.conversations = _Schema(name)
    return storage


@mutant("STO-05")
def location_is_folded(location: Path) -> MemoryStorage:
    """The name is an SQL identifier without quotes: `Data` and `data` are one schema."""
    return _named_so(str(location).lower())


@mutant("STO-05")
def location_is_normalised(location: Path) -> MemoryStorage:
    """The name is brought to NFC, so that two that look alike are one."""
    return _named_so(unicodedata.normalize("NFC", str(location)))


@mutant("STO-05")
def location_is_cut_to_63(location: Path) -> MemoryStorage:
    """An identifier has 63 bytes, and what is longer is cut in silence."""
    return _named_so(f"{location.parent} {location.name.encode()[:63]!r}")


@mutant("STO-06")
@asynccontextmanager
async def errors_of_the_block_are_translated(location: Path) -> AsyncGenerator[MemoryStorage]:
    """`translate_errors` stands around the `yield`: the caller's errors become the storage's."""
    async with MemoryStorage() as storage:
        with translate_errors({LookupError: NotFoundError}):
            yield storage


@filed_mutant("STO-09")
class ReadsAreSharedByAllLoops(FiledConfigStore):
    """Who reads while somebody in the process does waits for that, in another loop too."""

    _reading: ClassVar[dict[Path, asyncio.Future[AppConfig]]] = {}

    @override
    async def get_config(self) -> AppConfig:
        place, read = self.file.location, self._reading
        if place not in read:
            mine = read[place] = asyncio.ensure_future(super().get_config())
            mine.add_done_callback(lambda _: read.pop(place, None))
        return (await asyncio.shield(read[place])).model_copy(deep=True)


@filed_mutant("STO-10")
class CancelledReadsLeaveAFile(FiledSessionStore):
    """A file is opened for each list, and closed after it by who was not cancelled meanwhile."""

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        descriptor = os.open(self.file.location, os.O_RDONLY)
        try:
            page = await super().list(limit, offset)
        except Exception:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return page


# What becomes of a relative location, or of a block that ends badly


@logged_mutant("STO-06")
class ExceptionsUndoTheBlock(LoggedStorage):
    """A block that ends with an exception is rolled back, what was acknowledged in it too."""

    _before = 0

    @override
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._before = self.log.path.stat().st_size
        return self

    @override
    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        if error[0] is not None:
            os.truncate(self.log.path, self._before)


@logged_mutant("STO-08")
class SnapshotAtARelativePath(LoggedStorage):
    """Closing copies the log to the path as it was given, and opening prefers the copy."""

    @override
    async def __aenter__(self) -> Self:
        if self._copy().exists():
            shutil.copyfile(self._copy(), self.log.path)
        self._log = self.log.path.absolute()
        return await super().__aenter__()

    @override
    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._copy().parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._log, self._copy())

    def _copy(self) -> Path:
        return self.log.path.with_name("copy")
