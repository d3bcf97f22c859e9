"""Changing a session that others change too."""

from __future__ import annotations

import random
from collections.abc import Callable

from clawdesk_storage.abilities import RevisedSession, SessionRevisions
from clawdesk_storage.errors import ConflictError
from clawdesk_storage.models import Session, SessionId

__all__ = ["update"]

_FIRST_WAIT, _LONGEST_WAIT = 0.001, 0.25


async def update(
    store: SessionRevisions,
    id: SessionId,
    change: Callable[[Session | None], Session],
    *,
    attempts: int = 100,
) -> RevisedSession:
    """Read a session, change it and save it, as often as another writer comes in between.

        def count(session: Session | None) -> Session:
            session = session or Session(id=id, channel=channel)
            return session.model_copy(update={"message_count": session.message_count + 1})

        saved, revision = await update(storage.sessions, id, count)

    Args:
        store: A session store with revisions.
        id: The session.
        change: Takes what is stored, or None where nothing is, and returns what is to be stored in
            its place, under the same id. It is called once for each attempt, and should do nothing
            else; what it raises ends the update.
        attempts: How often at most. After a conflict there is a wait of random length, at most a
            quarter of a second, so that many writers get out of each other's way.

    Returns:
        What was saved, and its revision.

    Raises:
        ValueError: `id` is no valid id, `change` returned another session, or there are no
            attempts.
        ConflictError: Every attempt met another writer.
        SerializationError: What `change` returned cannot be stored as it is.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, and is {attempts}")
    attempt = 1
    while True:
        found = await store.get_revision(id)
        session = change(found.session if found else None)
        if session.id != id:
            raise ValueError(f"the change of {id!r} returned another session, {session.id!r}")
        try:
            saved = await store.save_if(session, revision=found.revision if found else None)
        except ConflictError:
            if attempt >= attempts:
                raise
        else:
            return RevisedSession(session, saved)
        await _wait(attempt)
        attempt += 1


async def _wait(attempt: int) -> None:
    # Importing it here spares whoever only types against the ports what asyncio costs.
    import asyncio  # noqa: PLC0415

    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(attempt, 16))
    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  (no secret)
