"""What the storage as a whole promises."""

import asyncio
import inspect
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from clawdesk_storage.conformance.circumstances.exploring import observation
from clawdesk_storage.conformance.circumstances.handles import Remote
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.circumstances.unreachable import close
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.calls import every_call
from clawdesk_storage.conformance.material.hostile import some_ids
from clawdesk_storage.conformance.material.model import IDS, Part, parts_of
from clawdesk_storage.conformance.material.operation import (
    Model,
    Operation,
    Raised,
    Recall,
    told,
)
from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.conformance.running.process import in_process
from clawdesk_storage.conformance.trial import LawViolation, NotOffered, Opened, Trial, entered
from clawdesk_storage.errors import ConnectionFailedError, NotFoundError, SerializationError
from clawdesk_storage.models import AppConfig, ChannelId, SessionId
from clawdesk_storage.ports import ConfigStore, ConversationStore, SessionStore, VectorStore

_PORTS: Mapping[str, type] = {
    "sessions": SessionStore,
    "conversations": ConversationStore,
    "config": ConfigStore,
    "vectors": VectorStore,
}


class _Resident:
    """Everything that may be stored under one id, port by port: what is there and what is seen."""

    def __init__(self, storage: Opened, id: str, mark: str) -> None:
        self._storage = storage
        self._session = session(id, "c", system_prompt=mark)
        self._messages = [message(mark), message(f"{mark} again")]
        self._id = SessionId(id)
        self._mark = mark

    async def write(self, port: str) -> None:
        storage = self._storage
        if port == "sessions":
            await storage.sessions.save(self._session)
        elif port == "conversations":
            for one in self._messages:
                await storage.conversations.append_message(self._id, one)
        else:
            await storage.vectors.upsert(self._id, [1.0, 1.0], metadata=self._mark)

    async def remove(self, port: str) -> None:
        storage = self._storage
        remove: Mapping[str, Callable[[], Awaitable[None]]] = {
            "sessions": lambda: storage.sessions.delete(self._id),
            "conversations": lambda: storage.conversations.clear(self._id),
            "vectors": lambda: storage.vectors.delete(self._id),
        }
        await remove[port]()

    async def read(self, port: str) -> object:
        storage = self._storage
        if port == "sessions":
            return await storage.sessions.get(self._id)
        if port == "conversations":
            return await storage.conversations.get_messages(self._id, limit=100)
        found = await storage.vectors.search([1.0, 1.0], top_k=10_000)
        return [one.metadata for one in found if one.id == self._id]

    def expected(self, port: str, there: bool) -> object:
        if port == "sessions":
            return self._session if there else None
        whole = self._messages if port == "conversations" else [self._mark]
        return whole if there else []


def _keyed_ports(storage: Opened) -> list[str]:
    ports = [name for name in storage.raw if name != "config"]
    if len(ports) < 2:
        raise NotOffered("this law needs two ports that store by id")
    return ports


@law("STO-01")
async def ids_are_per_port(trial: Trial) -> None:
    """A session, a conversation and a vector with the same id do not touch each other.

    One table or one key space for all, with the port left out of the key, makes deleting a session
    delete a vector.
    """
    for number, id in enumerate(["same", "config", *some_ids(trial.random, 6)]):
        async with trial.open(number) as storage:
            ports = _keyed_ports(storage)
            one = _Resident(storage, id, f"mark {number}")
            there = dict.fromkeys(ports, False)
            for change in (one.write, one.remove, one.write):
                for port in trial.random.sample(ports, len(ports)):
                    await change(port)
                    there[port] = change != one.remove
                    for other in ports:
                        what = f"{other} of id {id[:40]!r}, after {change.__name__} in {port}"
                        trial.same(one.expected(other, there[other]), await one.read(other), what)
            if "config" in storage.raw:
                trial.same(AppConfig(), await storage.config.get_config(), "the configuration")
    async with trial.open(99) as storage:
        await _expect_family_apart(trial, storage)


# What a key made of a port, an id and a position may look like, used as an id itself.
_FAMILY = ("x", "m:x", "x:0", "x/0", "s:x", "session:x", "messages:x", "vector:x", "config")


async def _expect_family_apart(trial: Trial, storage: Opened) -> None:
    """Remove each from each port in turn, where all have everything, and look at all others."""
    ports = _keyed_ports(storage)
    configured = AppConfig.model_validate({"mark": "configured"})
    family = {id: _Resident(storage, id, f"mark of {id}") for id in _FAMILY}
    there = dict.fromkeys([(id, port) for id in family for port in ports], True)
    for id, port in sorted(there, key=lambda place: ports.index(place[1])):
        await family[id].write(port)
    for id, port in there:
        what = f"{port} of id {id!r}, after all were written"
        trial.same(family[id].expected(port, there=True), await family[id].read(port), what)
    if "config" in storage.raw:
        await storage.config.save_config(configured)
    for removed in trial.random.sample(list(there), len(there)):
        await family[removed[0]].remove(removed[1])
        there[removed] = False
        for (id, port), kept in there.items():
            what = f"{port} of id {id!r}, after {removed[0]!r} was removed from {removed[1]}"
            trial.same(family[id].expected(port, kept), await family[id].read(port), what)
        if "config" in storage.raw:
            what = f"the configuration, after {removed[0]!r} was removed from {removed[1]}"
            trial.same(configured, await storage.config.get_config(), what)


_TASKS = 24


async def _rush_sessions(trial: Trial, storage: Opened) -> None:
    store = storage.sessions
    many = [session(f"s{i:02}", last_activity=moment(-i)) for i in range(_TASKS)]
    reads = [store.list(5, 0), store.get(SessionId("nobody")), store.delete(SessionId("nobody"))]
    await together(*reads, *map(store.save, many), store.list_by_channel(ChannelId("c")))
    trial.same(many, await store.list(100, 0), "the sessions saved by the first calls of all")


async def _rush_conversations(trial: Trial, storage: Opened) -> None:
    store = storage.conversations
    ids = [SessionId(f"s{i:02}") for i in range(_TASKS)]
    appends = [store.append_message(id, message(id)) for id in ids]
    shared = [store.append_message(SessionId("all"), message(id)) for id in ids]
    await together(store.get_messages(ids[0], 5), store.clear(SessionId("x")), *appends, *shared)
    for id in ids:
        came = await store.get_messages(id, limit=10)
        trial.same([message(id)], came, f"the messages of {id!r}, appended by a first call")
    came = await store.get_messages(SessionId("all"), limit=100)
    contents = sorted(one.content for one in came)
    trial.same(sorted(ids), contents, "the messages of one session, appended by the first calls")


async def _rush_config(trial: Trial, storage: Opened) -> None:
    store = storage.config
    saved = AppConfig.model_validate({"gateway": {"port": 1}})
    seen = await together(
        *(store.get_config() for _ in range(_TASKS // 2)),
        store.save_config(saved),
        *(store.get_config() for _ in range(_TASKS // 2)),
    )
    for one in seen:
        whole = one is None or one in (saved, AppConfig())
        trial.holds(whole, "a configuration read by a first call", "the default or the saved", one)
    trial.same(saved, await store.get_config(), "the configuration saved by a first call")


async def _rush_vectors(trial: Trial, storage: Opened) -> None:
    store = storage.vectors
    ids = [f"v{i:02}" for i in range(_TASKS)]
    upserts = [store.upsert(id, [1.0, i], metadata=id) for i, id in enumerate(ids)]
    await together(store.search([1.0, 0.0], 5), store.delete("nothing"), *upserts)
    came = await store.search([1.0, 0.0], top_k=100)
    trial.same(ids, [one.id for one in came], "the vectors stored by the first calls of all")


_RUSHES = {
    "sessions": _rush_sessions,
    "conversations": _rush_conversations,
    "config": _rush_config,
    "vectors": _rush_vectors,
}


@law("STO-02")
async def first_use_from_many_tasks_works(trial: Trial) -> None:
    """First use from many tasks at once works, in each port and in all together.

    A connection or a schema that is made on first use is made by several tasks at once: one finds
    a table that exists, another a lock, a third loses what it wrote before the second replaced it.
    """
    async with trial.open() as storage:
        offered = list(storage.raw)
        await together(*(_RUSHES[name](trial, storage) for name in offered))
    for number, name in enumerate(offered, 1):
        async with trial.open(number) as storage:
            await _RUSHES[name](trial, storage)


@law("STO-03")
async def a_closed_storage_says_so(trial: Trial) -> None:
    """After the storage is closed, every method raises `ConnectionFailedError`.

    A store that opens itself again writes into a file that somebody is deleting; one that answers
    from memory acknowledges what is lost; a driver's own exception is caught by nobody.
    """
    for number, used in enumerate((True, False)):
        async with trial.open(number) as storage:
            calls = every_call(storage)
            for call in calls.values() if used else ():
                await call()
        for _ in range(2):
            for method, call in calls.items():
                what = f"{method} after the storage was closed"
                await trial.refused(ConnectionFailedError, call(), what)
    await close(trial, 2)


def _methods(port: type) -> list[str]:
    return [name for name, value in vars(port).items() if inspect.iscoroutinefunction(value)]


@law("STO-04")
async def every_store_has_its_ports_shape(trial: Trial) -> None:
    """Every store has the port's shape: methods that are coroutine functions, called as the port's.

    Parameters before the slash are passed by position, the others by position or by name. None of
    the methods is the Protocol's own stub, which a class that inherits from the port keeps where
    it forgets one, and which returns None.
    """
    async with trial.open() as storage:
        for name in storage.raw:
            store, port = storage.raw[name], _PORTS[name]
            for method in _methods(port):
                _expect_shape(trial, store, port, name, method)
            ported = isinstance(store, port)
            what = f"isinstance({name}, {port.__name__})"
            trial.holds(
                ported, what, "methods defined on the class, not found by __getattr__", store
            )


def _expect_shape(trial: Trial, store: object, port: type, name: str, method: str) -> None:
    what = f"{name}.{method}"
    bound: Any = getattr(store, method, None)
    trial.holds(callable(bound), what, "a method", bound)
    stub = getattr(type(store), method, None) is vars(port)[method]
    trial.holds(not stub, what, "a method of the store's own", f"the stub of {port.__name__}")
    is_async = inspect.iscoroutinefunction(bound)
    trial.holds(is_async, what, "a coroutine function, defined by async def", bound)
    own, ports = inspect.signature(bound), inspect.signature(vars(port)[method])
    parameters = list(ports.parameters.values())[1:]
    for by_name in (False, True):
        arguments, keywords = _call_as(parameters, by_name)
        try:
            own.bind(*arguments, **keywords)
        except TypeError as error:
            called = ", ".join([*arguments, *(f"{key}=…" for key in keywords)])
            trial.violated(what, f"to be callable as {method}({called})", f"{method}{own}: {error}")


def _call_as(
    parameters: Sequence[inspect.Parameter], by_name: bool
) -> tuple[list[str], dict[str, str]]:
    """The port's parameters as a call passes them, each standing for itself."""
    keywords = [one.name for one in parameters if by_name and one.kind is not one.POSITIONAL_ONLY]
    return [one.name for one in parameters if one.name not in keywords], dict.fromkeys(keywords, "")


@law("STO-05")
async def another_location_shares_nothing(trial: Trial) -> None:
    """Two locations share nothing, open one after the other or at once.

    They share nothing whatever they are called: the same name in two folders, names that differ in
    punctuation alone. State kept in a class or a module, a database named by its folder's last name
    or by a name made clean, joins what two gateways believe to be their own.
    """
    async with trial.open(0) as first:
        await _fill(first, "first", [1.0, 0.0])
        async with trial.open(1) as second:
            await _expect_empty(trial, second)
            await _fill(second, "second", [0.0, 1.0, 0.0])
            await _expect_filled(trial, first, "first", [1.0, 0.0])
            await _expect_filled(trial, second, "second", [0.0, 1.0, 0.0])
    async with trial.open(2) as third:
        await _expect_empty(trial, third)
    opened = list[Opened]()
    async with AsyncExitStack() as stack:
        for index, form in enumerate(_forms(trial)):
            storage = await stack.enter_async_context(trial.open(3, form))
            await _expect_empty(trial, storage)
            await _fill(storage, f"number {index}", [1.0, float(index)])
            opened.append(storage)
        for index, storage in enumerate(opened):
            await _expect_filled(trial, storage, f"number {index}", [1.0, float(index)])


_FORMS = (
    "{name}", "a/{name}", "b/{name}", "a b/{name}", "{name} ", " {name}", "{name}.", "{name}.x",
    "{name}.y", "{name}-x", "{name}_x", "{name} x", "{name}?x", "{name}#x", "{name}%20x", "{name}%",
    "{name}&x=1", "{name}'x", "{name}\"x", "{name};x", "{name}:x", "{name}X", "{name}x",
    "{name}é", "{name}e\u0301", "{name}ﬁ", "{name}fi", "{name}日", "{name}本",
    *("{name}" + length * "x" + end for length in (64, 160) for end in "yz"),
)  # fmt: skip
"""Paths that differ in folders, or in what names are often cleaned or cut of."""


def _forms(trial: Trial) -> Iterator[str]:
    """Yield those that lead to a folder of their own: not every system keeps them apart."""
    seen = set[tuple[int, int]]()
    for form in _FORMS:
        folder = trial.location(3, form).stat()
        if (folder.st_dev, folder.st_ino) not in seen:
            seen.add((folder.st_dev, folder.st_ino))
            yield form


class _Own(Exception):
    """What a caller raises in its own block."""


@law("STO-06")
async def an_exception_of_the_caller_is_passed_on(trial: Trial) -> None:
    """The exception that ends an `async with` block is the caller's: opening passes it on.

    An `__aexit__` that returns something true swallows it, and one that translates it tells the
    caller of an error of the storage's. What was acknowledged in the block stays.
    """
    made = list[Operation]()
    for error in _errors_of_a_caller():
        came: BaseException | None = None
        try:
            async with entered(trial.backend, trial.location()) as storage:
                for part in parts_of(Opened(storage, trial.calls).raw):
                    made.append(part.changes[0](trial.random, IDS))
                    await made[-1].on(storage)
                trial.note(f"the caller raises {type(error).__name__} in its block")
                raise error
        except BaseException as caught:  # noqa: BLE001  (that is the question)
            came = caught
        passed = came is error
        trial.holds(passed, "what leaves the block", f"the {type(error).__name__} raised", came)
    if trial.backend.claims("durable"):
        model = Model(Recall(trial.backend.recall)).after(*made)
        async with trial.open() as storage:
            for read in observation(parts_of(storage.raw), made):
                what = "written in blocks that ended with an exception"
                _expect_answer(model, read, await read.on(storage), what)


def _errors_of_a_caller() -> Iterator[BaseException]:
    """Yield what a caller may raise: of its own, of Python's, and of another storage's."""
    yield from (_Own("mine"), ValueError("mine"), asyncio.CancelledError(), SystemExit(3))
    yield from (FileNotFoundError(2, "mine"), TimeoutError("mine"), ConnectionResetError("mine"))
    yield from (NotFoundError("mine"), SerializationError("mine"), sqlite3.OperationalError("mine"))


_END = 10.0
"""Seconds that calls in flight have to end."""


@law("STO-07", shuffled=True)
async def calls_in_flight_end_when_it_is_closed(trial: Trial) -> None:
    """Calls in flight when the storage is closed end: answered, or with `ConnectionFailedError`.

    None hangs: a queue that nobody serves any more, or a connection that is waited for and never
    comes, holds up the program that wants to end.
    """
    for number in range(6):
        random, calls = trial.random, list[asyncio.Task[object]]()
        async with trial.open(number) as storage:
            for part in parts_of(storage.raw):
                operations = [part.draw(random, IDS) for _ in range(4)]
                calls += [asyncio.create_task(one.on(storage)) for one in operations]
            for _ in range(random.randrange(12)):
                await asyncio.sleep(0)
        _, hanging = await asyncio.wait(calls, timeout=_END)
        trial.holds(not hanging, "calls in flight at closing", "all to end", f"{len(hanging)} hang")
        for call in calls:
            answer = None if call.cancelled() else call.result()
            kind = answer.kind if isinstance(answer, Raised) else ""
            ended = kind in ("", "ConnectionFailedError", "ValueError", "SerializationError")
            what = "a call in flight at closing"
            trial.holds(ended, what, "an answer or ConnectionFailedError", answer)
            trial.holds(
                not call.cancelled(), what, "an end", "a cancellation that nobody asked for"
            )


@law("STO-08", claim="durable")
async def a_relative_location_stays_where_it_is(trial: Trial) -> None:
    """A location given as a relative path is the same place when the program goes elsewhere.

    A path that is looked up again at each connection begins a second storage in another folder.
    """
    model, made = Model(Recall(trial.backend.recall)), list[Operation]()
    async with trial.open() as storage:
        parts = parts_of(storage.raw)
        for part in parts:
            made.append(part.changes[0](trial.random, IDS))
            _expect_answer(model, made[-1], await made[-1].on(storage), "at first")
    relative, elsewhere = _apart(trial)
    async with in_process(trial.backend, relative) as process:
        await process.opened()
        remote = Remote(process)
        for moved in (False, True, True):
            if moved:
                trial.note("the other process changes its directory")
                await process.call("move", str(elsewhere))
            for part in parts:
                made.append(part.changes[0](trial.random, IDS))
                answer = await remote.perform(made[-1])
                _expect_answer(model, made[-1], answer, "through a relative location")
        for read in observation(parts, made):
            what = "in another directory than that of the opening"
            _expect_answer(model, read, await remote.perform(read), what)
        await process.closed()
    async with trial.open() as storage:
        for read in observation(parts, made):
            what = "written through a relative location, read through the absolute one"
            _expect_answer(model, read, await read.on(storage), what)


def _apart(trial: Trial) -> tuple[Path, Path]:
    """The location as a relative path, and a folder from which that leads somewhere else."""
    relative = Path(os.path.relpath(trial.location()))
    deeper = "deeper/" * len(relative.parts)
    return relative, trial.location(1, deeper + "{name}")


def _expect_answer(model: Model, operation: Operation, came: object, what: str) -> None:
    lines = model.differs(operation, came)
    if lines:
        raise LawViolation("\n".join([f"{operation}, {what}", *lines]))


_Answer: TypeAlias = tuple[str, Any]
"""A call, and what came of it."""


@law("STO-09")
async def two_event_loops_do_not_disturb_each_other(trial: Trial) -> None:
    """Storages open in two event loops of one process do not disturb each other.

    A lock, a queue or a pool that a module keeps for all belongs to the loop that used it first.
    Where the storage is shared, the two loops have one location open as well.
    """
    async with trial.open() as storage:
        parts = parts_of(storage.raw)
    alone = [await _answers(trial, parts, number, 10 + number) for number in (1, 2)]
    at_once = await _in_two_loops(trial, parts, 1, 2)
    for expected, came in zip(alone, at_once, strict=True):
        for (what, was), (_, now) in zip(expected, came, strict=True):
            lines = told(was, now)
            if lines:
                about = f"{what}, while another loop makes calls of its own, as without it"
                raise LawViolation("\n".join([about, *lines]))
    if trial.backend.claims("shared"):
        for what, came in [one for part in await _in_two_loops(trial, parts, 3, 3) for one in part]:
            answered = not isinstance(came, Raised) or came.kind == "ValueError"
            about = f"{what}, while another loop makes calls on the same location"
            trial.holds(answered, about, "an answer", came)


async def _in_two_loops(
    trial: Trial, parts: Sequence[Part], here: int, there: int
) -> list[Sequence[_Answer]]:
    """Make the calls of two seeds at once, here and in another loop, each on a location."""

    def other_loop() -> Sequence[_Answer]:
        return asyncio.run(_answers(trial, parts, 2, there))

    return await together(_answers(trial, parts, 1, here), asyncio.to_thread(other_loop))


async def _answers(
    trial: Trial, parts: Sequence[Part], seed: int, number: int
) -> Sequence[_Answer]:
    """Make the calls of a seed on the location of a number, and then read everything."""
    random, answers = Random(seed), list[_Answer]()  # noqa: S311
    async with trial.open(number) as storage:
        exact = trial.backend.recall == 1
        reads = [one for one in observation(parts, []) if exact or not one.nearest]
        for _ in range(8):
            for part in parts:
                calls = [random.choice(part.changes)(random, [id]) for id in IDS[:5]]
                answers += await _told_of(storage, calls[:1] if part.single else calls)
            asked = [[one for one in reads if one.port == part.port] for part in parts]
            answers += await _told_of(storage, [random.choice(one) for one in asked * 3])
        answers += await _told_of(storage, reads)
    return answers


async def _told_of(storage: Opened, calls: Sequence[Operation]) -> list[_Answer]:
    """Make calls at once, and return each with its answer."""
    return list(
        zip(map(str, calls), await together(*(one.on(storage) for one in calls)), strict=True)
    )


_CYCLES = 8


@law("STO-10")
async def a_closed_storage_leaves_nothing(trial: Trial) -> None:
    """A closed storage leaves nothing behind: no thread, no task, no open file or socket.

    A program that opens one for each request comes to its limit of descriptors after a day. Calls
    of each kind were made in it, and some were cancelled.
    """
    await _used(trial)  # what the first opening leaves may be there for all that follow
    tasks, before = asyncio.all_tasks(), _resources()
    for _ in range(_CYCLES):
        await _used(trial)
    for _ in range(100):
        if not any(_left(before)):
            break
        await asyncio.sleep(0.02)  # a thread takes its time to end
    threads, files = _left(before)
    trial.holds(not threads, f"after {_CYCLES} openings", "no more threads", threads)
    trial.holds(not files, f"after {_CYCLES} openings", "no more open files", f"{files} more")
    left = [str(task.get_coro()) for task in asyncio.all_tasks() - tasks if not task.done()]
    trial.same([], left, "the tasks left by storages that were closed")


async def _used(trial: Trial) -> None:
    async with trial.open() as storage:
        for part in parts_of(storage.raw):
            reads = list(part.reads(IDS[:1]))
            await together(*(read.on(storage) for read in reads))
            await part.changes[0](trial.random, IDS).on(storage)
            await _cancelled(storage, [*reads, *(draw(trial.random, IDS) for draw in part.changes)])


async def _cancelled(storage: Opened, calls: Sequence[Operation]) -> None:
    """Make calls of every method that are cancelled soon."""
    once = {one.method: one for one in calls}.values()
    tasks = [asyncio.create_task(_made(storage, one)) for one in once]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _made(storage: Opened, call: Operation) -> object:
    return await call.on(storage)


def _resources() -> tuple[set[threading.Thread], int]:
    """The threads there are, and how many files are open."""
    folder = Path("/proc/self/fd")
    return set(threading.enumerate()), len(list(folder.iterdir())) if folder.exists() else 0


def _left(before: tuple[set[threading.Thread], int]) -> tuple[list[str], int]:
    """What each opening has left; once and for all something may be, and others run beside."""
    threads, files = _resources()
    # Those of the loop's own executor end with the loop.
    more = [one.name for one in threads - before[0] if not one.name.startswith("asyncio_")]
    grown = files - before[1]
    return (more if len(more) >= _CYCLES else []), (grown if grown >= _CYCLES else 0)


async def _fill(storage: Opened, mark: str, vector: Sequence[float]) -> None:
    if "sessions" in storage.raw:
        await storage.sessions.save(session("s", "c", system_prompt=mark))
    if "conversations" in storage.raw:
        await storage.conversations.append_message(SessionId("s"), message(mark))
    if "config" in storage.raw:
        await storage.config.save_config(AppConfig.model_validate({"mark": mark}))
    if "vectors" in storage.raw:
        await storage.vectors.upsert("v", vector, metadata=mark)


async def _expect_filled(trial: Trial, storage: Opened, mark: str, vector: Sequence[float]) -> None:
    what = f"in the {mark} location"
    if "sessions" in storage.raw:
        expected = [session("s", "c", system_prompt=mark)]
        trial.same(expected, await storage.sessions.list(10, 0), f"the sessions {what}")
    if "conversations" in storage.raw:
        came = await storage.conversations.get_messages(SessionId("s"), limit=10)
        trial.same([message(mark)], came, f"the messages {what}")
    if "config" in storage.raw:
        config = AppConfig.model_validate({"mark": mark})
        trial.same(config, await storage.config.get_config(), f"the configuration {what}")
    if "vectors" in storage.raw:
        found = await storage.vectors.search(vector, top_k=10)
        trial.same([mark], [one.metadata for one in found], f"the vectors {what}")


async def _expect_empty(trial: Trial, storage: Opened) -> None:
    what = "in a location never used"
    if "sessions" in storage.raw:
        trial.same([], await storage.sessions.list(10, 0), f"the sessions {what}")
    if "conversations" in storage.raw:
        came = await storage.conversations.get_messages(SessionId("s"), limit=10)
        trial.same([], came, f"the messages {what}")
    if "config" in storage.raw:
        trial.same(AppConfig(), await storage.config.get_config(), f"the configuration {what}")
    if "vectors" in storage.raw:
        for query in ([1.0, 0.0], [1.0, 0.0, 0.0]):
            trial.same([], await storage.vectors.search(query, 10), f"the vectors {what}")
