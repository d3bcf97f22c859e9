"""What a shared storage promises: that two handles on one location are one storage."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

from clawdesk_storage.conformance.circumstances.exploring import explore
from clawdesk_storage.conformance.circumstances.handles import OtherHandles, OtherProcesses
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.numbered import IDS, NumberedCalls
from clawdesk_storage.conformance.running.process import in_process
from clawdesk_storage.conformance.trial import Opened, Trial

_FAST, _SLOW = ("a", "b"), ("c", "d")
"""The names of the tasks that write through one handle, and through the other."""

_HURRY = 1.0
"""For how many seconds the fast ones write at most: a lock that is not fair would starve others."""

_WRITES = 48
"""How often each slow task writes to each port."""

_Call: TypeAlias = Callable[..., Awaitable[Any]]


def _local(storage: Opened) -> _Call:
    """The calls of a handle in this process, by the names that the other process knows too."""
    calls = NumberedCalls(storage)

    async def call(name: str, *arguments: object) -> Any:
        return await getattr(calls, name)(*arguments)

    return call


async def _expect_none_lost(trial: Trial, one: Opened, other: _Call) -> None:
    """Write through both handles at once, with two tasks each, and read through each."""
    for port in one.raw:
        counts = await _filled(port, one, other)
        for who, call in enumerate((_local(one), other), 1):
            what = f"read by handle {who}, after both wrote at once"
            await _EXPECT_FILLED[port](trial, counts, call, what)


async def _filled(port: str, one: Opened, other: _Call) -> dict[str, int]:
    """Write through one handle as fast as it goes for as long as the other writes with pauses.

    However busy the machine is, the slow one then often wakes between two steps of the fast one.
    Return how often each task wrote.
    """
    unrecorded = NumberedCalls(SimpleNamespace(**one.raw))  # to record them takes longer than they
    ended, last = asyncio.Event(), time.monotonic() + _HURRY

    async def hurry(name: str) -> int:
        written = 0
        while not ended.is_set() and time.monotonic() < last:
            await unrecorded.write(port, name, written)
            written += 1
            await asyncio.sleep(0)  # a store need not yield
        return written

    hurried = [asyncio.ensure_future(hurry(name)) for name in _FAST]
    try:
        await together(*(other("write_slowly", port, name, _WRITES) for name in _SLOW))
    finally:
        ended.set()
        counts = await together(*hurried)
    return dict(zip(_FAST, counts, strict=True)) | dict.fromkeys(_SLOW, _WRITES)


async def _expect_messages(trial: Trial, counts: Mapping[str, int], call: _Call, what: str) -> None:
    came = await call("messages", "both")
    trial.same(sum(counts.values()), len(came), f"how many messages are there, {what}")
    for name, count in counts.items():
        own = [text for text in came if text.startswith(f"{name}.")]
        trial.same([f"{name}.{n}" for n in range(count)], own, f"task {name}'s messages, {what}")


async def _expect_sessions(trial: Trial, counts: Mapping[str, int], call: _Call, what: str) -> None:
    trial.same(_numbered(counts), await call("listed"), f"the sessions, {what}")


async def _expect_vectors(trial: Trial, counts: Mapping[str, int], call: _Call, what: str) -> None:
    trial.same(_numbered(counts), await call("found"), f"the vectors, {what}")


async def _expect_config(trial: Trial, counts: Mapping[str, int], call: _Call, what: str) -> None:
    came, last = await call("configured"), {count - 1 for count in counts.values()}
    trial.holds(came in last, f"the configuration, {what}", f"a version in {last}", came)


def _numbered(counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}.{n % IDS}": n for name, count in counts.items() for n in range(count)}


_EXPECT_FILLED = {
    "sessions": _expect_sessions,
    "conversations": _expect_messages,
    "config": _expect_config,
    "vectors": _expect_vectors,
}


@law("SHR-01", claim="shared")
async def another_handle_sees_finished_writes_at_once(trial: Trial) -> None:
    """Two handles open on one location in one process see each other's finished writes at once.

    What one has read and another then replaces, deletes or clears is included: a cache that is
    filled on opening, or renewed only when a count has changed, shows the other handle's past, and
    one that knows what is absent never learns of it. Two openings of a fresh location do not
    collide.
    """
    await explore(trial, OtherHandles(), runs=15, length=80, every=10)


@law("SHR-02", claim="shared")
async def two_handles_lose_none_of_each_others_writes(trial: Trial) -> None:
    """Two handles open on one location in one process lose none of each other's concurrent writes.

    A position counted by each handle for itself gives two messages the same one.
    """
    async with trial.open() as one, trial.open() as other:
        await _expect_none_lost(trial, one, _local(other))


@law("SHR-03", claim="shared")
async def another_process_sees_finished_writes_at_once(trial: Trial) -> None:
    """Two processes that have one location open see each other's finished writes at once.

    The other processes were started, and have opened the location, before anything was written.
    """
    await explore(trial, OtherProcesses(), runs=1, length=480, every=12)


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
        await _expect_none_lost(trial, storage, process.call)
