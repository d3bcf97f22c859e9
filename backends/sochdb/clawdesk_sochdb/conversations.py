"""The conversation store."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from clawdesk_storage import (
    ConflictError,
    HistoryEntry,
    Message,
    SerializationError,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)

from clawdesk_sochdb.history import Head, message_of, position_of, positioned
from clawdesk_sochdb.ids import Ids
from clawdesk_sochdb.keys import FLOOR, HEADS, key_of, message_key, message_prefix
from clawdesk_sochdb.record import damaged
from clawdesk_sochdb.records import Changes, Records
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBConversationStore"]

# More positions than a conversation whose head is damaged can have given since it began.
_SAFE_DISTANCE = 2**40


class SochDBConversationStore:
    """A `ConversationStore` on SochDB: numbered messages, and a head that knows of them.

    With the abilities `MessageBatches`, `MessagePages`, `MessageGuards` and `Contents`.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._ids = Ids(HEADS, SessionId)

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        return [message for _, message in await self.get_before(session_id, None, limit)]

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        await self.append_messages(session_id, [message])

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._worker.check_open()
        check_id(session_id)
        await self._worker.write(self._clear, session_id)

    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        """See `MessageBatches.append_messages`."""
        self._worker.check_open()
        check_id(session_id)
        encoded = [encode(message) for message in messages]
        if encoded:
            await self._worker.write(self._append, session_id, encoded)

    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_before`."""
        self._worker.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        return await self._worker.read(_before, session_id, position, limit)

    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_after`."""
        self._worker.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        return await self._worker.read(_after, session_id, position, limit)

    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        """See `MessageGuards.append_after`."""
        self._worker.check_open()
        check_id(session_id)
        encoded = [encode(message) for message in messages]
        if not encoded:
            raise ValueError("there are no messages to append")
        return await self._worker.write(self._append_after, session_id, position, encoded)

    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        """See `MessageGuards.truncate_after`."""
        self._worker.check_open()
        check_id(session_id)
        await self._worker.write(self._truncate, session_id, position, newest)

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._worker.check_open()
        if after is not None:
            check_id(after, "after")
        limit = check_limit(limit)
        return await self._worker.read(self._ids.page, after, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        return await self._worker.read(self._ids.count)

    def _append(self, records: Records, session_id: SessionId, messages: Sequence[bytes]) -> int:
        head = _head(records, session_id) or Head(0, 0, _floor(records))
        with records.writing() as changes:
            for place, message in enumerate(messages):
                key = message_key(session_id, head.messages + place)
                changes.put(key, positioned(head.next + place, message))
            head = head.grown(len(messages))
            changes.put(key_of(HEADS, session_id), head.packed())
        self._ids.add(session_id)
        return head.newest

    def _append_after(
        self,
        records: Records,
        session_id: SessionId,
        position: int | None,
        messages: Sequence[bytes],
    ) -> int:
        _check_newest(records, session_id, position)
        return self._append(records, session_id, messages)

    def _truncate(
        self, records: Records, session_id: SessionId, position: int | None, newest: int
    ) -> None:
        head = _check_newest(records, session_id, newest)
        kept = 0 if position is None else _number_from(records, session_id, head, position + 1)
        if not kept:
            self._clear(records, session_id)
        elif head is not None and kept < head.messages:
            last = position_of(_payload(records, session_id, kept - 1))
            with records.writing() as changes:
                for number in range(kept, head.messages):
                    changes.delete(message_key(session_id, number))
                changes.put(key_of(HEADS, session_id), Head(kept, last, head.next).packed())

    def _clear(self, records: Records, session_id: SessionId) -> None:
        # Not by the head: a conversation can be cleared when that is damaged.
        prefix = message_prefix(session_id)
        numbers = list(records.keys(prefix))
        with records.writing() as changes:
            _raise_floor(records, changes, session_id)
            for number in numbers:
                changes.delete(prefix + number)
            changes.delete(key_of(HEADS, session_id))
        self._ids.remove(session_id)


def _head(records: Records, session_id: SessionId) -> Head | None:
    payload = records.get(key_of(HEADS, session_id), session_id)
    return None if payload is None else Head.unpacked(payload)


def _floor(records: Records) -> int:
    """The least position of a conversation that begins: one of that id may have been cleared."""
    return int(records.get(FLOOR, "floor") or b"0")


def _raise_floor(records: Records, changes: Changes, session_id: SessionId) -> None:
    """Let no position of a conversation that is to be cleared be given again."""
    floor = _floor(records)
    try:
        head = _head(records, session_id)
        next = head.next if head else 0
    except SerializationError:
        next = floor + _SAFE_DISTANCE
    if next > floor:
        changes.put(FLOOR, b"%d" % next)


def _check_newest(records: Records, session_id: SessionId, position: int | None) -> Head | None:
    head = _head(records, session_id)
    if position != (head and head.newest):
        raise ConflictError(f"the newest message of {session_id!r} is not the one given")
    return head


def _before(
    records: Records, session_id: SessionId, position: int | None, limit: int
) -> Sequence[HistoryEntry]:
    head = _head(records, session_id)
    if position is None:
        end = head.messages if head else 0
    else:
        end = _number_from(records, session_id, head, position)
    return _entries(records, session_id, range(max(0, end - limit), end))


def _after(
    records: Records, session_id: SessionId, position: int | None, limit: int
) -> Sequence[HistoryEntry]:
    head = _head(records, session_id)
    start = 0 if position is None else _number_from(records, session_id, head, position + 1)
    return _entries(records, session_id, range(head.messages if head else 0)[start : start + limit])


def _number_from(records: Records, session_id: SessionId, head: Head | None, position: int) -> int:
    """The number of the first message at `position` or beyond, or how many there are.

    Positions rise by one or more from a message to the next, and so the first and the newest tell
    between which numbers it is: exactly, where no message was removed.
    """
    if head is None:
        return 0
    if position > head.newest:
        return head.messages

    def found(number: int) -> int:
        return position_of(_payload(records, session_id, number))

    least = max(0, head.messages - 1 - (head.newest - position))
    most = min(head.messages - 1, max(0, position - found(0)))
    return bisect_left(range(head.messages), position, least, most, key=found)


def _entries(
    records: Records, session_id: SessionId, numbers: Sequence[int]
) -> Sequence[HistoryEntry]:
    payloads = [_payload(records, session_id, number) for number in numbers]
    return [
        HistoryEntry(position_of(payload), decode(Message, message_of(payload), key=session_id))
        for payload in payloads
    ]


def _payload(records: Records, session_id: SessionId, number: int) -> bytes:
    payload = records.get(message_key(session_id, number), session_id)
    if payload is None:
        raise damaged(session_id, f"its message {number} is gone")
    return payload
