"""Broken by another handle: what one has learnt, and the other has changed since."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Self

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    ConnectionFailedError,
    Message,
    Session,
    SessionId,
)
from tests.mutants.filed import (
    File,
    FiledConfigStore,
    FiledConversationStore,
    FiledSessionStore,
    FiledStorage,
    filed_mutant,
)


@filed_mutant("SHR-01", "SHR-03")
class AbsenceIsRemembered(FiledSessionStore):
    """Each handle knows which sessions are not there, until it saves them itself."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._absent: set[str] = set()

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        session = await super().get(id)
        if id in self._absent:
            return None
        if session is None:
            self._absent.add(id)
        return session

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._absent.discard(session.id)


@filed_mutant("SHR-01", "SHR-03")
class FirstPageIsKept(FiledSessionStore):
    """A handle serves the page that it read last, until it changes something itself."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._pages: dict[tuple[int, int], Sequence[Session]] = {}

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        page = await super().list(limit, offset)
        return self._pages.setdefault((int(limit), int(offset)), page)

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._pages.clear()

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self._pages.clear()


@filed_mutant("SHR-01", "SHR-03")
class DeletedSessionIsServed(FiledSessionStore):
    """What a handle has read once is there for it, though the other has deleted it since."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._read: dict[str, Session] = {}

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        session = await super().get(id)
        if session is None:
            return self._read.get(id)
        self._read[id] = session
        return session

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self._read.pop(id, None)


@filed_mutant("SHR-01", "SHR-03")
class ChannelsAreIndexedOnOpening(FiledSessionStore):
    """The index by channel is made at the first question, and follows the own handle's saves."""

    _known: set[str] | None = None

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        found = await super().list_by_channel(channel)
        if self._known is None:
            self._known = {one.id for one in await self.list(1 << 30, 0)}
        return [one for one in found if one.id in self._known]

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        if self._known is not None:
            self._known.add(session.id)


@filed_mutant("SHR-01", "SHR-03")
class ClearedByTheOtherIsThere(FiledConversationStore):
    """The last messages are kept for the next prompt, and another handle's `clear` is not seen."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._last: dict[str, Sequence[Message]] = {}

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        messages = await super().get_messages(session_id, limit)
        if messages or not limit:
            self._last[session_id] = messages or self._last.get(session_id, [])
            return messages
        return self._last.get(session_id, [])

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self._last.pop(session_id, None)


@filed_mutant("SHR-01", "SHR-03")
class ConfigIsReadOnce(FiledConfigStore):
    """The configuration is read at the first question, and again after an own save."""

    _read: AppConfig | None = None

    @override
    async def get_config(self) -> AppConfig:
        came = await super().get_config()
        self._read = self._read or came
        return self._read.model_copy(deep=True)

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        self._read = None


@filed_mutant("SHR-01", "SHR-03")
class SnapshotIsLeftOpen(FiledConversationStore):
    """A read leaves its transaction open, and all that follow see what it saw, until a write."""

    _snapshot: Connection | None = None

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        await super().get_messages(session_id, limit)  # refuses what must be refused
        query = "SELECT record FROM messages WHERE session = ? ORDER BY position DESC LIMIT ?"

        def rows(connection: Connection) -> Sequence[tuple[bytes]]:
            if self._snapshot is None:
                path = self.file.location / "storage.db"
                self._snapshot = sqlite3.connect(
                    path, isolation_level=None, check_same_thread=False
                )
                self._snapshot.execute("BEGIN")
            return self._snapshot.execute(query, (session_id, limit)).fetchall()

        return self.decoded(session_id, [row for (row,) in reversed(await self.file.read(rows))])

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        self._snapshot = None

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self._snapshot = None


@filed_mutant("SHR-01", "SHR-03")
class OpeningsCollide(FiledStorage):
    """The tables of a fresh location are made by whoever finds none, and only once."""

    @override
    async def __aenter__(self) -> Self:
        marker = self.file.location / "made"
        fresh = not marker.exists()
        await super().__aenter__()
        if fresh:
            try:
                marker.touch(exist_ok=False)
            except FileExistsError as error:
                await self.file.close()
                raise ConnectionFailedError("table sessions already exists") from error
        return self


@filed_mutant("SHR-01")
class ChannelIsKeptByItsNewest(FiledSessionStore):
    """A channel's list is kept until its length or its newest session is another."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._lists: dict[str, tuple[object, Sequence[Session]]] = {}

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        found = await super().list_by_channel(channel)
        stamp = len(found), found[0].last_activity if found else None
        if channel not in self._lists or self._lists[channel][0] != stamp:
            self._lists[channel] = stamp, found
        return [session.model_copy(deep=True) for session in self._lists[channel][1]]

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._lists.clear()


@filed_mutant("SHR-01", "SHR-03")
class HistoryIsKeptByItsLength(FiledConversationStore):
    """A history is kept until it is longer or shorter: begun anew by another, it is the old one."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._kept: dict[tuple[str, int], Sequence[Message]] = {}

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        found, key = await super().get_messages(session_id, limit), (session_id, limit)
        if len(self._kept.get(key, ())) != len(found):
            self._kept[key] = found
        kept = self._kept.get(key, ())
        return [message.model_copy(deep=True) for message in kept]

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        self._kept.clear()

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self._kept.clear()
