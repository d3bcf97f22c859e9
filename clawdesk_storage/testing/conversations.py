"""The conversations in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from clawdesk_storage.abilities import HistoryEntry
from clawdesk_storage.arguments import check_id, check_limit
from clawdesk_storage.codec import decode, encode
from clawdesk_storage.errors import ConflictError
from clawdesk_storage.models import Message, SessionId
from clawdesk_storage.testing.page import page_of
from clawdesk_storage.testing.store import Store

__all__ = ["MemoryConversationStore"]


class MemoryConversationStore(Store):
    """A `ConversationStore` in memory.

    With `MessageBatches`, `MessagePages`, `MessageGuards` and `Contents`.
    """

    def __init__(self) -> None:
        self._histories: dict[SessionId, list[bytes]] = {}
        self._positions: dict[SessionId, list[int]] = {}  # of the same messages

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._check_open()
        check_id(session_id)
        limit = check_limit(limit)
        history = self._histories.get(session_id, [])
        last = history[max(0, len(history) - limit) :]
        return [decode(Message, record, key=session_id) for record in last]

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._check_open()
        check_id(session_id)
        self._append(session_id, [encode(message)])

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._check_open()
        check_id(session_id)
        self._keep(session_id, 0)

    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        """See `MessageBatches.append_messages`."""
        self._check_open()
        check_id(session_id)
        self._append(session_id, [encode(message) for message in messages])

    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_before`."""
        self._check_open()
        check_id(session_id)
        limit = check_limit(limit)
        positions = self._positions.get(session_id, [])
        end = len(positions) if position is None else bisect_left(positions, position)
        return self._entries(session_id, slice(max(0, end - limit), end))

    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_after`."""
        self._check_open()
        check_id(session_id)
        limit = check_limit(limit)
        positions = self._positions.get(session_id, [])
        start = 0 if position is None else bisect_right(positions, position)
        return self._entries(session_id, slice(start, start + limit))

    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        """See `MessageGuards.append_after`."""
        self._check_open()
        check_id(session_id)
        records = [encode(message) for message in messages]
        if not records:
            raise ValueError("there are no messages to append")
        self._check_newest(session_id, position)
        self._append(session_id, records)
        return self._positions[session_id][-1]

    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        """See `MessageGuards.truncate_after`."""
        self._check_open()
        check_id(session_id)
        self._check_newest(session_id, newest)
        positions = self._positions.get(session_id, [])
        self._keep(session_id, 0 if position is None else bisect_right(positions, position))

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._check_open()
        return page_of(self._histories, after, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        self._check_open()
        return len(self._histories)

    def _append(self, session_id: SessionId, records: Sequence[bytes]) -> None:
        if records:
            self._histories.setdefault(session_id, []).extend(records)
            positions = self._positions.setdefault(session_id, [])
            positions.extend(self._next() for _ in records)

    def _keep(self, session_id: SessionId, number: int) -> None:
        """Remove all messages but the first `number`."""
        for table in (self._histories, self._positions):
            if number:
                del table[session_id][number:]
            else:
                table.pop(session_id, None)

    def _entries(self, session_id: SessionId, part: slice) -> Sequence[HistoryEntry]:
        positions = self._positions.get(session_id, [])[part]
        records = self._histories.get(session_id, [])[part]
        return [
            HistoryEntry(position, decode(Message, record, key=session_id))
            for position, record in zip(positions, records, strict=True)
        ]

    def _check_newest(self, session_id: SessionId, position: int | None) -> None:
        newest = self._positions.get(session_id, [None])[-1]
        if position != newest:
            raise ConflictError(f"the newest message of {session_id!r} is not the one given")
