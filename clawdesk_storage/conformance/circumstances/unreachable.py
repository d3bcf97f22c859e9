"""Out of reach: the storage is closed, or its engine is away, and every call has to say so.

What is asked for is there and was read just before, by every way of reading; what is changed is
there too, and new. Calls that are in flight when the engine goes are made or not, then and not
later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from itertools import product
from random import Random
from typing import Any

from clawdesk_storage.conformance.circumstances.exploring import observation
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.model import IDS, Part, parts_of
from clawdesk_storage.conformance.material.operation import Model, Operation, Raised, Recall
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation, Opened, Trial

__all__ = [
    "calls_needing_the_engine", "close", "expect_unreachable", "interrupt", "known", "outage",
    "recovered",
]  # fmt: skip

_AWAY = Raised("ConnectionFailedError")

_BOUND = 20.0
"""Seconds within which a call must give up."""

_RECOVERY = 10.0
"""Seconds that a handle has to find the engine again, once it is back."""


async def known(random: Random, storage: Opened) -> list[Operation]:
    """Fill a storage, and return calls of every kind on what is there and was just read."""
    for part in parts_of(storage.raw):
        for id in IDS:
            await part.changes[0](random, [id]).on(storage)
    return await calls_needing_the_engine(random, storage)


async def calls_needing_the_engine(random: Random, storage: Opened) -> list[Operation]:
    """Read everything, and return these calls again, and each kind of change."""
    parts = parts_of(storage.raw)
    reads = observation(parts, [Operation(part.port, "", (), id) for part in parts for id in IDS])
    answers = await together(*(read.on(storage) for read in reads))
    # What is refused may be so without the engine.
    taken = [one for one, came in zip(reads, answers, strict=True) if not isinstance(came, Raised)]
    return [*taken, *(draw(random, IDS) for part in parts for draw in part.changes)]


def outage(trial: Trial, number: int = 0) -> AbstractAsyncContextManager[object]:
    """Let the engine of the trial's location of that number be out of reach."""
    if trial.backend.outage is None:  # the runner tries these laws only where there is a hook
        raise RuntimeError("an outage law needs an outage hook")
    return trial.backend.outage(trial.location(number))


async def recovered(storage: Opened) -> None:
    """Wait until every way of reading works: a call that cannot know yet may fail once more.

    Raises:
        LawViolation: One does not, however often it is tried.
    """
    try:
        async with asyncio.timeout(_RECOVERY):
            for read in observation(parts_of(storage.raw), []):
                while await read.on(storage) == _AWAY:  # noqa: ASYNC110  (nothing says when)
                    await asyncio.sleep(0.05)
    except TimeoutError:
        what = f"the handle, {_RECOVERY:g} seconds after the engine came back"
        told = "  expected  answers\n  came      ConnectionFailedError still"
        raise LawViolation(f"{what}\n{told}") from None


async def expect_unreachable(
    storage: Opened, calls: Sequence[Operation], when: str, *, at_once: bool
) -> None:
    """Expect that each call raises `ConnectionFailedError`, and soon."""

    async def expect(call: Operation) -> None:
        try:
            async with asyncio.timeout(_BOUND):
                came = await call.on(storage)
        except TimeoutError:
            came = f"a call that hangs for {_BOUND:g} seconds"
        if came != _AWAY:
            expected = "  expected  ConnectionFailedError"
            raise LawViolation(f"{call}, {when}\n{expected}\n  came      {came!r:.300}")

    if at_once:
        await together(*map(expect, calls))
    else:
        for call in calls:
            await expect(call)


async def close(trial: Trial, number: int) -> None:
    """Close a storage and call it."""
    async with trial.open(number) as storage:
        calls = await known(trial.random, storage)
    for _ in range(2):
        await expect_unreachable(storage, calls, "after the storage was closed", at_once=False)


class _Lane:
    """Calls that are made one after the other on ids of their own, until one fails."""

    def __init__(self, part: Part, number: int) -> None:
        self.part = part
        self._ids = [f"{number} {id}" for id in IDS[:3]]
        self.made, self.in_flight = list[Operation](), list[Operation]()
        self.begun = asyncio.Event()

    async def run(self, random: Random, storage: Opened) -> None:
        while not self.in_flight:
            operation = random.choice(self.part.changes)(random, self._ids)
            came: Any = await operation.on(storage)
            if came == _AWAY:
                self.in_flight.append(operation)
            elif came is None:
                self.made.append(operation)
                self.begun.set()
                await asyncio.sleep(0)
            else:
                expected = "  expected  None, or ConnectionFailedError"
                told = f"{operation}, when the engine went\n{expected}\n  came      {came!r:.300}"
                raise LawViolation(told)


async def interrupt(trial: Trial, storage: Opened, number: int) -> None:
    """Let calls on every port be in flight when the engine goes, and judge them once it is back."""
    parts = parts_of(storage.raw)
    lanes = [_Lane(part, n) for part in parts for n in range(1 if part.single else 2)]
    running = [asyncio.create_task(lane.run(trial.random, storage)) for lane in lanes]
    try:
        async with asyncio.timeout(_BOUND):
            await together(*(lane.begun.wait() for lane in lanes))
            await asyncio.sleep(trial.random.random() * 0.02)
    except TimeoutError:
        if not any(task.done() for task in running):
            raise Inconclusive("before the outage not one call of each kind returned") from None
    async with outage(trial, number):
        _, hanging = await asyncio.wait(running, timeout=_BOUND)
    if hanging:
        raise LawViolation("a call in flight when the engine went hangs")
    await together(*running)
    await recovered(storage)
    for part in parts:
        await _judge(trial, storage, part, [lane for lane in lanes if lane.part is part])


async def _judge(trial: Trial, storage: Opened, part: Part, lanes: Sequence[_Lane]) -> None:
    made = [one for lane in lanes for one in lane.made]
    reads = observation([part], [*made, *(one for lane in lanes for one in lane.in_flight)])
    answers = [await read.on(storage) for read in reads]
    closest: list[str] = []
    for taken in product((True, False), repeat=len(lanes)):
        model = Model(Recall(trial.backend.recall)).after(*made)
        for lane, there in zip(lanes, taken, strict=True):
            model = model.after(*lane.in_flight) if there else model
        lines = _first_difference(model, reads, answers)
        if lines is None:
            ids = [one.about for lane in lanes for one in lane.in_flight]
            changes = [draw(trial.random, ids) for draw in part.changes]
            await _expect_nothing_more(storage, model, changes, reads)
            return
        closest = lines
    what = f"after the outage, {len(made)} calls on {part.port} were acknowledged before it"
    flight = [f"  in flight {one}" for lane in lanes for one in lane.in_flight]
    raise LawViolation("\n".join([what, *flight, *closest]))


async def _expect_nothing_more(
    storage: Opened, model: Model, changes: Sequence[Operation], reads: Sequence[Operation]
) -> None:
    """Make changes, and expect nothing of what had failed to come after all."""
    for made in changes:
        lines = model.differs(made, await made.on(storage))
        lines = lines or _first_difference(model, reads, [await one.on(storage) for one in reads])
        if lines:
            raise LawViolation("\n".join([f"later, after {made}", *lines]))


def _first_difference(
    model: Model, reads: Sequence[Operation], answers: Sequence[Any]
) -> list[str] | None:
    for read, came in zip(reads, answers, strict=True):
        lines = model.differs(read, came)
        if lines:
            return [str(read), *lines]
    return None
