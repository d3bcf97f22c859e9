"""What the storage as a whole promises."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.calls import every_call
from clawdesk_storage.conformance.material.hostile import some_ids
from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.conformance.trial import NotOffered, Opened, Trial
from clawdesk_storage.errors import ConnectionFailedError
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

    State kept in a class or a module, or a database named without its location, joins what two
    gateways believe to be their own.
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
