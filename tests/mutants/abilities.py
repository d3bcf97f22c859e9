"""Stores whose abilities are broken, as such things break."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from typing_extensions import override

from clawdesk_storage import (
    And,
    AppConfig,
    Compares,
    Contains,
    Equals,
    Exists,
    HistoryEntry,
    JsonValue,
    Message,
    Not,
    Or,
    RevisedConfig,
    RevisedSession,
    SerializationError,
    Session,
    SessionId,
    Vector,
    VectorEntry,
    VectorResult,
    Where,
    decode,
    encode,
    matches,
)
from clawdesk_storage.conformance import Backend
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryStorage,
    MemoryVectorStore,
)
from tests.mutants.logged import LoggedConversationStore, LoggedStorage, LoggedVectorStore
from tests.mutants.mutant import MUTANTS, Mutant, mutant

_ALL = sys.maxsize


# Batches


@mutant("BAT-03", "BAT-05", "BAT-06")
class BatchIsALoop(MemoryConversationStore):
    """A batch is appended one by one, with an await between."""

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        await super().append_messages(session_id, [])
        for message in [decode(Message, encode(one)) for one in messages]:
            await self.append_message(session_id, message)
            await asyncio.sleep(0)


@mutant("BAT-04")
class GoodOnesOfABadBatchStay(MemoryConversationStore):
    """A batch is written as it is read, and what came before the bad message stays."""

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        for message in messages:
            await self.append_message(session_id, message)
        await super().append_messages(session_id, [])


@mutant("BAT-01")
class BatchIsSorted(MemoryConversationStore):
    """A batch is stored in the order of its timestamps."""

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        ordered = sorted(messages, key=lambda one: one.timestamp)
        await super().append_messages(session_id, ordered)


@mutant("BAT-02")
class EmptyBatchIsAnError(MemoryConversationStore):
    """An insert of no rows is an error of syntax."""

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        if not messages:
            raise SerializationError("VALUES needs a row")
        await super().append_messages(session_id, messages)


@mutant("BAT-08")
class BatchIsCut(MemoryConversationStore):
    """A statement has a thousand parameters, and the rest is left out."""

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        await super().append_messages(session_id, messages[:1000])


@mutant("BAT-09")
class BatchIsKeptAsGiven(MemoryConversationStore):
    """The caller's list is kept until the next read."""

    _kept: tuple[SessionId, Sequence[Message]] | None = None

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        await super().append_messages(session_id, [])
        self._kept = session_id, messages

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            await super().append_messages(*kept)
        return await super().get_messages(session_id, limit)


@mutant("BAT-10")
class BatchChecksNoId(MemoryConversationStore):
    """The newest method forgets what the others check."""

    @override
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        self._check_open()
        self._append(session_id, [encode(message) for message in messages])


class _LoopedConversations(LoggedConversationStore):
    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        for message in messages:
            await self.append_message(session_id, message)
            await asyncio.sleep(0)


class _LoopedVectors(LoggedVectorStore):
    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        for id, vector, metadata in entries:
            await self.upsert(id, vector, metadata)
            await asyncio.sleep(0)


class BatchIsLoggedLineByLine(LoggedStorage):
    """A log to which a batch is written line by line."""

    with_abilities = True
    kinds = {
        **LoggedStorage.kinds,
        "conversations": _LoopedConversations,
        "vectors": _LoopedVectors,
    }


MUTANTS.append(
    Mutant(
        "abilities",
        "BatchIsLoggedLineByLine",
        "A batch is a line of the log for each message.",
        ("BAT-07", "VBA-04"),
        Backend(BatchIsLoggedLineByLine, shared=False),
    )
)


# Pages


class _Paged(MemoryConversationStore):
    """Answers pages from all entries, in a way of its own."""

    async def _whole(self, id: SessionId) -> list[HistoryEntry]:
        return [*await MemoryConversationStore.get_after(self, id, None, _ALL)]


@mutant("PAG-02", "PAG-03")
class PagesByTimestamp(_Paged):
    """Pages go on from the timestamp of the last message."""

    @override
    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        page = await super().get_before(session_id, position, limit)
        if position is None:
            return page
        whole = await self._whole(session_id)
        at = [one.message.timestamp for one in whole if one.position == position]
        if not at:
            return page
        older = [one for one in whole if one.message.timestamp < at[0]]
        return older[max(0, len(older) - limit) :]


@mutant("PAG-01")
class LastPageIsTheFirst(_Paged):
    """Without a position a page is taken from the beginning."""

    @override
    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        if position is None:
            return await self.get_after(session_id, None, limit)
        return await super().get_before(session_id, position, limit)


@mutant("PAG-02", "PAG-03")
class BoundIsIncluded(_Paged):
    """What stands at the position is in both pages."""

    @override
    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        less = None if position is None else position - 1
        return await super().get_after(session_id, less, limit)


@mutant("PAG-05", "PAG-06", "GRD-04")
class PositionsBeginAnew(MemoryConversationStore):
    """Positions are places in the history, and begin anew after `clear`."""

    @override
    def _append(self, session_id: SessionId, records: Sequence[bytes]) -> None:
        super()._append(session_id, records)
        if records:
            count = len(self._positions[session_id])
            self._positions[session_id][:] = range(1, count + 1)


@mutant("PAG-04")
class PositionsAreText(_Paged):
    """A position is what the driver gave: a text."""

    @override
    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        page = await super().get_before(session_id, position, limit)
        odd: Any = float
        return [HistoryEntry(odd(one.position), one.message) for one in page]


@mutant("PAG-06")
class CursorMustBeThere(_Paged):
    """A position whose message is gone finds nothing more."""

    @override
    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        page = await super().get_after(session_id, position, limit)
        there = {one.position for one in await self._whole(session_id)}
        return page if position is None or position in there else []


@mutant("PAG-07")
class NumbersAreTakenBeforeTheCommit(MemoryConversationStore):
    """The position is taken first, and the message is there later."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_messages(session_id, [])
        record, position = encode(message), self._next()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        positions = self._positions.setdefault(session_id, [])
        place = sum(one < position for one in positions)
        positions.insert(place, position)
        self._histories.setdefault(session_id, []).insert(place, record)


@mutant("PAG-08")
class PagesTakeNegativeLimits(_Paged):
    """A negative limit is all, as for some engines."""

    @override
    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        return await super().get_after(session_id, position, _ALL if limit < 0 else limit)


class PositionsAreOfTheOpening(MemoryConversationStore):
    """Gives positions that tell the opening: each handle has its own."""

    openings = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).openings += 1
        self._own = 1000 * type(self).openings

    @override
    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        bound = None if position is None else position - self._own
        page = await super().get_after(session_id, bound, limit)
        return [HistoryEntry(one.position + self._own, one.message) for one in page]

    @override
    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        bound = None if position is None else position - self._own
        page = await super().get_before(session_id, bound, limit)
        return [HistoryEntry(one.position + self._own, one.message) for one in page]


class DumpedStorage(MemoryStorage):
    """In memory, and dumped to a file at the end: what records look like when they are damaged."""

    def __init__(self, location: Path, **stores: Any) -> None:
        super().__init__()
        self._file = location / "dump"
        for port, store in stores.items():
            setattr(self, port, store)
        if self._file.exists():
            for name, kept in pickle.loads(self._file.read_bytes()).items():
                for table, value in kept.items():
                    setattr(getattr(self, name), table, value)

    @override
    async def __aexit__(self, *error: object) -> None:
        self._file.write_bytes(pickle.dumps(_kept(self)))
        await super().__aexit__(None, None, None)


_TABLES = {
    "sessions": ("_records", "_revisions"),
    "conversations": ("_histories", "_positions"),
    "config": ("_record", "_revision"),
    "vectors": ("_entries", "_dimension"),
}


def _kept(storage: MemoryStorage) -> dict[str, dict[str, Any]]:
    return {
        name: {table: vars(getattr(storage, name))[table] for table in tables}
        for name, tables in _TABLES.items()
    }


async def corrupt(location: Path, port: str) -> None:
    """Damage every record of a port in a dump."""
    file = location / "dump"
    kept = pickle.loads(file.read_bytes())
    tables = kept[port]
    if port == "conversations":
        for history in tables["_histories"].values():
            history[:] = [b"{" for _ in history]
    elif port == "vectors":
        tables["_entries"] = {id: (unit, b"{") for id, (unit, _) in tables["_entries"].items()}
    elif port == "sessions":
        tables["_records"] = dict.fromkeys(tables["_records"], b"{")
    file.write_bytes(pickle.dumps(kept))


def _dumped(name: str, flaw: str, *laws: str, durable: bool = False, **stores: Any) -> None:
    @asynccontextmanager
    async def open_storage(location: Path) -> AsyncGenerator[DumpedStorage]:
        made = {port: store() for port, store in stores.items()}
        async with DumpedStorage(location, **made) as storage:
            yield storage

    backend = Backend(open_storage, durable=durable, shared=False, corrupt=corrupt)
    MUTANTS.append(Mutant("abilities", name, flaw, laws, backend))


class DamageIsSkippedInPages(MemoryConversationStore):
    @override
    def _entries(self, session_id: SessionId, part: slice) -> Sequence[HistoryEntry]:
        try:
            return super()._entries(session_id, part)
        except SerializationError:
            return []


class DamageIsFilteredAway(MemoryVectorStore):
    @override
    def _matches(self, where: Where, id: str) -> bool:
        try:
            return super()._matches(where, id)
        except SerializationError:
            return False

    @override
    async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]:
        try:
            return await super().entries(after, limit)
        except SerializationError:
            return []

    @override
    async def get(self, id: str, /) -> VectorEntry | None:
        try:
            return await super().get(id)
        except SerializationError:
            return None


_dumped(
    "DamageIsSkippedInPages", "What cannot be read is left out of a page.", "PAG-10",
    conversations=DamageIsSkippedInPages,
)  # fmt: skip
_dumped(
    "DamageIsFilteredAway", "What cannot be read matches nothing.", "FIL-15", "CTS-07",
    vectors=DamageIsFilteredAway,
)  # fmt: skip
_dumped(
    "PositionsAreOfTheOpening", "Each opening numbers the messages for itself.", "PAG-09",
    durable=True, conversations=PositionsAreOfTheOpening,
)  # fmt: skip


# Guards


class _Guarded(MemoryConversationStore):
    """Has a guard with a gap in it."""

    @override
    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        newest = self._positions.get(session_id, [None])[-1]
        if newest != position:
            await super().append_after(session_id, position, messages)
        await asyncio.sleep(0)
        now = self._positions.get(session_id, [None])[-1]
        return await super().append_after(session_id, now, messages)


@mutant("GRD-03")
class GuardIsReadFirst(_Guarded):
    """The position is compared, and the turn is appended, with an await between."""


@mutant("GRD-02", "GRD-03", "GRD-04")
class ConflictIsAnswered(MemoryConversationStore):
    """A conflict is an answer, which nobody looks at."""

    @override
    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        newest = self._positions.get(session_id, [None])[-1]
        if newest != position:
            return -1
        return await super().append_after(session_id, position, messages)


@mutant("GRD-01")
class FirstPositionIsReturned(MemoryConversationStore):
    """What is returned is where the turn begins."""

    @override
    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        await super().append_after(session_id, position, messages)
        return self._positions[session_id][-len(messages)]


@mutant("GRD-05")
class TruncationTakesTheBoundToo(MemoryConversationStore):
    """What stands at the position goes with the tail."""

    @override
    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        await super().truncate_after(session_id, position and position - 1, newest)


@mutant("GRD-06")
class TruncationLooksAtNothing(MemoryConversationStore):
    """The tail is removed, whoever has appended to it."""

    @override
    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        await super().truncate_after(
            session_id, position, self._positions.get(session_id, [newest])[-1]
        )


@mutant("GRD-07")
class GuardedTurnIsALoop(MemoryConversationStore):
    """The messages of a guarded turn are appended one by one, with an await between."""

    @override
    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        for message in messages:
            position = await super().append_after(session_id, position, [message])
            await asyncio.sleep(0)
        return self._positions[session_id][-1]


# Revisions


class _Tokens(MemorySessionStore):
    """Makes tokens of its own."""

    @override
    def _put(self, session: Session, record: bytes) -> str:
        super()._put(session, record)
        self._revisions[session.id] = self.token(session, record)
        return self._revisions[session.id]

    def token(self, session: Session, record: bytes) -> str:
        raise NotImplementedError


@mutant("REV-05", "REV-06")
class RevisionIsOfTheContent(_Tokens):
    """A revision is a hash of what is stored, and an equal save gives the same."""

    @override
    def token(self, session: Session, record: bytes) -> str:
        return f"{hash(record)}"


@mutant("REV-06")
class RevisionCountsFromOne(_Tokens):
    """A revision is a count in the row, which is gone with it."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}

    @override
    def token(self, session: Session, record: bytes) -> str:
        self._counts[session.id] = self._counts.get(session.id, 0) + 1
        return str(self._counts[session.id])

    @override
    def _remove(self, id: SessionId) -> None:
        super()._remove(id)
        self._counts.pop(id, None)


@mutant("REV-01", "REV-09")
class RevisionIsOfTheStore(MemorySessionStore):
    """One revision guards the whole store."""

    @override
    def _put(self, session: Session, record: bytes) -> str:
        revision = super()._put(session, record)
        self._revisions = dict.fromkeys(self._revisions, revision)
        return revision


@mutant("REV-02")
class OldTokenIsReturned(MemorySessionStore):
    """What is returned is the token that was given."""

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        saved = await super().save_if(session, revision)
        return revision or saved


@mutant("REV-03", "REV-04", "REV-06", "REV-08")
class TokensAreNotLookedAt(MemorySessionStore):
    """`save_if` is `save`."""

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        await self.save(session)
        return self._revisions[session.id]


@mutant("REV-04", "REV-08")
class NoneOverwrites(MemorySessionStore):
    """None means that nobody cares."""

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        given = self._revisions.get(session.id) if revision is None else revision
        return await super().save_if(session, given)


@mutant("REV-07", "REV-08")
class ComparedThenWritten(MemorySessionStore):
    """The token is compared, and the session is saved, with an await between."""

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        if self._revisions.get(session.id) != revision:
            return await super().save_if(session, revision)
        await asyncio.sleep(0)
        return await super().save_if(session, self._revisions.get(session.id))


@mutant("REV-11")
class DeletedWithAnyToken(MemorySessionStore):
    """`delete_if` is `delete`."""

    @override
    async def delete_if(self, id: SessionId, /, revision: str) -> None:
        await self.delete(id)


@mutant("REV-12")
class TokenIsRenewedLater(MemorySessionStore):
    """The session is written, and its token after it."""

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        old = self._revisions.get(session.id)
        new = await super().save_if(session, revision)
        if old is not None:
            self._revisions[session.id] = old
            await asyncio.sleep(0)
            self._revisions[session.id] = new
        return new


class RevisionsAreOfTheOpening(MemorySessionStore):
    openings = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).openings += 1

    @override
    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        found = await super().get_revision(id)
        return found and RevisedSession(found.session, f"{type(self).openings} {found.revision}")

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        given = revision and revision.removeprefix(f"{type(self).openings} ")
        return f"{type(self).openings} {await super().save_if(session, given)}"


_dumped(
    "RevisionsAreOfTheOpening", "A revision has the number of the opening in it.", "REV-10",
    durable=True, sessions=RevisionsAreOfTheOpening,
)  # fmt: skip


@mutant("REV-13")
class ConfigurationIsNotGuarded(MemoryConfigStore):
    """Every token is good for the configuration."""

    @override
    async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str:
        found: RevisedConfig = await self.get_config_revision()
        return await super().save_config_if(config, found.revision)


# Batches of vectors


@mutant("VBA-02", "VBA-03", "VBA-04")
class VectorBatchIsALoop(MemoryVectorStore):
    """A batch of entries is stored one by one, with an await between."""

    @override
    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        await super().upsert_many([])
        for id, vector, metadata in entries:
            await self.upsert(id, vector, metadata)
            await asyncio.sleep(0)


@mutant("VBA-02")
class RefusedBatchFixesTheDimension(MemoryVectorStore):
    """The dimension is fixed as the batch is read, and the batch is refused later."""

    @override
    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        try:
            await super().upsert_many(entries)
        except Exception:
            if entries and self._dimension is None and len(entries[0].vector):
                self._dimension = len(entries[0].vector)
            raise


@mutant("VBA-01")
class FirstOfEqualIdsCounts(MemoryVectorStore):
    """Of an id given twice the first stays, as ON CONFLICT DO NOTHING has it."""

    @override
    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        await super().upsert_many([*{one.id: one for one in reversed(entries)}.values()])


@mutant("VBA-05")
class VectorBatchIsCut(MemoryVectorStore):
    """A statement has a thousand parameters, and the rest of the ids is left out."""

    @override
    async def delete_many(self, ids: Sequence[str], /) -> None:
        await super().delete_many(ids[:1000])


@mutant("VBA-06")
class EmptyVectorBatchIsAnError(MemoryVectorStore):
    """An IN () of nothing is an error of syntax."""

    @override
    async def delete_many(self, ids: Sequence[str], /) -> None:
        if not ids:
            raise SerializationError("IN needs a value")
        await super().delete_many(ids)


@mutant("VBA-07")
class DimensionIsFixedLater(MemoryVectorStore):
    """The dimension is read before the batch is written, with an await between."""

    @override
    async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None:
        dimension = self._dimension
        checked = MemoryVectorStore()
        checked._dimension = dimension
        await checked.upsert_many(entries)
        await super().upsert_many([])
        await asyncio.sleep(0)
        self._entries.update(checked._entries)
        self._dimension = self._dimension or checked._dimension

    @override
    def _ranking(self, unit: Any) -> Sequence[tuple[float, str]]:
        there = {id: one for id, one in self._entries.items() if len(one[0]) == len(unit)}
        kept, self._entries = self._entries, there
        try:
            return super()._ranking(unit)
        finally:
            self._entries = kept


# Filters


class _Filtering(MemoryVectorStore):
    """Filters in a way of its own."""

    @override
    def _matches(self, where: Where, id: str) -> bool:
        return self.accepts(where, self._metadata(id))

    def accepts(self, where: Where, metadata: JsonValue) -> bool:
        """Go down to the leaves, which subclasses judge."""
        if isinstance(where, And):
            return all(self.accepts(part, metadata) for part in where.parts)
        if isinstance(where, Or):
            return any(self.accepts(part, metadata) for part in where.parts)
        if isinstance(where, Not):
            return self.negated(where, metadata)
        return self.leaf(where, metadata)

    def negated(self, where: Not, metadata: JsonValue) -> bool:
        return not self.accepts(where.part, metadata)

    def leaf(self, where: Any, metadata: Any) -> bool:
        return matches(where, metadata)


@mutant("FIL-01", "FIL-17")
class FilteredAfterwards(MemoryVectorStore):
    """The best are searched, and those that do not match are left out."""

    @override
    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        found = await self.search(query, top_k)
        return [one for one in found if matches(where, one.metadata)]


@mutant("FIL-02", "FIL-03", "FIL-10")
class NotSkipsWhatLacksTheKey(_Filtering):
    """Of what has no such key, neither a condition nor its negation is true."""

    @override
    def negated(self, where: Not, metadata: JsonValue) -> bool:
        part: Any = where.part
        if isinstance(part, (Equals, Compares)) and not matches(Exists(part.path), metadata):
            return False
        return super().negated(where, metadata)


@mutant("FIL-03")
class MissingIsNull(_Filtering):
    """A key that is missing is taken for null."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        if isinstance(where, Equals) and where.value is None:
            return not matches(Exists(where.path), metadata) or matches(where, metadata)
        return super().leaf(where, metadata)


def _value(where: Any, metadata: Any) -> Any:
    """What stands at the one key of a path, or an object like no other."""
    if not isinstance(metadata, dict) or len(where.path) != 1:
        return _NOTHING
    return cast("dict[str, Any]", metadata).get(where.path[0], _NOTHING)


_NOTHING = object()


@mutant("FIL-04")
class BooleansAreNumbers(_Filtering):
    """True is 1."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        found = _value(where, metadata)
        if isinstance(where, Equals) and isinstance(found, (bool, int, float)):
            return bool(found == where.value)
        return super().leaf(where, metadata)


@mutant("FIL-05")
class NumbersAreFloats(_Filtering):
    """Numbers are compared as float64."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        found = _value(where, metadata)
        if isinstance(where, Equals) and type(where.value) is int and type(found) in (int, float):
            return float(found) == float(where.value)
        return super().leaf(where, metadata)


@mutant("FIL-05")
class NumbersAreText(_Filtering):
    """Numbers are compared by their text."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        found = _value(where, metadata)
        if isinstance(where, Compares) and type(found) in (int, float):
            return matches(Compares("text", where.sign, str(where.value)), {"text": str(found)})
        return super().leaf(where, metadata)


@mutant("FIL-06")
class TextEndsAtNul(_Filtering):
    """C ends a text at its first NUL."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        found = _value(where, metadata)
        if isinstance(where, Equals) and isinstance(where.value, str) and isinstance(found, str):
            return found.partition("\0")[0] == where.value.partition("\0")[0]
        return super().leaf(where, metadata)


@mutant("FIL-07")
class UnlikeKindsAreAnError(_Filtering):
    """What cannot be compared raises, and ends the search."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        found = _value(where, metadata)
        both = isinstance(found, str), isinstance(getattr(where, "value", None), str)
        if isinstance(where, Compares) and isinstance(found, (str, int)) and both[0] != both[1]:
            raise SerializationError("cannot compare text with numbers")
        return super().leaf(where, metadata)


@mutant("FIL-08")
class KeysAreSplitAtDots(_Filtering):
    """A key with a dot in it is taken for a path."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        path = tuple(part for key in where.path for part in key.split("."))
        return matches(_moved(where, path), metadata)


@mutant("FIL-09")
class StepsLeadIntoArrays(_Filtering):
    """A path goes through an array to each of its elements."""

    @override
    def leaf(self, where: Any, metadata: Any) -> bool:
        elements, rest = _value(Exists(where.path[:1]), metadata), where.path[1:]
        if rest and isinstance(elements, list):
            every = cast("list[Any]", elements)
            return any(matches(_moved(where, rest), one) for one in every)
        return super().leaf(where, metadata)


def _moved(where: Any, path: tuple[str, ...]) -> Where:
    if isinstance(where, Equals):
        return Equals(path, where.value)
    if isinstance(where, Compares):
        return Compares(path, where.sign, where.value)
    return Contains(path, where.value) if isinstance(where, Contains) else Exists(path)


@mutant("FIL-10")
class OnlyObjectsAreFiltered(_Filtering):
    """An entry whose metadata is no object is in no answer."""

    @override
    def _matches(self, where: Where, id: str) -> bool:
        return isinstance(self._metadata(id), dict) and super()._matches(where, id)


@mutant("FIL-11")
class EmptyOrIsTrue(_Filtering):
    """A condition without parts is left out."""

    @override
    def accepts(self, where: Where, metadata: JsonValue) -> bool:
        return where == Or(()) or super().accepts(where, metadata)


@mutant("FIL-12")
class FiltersAreCut(_Filtering):
    """A condition has a hundred parts, and the rest is left out."""

    @override
    def accepts(self, where: Where, metadata: JsonValue) -> bool:
        if isinstance(where, Or):
            return any(self.accepts(part, metadata) for part in where.parts[:5])
        return super().accepts(where, metadata)


@mutant("FIL-13")
class ColumnsAreOfTheFirstUpsert(MemoryVectorStore):
    """What is filtered by is written when an entry comes, and not when it is replaced."""

    def __init__(self) -> None:
        super().__init__()
        self._columns: dict[str, JsonValue] = {}

    @override
    def _matches(self, where: Where, id: str) -> bool:
        return matches(where, self._columns.setdefault(id, self._metadata(id)))


@mutant("FIL-14")
class ScoresAreOfTheMatching(MemoryVectorStore):
    """Scores are scaled to the best of what matches."""

    @override
    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        found = await super().search_where(query, where, top_k)
        best = max((one.score for one in found), default=1.0)
        return [one.model_copy(update={"score": one.score - best + 0.5}) for one in found]


@mutant("FIL-16")
class DeletesTheFirstOnly(MemoryVectorStore):
    """One page of what matches is deleted, and no more."""

    @override
    async def delete_where(self, where: Where, /) -> None:
        self._check_open()
        for id in [id for id in self._entries if self._matches(where, id)][:10]:
            del self._entries[id]


@mutant("FIL-18")
class NoFilterFindsAll(MemoryVectorStore):
    """The filter is an option of the search, and None is without it."""

    @override
    async def search_where(
        self, query: Vector, where: Where, /, top_k: int
    ) -> Sequence[VectorResult]:
        if not where:
            return await self.search(query, top_k)
        return await super().search_where(query, where, top_k)


# Contents


@mutant("CTS-01")
class IdsFoldCase(MemorySessionStore):
    """Ids are in the order of a collation."""

    @override
    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        await super().ids(after, limit)
        every = sorted(self._records, key=lambda id: (id.casefold(), id))
        beyond = [id for id in every if after is None or id.casefold() > after.casefold()]
        return beyond[:limit]


@mutant("CTS-02")
class PagesByOffset(MemoryConversationStore):
    """A page goes on from the place of the last id, as it is now."""

    _last: dict[str, int] | None = None

    @override
    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        await super().ids(after, limit)
        known = self._last or {}
        start = known.get(after, 0) if after is not None else 0
        await asyncio.sleep(0)
        page = sorted(self._histories)[start : start + limit]
        self._last = known | {id: start + n + 1 for n, id in enumerate(page)}
        return page


@mutant("CTS-03")
class CountIsKeptBeside(MemorySessionStore):
    """A count is kept beside the rows, and every save adds to it."""

    _saves = 0

    @override
    def _put(self, session: Session, record: bytes) -> str:
        self._saves += 1
        return super()._put(session, record)

    @override
    async def count(self) -> int:
        await super().count()
        return self._saves


@mutant("CTS-03", "CTS-04")
class ClearedConversationsStay(MemoryConversationStore):
    """A conversation that was cleared is there without messages."""

    def __init__(self) -> None:
        super().__init__()
        self._ever: dict[SessionId, None] = {}

    @override
    def _append(self, session_id: SessionId, records: Sequence[bytes]) -> None:
        super()._append(session_id, records)
        self._ever[session_id] = None

    @override
    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        await super().ids(after, limit)
        return sorted(id for id in self._ever if after is None or id > after)[:limit]


@mutant("CTS-05")
class VectorComesBackAsGiven(MemoryVectorStore):
    """A vector is read back at a length of its own."""

    @override
    def _entry(self, id: str) -> VectorEntry:
        entry = super()._entry(id)
        return entry._replace(vector=[2 * float(one) for one in entry.vector])


@mutant("CTS-06")
class ContentsCheckNothing(MemorySessionStore):
    """The newest method forgets what the others check."""

    @override
    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        self._check_open()
        beyond = sorted(id for id in self._records if after is None or id > after)
        return beyond[:limit]
