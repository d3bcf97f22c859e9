"""Operations and reads of the abilities, as the model has them for the ports.

Positions and revisions are each store's own, so that no sequence can hold them. Where a call needs
one, it is read first, and the call is made again if somebody else came in between: what it then
does is what the plain method would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clawdesk_storage.abilities import HistoryEntry, RevisedConfig, RevisedSession, VectorEntry
from clawdesk_storage.errors import ConflictError, SerializationError
from clawdesk_storage.models import AppConfig, Message, Session, SessionId

__all__ = [
    "append_guarded",
    "configuration_in",
    "delete_revised",
    "entries_in",
    "entry_in",
    "messages_in",
    "save_config_revised",
    "save_revised",
    "session_in",
    "take_back",
    "upsert_refused",
]

_ATTEMPTS = 200
_ENDLESS = f"{_ATTEMPTS} attempts met another writer"


def messages_in(entries: Sequence[HistoryEntry]) -> list[Message]:
    """The view of a page of a history: its messages; the positions are the store's own."""
    return [entry.message for entry in entries]


def session_in(found: RevisedSession | None) -> Session | None:
    """The view of a session with its revision, which is the store's own."""
    return None if found is None else found.session


def configuration_in(found: RevisedConfig) -> AppConfig:
    """The view of the configuration with its revision, which is the store's own."""
    return found.config


def entry_in(found: VectorEntry | None) -> Any:
    """The view of an entry: its direction is promised within float32 only."""
    if found is None:
        return None
    return found.id, [round(float(one), 5) + 0.0 for one in found.vector], found.metadata


def entries_in(found: Sequence[VectorEntry]) -> list[Any]:
    """The view of a page of entries."""
    return [entry_in(one) for one in found]


async def append_guarded(store: Any, id: SessionId, messages: Sequence[Message]) -> None:
    """Append messages after what is the newest."""
    for _ in range(_ATTEMPTS):
        newest = await store.get_before(id, None, 1)
        try:
            await store.append_after(id, newest[0].position if newest else None, messages)
        except ConflictError:
            continue
        return
    raise ConflictError(_ENDLESS)


async def take_back(store: Any, id: SessionId) -> None:
    """Remove the last message, if there is one."""
    for _ in range(_ATTEMPTS):
        last = await store.get_before(id, None, 2)
        if not last:
            return
        try:
            position = last[0].position if len(last) > 1 else None
            await store.truncate_after(id, position, last[-1].position)
        except ConflictError:
            continue
        return
    raise ConflictError(_ENDLESS)


async def save_revised(store: Any, session: Session) -> None:
    """Save a session over what is stored, whatever that is."""
    for _ in range(_ATTEMPTS):
        found = await store.get_revision(session.id)
        try:
            await store.save_if(session, revision=found.revision if found else None)
        except ConflictError:
            continue
        return
    raise ConflictError(_ENDLESS)


async def delete_revised(store: Any, id: SessionId) -> None:
    """Delete a session, if there is one."""
    for _ in range(_ATTEMPTS):
        found = await store.get_revision(id)
        if found is None:
            return
        try:
            await store.delete_if(id, revision=found.revision)
        except ConflictError:
            continue
        return
    raise ConflictError(_ENDLESS)


async def save_config_revised(store: Any, config: AppConfig) -> None:
    """Save a configuration over what is stored, whatever that is."""
    for _ in range(_ATTEMPTS):
        found = await store.get_config_revision()
        try:
            await store.save_config_if(config, revision=found.revision)
        except ConflictError:
            continue
        return
    raise ConflictError(_ENDLESS)


async def upsert_refused(store: Any, id: str, vector: Any, metadata: Any) -> str:
    """Store an entry that is bad in two ways, and return that it was refused for one of them."""
    try:
        await store.upsert(id, vector, metadata)
    except (ValueError, SerializationError):
        return "refused"
    return "stored"
