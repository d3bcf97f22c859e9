"""`update`: a session that others change too."""

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from clawdesk_storage import (
    ChannelId,
    ConflictError,
    RevisedSession,
    Session,
    SessionId,
    update,
)
from clawdesk_storage.testing import MemorySessionStore

_S = SessionId("s")


class _Shared(MemorySessionStore):
    """Lets others in between reading and saving, as every engine does."""

    @override
    async def get_revision(self, id: SessionId, /) -> RevisedSession | None:
        found = await super().get_revision(id)
        await asyncio.sleep(0)
        return found


def _one_more(session: Session | None) -> Session:
    session = session or Session(id=_S, channel=ChannelId("c"))
    return session.model_copy(update={"message_count": session.message_count + 1})


async def test_fifty_tasks_count_exactly() -> None:
    """Each of them a hundred times, and the first creates the session."""
    store = _Shared()

    async def count() -> None:
        for _ in range(100):
            await update(store, _S, _one_more)

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(count())
    counted = await store.get(_S)
    assert counted
    assert counted.message_count == 50 * 100


async def test_it_returns_what_was_saved_and_its_revision() -> None:
    """Which a handler of HTTP sends on."""
    store = MemorySessionStore()
    assert await update(store, _S, _one_more) == await store.get_revision(_S)


class _Overtaken(MemorySessionStore):
    """Another writer is always first."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    @override
    async def save_if(self, session: Session, /, revision: str | None) -> str:
        self.attempts += 1
        await self.save(session)
        return await super().save_if(session, revision)


@pytest.mark.parametrize("attempts", [1, 3])
async def test_the_attempts_are_bounded(attempts: int) -> None:
    """The last conflict is the caller's."""
    store = _Overtaken()
    with pytest.raises(ConflictError):
        await update(store, _S, _one_more, attempts=attempts)
    assert attempts == store.attempts


@pytest.mark.parametrize("attempts", [0, -1])
async def test_without_an_attempt_there_is_no_update(attempts: int) -> None:
    """It would neither save nor fail."""
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        await update(MemorySessionStore(), _S, _one_more, attempts=attempts)


async def test_a_change_of_the_id_is_refused() -> None:
    """It would be saved over a session that nobody has read."""
    store = MemorySessionStore()
    other = Session(id=SessionId("other"), channel=ChannelId("c"))
    with pytest.raises(ValueError, match="the change of 's' returned another session, 'other'"):
        await update(store, _S, lambda _: other)
    assert 0 == await store.count()


async def test_what_the_change_raises_ends_the_update() -> None:
    """A change that wants an existing session says so."""
    store = MemorySessionStore()

    def refuse(session: Session | None) -> Any:
        raise LookupError(session)

    with pytest.raises(LookupError):
        await update(store, _S, refuse)
    assert 0 == await store.count()
