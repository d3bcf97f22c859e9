"""Broken where a record is damaged: stores that hide it, mend it, or fail in the wrong words."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from clawdesk_storage import (
    AppConfig,
    JsonValue,
    Message,
    SerializationError,
    Session,
    SessionId,
    VectorResult,
    check_id,
    decode,
)
from tests.mutants.filed import (
    FiledConfigStore,
    FiledConversationStore,
    FiledSessionStore,
    FiledVectorStore,
    VectorRow,
    filed_mutant,
)

# Sessions


@filed_mutant("COR-01")
class DamagedSessionsAreSkipped(FiledSessionStore):
    """What cannot be read is logged, and left out."""

    @override
    def decoded(self, rows: Sequence[tuple[str, bytes]]) -> Sequence[Session]:
        return [
            decode(Session, record, key=id) for id, record in rows if _is_readable(Session, record)
        ]


def _is_readable(kind: Any, record: bytes) -> bool:
    try:
        decode(kind, record)
    except SerializationError:
        return False
    return True


@filed_mutant("COR-01")
class DamagedSessionIsAbsent(FiledSessionStore):
    """`get` gives None for what cannot be read, and a fresh session takes its place."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        try:
            return await super().get(id)
        except SerializationError:
            return None


@filed_mutant("COR-01")
class ReadingRemovesTheDamage(FiledSessionStore):
    """`get` says once that a session is damaged, and deletes it, so that it is said only once."""

    @override
    async def get(self, id: SessionId, /) -> Session | None:
        try:
            return await super().get(id)
        except SerializationError:
            await self.delete(id)
            raise


@filed_mutant("COR-01")
class DamageIsTheParsersError(FiledSessionStore):
    """What the parser raises is passed on as it is."""

    @override
    def decoded(self, rows: Sequence[tuple[str, bytes]]) -> Sequence[Session]:
        return [Session.model_validate_json(record) for _, record in rows]


@filed_mutant("COR-01")
class DamageHasNoKey(FiledSessionStore):
    """The error says what is wrong with the JSON, and not of which session."""

    @override
    def decoded(self, rows: Sequence[tuple[str, bytes]]) -> Sequence[Session]:
        return [decode(Session, record) for _, record in rows]


@filed_mutant("COR-01")
class DamageCannotBeReplaced(FiledSessionStore):
    """A save reads what it replaces."""

    @override
    async def save(self, session: Session, /) -> None:
        check_id(session.id)
        await self.get(session.id)
        await super().save(session)


# Conversations


@filed_mutant("COR-02")
class DamagedMessagesAreSkipped(FiledConversationStore):
    """A history leaves out what cannot be read."""

    @override
    def decoded(self, session_id: SessionId, records: Sequence[bytes]) -> Sequence[Message]:
        return [decode(Message, record) for record in records if _is_readable(Message, record)]


@filed_mutant("COR-02")
class DamagedMessageHasNoSession(FiledConversationStore):
    """The error names the position of a message, and not its session."""

    @override
    def decoded(self, session_id: SessionId, records: Sequence[bytes]) -> Sequence[Message]:
        return [decode(Message, record, key=str(at)) for at, record in enumerate(records)]


@filed_mutant("COR-02")
class DamageCannotBeCleared(FiledConversationStore):
    """`clear` reads what it removes."""

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await self.get_messages(session_id, 1)
        await super().clear(session_id)


# Configuration


@filed_mutant("COR-03")
class DamagedConfigIsTheDefault(FiledConfigStore):
    """A configuration that cannot be read is the default, so that the gateway starts."""

    @override
    async def get_config(self) -> AppConfig:
        try:
            return await super().get_config()
        except SerializationError:
            return AppConfig()


@filed_mutant("COR-03")
class DamagedConfigIsReset(FiledConfigStore):
    """The default is written over a configuration that cannot be read."""

    @override
    async def get_config(self) -> AppConfig:
        try:
            return await super().get_config()
        except SerializationError:
            await self.save_config(AppConfig())
            raise


# Vectors


@filed_mutant("COR-04")
class DamagedVectorsAreSkipped(FiledVectorStore):
    """A search leaves out what has another length than the query."""

    @override
    def found(
        self, unit: array[float], rows: Sequence[VectorRow], top_k: int
    ) -> Sequence[VectorResult]:
        whole = [row for row in rows if len(row[1]) == len(unit) * unit.itemsize]
        return super().found(unit, whole, top_k)


@filed_mutant("COR-04")
class DamagedMetadataIsNone(FiledVectorStore):
    """A vector is padded to its length, and metadata that cannot be read is none."""

    @override
    def found(
        self, unit: array[float], rows: Sequence[VectorRow], top_k: int
    ) -> Sequence[VectorResult]:
        size = len(unit) * unit.itemsize
        padded = [
            (id, stored.ljust(size, b"\0"), record if _is_readable(JsonValue, record) else b"null")
            for id, stored, record in rows
        ]
        return super().found(unit, padded, top_k)


@filed_mutant("COR-04")
class DamagedVectorHasNoId(FiledVectorStore):
    """The error says that a vector is damaged, and not which."""

    @override
    def score(self, unit: array[float], id: str, stored: bytes) -> float:
        return super().score(unit, "", stored)


# All of them


@filed_mutant("COR-05")
class ConfigIsLoadedWithSessions(FiledConfigStore):
    """The configuration is read together with all sessions."""

    @override
    async def get_config(self) -> AppConfig:
        await FiledSessionStore(self.file).list(sys.maxsize, 0)
        return await super().get_config()


@filed_mutant("COR-01")
class DamageIsSkippedFromTheSecondPage(FiledSessionStore):
    """The first page is read with care, and those after it by a loop that goes on."""

    @override
    async def list(self, limit: int, offset: int) -> Sequence[Session]:
        try:
            return await super().list(limit, offset)
        except SerializationError:
            if offset < 100:
                raise
            return []


# What the error says


@filed_mutant("COR-01")
class ErrorsQuoteTheRecord(FiledSessionStore):
    """What cannot be read is shown in the error, to whoever lists the sessions."""

    @override
    def decoded(self, rows: Sequence[tuple[str, bytes]]) -> Sequence[Session]:
        try:
            return super().decoded(rows)
        except SerializationError as error:
            raise SerializationError(f"{error} in {rows!r}") from error


@filed_mutant("COR-02")
class DamageBeforeTheLastIsLeftOut(FiledConversationStore):
    """Whether a history can be read is asked of its last message; what is damaged before is not."""

    @override
    def decoded(self, session_id: SessionId, records: Sequence[bytes]) -> Sequence[Message]:
        kept = [record for record in records[:-1] if _is_readable(Message, record)]
        return super().decoded(session_id, [*kept, *records[-1:]])
