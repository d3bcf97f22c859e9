"""Broken by an opening that reads what the last one left otherwise than it was written."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    Message,
    Session,
    SessionId,
    VectorResult,
    check_limit,
)
from clawdesk_storage.models import Vector
from tests.mutants.logged import (
    Line,
    Log,
    LoggedConversationStore,
    LoggedSessionStore,
    LoggedStorage,
    LoggedVectorStore,
    logged_mutant,
)


@logged_mutant("DUR-01")
class ChannelIndexKnowsThisOpening(LoggedSessionStore):
    """The index by channel is filled by saves, and not by what is read on opening."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._indexed: set[str] = set()

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._indexed.add(session.id)

    @override
    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session]:
        found = await super().list_by_channel(channel)
        return [session for session in found if session.id in self._indexed]


@logged_mutant("DUR-01", "DUR-02")
class ReplayKeepsTheFirstVector(LoggedStorage):
    """`setdefault` in the replay: the first version of a vector is the one that is kept."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        known: set[str] = set()
        kept: list[Line] = []
        for line in lines:
            port, method, arguments = line
            if port == "vectors":
                if method == "upsert" and arguments[0] in known:
                    continue
                (known.add if method == "upsert" else known.discard)(arguments[0])
            kept.append(line)
        return kept


@logged_mutant("DUR-01", "DUR-02")
class ReplayKnowsNoClear(LoggedStorage):
    """`clear` is not among the lines that the replay knows: what was cleared is back."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        return [line for line in lines if line[1] != "clear"]


@logged_mutant("DUR-01", "DUR-02")
class DeletesAreReplayedLast(LoggedStorage):
    """Saves are read from one file and deletes from another: what was saved anew is gone."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        return sorted(lines, key=lambda line: line[:2] == ("sessions", "delete"))


@logged_mutant("DUR-01")
class CountIsOfThisOpening(LoggedConversationStore):
    """How many messages there are is counted by appends: a limit cuts off those from before."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._count: dict[str, int] = {}

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        if session_id in self._count:
            self._count[session_id] += 1
        else:
            self._count[session_id] = len(await super().get_messages(session_id, sys.maxsize))

    @override
    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        return await super().get_messages(session_id, min(limit, self._count.get(session_id, 4)))


@logged_mutant("DUR-01")
class PageOfAReopenedListIsOneLess(LoggedSessionStore):
    """The first page is served from a list that was made before the log was read to its end."""

    _fresh = False

    @override
    async def save(self, session: Session, /) -> None:
        self._fresh = True
        await super().save(session)

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        page = await super().list(limit, offset)
        return page if self._fresh or offset else page[:1]


@logged_mutant("DUR-01")
class DeletedVectorsTakePlaces(LoggedVectorStore):
    """What was deleted before an opening still takes up places in the best k."""

    _gone = 0

    @override
    async def delete(self, id: str, /) -> None:
        await super().delete(id)
        self._gone += 1
        self.log.path.with_name("gone").write_text(str(self._gone))

    @override
    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        check_limit(top_k)
        counted = self.log.path.with_name("gone")
        lost = int(counted.read_text()) if counted.exists() and not self._gone else 0
        return (await super().search(query, top_k))[: max(0, top_k - lost)]


@logged_mutant("DUR-01")
class LinesEndAtSeparators(LoggedStorage):
    """The log is text, cut by `str.splitlines`: a message with such a line ending ends the log."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        kept: list[Line] = []
        for line in lines:
            if line[1] == "append_message" and len(line[2][1].content.splitlines()) > 1:
                break
            kept.append(line)
        return kept


@logged_mutant("DUR-01")
class IdsAreNormalisedByReplay(LoggedStorage):
    """Conversations are files, and their ids the names that the file system gives back."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        return [
            (port, method, (unicodedata.normalize("NFC", id), *rest))
            if port == "conversations"
            else (port, method, (id, *rest))
            for port, method, (id, *rest) in lines
        ]


@logged_mutant("DUR-01")
class ConfigurationsAreMergedByReplay(LoggedStorage):
    """Each configuration in the log is laid over those before: a key left out is back."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        merged: dict[str, Any] = {}
        kept: list[Line] = []
        for port, method, arguments in lines:
            if port == "config":
                merged |= arguments[0].model_dump()
                kept.append((port, method, (AppConfig.model_validate(merged),)))
            else:
                kept.append((port, method, arguments))
        return kept


@logged_mutant("DUR-01")
class ReplayKnowsMilliseconds(LoggedSessionStore):
    """A reopened index orders sessions by milliseconds; what is saved after that is exact."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._exact: set[str] = set()

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self._exact.add(session.id)

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        every = await super().list(sys.maxsize, 0)
        ordered = sorted(sorted(every, key=lambda one: one.id), key=self._at, reverse=True)
        return ordered[check_limit(offset, "offset") :][: check_limit(limit)]

    def _at(self, session: Session) -> datetime:
        at = session.last_activity
        exact = session.id in self._exact
        return at if exact else at.replace(microsecond=at.microsecond // 1000 * 1000)


@logged_mutant("CNV-10")
class CompactionKeepsAThousand(LoggedStorage):
    """What is replayed of a history are its last thousand messages."""

    @override
    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        appended = [line for line in lines if line[1] == "append_message"]
        dropped = {id(line) for line in appended[:-1000]}
        return [line for line in lines if id(line) not in dropped]


@logged_mutant("SES-07")
class FilterKnowsTheFirstPage(LoggedSessionStore):
    """A filter of known ids is made on opening, of the first hundred: `get` misses the others."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._known: set[str] | None = None

    @override
    async def save(self, session: Session, /) -> None:
        await self._load()
        await super().save(session)
        self._known = {session.id, *(self._known or ())}

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        await self._load()
        found = await super().get(id)
        return found if id in (self._known or ()) else None

    async def _load(self) -> None:
        if self._known is None:
            self._known = {one.id for one in await super().list(100, 0)}
