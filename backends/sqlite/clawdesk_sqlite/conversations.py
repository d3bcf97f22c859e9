"""The conversations.

Each message names the one before it, and the conversation its newest: a part that a damaged index
leaves out is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import apsw
from clawdesk_storage import (
    ConflictError,
    HistoryEntry,
    Message,
    SessionId,
    check_id,
    check_limit,
)

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import execute, snapshot
from clawdesk_sqlite.record import check, damaged, mixed, seal, unseal
from clawdesk_sqlite.writer import Transaction

__all__ = ["SQLiteConversationStore", "append"]

# From the end of the history, so that its length does not matter.
_LAST = """
SELECT position, previous, record, checksum, (SELECT newest FROM conversations WHERE id = ?1)
FROM messages WHERE conversation = ?1 ORDER BY position DESC LIMIT ?2
"""
_BEFORE = """
SELECT position, previous, record, checksum
FROM messages WHERE conversation = ? AND position < ? ORDER BY position DESC LIMIT ?
"""
_AFTER = """
SELECT position, previous, record, checksum
FROM messages WHERE conversation = ? AND position > ? ORDER BY position LIMIT ?
"""
_NEXT = """
SELECT previous FROM messages WHERE conversation = ? AND position >= ? ORDER BY position LIMIT 1
"""
_NEWEST = "SELECT newest FROM conversations WHERE id = ?"
_NEWEST_UP_TO = """
SELECT position FROM messages WHERE conversation = ? AND position <= ?
ORDER BY position DESC LIMIT 1
"""
_APPEND = """
INSERT INTO messages (position, conversation, previous, record, checksum) VALUES
(?1, ?2, ifnull((SELECT newest FROM conversations WHERE id = ?2), 0), ?3, ?4)
"""
_CLEAR = "DELETE FROM messages WHERE conversation = ?"
_FORGET = "DELETE FROM conversations WHERE id = ?"
_TRUNCATE = "DELETE FROM messages WHERE conversation = ? AND position > ?"
_SET_NEWEST = "UPDATE conversations SET newest = ? WHERE id = ?"
_IDS = """
SELECT c.id, m.conversation, m.position, m.record, m.checksum
FROM conversations c LEFT JOIN messages m ON m.position = c.newest
WHERE c.id > ? ORDER BY c.id LIMIT ?
"""
_COUNT = "SELECT conversations FROM state WHERE id = 1"

_LAST_OF_ALL = 2**63 - 1
_FIRST_OF_ALL = -(2**63)

_Row: TypeAlias = tuple[Any, ...]
_Sealed: TypeAlias = tuple[bytes, int]


class SQLiteConversationStore:
    """A `ConversationStore` in a SQLite file.

    With the abilities `MessageBatches`, `MessagePages`, `MessageGuards` and `Contents`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._engine.check_open()
        check_id(session_id)
        limit = check_limit(limit)

        def read(connection: apsw.Connection) -> Sequence[Message]:
            return [message for _, message in _last(connection, session_id, limit)]

        return await self._engine.read_rows(read, limit)

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._engine.check_open()
        check_id(session_id)
        sealed = seal(message, "message", session_id)
        await self._engine.write(lambda transaction: append(transaction, session_id, *sealed))

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._engine.check_open()
        check_id(session_id)

        def clear(transaction: Transaction) -> None:
            with transaction.connection:
                _clear(transaction, session_id)

        await self._engine.write(clear)

    async def append_messages(self, session_id: SessionId, messages: Sequence[Message], /) -> None:
        """See `MessageBatches.append_messages`."""
        self._engine.check_open()
        check_id(session_id)
        sealed = [seal(message, "message", session_id) for message in messages]
        if not sealed:
            return

        def append_all(transaction: Transaction) -> None:
            with transaction.connection:
                _append_all(transaction, session_id, sealed)

        await self._engine.write(append_all)

    async def get_before(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_before`."""
        self._engine.check_open()
        check_id(session_id)
        limit = check_limit(limit)

        def read(connection: apsw.Connection) -> Sequence[HistoryEntry]:
            if position is None:
                return _last(connection, session_id, limit)
            return _before(connection, session_id, _bounded(position), limit)

        return await self._engine.read_rows(read, limit)

    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_after`."""
        self._engine.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        bound = _FIRST_OF_ALL if position is None else _bounded(position)

        def read(connection: apsw.Connection) -> Sequence[HistoryEntry]:
            return _after(connection, session_id, bound, limit)

        return await self._engine.read_rows(read, limit)

    async def append_after(
        self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    ) -> int:
        """See `MessageGuards.append_after`."""
        self._engine.check_open()
        check_id(session_id)
        sealed = [seal(message, "message", session_id) for message in messages]
        if not sealed:
            raise ValueError("there are no messages to append")
        newest: list[int] = []

        def append_all(transaction: Transaction) -> None:
            with transaction.connection:
                _check_newest(transaction, session_id, position)
                newest.append(_append_all(transaction, session_id, sealed))

        await self._engine.write(append_all)
        return newest[-1]

    async def truncate_after(
        self, session_id: SessionId, position: int | None, newest: int, /
    ) -> None:
        """See `MessageGuards.truncate_after`."""
        self._engine.check_open()
        check_id(session_id)
        bound = 0 if position is None else _bounded(position)

        def truncate(transaction: Transaction) -> None:
            with transaction.connection:
                _check_newest(transaction, session_id, newest)
                kept = execute(transaction, _NEWEST_UP_TO, session_id, bound)
                if not kept:
                    _clear(transaction, session_id)
                elif kept != [(newest,)]:
                    execute(transaction, _TRUNCATE, session_id, bound)
                    execute(transaction, _SET_NEWEST, kept[0][0], session_id)

        await self._engine.write(truncate)

    async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]:
        """See `Contents.ids`."""
        self._engine.check_open()
        if after is not None:
            check_id(after)
        limit = check_limit(limit)

        def read(connection: apsw.Connection) -> Sequence[SessionId]:
            rows = execute(connection, _IDS, after or "", limit)
            for id, conversation, position, record, checksum in rows:
                if id != conversation:
                    raise damaged(id, "its newest message is not there")
                _check_message(id, position, record, checksum)
            return [row[0] for row in rows]

        return await self._engine.read_rows(read, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        self._engine.check_open()
        return await self._engine.read_point(lambda connection: execute(connection, _COUNT)[0][0])


def append(transaction: Transaction, conversation: str, record: bytes, checksum: int) -> int:
    """Add a sealed message at the end and return its position.

    Args:
        transaction: The one it goes into.
        conversation: Where it belongs.
        record: Its bytes.
        checksum: Of the bytes and of the conversation; the position joins it here.
    """
    position = transaction.next_position()
    transaction.execute(_APPEND, (position, conversation, record, checksum ^ mixed(position)))
    return position


def _append_all(transaction: Transaction, conversation: str, sealed: Iterable[_Sealed]) -> int:
    position = 0
    for record, checksum in sealed:
        position = append(transaction, conversation, record, checksum)
    return position


def _clear(transaction: Transaction, conversation: str) -> None:
    execute(transaction, _CLEAR, conversation)
    execute(transaction, _FORGET, conversation)


def _bounded(position: int) -> int:
    return max(_FIRST_OF_ALL, min(position, _LAST_OF_ALL))


def _check_newest(transaction: Transaction, conversation: str, position: int | None) -> None:
    stored = execute(transaction, _NEWEST, conversation) or [(None,)]
    if stored != [(position,)]:
        raise ConflictError(f"the newest message of {conversation!r} is not the one given")


def _last(connection: apsw.Connection, conversation: str, limit: int) -> list[HistoryEntry]:
    rows = execute(connection, _LAST, conversation, limit)
    if not rows and limit:
        rows = _last_of_none(connection, conversation, limit)
    rows.reverse()
    if rows and rows[-1][0] != rows[-1][4]:
        raise damaged(conversation, "its newest messages are not there")
    return _entries(conversation, [row[:4] for row in rows], limit)


def _last_of_none(connection: apsw.Connection, conversation: str, limit: int) -> list[_Row]:
    """Look once more, in one snapshot: a damaged index must not make a history empty."""
    with snapshot(connection):
        rows = execute(connection, _LAST, conversation, limit)
        if not rows and execute(connection, _NEWEST, conversation):
            raise damaged(conversation, "its messages are not there")
        return rows


def _before(
    connection: apsw.Connection, conversation: str, position: int, limit: int
) -> list[HistoryEntry]:
    with snapshot(connection):
        rows = execute(connection, _BEFORE, conversation, position, limit)
        following = execute(connection, _NEXT, conversation, position) or execute(
            connection, _NEWEST, conversation
        )
    rows.reverse()
    expected = following[0][0] if following else 0
    if limit and (rows[-1][0] if rows else 0) != expected:
        raise damaged(conversation, f"messages before {position} are not there")
    return _entries(conversation, rows, limit)


def _after(
    connection: apsw.Connection, conversation: str, position: int, limit: int
) -> list[HistoryEntry]:
    with snapshot(connection):
        rows = execute(connection, _AFTER, conversation, position, limit)
        newest = execute(connection, _NEWEST, conversation)
    if rows and rows[0][1] > max(position, 0):
        raise damaged(conversation, f"messages after {position} are not there")
    end = rows[-1][0] if rows else position
    if len(rows) < limit and newest and end < newest[0][0]:
        raise damaged(conversation, "its newest messages are not there")
    return _entries(conversation, rows, None)


def _entries(conversation: str, rows: Sequence[_Row], limit: int | None) -> list[HistoryEntry]:
    """Return the messages of consecutive rows, oldest first.

    Args:
        conversation: Where they belong.
        rows: `position, previous, record, checksum`.
        limit: How many were asked for, where fewer mean that the first is the first of all.
    """
    entries: list[HistoryEntry] = []
    before = 0 if limit is not None and len(rows) < limit else None
    for position, previous, record, checksum in rows:
        if before is not None and previous != before:
            raise damaged(conversation, f"messages before {position} are not there")
        before = position
        plain = _plain(conversation, position, checksum)
        message = unseal(Message, record, plain, conversation, "message", conversation)
        entries.append(HistoryEntry(position, message))
    return entries


def _check_message(conversation: str, position: int, record: bytes, checksum: int) -> None:
    plain = _plain(conversation, position, checksum)
    check(record, plain, conversation, "message", conversation)


def _plain(conversation: str, position: int, checksum: Any) -> int:
    if not isinstance(checksum, int):
        raise damaged(conversation, "a checksum is not there")
    return checksum ^ mixed(position)
