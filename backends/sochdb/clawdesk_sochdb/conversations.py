"""The conversation store."""

from __future__ import annotations

from collections.abc import Sequence

from clawdesk_storage import (
    Message,
    SerializationError,
    SessionId,
    check_id,
    check_limit,
    decode,
    encode,
)

from clawdesk_sochdb.keys import COUNTS, key_of, message_key, message_prefix
from clawdesk_sochdb.number import read_number
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBConversationStore"]


class SochDBConversationStore:
    """A `ConversationStore` on SochDB: numbered messages, and how many there are."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._worker.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        return await self._worker.read(_last, session_id, limit)

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._worker.check_open()
        check_id(session_id)
        await self._worker.write(_append, session_id, encode(message))

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._worker.check_open()
        check_id(session_id)
        await self._worker.write(_clear, session_id)


def _count(records: Records, session_id: SessionId) -> int:
    return read_number(records, key_of(COUNTS, session_id), session_id) or 0


def _last(records: Records, session_id: SessionId, limit: int) -> Sequence[Message]:
    count = _count(records, session_id)
    return [_message(records, session_id, n) for n in range(max(0, count - limit), count)]


def _message(records: Records, session_id: SessionId, number: int) -> Message:
    record = records.get(message_key(session_id, number))
    if record is None:
        raise SerializationError(f"message {number} of {session_id!r} is gone")
    return decode(Message, record, key=session_id)


def _append(records: Records, session_id: SessionId, record: bytes) -> None:
    count = _count(records, session_id)
    with records.writing() as changes:
        changes.put(message_key(session_id, count), record)
        changes.put(key_of(COUNTS, session_id), b"%d" % (count + 1))


def _clear(records: Records, session_id: SessionId) -> None:
    # Not by the count: a conversation can be cleared when that is damaged.
    prefix = message_prefix(session_id)
    numbers = [number for number, _ in records.scan(prefix)]
    with records.writing() as changes:
        for number in numbers:
            changes.delete(prefix + number)
        changes.delete(key_of(COUNTS, session_id))
