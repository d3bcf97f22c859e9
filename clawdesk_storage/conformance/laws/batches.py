"""What `MessageBatches` promises: a turn is stored whole, or not at all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from clawdesk_storage.conformance.circumstances.cancellation import attempts
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import BAD_IDS
from clawdesk_storage.conformance.material.operation import Operation, packed, unpacked
from clawdesk_storage.conformance.material.samples import message, messages, moment
from clawdesk_storage.conformance.running.process import in_process
from clawdesk_storage.conformance.trial import Inconclusive, Opened, Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import Message, SessionId

_ALL = sys.maxsize
_S = SessionId("s")
_ABILITY = "MessageBatches"
_PATIENCE = 5.0
UNSTORABLE = message("bad").model_copy(update={"metadata": {"bad": {1, 2}}})


def turn(name: object, length: int = 4) -> list[Message]:
    """Return the messages of a turn; each tells the turn and its place in it."""
    return [message(f"{name}.{number}", timestamp=moment(-number)) for number in range(length)]


def expect_turns_whole(trial: Trial, came: Sequence[Message], length: int, what: str) -> None:
    """Raise `LawViolation` unless a history is made of whole turns of that length."""
    contents = [one.content for one in came]
    heads = contents[::length]
    whole = [f"{head.rpartition('.')[0]}.{number}" for head in heads for number in range(length)]
    trial.same(whole, contents, what)


def _store(storage: Opened) -> Any:
    return storage.conversations


@law("BAT-01", ability=_ABILITY)
async def a_batch_equals_its_messages_one_by_one(trial: Trial) -> None:
    """A batch equals its messages appended one by one, in every field, and in that order.

    A store that sorts a batch by its timestamps, or gives it one, tears question from answer.
    """
    odd = messages(trial.random)
    async with trial.open() as storage:
        store = _store(storage)
        await store.append_message(_S, message("before"))
        await store.append_messages(_S, odd)
        await store.append_messages(_S, tuple(turn("a")))
        await store.append_message(_S, message("after"))
        expected = [message("before"), *odd, *turn("a"), message("after")]
        trial.same(expected, list(await store.get_messages(_S, _ALL)), "the history")
        equal = [message("same")] * 3
        await store.append_messages(SessionId("t"), equal)
        trial.same(equal, list(await store.get_messages(SessionId("t"), _ALL)), "equal messages")


@law("BAT-02", ability=_ABILITY)
async def an_empty_batch_is_nothing(trial: Trial) -> None:
    """An empty batch changes nothing, and is no error.

    Whoever collects the messages of a turn has sometimes none, and does not look.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.append_messages(_S, [])
        trial.same([], list(await store.get_messages(_S, _ALL)), "after an empty batch")
        await store.append_messages(_S, turn("a"))
        await store.append_messages(_S, ())
        trial.same(turn("a"), list(await store.get_messages(_S, _ALL)), "after another")


@law("BAT-03", ability=_ABILITY, shuffled=True)
async def nobody_elses_message_stands_inside_a_batch(trial: Trial) -> None:
    """No other caller's message stands inside a batch, through another handle either.

    A loop over `append_message` lets others in between, and a call of a tool is then answered by
    somebody else's question.
    """
    async with trial.open() as storage:
        await _expect_whole(trial, [_store(storage)], SessionId("one"))
        if trial.backend.shared:
            async with trial.open() as other:
                await _expect_whole(trial, [_store(storage), _store(other)], SessionId("two"))


async def _expect_whole(trial: Trial, stores: Sequence[Any], id: SessionId) -> None:
    async def write(store: Any, name: str) -> None:
        for number in range(4):
            await store.append_messages(id, turn(f"{name}.{number}"))

    await together(*(write(one, f"{n}.{i}") for n, one in enumerate(stores) for i in range(4)))
    came = await stores[-1].get_messages(id, _ALL)
    trial.same(64 * len(stores), len(came), "how many messages are there")
    expect_turns_whole(trial, came, 4, "the turns, beside what came")


@law("BAT-04", ability=_ABILITY)
async def a_batch_with_one_bad_message_stores_nothing(trial: Trial) -> None:
    """If one message cannot be stored, first, middle or last, nothing of the batch is stored.

    A store that writes as it reads the batch keeps what came before the bad message.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.append_messages(_S, turn("kept"))
        for place in (0, 1, 3):
            batch = turn("refused", 3)
            batch.insert(place, UNSTORABLE)
            what = f"a batch whose message {place} cannot be stored"
            await trial.refused(SerializationError, store.append_messages(_S, batch), what)
            came = list(await store.get_messages(_S, _ALL))
            trial.same(turn("kept"), came, f"the history after {what}")
            await store.append_messages(SessionId(f"next {place}"), batch[:place])
        await store.append_messages(_S, turn("next"))
        expected = [*turn("kept"), *turn("next")]
        trial.same(expected, list(await store.get_messages(_S, _ALL)), "after a good batch")


@law("BAT-05", ability=_ABILITY, shuffled=True)
async def a_reader_sees_none_of_a_batch_or_all(trial: Trial) -> None:
    """A reader sees none of a batch or all of it, and so does the reader of the last few.

    A model that is called with half a turn answers with an error.
    """
    async with trial.open() as storage:
        store = _store(storage)
        running = True

        async def write() -> None:
            nonlocal running
            try:
                for number in range(12):
                    await store.append_messages(_S, turn(number))
            finally:
                running = False

        async def read(limit: int) -> None:
            while running:
                came = await store.get_messages(_S, limit)
                expect_turns_whole(trial, came, 4, f"what get_messages({limit}) gave meanwhile")
                await asyncio.sleep(0)

        await together(write(), read(_ALL), read(4), read(8))
        trial.same(48, len(await store.get_messages(_S, _ALL)), "how many messages are there")


@law("BAT-06", ability=_ABILITY)
async def a_cancelled_batch_took_place_or_did_not(trial: Trial) -> None:
    """A batch that is cancelled, at any await, is there whole or not at all, and the next works.

    A user who closes a window cancels the turn that is being stored.
    """
    async with trial.open() as storage:
        store, before, number = _store(storage), 0, 0

        def call() -> Any:
            nonlocal number
            number += 1
            return store.append_messages(_S, turn(number))

        async for attempt in attempts(call, timeout=_PATIENCE):
            came = await store.get_messages(_S, _ALL)
            expect_turns_whole(trial, came, 4, f"the history after {attempt}")
            trial.holds(
                len(came) - before in (0, 4), f"how many more after {attempt}", "0 or 4", len(came)
            )
            before = len(came)
            if number > 60:
                break
        await store.append_messages(_S, turn("last"))
        last = await store.get_messages(_S, 4)
        trial.same(turn("last"), list(last), "a later batch")


@law("BAT-07", ability=_ABILITY, claim="durable")
async def a_killed_batch_is_whole_or_not_at_all(trial: Trial) -> None:
    """A batch that a SIGKILL meets is there whole or not at all, and whole if it was acknowledged.

    A write per message, and a commit in the middle, leave half a turn to the next start.
    """
    acknowledged: list[str] = []
    for round in range(4):
        names = [f"{round}-{number}" for number in range(200)]
        async with in_process(trial.backend, trial.location()) as process:
            await process.opened()
            for number, name in enumerate(names):
                operation = Operation("conversations", "append_messages", (_S, turn(name)))
                process.send("call", number, "perform", [packed(operation)])
            await process.reach(2 + trial.random.choice((0, 1, 3, 20)))
            answers = await process.kill()
        done = [one for one in answers if one[0] == "done" and unpacked(one[4]) is None]
        acknowledged += [names[one[1]] for one in done]
        async with trial.open() as storage:
            came = await _store(storage).get_messages(_S, _ALL)
        expect_turns_whole(trial, came, 4, "the history after a kill")
        there = {one.content.partition(".")[0] for one in came}
        lost = [name for name in acknowledged if name not in there]
        trial.same([], lost, "the turns that were acknowledged and are gone")
    if not acknowledged:
        raise Inconclusive("no batch was acknowledged before the process was killed")


@law("BAT-08", ability=_ABILITY)
async def ten_thousand_messages_are_one_batch(trial: Trial) -> None:
    """Ten thousand messages are one batch, complete and in order.

    An import of an old conversation is one; a limit on the parameters of a statement cuts it.
    """
    count = 10_000
    async with trial.open() as storage:
        store = _store(storage)
        await store.append_messages(_S, [message(str(number)) for number in range(count)])
        came = [one.content for one in await store.get_messages(_S, _ALL)]
        trial.same([str(number) for number in range(count)], came, "the history, by content")
        last = [one.content for one in await store.get_messages(_S, 3)]
        trial.same(["9997", "9998", "9999"], last, "the last three")


@law("BAT-09", ability=_ABILITY)
async def what_the_caller_does_to_the_list_later_changes_nothing(trial: Trial) -> None:
    """What the caller does to the list, or to a message in it, later changes nothing.

    A caller that collects turns in one list empties it after each.
    """
    async with trial.open() as storage:
        store = _store(storage)
        batch = [message("kept", metadata={"mark": [1]})]
        await store.append_messages(_S, batch)
        trial.note("the list and its message are changed by the caller")
        batch[0].metadata["mark"] = [2]
        batch.append(message("smuggled"))
        came = list(await store.get_messages(_S, _ALL))
        trial.same([message("kept", metadata={"mark": [1]})], came, "the history")


@law("BAT-10", ability=_ABILITY)
async def a_bad_id_is_refused_with_the_whole_batch(trial: Trial) -> None:
    """An empty id, or one with a NUL or a lone surrogate, is `ValueError`, and changes nothing.

    Each method checks for itself, and the newest is the one that forgets.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.append_messages(_S, turn("kept"))
        for id in BAD_IDS:
            call = store.append_messages(SessionId(id), turn("refused"))
            await trial.refused(ValueError, call, f"append_messages of the id {id!r}")
        trial.same(turn("kept"), list(await store.get_messages(_S, _ALL)), "another history")
