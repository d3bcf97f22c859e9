"""The conversations.

Each message names the one before it, and the conversation its newest: a part that a damaged index
leaves out is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from clawdesk_storage import (
    ConflictError,
    HistoryEntry,
    Message,
    SessionId,
    check_id,
    check_limit,
)
from pydantic import RootModel

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import batches, execute, snapshot
from clawdesk_sqlite.reader import Cursor
from clawdesk_sqlite.record import check, damaged, decode_all, key_of, mixed, seal
from clawdesk_sqlite.writer import Transaction

__all__ = ["SQLiteConversationStore", "append"]

# From the end of the history, so that its length does not matter.
_BEFORE = """
SELECT position, previous, record, checksum, ifnull((
    SELECT previous FROM messages WHERE conversation = ?1 AND position >= ?2
    ORDER BY position LIMIT 1
), (SELECT newest FROM conversations WHERE id = ?1))
FROM messages WHERE conversation = ?1 AND position < ?2 ORDER BY position DESC LIMIT ?3
"""
_AFTER = """
SELECT position, previous, record, checksum
FROM messages WHERE conversation = ? AND position > ? ORDER BY position LIMIT ?
"""
_OLDER = """
SELECT previous FROM messages WHERE conversation = ?1 AND position >= ?2 ORDER BY position LIMIT 1
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


class _Messages(RootModel[list[Message]]):
    """For reading many at once."""


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

        def read(cursor: Cursor) -> Sequence[Message]:
            return [entry[1] for entry in _before(cursor, session_id, None, limit)]

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

        def read(cursor: Cursor) -> Sequence[HistoryEntry]:
            return [HistoryEntry(*one) for one in _before(cursor, session_id, position, limit)]

        return await self._engine.read_rows(read, limit)

    async def get_after(
        self, session_id: SessionId, position: int | None, /, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `MessagePages.get_after`."""
        self._engine.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        bound = _FIRST_OF_ALL if position is None else _bounded(position)

        def read(cursor: Cursor) -> Sequence[HistoryEntry]:
            return [HistoryEntry(*one) for one in _after(cursor, session_id, bound, limit)]

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

        def read(cursor: Cursor) -> Sequence[SessionId]:
            found: list[SessionId] = []
            for rows in batches(cursor, _IDS, after or "", limit):
                for id, conversation, position, record, checksum in rows:
                    if id != conversation:
                        raise damaged(id, "its newest message is not there")
                    check(record, _plain(position, checksum), id, key_of("message", id))
                    found.append(id)
            return found

        return await self._engine.read_rows(read, limit)

    async def count(self) -> int:
        """See `Contents.count`."""
        self._engine.check_open()
        return await self._engine.read_point(lambda cursor: execute(cursor, _COUNT)[0][0])


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


def _before(
    cursor: Cursor, conversation: str, position: int | None, limit: int
) -> list[tuple[int, Message]]:
    bound = _LAST_OF_ALL if position is None else _bounded(position)
    found: list[tuple[int, Message]] = []
    older: int | None = None
    for rows in batches(cursor, _BEFORE, conversation, bound, limit):
        for reached, previous, _, _, newest in rows:
            if reached != (newest if older is None else older):
                raise damaged(conversation, f"messages after {reached} are not there")
            older = previous
        found += _opened(conversation, rows)
    if len(found) < limit:
        if older is None:
            _check_none_before(cursor, conversation, bound)
        elif older:
            raise damaged(conversation, f"messages before {found[-1][0]} are not there")
    found.reverse()
    return found


def _check_none_before(cursor: Cursor, conversation: str, bound: int) -> None:
    """Look once more, in one snapshot: a damaged index must not make a history empty."""
    with snapshot(cursor):
        if execute(cursor, _BEFORE, conversation, bound, 1):
            return  # written a moment ago
        [(older,)] = (
            execute(cursor, _OLDER, conversation, bound)
            or execute(cursor, _NEWEST, conversation)
            or [(0,)]
        )
    if older:
        raise damaged(conversation, "its messages are not there")


def _after(
    cursor: Cursor, conversation: str, position: int, limit: int
) -> list[tuple[int, Message]]:
    found: list[tuple[int, Message]] = []
    end: int | None = None
    with snapshot(cursor):
        for rows in batches(cursor, _AFTER, conversation, position, limit):
            for reached, previous, _, _ in rows:
                if previous not in (range(max(position, 0) + 1) if end is None else [end]):
                    raise damaged(conversation, f"messages before {reached} are not there")
                end = reached
            found += _opened(conversation, rows)
        newest = execute(cursor, _NEWEST, conversation)
    if len(found) < limit and newest and (position if end is None else end) < newest[0][0]:
        raise damaged(conversation, "its newest messages are not there")
    return found


def _opened(conversation: str, rows: Sequence[_Row]) -> list[tuple[int, Message]]:
    """Return the positions and messages of rows that begin with position, previous and record."""
    key = key_of("message", conversation)
    for position, _, record, checksum, *_ in rows:
        check(record, _plain(position, checksum), conversation, key)
    messages = decode_all(Message, _Messages, [row[2] for row in rows], [conversation] * len(rows))
    return [(row[0], message) for row, message in zip(rows, messages, strict=True)]


def _plain(position: int, checksum: int | None) -> int | None:
    """Return the checksum without the position that is mixed into it."""
    return checksum ^ mixed(position) if isinstance(checksum, int) else None
