"""Broken conversation stores."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

from clawdesk_storage import (
    Message,
    NotFoundError,
    SerializationError,
    SessionId,
    decode,
    encode,
)
from clawdesk_storage.testing import MemoryConversationStore
from tests.mutants.json_text import as_json
from tests.mutants.keyed import Keyed, normalised
from tests.mutants.mutant import mutant


def _with(message: Message, **fields: Any) -> Message:
    return message.model_copy(update=fields)


class _Answering(MemoryConversationStore):
    """Chooses in a way of its own what to answer with, from all the messages of a session."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        await super().get_messages(session_id, limit)
        return self.answer([*await super().get_messages(session_id, sys.maxsize)], limit)

    def answer(self, all: list[Message], limit: int) -> list[Message]:
        raise NotImplementedError


# Unknown sessions


@mutant(
    "CNV-01",
    "CNV-03",
    "CNV-06",
    "CNV-07",
    "CNV-09",
    "CNV-11",
    "STO-01",
    "STO-02",
    "STO-03",
    "STO-05",
    "STO-07",
)
class UnknownSessionRaises(MemoryConversationStore):
    """A session without messages is an error."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        messages = await super().get_messages(session_id, limit)
        if session_id not in self._histories:
            raise NotFoundError(session_id)
        return messages


# Order


@mutant("CNV-02", "CNV-03", "CNV-04", "CNV-07", "CNV-10")
class OrdersByTimestamp(_Answering):
    """Messages are ordered by timestamp."""

    @override
    def answer(self, all: list[Message], limit: int) -> list[Message]:
        by_time = sorted(all, key=lambda one: one.timestamp)
        return by_time[max(0, len(all) - limit) :]


# The limit


@mutant("CNV-02", "CNV-03", "CNV-04", "CNV-06", "CNV-08", "CNV-10")
class TakesTheOldest(_Answering):
    """`ORDER BY position LIMIT n`: the first n instead of the last."""

    @override
    def answer(self, all: list[Message], limit: int) -> list[Message]:
        return all[:limit]


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
)
class NewestFirst(_Answering):
    """`ORDER BY position DESC LIMIT n`, and nobody turns it round."""

    @override
    def answer(self, all: list[Message], limit: int) -> list[Message]:
        return all[::-1][:limit]


@mutant("CNV-03")
class LimitZeroIsAll(_Answering):
    """`all[-0:]` is all."""

    @override
    def answer(self, all: list[Message], limit: int) -> list[Message]:
        return all[-limit:]


@mutant("CNV-03")
class NegativeLimitIsAll(MemoryConversationStore):
    """`LIMIT -1` is no limit, as in SQLite."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        return await super().get_messages(session_id, limit if limit >= 0 else sys.maxsize)


# Fidelity


class _Changing(MemoryConversationStore):
    """Stores something else than it was given."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)  # refuses what must be refused
        self._histories[session_id][-1] = encode(self.changed(message))

    def changed(self, message: Message) -> Message:
        raise NotImplementedError


@mutant("CNV-02", "CNV-04")
class StampsWhatIsOld(_Changing):
    """A timestamp of 1970 or before is taken for missing, and the moment of the append for it."""

    @override
    def changed(self, message: Message) -> Message:
        missing = message.timestamp <= datetime(1970, 1, 1, tzinfo=UTC)
        return _with(message, timestamp=datetime.now(UTC)) if missing else message


@mutant("CNV-04")
class ZeroTokensAreNone(_Changing):
    """`token_count or None`: 0 is taken for not counted."""

    @override
    def changed(self, message: Message) -> Message:
        return _with(message, token_count=message.token_count or None)


@mutant("CNV-04")
class NormalisesContent(_Changing):
    """Text is brought into NFC on its way in."""

    @override
    def changed(self, message: Message) -> Message:
        return _with(message, content=normalised(message.content))


# Equal messages


@mutant("CNV-05")
class DropsEqualMessages(MemoryConversationStore):
    """An equal message is taken for one that was sent twice, and dropped."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        history = self._histories[session_id]
        if history[-1] in history[:-1]:
            history.pop()


# Sessions apart


@mutant("CNV-06", "CNV-07", "STO-01")
class KeysAreJoinedByAColon(MemoryConversationStore):
    """Keys are id:position, and the scan for a session takes whatever begins with its id:."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        await super().get_messages(session_id, limit)
        keys = [key for key in self._histories if f"{key}:".startswith(f"{session_id}:")]
        records = [record for key in sorted(keys) for record in self._histories[key]]
        return [decode(Message, record) for record in records[max(0, len(records) - limit) :]]


@mutant("CNV-01", "CNV-06", "CNV-07")
class IdsFoldCase(MemoryConversationStore):
    """Session ids are compared by a case-insensitive collation or file system."""

    def __init__(self) -> None:
        super().__init__()
        self._histories = Keyed(str.casefold)


# Clearing


@mutant("CNV-07", "STO-02")
class ClearOfAnUnknownSessionRaises(MemoryConversationStore):
    """Clearing a session that has no messages is an error."""

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        known = session_id in self._histories
        await super().clear(session_id)
        if not known:
            raise NotFoundError(session_id)


@mutant("CNV-07", "STO-01")
class ClearedMessagesComeBack(MemoryConversationStore):
    """Each append writes the cached history back, and `clear` does not empty the cache."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[SessionId, list[bytes]] = {}

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        cached = self._cache.setdefault(session_id, [])
        cached.append(self._histories[session_id][-1])
        self._histories[session_id] = [*cached]


@mutant("CNV-07")
class ClearLeavesTheLastMessage(MemoryConversationStore):
    """The latest message is kept apart for a preview, and `clear` leaves it there."""

    def __init__(self) -> None:
        super().__init__()
        self._latest: dict[SessionId, Message] = {}

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        messages = await super().get_messages(session_id, limit)
        latest = self._latest.get(session_id)
        return [latest.model_copy(deep=True)] if limit == 1 and latest else messages

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        self._latest[session_id] = decode(Message, self._histories[session_id][-1])


# Aliasing


class _Keeping(MemoryConversationStore):
    """Keeps objects beside the records."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[SessionId, list[Message]] = {}

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        self._objects.setdefault(session_id, []).append(self.kept(message))

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self._objects.pop(session_id, None)

    async def _objects_of(self, session_id: SessionId, limit: int) -> list[Message]:
        await super().get_messages(session_id, limit)
        objects = self._objects.get(session_id, [])
        return objects if limit >= len(objects) else objects[len(objects) - limit :]

    def kept(self, message: Message) -> Message:
        return message.model_copy(deep=True)


@mutant("CNV-08")
class KeepsTheAppendedObject(_Keeping):
    """The object that was appended is kept as it is."""

    @override
    def kept(self, message: Message) -> Message:
        return message

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        return [one.model_copy(deep=True) for one in await self._objects_of(session_id, limit)]


@mutant("CNV-08")
class HandsOutItsObjects(_Keeping):
    """`get_messages` hands out the messages of a cache, in a new list."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        return [*await self._objects_of(session_id, limit)]


# Long histories


@mutant("CNV-10")
class CapsTheLimit(_Answering):
    """A thousand messages at most are read, whatever was asked for."""

    @override
    def answer(self, all: list[Message], limit: int) -> list[Message]:
        return all[max(0, len(all) - min(limit, 1000)) :]


@mutant("CNV-10")
class PositionsAreFourDigits(_Answering):
    """Keys hold the position in four digits, and 10000 sorts before 9999."""

    @override
    def answer(self, all: list[Message], limit: int) -> list[Message]:
        keys = sorted(f"{place:04}" for place in range(1, len(all) + 1))
        return [all[int(key) - 1] for key in keys[max(0, len(all) - limit) :]]


# What cannot be stored


class _Lenient(MemoryConversationStore):
    """Writes metadata by the json module, with an option too many."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        try:
            await super().append_message(session_id, message)
        except SerializationError:
            written = json.loads(self.written(message.metadata))
            await super().append_message(session_id, _with(message, metadata=written))

    def written(self, metadata: dict[str, Any]) -> str:
        raise NotImplementedError


@mutant("CNV-11")
class NanBecomesNull(_Lenient):
    """NaN and infinity become null."""

    @override
    def written(self, metadata: dict[str, Any]) -> str:
        return as_json(metadata, nan=None)


@mutant("CNV-11")
class RefusedMessageLeavesAGap(MemoryConversationStore):
    """The row is made before the metadata, which then cannot be written into it."""

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        try:
            await super().append_message(session_id, message)
        except SerializationError:
            await super().append_message(session_id, Message(role=message.role, content=""))
            raise


@mutant("CNV-11", "CNV-12")
class RefusalSwallowsTheNext(MemoryConversationStore):
    """A failed append leaves its transaction open, and the next one is rolled back with it."""

    _open = False

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        rolled_back, self._open = self._open, True
        await super().append_message(session_id, message)
        self._open = False
        if rolled_back:
            self._histories[session_id].pop()


# Bad ids


@mutant("CNV-12")
class ClearingTheEmptyIdClearsAll(MemoryConversationStore):
    """Clearing by prefix with an empty id removes every message."""

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        if not session_id:
            self._histories.clear()
        await super().clear(session_id)


@mutant("CNV-02")
class OrderIsOfTheMachinesClock(MemoryConversationStore):
    """A history is sorted by the time of the append, as the machine had it."""

    def __init__(self) -> None:
        super().__init__()
        self._at: dict[SessionId, list[int]] = {}

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        self._at.setdefault(session_id, []).append(time.time_ns())

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        await super().get_messages(session_id, limit)
        messages = await super().get_messages(session_id, sys.maxsize)
        at = self._at.get(session_id, [])
        order = sorted(range(len(messages)), key=at.__getitem__)
        return [messages[index] for index in order[max(0, len(order) - limit) :]]

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self._at.pop(session_id, None)


@mutant("CNV-03")
class LimitsAreIntegersOnly(MemoryConversationStore):
    """A limit that is no `int` is refused, NumPy's integers too."""

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        if not isinstance(limit, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("limit must be an int")
        return await super().get_messages(session_id, limit)
