"""What `MessageGuards` promises: two turns at once do not become one."""

from __future__ import annotations

import sys
from typing import Any

from clawdesk_storage.conformance.circumstances.cancellation import attempts
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.laws.batches import UNSTORABLE, expect_turns_whole, turn
from clawdesk_storage.conformance.material.samples import message
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.errors import ConflictError, SerializationError
from clawdesk_storage.models import SessionId

_ALL = sys.maxsize
_S = SessionId("s")
_ABILITY = "MessageGuards"
_PATIENCE = 5.0


def _store(storage: Opened) -> Any:
    return storage.conversations


async def _contents(store: Any) -> list[str]:
    return [one.content for one in await store.get_messages(_S, _ALL)]


@law("GRD-01", ability=_ABILITY)
async def the_returned_position_is_the_newest(trial: Trial) -> None:
    """`append_after` at the newest position appends, and returns the new newest.

    Turns follow each other with nothing read in between: a read would be one more race.
    """
    async with trial.open() as storage:
        store = _store(storage)
        first = await store.append_after(_S, None, turn("a"))
        second = await store.append_after(_S, first, [message("b")])
        trial.holds(second > first, "the newest position", f"one above {first}", second)
        await store.append_after(_S, second, turn("c", 2))
        expected = ["a.0", "a.1", "a.2", "a.3", "b", "c.0", "c.1"]
        trial.same(expected, await _contents(store), "the history")


@law("GRD-02", ability=_ABILITY)
async def a_stale_position_is_a_conflict_and_changes_nothing(trial: Trial) -> None:
    """A position that is no longer the newest is `ConflictError`, and nothing is changed.

    An answer of False that nobody looks at is the lost update: a conflict has to raise.
    """
    async with trial.open() as storage:
        store = _store(storage)
        newest = await store.append_after(_S, None, turn("a"))
        await store.append_message(_S, message("other"))
        kept = await _contents(store)
        for position in (None, newest, newest - 1, newest + 100, 0, -1):
            call = store.append_after(_S, position, turn("late"))
            await trial.refused(ConflictError, call, f"append_after the stale {position}")
            trial.same(kept, await _contents(store), f"the history after the stale {position}")
        call = store.append_after(SessionId("t"), newest, turn("late"))
        await trial.refused(ConflictError, call, "append_after a position of another conversation")
        trial.same([], list(await store.get_messages(SessionId("t"), _ALL)), "that conversation")


@law("GRD-03", ability=_ABILITY, shuffled=True)
async def of_many_writers_at_one_position_one_wins(trial: Trial) -> None:
    """Of N writers at one position one wins, and turns do not interleave.

    Two servers answer one message: the second has to see that the first was there.
    """
    async with trial.open() as storage:
        await _race(trial, [_store(storage)])
        if trial.backend.shared:
            async with trial.open() as other:
                await _race(trial, [_store(storage), _store(other)])


async def _race(trial: Trial, stores: list[Any]) -> None:
    newest = None
    for store in stores:
        await store.clear(_S)
    for number in range(6):
        won: list[int] = []

        async def write(
            store: Any, name: str, at: int | None = newest, won: list[int] = won
        ) -> None:
            try:
                won.append(await store.append_after(_S, at, turn(name)))
            except ConflictError:
                return

        writers = [(store, f"{number}.{n}.{i}") for n, store in enumerate(stores) for i in range(4)]
        await together(*(write(store, name) for store, name in writers))
        trial.same(1, len(won), "how many of the writers at one position won")
        newest = won[0]
    came = await stores[-1].get_messages(_S, _ALL)
    trial.same(24, len(came), "how many messages are there")
    expect_turns_whole(trial, came, 4, "the turns")


@law("GRD-04", ability=_ABILITY)
async def an_emptied_conversation_keeps_old_positions_stale(trial: Trial) -> None:
    """An emptied conversation is empty again, and its old positions stay stale.

    A count that begins anew makes the position of last week the newest once more.
    """
    async with trial.open() as storage:
        store = _store(storage)
        old = await store.append_after(_S, None, turn("a", 1))
        await store.clear(_S)
        call = store.append_after(_S, old, turn("late"))
        await trial.refused(ConflictError, call, "append_after a position that was cleared")
        new = await store.append_after(_S, None, turn("b", 1))
        trial.holds(new != old, "the position after clearing", "another than before", new)
        call = store.append_after(_S, old, turn("late"))
        await trial.refused(ConflictError, call, "append_after a position from before")
        await store.truncate_after(_S, None, new)
        trial.same([], await _contents(store), "after all of it was truncated")
        call = store.append_after(_S, new, turn("late"))
        await trial.refused(ConflictError, call, "append_after a position that was truncated")
        await store.append_after(_S, None, turn("c", 1))
        trial.same(["c.0"], await _contents(store), "the history")


@law("GRD-05", ability=_ABILITY)
async def truncating_removes_exactly_the_tail(trial: Trial) -> None:
    """Truncating an unchanged tail removes exactly it, and what follows is appended there.

    It is how a message is taken back, or a turn tried again after its answer failed.
    """
    async with trial.open() as storage:
        store = _store(storage)
        first = await store.append_after(_S, None, turn("a"))
        second = await store.append_after(_S, first, turn("b"))
        await store.append_message(SessionId("t"), message("kept"))
        await store.truncate_after(_S, first, second)
        trial.same(["a.0", "a.1", "a.2", "a.3"], await _contents(store), "the history")
        await store.truncate_after(_S, first, first)
        trial.same(4, len(await _contents(store)), "after truncating nothing")
        third = await store.append_after(_S, first, turn("c", 1))
        trial.holds(third > second, "the position after truncating", f"above {second}", third)
        expected = ["a.0", "a.1", "a.2", "a.3", "c.0"]
        trial.same(expected, await _contents(store), "the history")
        kept = [one.content for one in await store.get_messages(SessionId("t"), _ALL)]
        trial.same(["kept"], kept, "another conversation")


@law("GRD-06", ability=_ABILITY)
async def truncating_what_another_has_appended_to_is_a_conflict(trial: Trial) -> None:
    """If another has appended meanwhile, truncating is `ConflictError`, and nothing is removed.

    `pop` removes whatever is last by then: the other's message.
    """
    async with trial.open() as storage:
        store = _store(storage)
        first = await store.append_after(_S, None, turn("a", 2))
        second = await store.append_after(_S, first, turn("b", 2))
        await store.append_message(_S, message("other"))
        kept = await _contents(store)
        for position in (first, None, second):
            call = store.truncate_after(_S, position, second)
            await trial.refused(
                ConflictError, call, f"truncate_after {position}, with a stale tail"
            )
            trial.same(kept, await _contents(store), "the history")
        empty = store.truncate_after(SessionId("t"), None, second)
        await trial.refused(ConflictError, empty, "truncating an empty conversation")


@law("GRD-07", ability=_ABILITY)
async def a_guarded_turn_is_whole_or_not_at_all(trial: Trial) -> None:
    """What cannot be stored, and what is cancelled, leaves all of a guarded turn or none of it.

    A turn that was refused leaves the newest position as it was.
    """
    async with trial.open() as storage:
        store = _store(storage)
        newest = await store.append_after(_S, None, turn("kept"))
        for place in (0, 1, 3):
            batch = turn("refused", 3)
            batch.insert(place, UNSTORABLE)
            call = store.append_after(_S, newest, batch)
            await trial.refused(SerializationError, call, f"a turn whose message {place} is bad")
        newest = await store.append_after(_S, newest, turn("next"))
        trial.same(8, len(await _contents(store)), "how many messages are there")
        known = [newest]

        async def call_again() -> None:
            known.append(await store.append_after(_S, known[-1], turn(len(known))))

        count = 8
        async for attempt in attempts(call_again, timeout=_PATIENCE):
            came = await store.get_messages(_S, _ALL)
            expect_turns_whole(trial, came, 4, f"the history after {attempt}")
            if len(came) != count:
                count = len(came)
                await store.clear(_S)
                known.append(await store.append_after(_S, None, turn("again")))
                count = 4
            if len(known) > 40:
                break
