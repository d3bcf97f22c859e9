"""What the stores promise when tasks overlap, tried on a loop that shuffles their steps."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from clawdesk_storage.conformance.circumstances.cancellation import Attempt, Outcome, attempts
from clawdesk_storage.conformance.circumstances.linearizability import (
    SESSION,
    VECTOR,
    Answer,
    Call,
    Recorder,
    Specification,
    check,
    configuration,
    conversation,
    reduce,
    timeline,
)
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.conformance.trial import Inconclusive, Opened, Trial
from clawdesk_storage.models import AppConfig, ChannelId, Message, Session, SessionId, VectorResult
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
        for i in range(appends):
            await store.append_message(id, message(f"{task}.{i}"))
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
        for version in own:
            await store.save_config(version)
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


@dataclass(frozen=True)
class _Subject:
    """One object that tasks share, what they may ask of it, and what a correct one answers."""

    specification: Specification
    calls: Sequence[Callable[[int], tuple[Call, Awaitable[Any]]]]
    view: Callable[[Any], object]


def _session_subject(storage: Opened, key: str) -> _Subject:
    store, id = storage.sessions, SessionId(key)

    def seen(answer: Session | Sequence[Session] | None) -> Hashable:
        many = answer if isinstance(answer, Sequence) else [answer]
        return next((one.message_count for one in many if one is not None and one.id == id), None)

    return _Subject(
        SESSION,
        (
            lambda value: (Call("save", value), store.save(_version(value, key))),
            lambda value: (Call("save", value), store.save(_version(value, key))),
            lambda value: (Call("get"), store.get(id)),
            lambda value: (Call("list"), store.list(_ALL, 0)),
            lambda value: (Call("delete"), store.delete(id)),
        ),
        seen,
    )


def _conversation_subject(storage: Opened, key: str) -> _Subject:
    store, id = storage.conversations, SessionId(key)
    return _Subject(
        conversation(limit=_ALL),
        (
            lambda value: (Call("append", str(value)), store.append_message(id, _said(value))),
            lambda value: (Call("append", str(value)), store.append_message(id, _said(value))),
            lambda value: (Call("get", _ALL), store.get_messages(id, _ALL)),
            lambda value: (Call("get", 2), store.get_messages(id, 2)),
            lambda value: (Call("clear"), store.clear(id)),
        ),
        lambda answer: None if answer is None else tuple(_contents(answer)),
    )


def _said(value: int) -> Message:
    return message(str(value))


def _config_subject(storage: Opened, key: str) -> _Subject:
    store = storage.config

    def seen(answer: AppConfig | None) -> object:
        return None if answer is None else answer.model_dump().get("mark")

    return _Subject(
        configuration(default=None),
        (
            lambda value: (Call("save", value), store.save_config(_marked(value))),
            lambda value: (Call("get"), store.get_config()),
        ),
        seen,
    )


def _vector_subject(storage: Opened, key: str) -> _Subject:
    store = storage.vectors
    return _Subject(
        VECTOR,
        (
            lambda value: (Call("upsert", value), store.upsert(key, [1.0, 0.5], metadata=value)),
            lambda value: (Call("upsert", value), store.upsert(key, [1.0, 0.5], metadata=value)),
            lambda value: (Call("search"), store.search([1.0, 0.0], _ALL)),
            lambda value: (Call("search"), store.search([1.0, 0.0], _ALL)),
            lambda value: (Call("delete"), store.delete(key)),
        ),
        lambda answer: next((one.metadata for one in answer or () if one.id == key), None),
    )


_SUBJECTS = {
    "sessions": _session_subject,
    "conversations": _conversation_subject,
    "config": _config_subject,
    "vectors": _vector_subject,
}
_CLIENTS, _CALLS, _ROUNDS = 4, 5, 24


@law("CON-05", shuffled=True)
async def overlapping_operations_are_linearizable(trial: Trial) -> None:
    """Any recorded history of overlapping operations on one object is linearizable.

    The objects are one session, one conversation, the configuration and one vector. Linearizable
    means that each operation can be given one instant between its call and its return such that,
    done one after the other at these instants, they would have answered the same. A stale cache, a
    read that is answered from before a write that had returned, and a lost write all fail to fit.
    """
    for number in range(_ROUNDS):
        async with trial.open(number) as storage:
            for port in storage.raw:
                subject = _SUBJECTS[port](storage, "s")
                await _expect_linearizable(trial, port, subject)


async def _expect_linearizable(trial: Trial, port: str, subject: _Subject) -> None:
    recorder = Recorder()

    async def client(number: int) -> None:
        for i in range(_CALLS):
            make = trial.random.choice(subject.calls)
            call, pending = make(number * 10 + i + 1)
            await recorder.record(f"task {number}", call, pending, subject.view)
            if trial.random.random() < 0.3:
                await asyncio.sleep(0)

    await together(*map(client, range(_CLIENTS)))
    history, specification = recorder.history(), subject.specification
    answer = check(history, specification).answer
    if answer is Answer.INCONCLUSIVE:
        raise Inconclusive(f"the search for an order of the calls on {port} ran out of budget")
    if answer is Answer.NOT_LINEARIZABLE:
        drawn = timeline(reduce(history, specification))
        what = f"overlapping calls on one object of {port}\n{drawn}"
        trial.violated(what, "an order of the calls that explains the answers", "none")


_PATIENCE = 5.0


@dataclass(frozen=True)
class _Cancelled:
    """A call that changes something, and what the object may then be."""

    name: str
    call: Callable[[int], Coroutine[Any, Any, object]]
    read: Callable[[], Awaitable[Hashable]]
    after: Callable[[Hashable, int], Hashable]
    """For the state before and the number of the call the state after it."""
    settle: Callable[[int], Awaitable[object]]
    """A later call that is not cancelled."""
    settled: Callable[[Hashable, int], Hashable]


_Writes: TypeAlias = Sequence[_Cancelled]


def _session_writes(storage: Opened) -> _Writes:
    store = storage.sessions

    async def read() -> Hashable:
        one = await store.get(_S)
        return None if one is None else one.model_dump_json()

    def dumped(state: Hashable, number: int) -> Hashable:
        return _version(number, "s").model_dump_json()

    def save(number: int) -> Awaitable[object]:
        return store.save(_version(number, "s"))

    return (
        _Cancelled("sessions.save", lambda n: _run(save(n)), read, dumped, save, dumped),
        _Cancelled("sessions.delete", lambda n: _run(store.delete(_S)), read, _gone, save, dumped),
    )


def _gone(state: Hashable, number: int) -> Hashable:
    return None


async def _run(pending: Awaitable[object]) -> object:
    return await pending


def _conversation_writes(storage: Opened) -> _Writes:
    store = storage.conversations

    async def read() -> Hashable:
        return tuple(_contents(await store.get_messages(_S, _ALL)))

    def append(number: int) -> Awaitable[object]:
        return store.append_message(_S, _said(number))

    def appending(number: int) -> Coroutine[Any, Any, object]:
        return _run(append(number))

    def clearing(number: int) -> Coroutine[Any, Any, object]:
        return _run(store.clear(_S))

    name = "conversations."
    return (
        _Cancelled(name + "append_message", appending, read, _appended, append, _appended),
        _Cancelled(name + "clear", clearing, read, _cleared, append, _appended),
    )


def _appended(state: Any, number: int) -> Hashable:
    return (*state, str(number))


def _cleared(state: Hashable, number: int) -> Hashable:
    return ()


def _config_writes(storage: Opened) -> _Writes:
    store = storage.config

    async def read() -> Hashable:
        return (await store.get_config()).model_dump_json()

    def dumped(state: Hashable, number: int) -> Hashable:
        return _marked(number).model_dump_json()

    def save(number: int) -> Awaitable[object]:
        return store.save_config(_marked(number))

    return (_Cancelled("config.save_config", lambda n: _run(save(n)), read, dumped, save, dumped),)


def _vector_writes(storage: Opened) -> _Writes:
    store = storage.vectors

    async def read() -> Hashable:
        found = await store.search([1.0, 0.0], _ALL)
        return tuple((one.id, one.metadata, _fits(one)) for one in found)

    def stored(state: Hashable, number: int) -> Hashable:
        return (("s", number, True),)

    def upsert(number: int) -> Awaitable[object]:
        return store.upsert("s", _turned(number), metadata=number)

    return (
        _Cancelled("vectors.upsert", lambda n: _run(upsert(n)), read, stored, upsert, stored),
        _Cancelled(
            "vectors.delete", lambda n: _run(store.delete("s")), read, _cleared, upsert, stored
        ),
    )


def _reads(storage: Opened) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    reads: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {}
    if "sessions" in storage.raw:
        sessions = storage.sessions
        reads["sessions.get"] = lambda: _run(sessions.get(_S))
        reads["sessions.list"] = lambda: _run(sessions.list(10, 0))
        reads["sessions.list_by_channel"] = lambda: _run(sessions.list_by_channel(ChannelId("c")))
    if "conversations" in storage.raw:
        conversations = storage.conversations
        reads["conversations.get_messages"] = lambda: _run(conversations.get_messages(_S, 10))
    if "config" in storage.raw:
        config = storage.config
        reads["config.get_config"] = lambda: _run(config.get_config())
    if "vectors" in storage.raw:
        vectors = storage.vectors
        reads["vectors.search"] = lambda: _run(vectors.search([1.0, 0.0], 10))
    return reads


_WRITES = {
    "sessions": _session_writes,
    "conversations": _conversation_writes,
    "config": _config_writes,
    "vectors": _vector_writes,
}


@law("CON-06")
async def a_cancelled_call_took_place_or_did_not(trial: Trial) -> None:
    """A cancelled call took place or did not, nothing in between, and the store goes on working.

    The cancellation is not swallowed, and what was cancelled does not take place later, after
    another call has returned. Each call is cancelled at each of its awaits in turn: there a lock
    stays taken, a transaction open, a connection lost to its pool.
    """
    async with trial.open() as storage:
        writes = [write for port in storage.raw for write in _WRITES[port](storage)]
        for write in writes:
            await _expect_atomic(trial, write)
        for name, read in _reads(storage).items():
            async for attempt in attempts(read, timeout=_PATIENCE):
                _expect_cancelled(trial, name, attempt)
        for number, write in enumerate(writes, 900):
            async with _patience(trial, write.name, "after cancelled reads"):
                state = await write.read()
                await write.settle(number)
                came = await write.read()
            expected = write.settled(state, number)
            trial.same(expected, came, f"what {write.name} works on, after cancelled reads")


def _expect_cancelled(trial: Trial, name: str, attempt: Attempt) -> None:
    if attempt.outcome is not Outcome.CANCELLED:
        trial.violated(name, "CancelledError to reach the caller", str(attempt))


@asynccontextmanager
async def _patience(trial: Trial, name: str, what: str) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except TimeoutError:
        trial.violated(f"{name}, {what}", "the store to go on working", "a call that hangs")


async def _expect_atomic(trial: Trial, write: _Cancelled) -> None:
    number = 1
    await write.settle(number)
    before = await write.read()

    def call() -> Coroutine[Any, Any, object]:
        nonlocal number
        number += 2
        return write.call(number)

    async for attempt in attempts(call, timeout=_PATIENCE):
        _expect_cancelled(trial, write.name, attempt)
        async with _patience(trial, write.name, str(attempt)):
            came = await write.read()
            done = write.after(before, number)
            what = f"what {write.name} works on, {attempt}"
            trial.holds(came in (before, done), what, f"{before!r} or {done!r}", came)
            # It may have been under way still: until another call has returned, not longer.
            await write.settle(number + 1)
            later = await write.read()
            await asyncio.sleep(0.002)
            at_last = await write.read()
        after = [write.settled(state, number + 1) for state in (before, done)]
        what = f"what {write.name} works on, {attempt}, after a later call returned"
        trial.holds(later in after, what, " or ".join(map(repr, after)), later)
        trial.same(later, at_last, f"{what}, and a little later")
        before = at_last
