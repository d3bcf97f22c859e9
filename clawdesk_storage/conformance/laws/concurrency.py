"""What the stores promise when tasks overlap, tried on a loop that shuffles their steps."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from clawdesk_storage.conformance.circumstances.cancelled import cancel
from clawdesk_storage.conformance.circumstances.overlapping import overlap
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.conformance.trial import Trial
from clawdesk_storage.models import AppConfig, Message, Session, SessionId, VectorResult
from clawdesk_storage.ports import ConfigStore, ConversationStore, VectorStore

_S = SessionId("s")
_ALL = 10**6


def _version(number: int, id: str = "same") -> Session:
    """A session in which every field tells the version."""
    return session(
        id,
        f"channel {number}",
        system_prompt=f"prompt {number}",
        model=f"model {number}",
        history_limit=number,
        created_at=moment(-number),
        last_activity=moment(number),
        message_count=number,
        metadata={"version": number, f"only in {number}": True},
    )


def _one_whole(trial: Trial, versions: Sequence[object], came: object, what: str) -> None:
    trial.holds(came in versions, what, "one of the versions that were saved, whole", came)


@law("CON-01", shuffled=True)
async def concurrent_saves_all_land(trial: Trial) -> None:
    """Concurrent saves of different sessions all land; of the same one, one of them wins whole.

    A store that rewrites one file or one blob for all sessions, or reads before it writes, loses
    what another task saved in between.
    """
    async with trial.open() as storage:
        store = storage.sessions
        kept: list[Session] = []
        for number in range(8):
            doomed, kept = kept[:3], kept[3:]
            fresh = [session(f"{number}.{i}", "c", message_count=number) for i in range(8)]
            again = [one.model_copy(update={"message_count": number}) for one in kept]
            versions = [_version(6 * number + i) for i in range(6)]
            await together(
                *map(store.save, [*fresh, *again, *versions]),
                *(store.delete(one.id) for one in doomed),
            )
            kept = [*again, *fresh]
            listed = {one.id: one for one in await store.list(_ALL, 0)}
            same = listed.pop(SessionId("same"), None)
            what = "the sessions, after concurrent saves and deletes"
            trial.same({one.id: one for one in kept}, dict(listed), what)
            _one_whole(trial, versions, same, "the session that several tasks saved")
            trial.same(same, await store.get(SessionId("same")), "the same session, by get")


def _contents(messages: Sequence[Message]) -> list[str]:
    return [one.content for one in messages]


@law("CON-02", shuffled=True)
async def concurrent_appends_lose_nothing(trial: Trial) -> None:
    """Concurrent appends lose nothing, double nothing, and keep each task's own order.

    A reader meanwhile sees no gap: what it is given is the beginning of the final history. Two
    tasks that both read the last position write to the same one; a message whose position was taken
    before another's and stored after it turns up behind the reader's back.
    """
    async with trial.open() as storage:
        for number in range(6):
            await _append_together(trial, storage.conversations, SessionId(f"s{number}"))


async def _append_together(trial: Trial, store: ConversationStore, id: SessionId) -> None:
    tasks, appends = 5, 6
    running = tasks
    seen: list[list[str]] = []

    async def write(task: int) -> None:
        nonlocal running
        try:
            for i in range(appends):
                await store.append_message(id, message(f"{task}.{i}"))
        finally:
            running -= 1

    async def read() -> None:
        while running:
            seen.append(_contents(await store.get_messages(id, _ALL)))
            await asyncio.sleep(0)

    await together(read(), *map(write, range(tasks)))
    final = _contents(await store.get_messages(id, _ALL))
    _expect_appends(trial, tasks, appends, final)
    for given in seen:
        what = "what a reader was given meanwhile, beside the beginning of the final history"
        trial.same(final[: len(given)], given, what)


def _expect_appends(trial: Trial, tasks: int, appends: int, final: Sequence[str]) -> None:
    every = [f"{task}.{i}" for task in range(tasks) for i in range(appends)]
    trial.same(sorted(every), sorted(final), "the messages of all tasks")
    for task in range(tasks):
        own = [content for content in final if content.startswith(f"{task}.")]
        trial.same([f"{task}.{i}" for i in range(appends)], own, f"the messages of task {task}")


def _marked(mark: int) -> AppConfig:
    """A configuration in which every section tells the version, and has a key of its own."""
    tree: dict[str, Any] = {
        name: {"mark": mark, f"only in {mark}": mark} for name in AppConfig.model_fields
    }
    return AppConfig.model_validate({**tree, "mark": mark, "gateway": {"port": mark, "mark": mark}})


@law("CON-03", shuffled=True)
async def a_reader_sees_one_configuration(trial: Trial) -> None:
    """A reader of the configuration sees one saved version or another, never a mixture.

    Sections that are written one by one, and a file that is truncated before it is written, give a
    reader half of each.
    """
    async with trial.open() as storage:
        for number in range(4):
            await _save_together(trial, storage.config, 100 * number)


async def _save_together(trial: Trial, store: ConfigStore, first: int) -> None:
    parts = [[_marked(first + 10 * writer + i) for i in range(4)] for writer in range(4)]
    allowed = [await store.get_config(), *(version for part in parts for version in part)]
    running = len(parts)

    async def write(own: Sequence[AppConfig]) -> None:
        nonlocal running
        try:
            for version in own:
                await store.save_config(version)
        finally:
            running -= 1

    async def read() -> None:
        while running:
            came = await store.get_config()
            _one_whole(trial, allowed, came, "the configuration, while others save it")
            await asyncio.sleep(0)

    await together(read(), read(), *map(write, parts))
    lasts = [part[-1] for part in parts]
    _one_whole(trial, lasts, await store.get_config(), "the configuration, after the saves")


def _turned(number: int) -> list[float]:
    return [math.cos(number / 50), math.sin(number / 50)]


def _expect_whole_entries(trial: Trial, results: Sequence[VectorResult]) -> None:
    ids = [one.id for one in results]
    trial.same(sorted(set(ids)), sorted(ids), "the ids that a search finds, each once")
    for one in results:
        what = f"the score of {one.id!r}, beside that of the vector stored with its metadata"
        trial.holds(_fits(one), what, f"that of vector {one.metadata!r}", one.score)


def _fits(result: VectorResult) -> bool:
    """Tell whether a score is that of the vector that was stored with the metadata."""
    number = result.metadata
    return type(number) is int and abs(_turned(number)[0] - result.score) <= 1e-4


@law("CON-04", shuffled=True)
async def concurrent_upserts_all_land(trial: Trial) -> None:
    """Concurrent upserts all land; an entry has the vector and the metadata of the same upsert.

    An index that is rebuilt from a snapshot forgets what came while it was being built; a vector
    and its metadata that are written one after the other are seen apart.
    """
    async with trial.open() as storage:
        store = storage.vectors
        there: dict[str, int] = {}
        for number in range(6):
            gone = sorted(there)[:3]
            fresh = {f"{number}.{i}": 10 * number + i for i in range(8)}
            changed = dict.fromkeys(sorted(there)[3:], 10 * number + 9)
            writes = {**fresh, **changed}

            await together(
                _search_meanwhile(trial, store),
                *(store.upsert(id, _turned(n), metadata=n) for id, n in writes.items()),
                *(store.upsert("same", _turned(n), metadata=n) for n in range(6)),
                *(store.delete(id) for id in gone),
            )
            there = writes
            found = await store.search([1.0, 0.0], top_k=_ALL)
            _expect_whole_entries(trial, found)
            came = {one.id: one.metadata for one in found}
            same = came.pop("same", None)
            trial.holds(same in range(6), "the entry that several tasks stored", "one of 6", same)
            trial.same(dict(there), came, "the entries, after concurrent upserts and deletes")


async def _search_meanwhile(trial: Trial, store: VectorStore) -> None:
    for _ in range(4):
        _expect_whole_entries(trial, await store.search([1.0, 0.0], top_k=_ALL))
        await asyncio.sleep(0)


@law("CON-05", shuffled=True)
async def overlapping_operations_are_linearizable(trial: Trial) -> None:
    """Any recorded history of overlapping operations on one object is linearizable.

    Linearizable means that each operation can be given one instant between its call and its return
    such that, done one after the other at these instants, they would have answered the same and
    have left the same. A stale cache, a read that is answered from before a write that had
    returned, a lost write, an index that disagrees with its records, and a list put together from
    pages while others write all fail to fit.
    """
    await overlap(trial, rounds=28, crowd=104)


@law("CON-06", shuffled=True)
async def a_cancelled_call_took_place_or_did_not(trial: Trial) -> None:
    """A cancelled call took place or did not, nothing in between, and the store goes on working.

    The cancellation is not swallowed and reaches no other caller, and what was cancelled does not
    take place later, after another call has returned. Each kind of call is cancelled at each of its
    awaits in turn, once and twice, among others of its kind: there a lock stays taken, a
    transaction open, a connection lost to its pool, and a batch fails for all who wait for it.
    """
    await cancel(trial)
