"""Out of reach: the storage is closed, or its engine is away, and every call has to say so.

What is asked for is there and was read just before, by every way of reading; what is changed is
there too, and new. Calls that are in flight when the engine goes are made or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import product
from random import Random
from typing import Any

from clawdesk_storage.conformance.circumstances.exploring import observation
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.model import IDS, Part, parts_of
from clawdesk_storage.conformance.material.operation import Model, Operation, Raised, Recall
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation, Opened, Trial

__all__ = ["close", "expect_unreachable", "interrupt", "known"]

_BOUND = 20.0
"""Seconds within which a call must give up."""


async def known(random: Random, storage: Opened) -> list[Operation]:
    """Fill a storage, read it in every way, and return calls on what is there and of every kind."""
    parts = parts_of(storage.raw)
    for part in parts:
        for id in IDS:
            await part.changes[0](random, [id]).on(storage)
    reads = observation(parts, [Operation(part.port, "", (), id) for part in parts for id in IDS])
    await together(*(read.on(storage) for read in reads))
    return [*reads, *(draw(random, IDS) for part in parts for draw in part.changes)]


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
        if came != Raised("ConnectionFailedError"):
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
            if came == Raised("ConnectionFailedError"):
                self.in_flight.append(operation)
            elif came is None:
                self.made.append(operation)
                self.begun.set()
                await asyncio.sleep(0)
            else:
                expected = "  expected  None, or ConnectionFailedError"
                told = f"{operation}, when the engine went\n{expected}\n  came      {came!r:.300}"
                raise LawViolation(told)


@asynccontextmanager
async def interrupt(
    trial: Trial, storage: Opened, outage: AbstractAsyncContextManager[object]
) -> AsyncGenerator[None]:
    """Let calls on every port be in flight when the engine goes; judge them after the block.

    The block waits until the engine is back.
    """
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
    async with outage:
        _, hanging = await asyncio.wait(running, timeout=_BOUND)
    if hanging:
        raise LawViolation("a call in flight when the engine went hangs")
    await together(*running)
    yield
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
            return
        closest = lines
    what = f"after the outage, {len(made)} calls on {part.port} were acknowledged before it"
    flight = [f"  in flight {one}" for lane in lanes for one in lane.in_flight]
    raise LawViolation("\n".join([what, *flight, *closest]))


def _first_difference(
    model: Model, reads: Sequence[Operation], answers: Sequence[Any]
) -> list[str] | None:
    for read, came in zip(reads, answers, strict=True):
        lines = model.differs(read, came)
        if lines:
            return [str(read), *lines]
    return None
