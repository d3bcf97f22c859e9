"""Broken session stores."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

from typing_extensions import override

from clawdesk_storage import (
    ChannelId,
    NotFoundError,
    SerializationError,
    Session,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)
from clawdesk_storage.testing import MemorySessionStore
from tests.mutants.json_text import as_json, mapped
from tests.mutants.keyed import Keyed, cut, normalised
from tests.mutants.mutant import mutant

# A miss


@mutant("CNV-09", "SES-01", "SES-05", "SES-10", "STO-01")
class CreatesOnMiss(MemorySessionStore):
    """`get` is a get-or-create: asking for an absent session makes one."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        found = await super().get(id)
        if found is None:
            await self.save(Session(id=id, channel=ChannelId("default")))
        return await super().get(id)


@mutant("CNV-09", "SES-01", "SES-05", "SES-10", "STO-01", "STO-02", "STO-03")
class MissRaises(MemorySessionStore):
    """An absent session is an error, as in a dict or a REST client."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        found = await super().get(id)
        if found is None:
            raise NotFoundError(id)
        return found


@mutant("SES-01", "SES-05", "SES-10")
class GetTakesAPattern(MemorySessionStore):
    """`get` compares with LIKE, where % and _ are wildcards."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        alike = [key for key in self._records if _like(id, key)]
        return await super().get(alike[0] if alike else id)


def _like(pattern: str, text: str) -> bool:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


# Fidelity


class _Changing(MemorySessionStore):
    """Stores something else than it was given."""

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)  # so that what must be refused is refused
        self._records[session.id] = encode(self.changed(session))

    def changed(self, session: Session) -> Session:
        raise NotImplementedError


def _with(session: Session, **fields: Any) -> Session:
    return session.model_copy(update=fields)


@mutant("SES-02", "SES-03", "SES-05", "SES-06", "SES-07", "SES-08", "SES-09", "SES-12", "STO-02")
class TruncatesMicroseconds(_Changing):
    """Timestamps are kept to the millisecond, as JavaScript and BSON keep them."""

    @override
    def changed(self, session: Session) -> Session:
        return _with(
            session,
            created_at=_to_millisecond(session.created_at),
            last_activity=_to_millisecond(session.last_activity),
        )


def _to_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@mutant("SES-02", "SES-04", "SES-05", "SES-09")
class ChannelListIsInLocalTime(MemorySessionStore):
    """`list_by_channel` gives timestamps in the time zone of the server instead of UTC."""

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        zone = timezone(timedelta(hours=5, minutes=45))
        many = await super().list_by_channel(channel)
        return [
            _with(one, created_at=one.created_at.astimezone(zone))
            if one.created_at.year < 9999
            else one
            for one in many
        ]


@mutant("SES-02")
class NormalisesPrompts(_Changing):
    """Text is brought into NFC on its way in."""

    @override
    def changed(self, session: Session) -> Session:
        return _with(session, system_prompt=normalised(session.system_prompt))


@mutant("SES-02")
class EndsPromptsAtNul(_Changing):
    """A C library takes a NUL for the end of the text."""

    @override
    def changed(self, session: Session) -> Session:
        return _with(session, system_prompt=session.system_prompt.partition("\0")[0])


@mutant("SES-02")
class CutsLongPrompts(_Changing):
    """A TEXT column holds 65,535 bytes and drops the rest without a word."""

    @override
    def changed(self, session: Session) -> Session:
        kept = session.system_prompt.encode(errors="surrogatepass")[:65_535]
        return _with(session, system_prompt=kept.decode(errors="ignore"))


@mutant("SES-02", "SES-03")
class EmptyModelIsNone(_Changing):
    """The empty string is NULL, as in Oracle."""

    @override
    def changed(self, session: Session) -> Session:
        return _with(session, model=session.model or None)


@mutant("SES-02")
class CountsInDoubles(_Changing):
    """A number column is a double, which has no odd integers beyond 2^53."""

    @override
    def changed(self, session: Session) -> Session:
        return _with(session, message_count=min(int(float(session.message_count)), 2**63 - 1))


@mutant("SES-02", "SES-03", "SES-12")
class FlagsAsIntegers(_Changing):
    """True in metadata becomes 1, as in an engine without booleans."""

    @override
    def changed(self, session: Session) -> Session:
        return _with(
            session,
            metadata=mapped(session.metadata, lambda v: int(v) if isinstance(v, bool) else v),
        )


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _without_none(one) for key, one in items if one is not None}
    return value


@mutant("SES-02", "SES-04", "SES-05")
class ChannelListIsASummary(MemorySessionStore):
    """`list_by_channel` selects the narrow columns and leaves out prompts and metadata."""

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        whole = await super().list_by_channel(channel)
        return [_with(one, system_prompt="", metadata={}) for one in whole]


# Replacing


class _Merging(MemorySessionStore):
    """Keeps something of the earlier version."""

    @override
    async def save(self, session: Session, /) -> None:
        earlier = self._records.get(session.id)
        await super().save(session)
        if earlier is not None:
            merged = self.merged(decode(Session, earlier), session)
            self._records[session.id] = encode(merged)

    def merged(self, earlier: Session, session: Session) -> Session:
        raise NotImplementedError


@mutant("SES-03")
class MergesMetadata(_Merging):
    """Metadata is updated key by key instead of replaced."""

    @override
    def merged(self, earlier: Session, session: Session) -> Session:
        return _with(session, metadata={**earlier.metadata, **session.metadata})


@mutant("SES-03")
class KeepsModelOverNone(_Merging):
    """`COALESCE(new, old)`: a model cannot be taken away."""

    @override
    def merged(self, earlier: Session, session: Session) -> Session:
        return _with(session, model=earlier.model if session.model is None else session.model)


@mutant("SES-03", "SES-04", "SES-06", "SES-09")
class StampsOnUpdate(_Merging):
    """A trigger stamps `last_activity` on every update."""

    @override
    def merged(self, earlier: Session, session: Session) -> Session:
        return _with(session, last_activity=datetime.now(UTC))


# Aliasing


class _Keeping(MemorySessionStore):
    """Keeps objects beside the records, and answers with them."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[SessionId, Session] = {}

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self._objects.pop(id, None)


@mutant("SES-04")
class KeepsTheSavedObject(_Keeping):
    """The object that was saved is kept as it is."""

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._objects[session.id] = session

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        found = await super().get(id)
        return found and self._objects[id].model_copy(deep=True)


@mutant("SES-04")
class HandsOutItsObject(_Keeping):
    """`get` hands out the object of a cache."""

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._objects.pop(session.id, None)

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        found = await super().get(id)
        return found and self._objects.setdefault(id, found)


# Deleting


class _Indexed(MemorySessionStore):
    """Keeps an index of the sessions by channel."""

    def __init__(self) -> None:
        super().__init__()
        self._index: dict[tuple[ChannelId, SessionId], bytes] = {}

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._index[session.channel, session.id] = self._records[session.id]

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        await super().list_by_channel(channel)
        entries = sorted((key, record) for key, record in self._index.items() if key[0] == channel)
        many = [decode(Session, record) for _, record in entries]
        return sorted(many, key=lambda one: one.last_activity, reverse=True)


@mutant("SES-05", "SES-09", "SES-10", "SES-12")
class DeleteLeavesTheIndex(_Indexed):
    """`delete` forgets the index of channels."""

    @override
    async def save(self, session: Session, /) -> None:
        for channel, id in list(self._index):
            if id == session.id:
                del self._index[channel, id]
        await super().save(session)


@mutant("SES-05", "SES-10", "STO-01")
class DeleteTakesAPrefix(MemorySessionStore):
    """`delete` removes every key that begins with the id."""

    @override
    async def delete(self, id: SessionId, /) -> None:
        check_id(id)
        for key in [key for key in self._records if key.startswith(id)]:
            await super().delete(key)
        await super().delete(id)


@mutant("CNV-09", "SES-05", "STO-02")
class DeleteOfAnAbsentIdRaises(MemorySessionStore):
    """Deleting an absent session is an error."""

    @override
    async def delete(self, id: SessionId, /) -> None:
        known = id in self._records
        await super().delete(id)
        if not known:
            raise NotFoundError(id)


@mutant("CNV-09", "SES-05", "STO-01")
class TombstonesOutliveASave(MemorySessionStore):
    """A deleted id stays deleted, though it is saved anew."""

    def __init__(self) -> None:
        super().__init__()
        self._dead: set[SessionId] = set()

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        if session.id in self._dead:
            del self._records[session.id]

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self._dead.add(id)


# Order


class _Ordering(MemorySessionStore):
    """Sorts `list`, but not `list_by_channel`, in a way of its own."""

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        await super().list(limit, offset)
        whole = [decode(Session, record) for record in self._records.values()]
        return self.ordered(whole)[offset : offset + limit]

    def ordered(self, whole: list[Session]) -> list[Session]:
        raise NotImplementedError


@mutant("SES-06", "SES-07", "SES-12")
class OrdersByInsertion(_Ordering):
    """`list` is in the order of the first saves."""

    @override
    def ordered(self, whole: list[Session]) -> list[Session]:
        return whole


@mutant("SES-06")
class TiesInUtf16(_Ordering):
    """Equal instants are ordered by UTF-16 units, where an emoji comes before U+FFFF."""

    @override
    def ordered(self, whole: list[Session]) -> list[Session]:
        by_id = sorted(whole, key=lambda one: one.id.encode("utf-16-be", "surrogatepass"))
        return sorted(by_id, key=lambda one: one.last_activity, reverse=True)


@mutant("SES-06")
class SavingAgainMovesNothing(MemorySessionStore):
    """The place in the list is given by the first save and never changed."""

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[SessionId, datetime] = {}

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._first.setdefault(session.id, session.last_activity)

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self._first.pop(id, None)

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        await super().list(limit, offset)
        by_first = sorted(self._newest_first(), key=_id_of)
        by_first.sort(key=lambda one: self._first[one.id], reverse=True)
        return by_first[offset : offset + limit]


def _id_of(session: Session) -> str:
    return session.id


# Pages


class _Paging(MemorySessionStore):
    """Cuts pages in a way of its own out of a list that is in order."""

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        await super().list(0, 0)
        check_limit(limit)
        check_limit(offset, "offset")
        return self.page([*self._newest_first()], limit, offset)

    def page(self, whole: list[Session], limit: int, offset: int) -> list[Session]:
        raise NotImplementedError


@mutant("SES-07")
class CapsPages(_Paging):
    """A page holds a thousand at most, whatever was asked for."""

    @override
    def page(self, whole: list[Session], limit: int, offset: int) -> list[Session]:
        return whole[offset : offset + min(limit, 1000)]


@mutant("SES-07")
class ShufflesTiesPerPage(_Paging):
    """The engine sorts later pages by another plan, which leaves ties in another order."""

    @override
    def page(self, whole: list[Session], limit: int, offset: int) -> list[Session]:
        if offset:
            whole = sorted(whole, key=_id_of, reverse=True)
            whole.sort(key=lambda one: one.last_activity, reverse=True)
        return whole[offset : offset + limit]


@mutant("SES-07")
class SkipsTiesBetweenPages(_Paging):
    """A page begins after the instant of the one before, so that the rest of a tie is lost."""

    @override
    def page(self, whole: list[Session], limit: int, offset: int) -> list[Session]:
        last = whole[offset - 1].last_activity if 0 < offset < len(whole) else None
        return [one for one in whole[offset:] if one.last_activity != last][:limit]


# Limits


@mutant("SES-08")
class LimitZeroIsAll(_Paging):
    """`limit or None`: 0 is taken for no limit."""

    @override
    def page(self, whole: list[Session], limit: int, offset: int) -> list[Session]:
        return whole[offset:][: limit or None]


@mutant("SES-08")
class SumsOverflow(_Paging):
    """`offset + limit` leaves 64 bits and nothing comes."""

    @override
    def page(self, whole: list[Session], limit: int, offset: int) -> list[Session]:
        end = offset + limit
        return whole[offset : end if end < 2**63 else 0]


@mutant("SES-08")
class NegativeLimitIsAll(MemorySessionStore):
    """`LIMIT -1` is no limit, as in SQLite."""

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        return await super().list(limit if limit >= 0 else len(self._records), offset)


# Channels


class _Filtering(MemorySessionStore):
    """Takes other channels for the one that is asked for."""

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        await super().list_by_channel(channel)
        return [one for one in self._newest_first() if self.fits(channel, one.channel)]

    def fits(self, asked: str, channel: str) -> bool:
        raise NotImplementedError


@mutant("SES-09")
class ChannelTakesAPrefix(_Filtering):
    """A range scan over the index takes every channel that begins the same."""

    @override
    def fits(self, asked: str, channel: str) -> bool:
        return channel.startswith(asked)


@mutant("SES-09")
class ChannelFoldsCase(_Filtering):
    """Channels are compared without case."""

    @override
    def fits(self, asked: str, channel: str) -> bool:
        return asked.casefold() == channel.casefold()


@mutant("SES-09")
class ChannelListIsCapped(MemorySessionStore):
    """`list_by_channel` has a default limit of a thousand."""

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        return (await super().list_by_channel(channel))[:1000]


@mutant("SES-03", "SES-09")
class MovingLeavesTheOldChannel(_Indexed):
    """Saving under another channel leaves the session in the index of the old one."""

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        for key in [key for key in self._index if key[1] == id]:
            del self._index[key]


# Ids


@mutant("SES-01", "SES-05", "SES-06", "SES-09", "SES-10")
class IdsFoldCase(MemorySessionStore):
    """Ids are compared by a case-insensitive collation or file system."""

    def __init__(self) -> None:
        super().__init__()
        self._records = Keyed(str.casefold)


@mutant("SES-06", "SES-09", "SES-10")
class IdsNormalise(MemorySessionStore):
    """Ids are file names, and the file system takes NFC and NFD for the same."""

    def __init__(self) -> None:
        super().__init__()
        self._records = Keyed(normalised)


@mutant("SES-06", "SES-09", "SES-10")
class IdsAreCut(MemorySessionStore):
    """Ids are cut to fit VARCHAR(255)."""

    def __init__(self) -> None:
        super().__init__()
        self._records = Keyed(cut)


@mutant("SES-11")
class NulEndsAnId(MemorySessionStore):
    """A C library reads an id up to the first NUL."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        return await super().get(SessionId(id.partition("\0")[0]))


@mutant("SES-11")
class SurrogatesAreReplaced(MemorySessionStore):
    """A lone surrogate in an id becomes a question mark."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        return await super().get(SessionId(id.encode(errors="replace").decode()))


@mutant("SES-11")
class DeletingTheEmptyIdDeletesAll(MemorySessionStore):
    """Deleting by prefix with an empty id removes every session."""

    @override
    async def delete(self, id: SessionId, /) -> None:
        if not id:
            self._records.clear()
        await super().delete(id)


@mutant("SES-11")
class AnyChannelCanBeAskedFor(MemorySessionStore):
    """`list_by_channel` of a channel that cannot be is merely empty."""

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        self._check_open()
        return [one for one in self._newest_first() if one.channel == channel]


# What cannot be stored


class _Lenient(MemorySessionStore):
    """Writes metadata by the json module, with an option too many."""

    @override
    async def save(self, session: Session, /) -> None:
        try:
            await super().save(session)
        except SerializationError:
            written = json.loads(self.written(session.metadata))
            await super().save(_with(session, metadata=written))

    def written(self, metadata: dict[str, Any]) -> str:
        raise NotImplementedError


@mutant("SES-12")
class NanBecomesNull(_Lenient):
    """NaN and infinity become null."""

    @override
    def written(self, metadata: dict[str, Any]) -> str:
        return as_json(metadata, nan=None)


@mutant("SES-12")
class DeletesBeforeItInserts(MemorySessionStore):
    """A replacing save deletes first, and then the insert fails."""

    @override
    async def save(self, session: Session, /) -> None:
        check_id(session.id)
        self._records.pop(session.id, None)
        await super().save(session)


@mutant("CON-07")
class TheLaterClockWins(MemorySessionStore):
    """Of two saves that of the later wall clock counts: once that is set back none does."""

    def __init__(self) -> None:
        super().__init__()
        self._saved: dict[str, float] = {}

    @override
    async def save(self, session: Session, /) -> None:
        before, now = self._records.get(session.id), time.time()
        await super().save(session)
        if before is not None and now < self._saved.get(session.id, now):
            self._records[session.id] = before
        else:
            self._saved[session.id] = now


@mutant("CON-07")
class KeysAreTrimmedInPlace(MemorySessionStore):
    """Keys of the metadata that the engine would refuse are renamed in the caller's own object."""

    @override
    async def save(self, session: Session, /) -> None:
        if "mark" in session.metadata:
            session.metadata["marked"] = session.metadata.pop("mark")
        await super().save(session)
