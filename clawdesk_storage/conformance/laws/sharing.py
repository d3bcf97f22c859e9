"""What a shared storage promises: that two handles on one location are one storage."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.numbered import NumberedCalls
from clawdesk_storage.conformance.process import in_process
from clawdesk_storage.conformance.together import together
from clawdesk_storage.conformance.trial import Opened, Trial

_Call: TypeAlias = Callable[..., Awaitable[Any]]


def _local(storage: Opened) -> _Call:
    """The calls of a handle in this process, by the names that the other process knows too."""
    calls = NumberedCalls(storage)

    async def call(name: str, *arguments: object) -> Any:
        return await getattr(calls, name)(*arguments)

    return call


async def _expect_seen(trial: Trial, ports: Sequence[str], one: _Call, other: _Call) -> None:
    """Write through each handle twice in turn, and read at once through the other.

    Twice, because a handle that writes itself may renew what it has kept.
    """
    texts: list[str] = []
    for number in range(8):
        turn = number // 2 % 2
        write, read = (one, other) if turn == 0 else (other, one)
        who = f"written by handle {turn + 1}, read by the other"
        if "sessions" in ports:
            await write("save", "s", number)
            trial.same(number, await read("get", "s"), f"the session's version, {who}")
        if "conversations" in ports:
            if number == 4:
                await write("clear", "s")
                texts.clear()
                trial.same([], await read("messages", "s"), f"the messages, cleared, {who}")
            texts.append(f"m{number}")
            await write("append", "s", texts[-1])
            trial.same(list(texts), await read("messages", "s"), f"the messages, {who}")
        if "config" in ports:
            await write("configure", number)
            trial.same(number, await read("configured"), f"the configuration's version, {who}")
        if "vectors" in ports:
            await write("upsert", "v", number)
            trial.same({"v": number}, await read("found"), f"the vectors, {who}")
            if number == 3:
                await write("forget", "v")
                trial.same({}, await read("found"), f"the vectors, deleted, {who}")


_APPENDS = 12


async def _expect_none_lost(trial: Trial, ports: Sequence[str], handles: Sequence[_Call]) -> None:
    """Write through all handles at once, with two tasks each, and read through each."""
    names = [f"{task}" for task in range(2 * len(handles))]
    writers = [_write(ports, handles[i % len(handles)], name) for i, name in enumerate(names)]
    await together(*writers)
    for who, call in enumerate(handles, 1):
        what = f"read by handle {who}, after both wrote at once"
        if "conversations" in ports:
            _expect_messages(trial, names, await call("messages", "both"), what)
        written = {f"{name}.{n}": n for name in names for n in range(_APPENDS)}
        if "sessions" in ports:
            lost = [id for id, n in written.items() if await call("get", id) != n]
            trial.same([], lost, f"the sessions that are lost, {what}")
        if "vectors" in ports:
            trial.same(written, await call("found"), f"the vectors, {what}")
        if "config" in ports:
            trial.same(_APPENDS - 1, await call("configured"), f"the configuration, {what}")


async def _write(ports: Sequence[str], call: _Call, name: str) -> None:
    for n in range(_APPENDS):
        if "conversations" in ports:
            await call("append", "both", f"{name}.{n}")
        if "sessions" in ports:
            await call("save", f"{name}.{n}", n)
        if "vectors" in ports:
            await call("upsert", f"{name}.{n}", n)
        if "config" in ports:
            await call("configure", n)


def _expect_messages(trial: Trial, names: Sequence[str], came: Sequence[str], what: str) -> None:
    trial.same(len(names) * _APPENDS, len(came), f"how many messages are there, {what}")
    for name in names:
        own = [text for text in came if text.startswith(f"{name}.")]
        trial.same([f"{name}.{n}" for n in range(_APPENDS)], own, f"task {name}'s messages, {what}")


@law("SHR-01", claim="shared")
async def another_handle_sees_finished_writes_at_once(trial: Trial) -> None:
    """Two handles open on one location in one process see each other's finished writes at once.

    Replaced values, deleted entries and cleared conversations are included: a cache that is filled
    on opening, or renewed only when a count has changed, shows the other handle's past.
    """
    async with trial.open() as one, trial.open() as other:
        await _expect_seen(trial, list(one.raw), _local(one), _local(other))
        if "vectors" in one.raw:
            for storage in (one, other):
                upsert = storage.vectors.upsert("x", [1.0, 2.0], metadata=None)
                await trial.refused(ValueError, upsert, "another dimension than the other handle's")


@law("SHR-02", claim="shared")
async def two_handles_lose_none_of_each_others_writes(trial: Trial) -> None:
    """Two handles open on one location in one process lose none of each other's concurrent writes.

    A position counted by each handle for itself gives two messages the same one.
    """
    async with trial.open() as one, trial.open() as other:
        await _expect_none_lost(trial, list(one.raw), [_local(one), _local(other)])


@law("SHR-03", claim="shared")
async def another_process_sees_finished_writes_at_once(trial: Trial) -> None:
    """Two processes that have one location open see each other's finished writes at once.

    The other process was started, and has opened the location, before anything was written.
    """
    async with (
        trial.open() as storage,
        in_process(trial.backend, trial.location()) as process,
    ):
        await process.opened()
        await _expect_seen(trial, list(storage.raw), _local(storage), process.call)


@law("SHR-04", claim="shared")
async def two_processes_lose_none_of_each_others_writes(trial: Trial) -> None:
    """Two processes that write at once to one session, conversation and vectors lose nothing.

    Locks of one process do not hold the other back, and MAX(position) + 1 is the same for both.
    """
    async with (
        trial.open() as storage,
        in_process(trial.backend, trial.location()) as process,
    ):
        await process.opened()
        handles = [_local(storage), process.call]
        await _expect_none_lost(trial, list(storage.raw), handles)
