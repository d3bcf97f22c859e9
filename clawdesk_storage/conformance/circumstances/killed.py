"""Killed: a process dies in the middle of its calls, and the next one finds what it left.

What was acknowledged is there, and of the calls in flight each is there whole or not at all. Every
kind of change is tried, and every moment of it at which the process can die.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import chain, combinations
from pathlib import Path
from random import Random
from typing import Any

from clawdesk_storage.conformance.circumstances.exploring import expect_recall, observation
from clawdesk_storage.conformance.circumstances.killing import Round
from clawdesk_storage.conformance.material.model import IDS, Draw, Part, parts_of
from clawdesk_storage.conformance.material.operation import (
    Model,
    Operation,
    Recall,
    packed,
    told,
    unpacked,
)
from clawdesk_storage.conformance.running.pace import Pace
from clawdesk_storage.conformance.running.process import started
from clawdesk_storage.conformance.trial import LawViolation, Trial

__all__ = ["kill"]

_MOMENTS = 12
"""At how many moments of a change the process is killed at most."""

_OPENINGS = 6
"""At how many moments of a first opening."""


async def kill(trial: Trial) -> None:
    """Kill a process in every change, and in a first opening, and look at what is left."""
    async with trial.open() as storage:
        parts = parts_of(storage.raw)
    recall = Recall(trial.backend.recall)
    async with _mortal(trial) as mortal:
        history = _History(trial, mortal, parts, recall)
        await history.open_first()
        for part in parts:
            for draw in dict.fromkeys(part.changes):
                await history.change(part, draw)
        for _ in range(4):
            await history.hurry()
        await history.end()
    expect_recall(trial, recall)


class _Mortal:
    """The process whose forks do the rounds."""

    def __init__(self, child: asyncio.subprocess.Process, pace: Pace) -> None:
        self._child, self._pace = child, pace

    async def do(self, round: Round) -> tuple[dict[int, Any], int]:
        """Return the answers of a round by their numbers, and how many events there were.

        Raises:
            LawViolation: The location could not be opened, or the process has ended.
        """
        if self._child.stdin is None or self._child.stdout is None:
            raise LawViolation("the other process has no pipes")
        self._child.stdin.write((packed(round) + "\n").encode())
        answers, events = dict[int, Any](), 0
        async for line in self._child.stdout:
            if not line.startswith(b"clawdesk "):  # a backend may print, too
                continue
            self._pace.heard()
            word, *rest = unpacked(line.removeprefix(b"clawdesk "))
            if word == "ended":
                return answers, events
            if word == "failed":
                raise LawViolation(f"another process could not go on: {rest[0]}")
            if word == "events":
                events = rest[0]
            else:
                answers[rest[0]] = rest[1]
        raise LawViolation("the other process has ended")


@asynccontextmanager
async def _mortal(trial: Trial) -> AsyncGenerator[_Mortal]:
    child = await started(trial.backend)
    try:
        yield _Mortal(child, trial.calls.pace)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


class _History:
    """A location that processes write to and die on, beside the model."""

    def __init__(
        self, trial: Trial, mortal: _Mortal, parts: Sequence[Part], recall: Recall
    ) -> None:
        self._trial, self._mortal, self._parts = trial, mortal, parts
        self._random: Random = trial.random
        self._recall = recall
        self._may_be = [Model(recall)]
        self._number = 0
        self._script = list[str]()

    async def open_first(self) -> None:
        """Kill processes that open a fresh location."""
        _, events = await self._mortal.do(Round(self._location(), (), ()))
        for event in _spread(self._random, events, _OPENINGS):
            self._number += 1
            await self._mortal.do(Round(self._location(), (), (), event))
            self._script = ["# a process that opens the fresh location is killed"]
            await self._round(self._parts, [], [], 0)
        self._number += 1

    async def change(self, part: Part, draw: Draw) -> None:
        """Kill processes in a change, at one moment after the other."""
        moments = iter([0])
        for number in range(_MOMENTS + 1):
            ids = self._random.sample(IDS, 2)
            # It replaces or removes something, and there is something else beside it.
            operations = [part.changes[0](self._random, ids[:1])]
            operations += [part.draw(self._random, ids) for _ in range(2)]
            event = next(moments, None)
            if event is None:
                return
            last = draw(self._random, ids[:1])
            events = await self._round([part], operations, [last], event)
            if number == 0:
                moments = iter(_spread(self._random, events, _MOMENTS))

    async def hurry(self) -> None:
        """Kill a process whose calls overlap, at some moment, by a timer."""
        several = [part for part in self._parts if not part.single] or self._parts
        last = [
            part.mixed(self._random).draw(self._random, [f"{lane}{id}" for id in IDS])
            for lane, part in enumerate(self._random.choices(several, k=4))
        ]
        moment, delay = self._random.randint(1, 12), self._random.random() * 0.003
        await self._round(self._parts, [], last, moment, delay)

    async def end(self) -> None:
        """Open the location in this process, too."""
        async with self._trial.open(self._number) as storage:
            for read in self._reads(self._parts):
                self._judge(read, await read.on(storage))

    async def _round(
        self,
        parts: Sequence[Part],
        operations: Sequence[Operation],
        last: Sequence[Operation],
        event: int,
        delay: float = 0.0,
    ) -> int:
        reads = self._reads(parts)
        calls = [*reads, *operations]
        round = Round(self._location(), calls, last, event, delay)
        answers, events = await self._mortal.do(round)
        for number, read in enumerate(reads):
            self._judge(read, answers.get(number))
        self._script = self._script[-24:]
        model = self._may_be[0]
        for number, operation in enumerate(operations, len(reads)):
            self._script.append(operation.written("storage"))
            lines = model.differs(operation, answers.get(number))
            if lines:
                self._fail(str(operation), lines)
        done = [one for number, one in enumerate(last, len(calls)) if number in answers]
        in_flight = [one for one in last if one not in done]
        self._script += [f"{one.written('storage')}  # acknowledged" for one in done]
        self._script += [f"{one.written('storage')}  # killed during this" for one in in_flight]
        self._script.append("# killed; what follows is another process")
        self._may_be = [
            model.after(*done, *part)
            for part in chain(*(combinations(in_flight, n) for n in range(len(in_flight) + 1)))
        ]
        self._made = [*operations, *last]
        return events

    _made: Sequence[Operation] = ()

    def _reads(self, parts: Sequence[Part]) -> list[Operation]:
        """Read what the calls of these parts are about, and what was in flight before."""
        made = {one.port for one in self._made}
        asked = [part for part in self._parts if part in parts or part.port in made]
        about = [read for part in asked for read in part.reads(IDS) if read.about]
        return observation(asked, [*self._made, *about])

    def _judge(self, read: Operation, came: Any) -> None:
        """Keep what the location may be, now that it was read."""
        left, recalls = list[Model](), list[Recall]()
        for model in self._may_be:
            recall = Recall(self._recall.share)
            if model.differs(read, came, recall) is None:
                left.append(model)
                recalls.append(recall)
        if not left:
            lines = self._may_be[0].differs(read, came) or []
            also = [told(model.answer(read), came) or [] for model in self._may_be[1:]]
            lines += [f"  or        {one[0].strip()}" for one in also if one]
            self._fail(str(read), lines)
        self._may_be = left
        # Which of them it is, a search that may leave out does not tell: in favour of the store.
        self._recall.add(max(recalls, key=lambda one: one.found - one.wanted))

    def _fail(self, what: str, lines: Sequence[str]) -> None:
        made = [f"    {line}" for line in self._script]
        telling = [f"after a process was killed: {what}", *lines, "", "what was done before", *made]
        raise LawViolation("\n".join(telling))

    def _location(self) -> Path:
        return self._trial.location(self._number)


def _spread(random: Random, events: int, most: int) -> list[int]:
    """Return numbers of events, all of them, and again, as often as there may be some."""
    every = [*range(1, events + 1)] * max(1, most // max(events, 1))
    return sorted(random.sample(every, min(most, len(every))))
