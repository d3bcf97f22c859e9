"""Sequences of operations, carried out where a circumstance says, and shrunk to the shortest.

A sequence is data: steps, each an operation and its place. Which places there are is the affair of
a circumstance: a handle, the other process, the same handle after it was closed and opened. After
each step the answer is compared with the model's, and from time to time everything is read, in
every way that there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.model import IDS, Part, parts_of
from clawdesk_storage.conformance.material.operation import Model, Operation, Recall, raised
from clawdesk_storage.conformance.trial import LawViolation, Trial
from clawdesk_storage.errors import StorageError

__all__ = ["Circumstance", "Stage", "Step", "expect_recall", "explore", "observation", "script"]

_ATTEMPTS, _SECONDS = 400, 5.0
"""How often and for how long a failing sequence is tried in shorter forms."""


_PHASE = 80
"""After so many steps a sequence turns to other ids and parts, on the same location."""


@dataclass(frozen=True)
class Step:
    """An operation, or the observation of everything, and where it is carried out."""

    place: str
    operation: Operation | None = None


class Stage(Protocol):
    """A location that is open."""

    async def at(self, place: str) -> Any:
        """Return the storage to use at that place, having done what the place says."""
        ...


class Circumstance(Protocol):
    """Where steps are carried out, in words that a reader of the script understands."""

    places: Sequence[str]
    """From where everything is read, beside the place drawn for it."""

    def place(self, random: Random) -> str:
        """Draw the place of a step."""
        ...

    def open(self, trial: Trial, number: int) -> AbstractAsyncContextManager[Stage]:
        """Open the trial's location of that number."""
        ...

    def lines(self, place: str, earlier: Sequence[str]) -> Sequence[str]:
        """Return the lines of a script that come before a step, given the places until then."""
        ...

    def handle(self, place: str) -> str:
        """Return the name of the storage in a script."""
        ...


class _Failure(Exception):
    """A sequence that was answered otherwise than by the model."""

    def __init__(self, steps: Sequence[Step], lines: Sequence[str]) -> None:
        super().__init__(steps, lines)
        self.steps, self.lines = steps, lines


async def explore(
    trial: Trial,
    circumstance: Circumstance,
    *,
    runs: int,
    length: int,
    every: int = 25,
    first: int = 0,
) -> None:
    """Carry out random sequences, and raise what is told of the shortest that fails.

    Args:
        trial: The attempt.
        circumstance: Where the steps are carried out.
        runs: How many sequences, each on a location of its own.
        length: How many steps each has.
        every: After how many steps everything is read.
        first: The number of the first location.
    """
    recall = Recall(trial.backend.recall)
    for number in range(first, first + runs):
        drawing = _Drawing(trial.random, number, length, every)
        try:
            async with circumstance.open(trial, number) as stage:
                await drawing.carried_out(circumstance, stage, Model(recall))
        except _Failure as failure:
            shortest = await _Shrinking(trial, circumstance, 1000 * (number + 1)).shortest(failure)
            raise LawViolation(_telling(trial, circumstance, shortest)) from None
    expect_recall(trial, recall)


def expect_recall(trial: Trial, recall: Recall) -> None:
    """Raise `LawViolation` if searches found less of the nearest than the backend declares."""
    came = f"{recall.found} of {recall.wanted}"
    trial.holds(recall.is_enough, "recall of all searches", f"a share of {recall.share}", came)


@dataclass
class _Drawing:
    """A sequence that is drawn step by step, as it is carried out."""

    random: Random
    number: int
    length: int
    every: int

    async def carried_out(self, circumstance: Circumstance, stage: Stage, model: Model) -> None:
        random, parts, made = self.random, parts_of((await stage.at("")).raw), list[Step]()
        for begun in range(0, self.length, _PHASE):
            # In turn all parts and each alone, on many ids and on few: what needs many steps on one
            # thing drowns where there is much else, and what needs several does not happen on one.
            alone = (self.number + begun // _PHASE) % (len(parts) + 1)
            drawn_from = [part.mixed(random) for part in parts[alone - 1 : alone] or parts]
            prefix = f"{begun}." if begun else ""
            ids = [prefix + id for id in random.sample(IDS, random.choice((1, 2, 2, 3, 5)))]
            for index in range(begun, min(begun + _PHASE, self.length)):
                place = circumstance.place(random)
                observed = index % self.every == self.every - 1
                drawn = None if observed else random.choice(drawn_from).draw(random, ids)
                for where in dict.fromkeys([place, *circumstance.places] if observed else [place]):
                    made.append(Step(where, drawn))
                    await _carry_out(stage, drawn_from, model, made, begun)


async def _carry_out(
    stage: Stage, parts: Sequence[Part], model: Model, made: list[Step], begun: int = 0
) -> None:
    """Carry out the last of the steps made; observe what those since `begun` were about."""
    step = made[-1]
    try:
        storage = await stage.at(step.place)
    except StorageError as error:
        told = ["  expected  the storage to open", f"  came      {raised(error)!r}"]
        raise _Failure(made, [step.place, *told]) from error
    if step.operation is not None:
        lines = model.differs(step.operation, await step.operation.on(storage))
        if lines:
            raise _Failure(made, [str(step.operation), *lines])
        return
    reads = observation(parts, [one.operation for one in made[begun:] if one.operation])
    answers = await together(*(read.on(storage) for read in reads))
    for read, came in zip(reads, answers, strict=True):
        lines = model.differs(read, came)
        if lines:
            raise _Failure([*made[:-1], Step(step.place, read)], [str(read), *lines])


def observation(parts: Sequence[Part], operations: Sequence[Operation]) -> list[Operation]:
    """Return every way of reading what the operations were about, and what never was."""
    reads: list[Operation] = []
    for part in parts:
        about = {one.about for one in operations if one.port == part.port and one.about}
        reads += part.reads(sorted(about))
    return reads


@dataclass
class _Shrinking:
    """Tries a failing sequence in shorter forms, each on a fresh location."""

    trial: Trial
    circumstance: Circumstance
    number: int

    async def shortest(self, failure: _Failure) -> _Failure:
        self._deadline = time.monotonic() + _SECONDS
        self._attempts = _ATTEMPTS
        best = await self._related(failure)
        size = len(best.steps) // 2
        while size:
            start = 0
            while start < len(best.steps) - 1:
                again = await self._without(best.steps, start, start + size)
                if again is None:
                    start += size
                else:
                    best = again
            size //= 2
        return await self._plainer(best)

    async def _related(self, failure: _Failure) -> _Failure:
        """Leave out at once what is about something else, if that will do."""
        wrong = failure.steps[-1].operation
        for of in ("port", "about"):
            kept = [
                one
                for one in failure.steps
                if one.operation and getattr(one.operation, of) == getattr(wrong, of)
            ]
            failure = await self._failing(kept) or failure
        return failure

    async def _without(self, steps: Sequence[Step], start: int, end: int) -> _Failure | None:
        """Leave steps out, and if need be not what happened before one of them."""
        shorter = [*steps[:start], *steps[end:]]
        again = await self._failing(shorter)
        places = [step.place for step in steps[start:end] if step.place]
        if again is None and places and start < len(shorter) and not shorter[start].place:
            shorter[start] = replace(shorter[start], place=places[-1])
            again = await self._failing(shorter)
        return again

    async def _plainer(self, best: _Failure) -> _Failure:
        """Carry out as many steps as possible where most are."""
        for index, step in enumerate(best.steps):
            if step.place:
                plainer = list(best.steps)
                plainer[index] = replace(step, place="")
                again = await self._failing(plainer)
                if again is not None and len(again.steps) == len(best.steps):
                    best = again
        return best

    async def _failing(self, steps: Sequence[Step]) -> _Failure | None:
        """Return how these steps fail, or None if they do not, or there is no time left."""
        self._attempts -= 1
        if self._attempts < 0 or time.monotonic() > self._deadline:
            return None
        self.number += 1
        made: list[Step] = []
        try:
            model = Model(Recall(self.trial.backend.recall))
            async with self.circumstance.open(self.trial, self.number) as stage:
                parts = parts_of((await stage.at("")).raw)
                for step in steps:
                    made.append(step)
                    await _carry_out(stage, parts, model, made)
        except _Failure as failure:
            return failure
        return None


def _telling(trial: Trial, circumstance: Circumstance, failure: _Failure) -> str:
    wrong, *lines = failure.lines
    came = next((line.strip() for line in lines if line.startswith("  came")), "came otherwise")
    return "\n".join(
        [
            f"the shortest sequence found after which an answer is wrong: {wrong}",
            *lines,
            "",
            script(trial.backend.open, circumstance, failure.steps, " ".join(came.split())),
        ]
    )


def script(
    factory: Callable[..., object], circumstance: Circumstance, steps: Sequence[Step], came: str
) -> str:
    """Return a program that repeats the steps on a fresh location and prints the last answer."""
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    body, places = list[str](), [""]
    for step in steps:
        body += circumstance.lines(step.place, places)
        places.append(step.place)
        if step.operation is not None:
            body.append(step.operation.written(circumstance.handle(step.place)))
    helpers = {step.operation.run for step in steps if step.operation and step.operation.run}
    if body:
        body[-1] = f"print({body[-1]})  # {came}"
    return "\n".join(
        [
            "import asyncio, sys",
            "from contextlib import AsyncExitStack",
            "from pathlib import Path",
            "from tempfile import mkdtemp",
            "from clawdesk_storage import *",
            *(f"from {one.__module__} import {one.__name__}" for one in sorted(helpers, key=str)),
            f"from {factory.__module__} import {name.partition('.')[0]}",
            "",
            f"open_here, location = {name}, Path(mkdtemp())",
            "",
            "async def main():",
            "    async with AsyncExitStack() as stack:",
            "        storage = await stack.enter_async_context(open_here(location))",
            *(f"        {line}" for line in body),
            "",
            "asyncio.run(main())",
        ]
    )
