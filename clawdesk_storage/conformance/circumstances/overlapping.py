"""Overlapping: several calls at once; some order of them explains all answers, and what is left.

The order keeps to real time: a call that had returned before another began comes before it. A call
that was cancelled took place somewhere in that order, or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import inf
from random import Random
from sys import maxsize
from typing import Any

from clawdesk_storage.conformance.circumstances.exploring import observation
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.model import Part, parts_of
from clawdesk_storage.conformance.material.operation import Model, Operation, Raised, Recall, told
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation, Opened, Trial

__all__ = ["Call", "Calls", "fill", "overlap"]

_BUDGET = 20_000
"""Steps of the search for an order."""


@dataclass
class Call:
    """A call that was made, and when."""

    operation: Operation
    who: str
    began: float = 0
    ended: float = inf
    answer: Any = None
    may_be_absent: bool = False

    @property
    def leaves_all(self) -> bool:
        """Whether it has changed nothing, wherever in an order it comes."""
        refused = isinstance(self.answer, Raised)
        return self.operation.is_read or (refused and not self.may_be_absent)

    def __str__(self) -> str:
        end = "…" if self.ended == inf else f"{self.ended:g}"
        answer = " was cancelled" if self.may_be_absent else f" -> {told_of(self.answer)}"
        return f"{self.began:>4g}–{end:<4} {self.who}: {self.operation}{answer}"


def told_of(answer: Any) -> str:
    """Return an answer in few words."""
    lines = told(object(), answer) or [""]
    return lines[1].removeprefix("  came      ")


@dataclass
class Calls:
    """The calls of one storage, made at the same time or not, and the model of what it may be."""

    storage: Opened
    recall: Recall
    made: list[Call] = field(default_factory=list[Call])

    def __post_init__(self) -> None:
        self._clock = count(1)
        self.model: Model = Model(self.recall)

    async def make(self, call: Call) -> None:
        """Make a call, and note when it began and ended."""
        self.made.append(call)
        call.began = next(self._clock)
        call.answer = await call.operation.on(self.storage)
        call.ended = next(self._clock)

    def now(self) -> float:
        """Return the present instant."""
        return next(self._clock)

    async def settle(self, reads: Sequence[Operation], what: str) -> None:
        """Find an order that explains the calls and what is read now, and go on from there.

        Raises:
            LawViolation: There is none.
        """
        answers = await together(*(read.on(self.storage) for read in reads))
        made, self.made = sorted(self.made, key=lambda call: call.ended), []
        self._left = _BUDGET
        closest: list[str] = []
        for model in self._orders(self.model, frozenset(), made, set()):
            lines = _first_difference(model, reads, answers)
            if lines is None:
                self.model = model
                return
            closest = closest or lines
        drawn = [f"    {call}" for call in made]
        no_order = "no order of the calls explains their answers"
        problem = ["no order of the calls explains what is read after them", *closest]
        raise LawViolation("\n".join([what, *(problem if closest else [no_order]), *drawn]))

    def _orders(
        self, model: Model, done: frozenset[int], made: Sequence[Call], seen: set[Any]
    ) -> Iterator[Model]:
        """Yield what the storage would be after each order that explains the answers."""
        self._left -= 1
        if self._left < 0:
            raise Inconclusive("the search for an order of the calls ran out of budget")
        state = done, model.state(made[0].operation.port) if made else b""
        if state in seen:
            return
        seen.add(state)
        open_ones = [number for number in range(len(made)) if number not in done]
        if not open_ones:
            yield model
            return
        first_end = min(made[number].ended for number in open_ones)
        begun = [number for number in open_ones if made[number].began <= first_end]
        after = {number: model.after() for number in begun}
        fitting = [n for n in begun if _may_come_next(after[n], made[n])]
        # What changes nothing wherever it comes may as well come now.
        for number in [n for n in fitting if made[n].leaves_all][:1] or fitting:
            if made[number].may_be_absent:
                yield from self._orders(model, done | {number}, made, seen)
            yield from self._orders(after[number], done | {number}, made, seen)


def _may_come_next(model: Model, call: Call) -> bool:
    """Make the call on the model, and tell whether that explains its answer."""
    if call.may_be_absent:
        model.answer(call.operation)
        return True
    return model.differs(call.operation, call.answer) is None


def _first_difference(
    model: Model, reads: Sequence[Operation], answers: Sequence[Any]
) -> list[str] | None:
    for read, came in zip(reads, answers, strict=True):
        lines = model.differs(read, came)
        if lines:
            return [str(read), *lines]
    return None


_CLIENTS, _EACH = 4, 4


async def overlap(trial: Trial, *, rounds: int, crowd: int) -> None:
    """Make overlapping calls on few things, round after round, and then among many things.

    Args:
        trial: The attempt.
        rounds: How many rounds for each part.
        crowd: How many things there are before the last rounds: more than a page.
    """
    recall = Recall(trial.backend.recall)
    async with trial.open() as storage:
        calls = Calls(storage, recall)
        parts = parts_of(storage.raw)
        for part in parts:
            for number in range(rounds):
                ids = [f"{part.port} {number // 4} {id}" for id in ("a", "b")]
                await _round(trial.random, calls, part, ids)
    async with trial.open(1) as storage:
        calls = Calls(storage, recall)
        for part in parts_of(storage.raw):
            if part.single:
                continue
            ids = [f"{part.port} {number}" for number in range(crowd)]
            await fill(trial.random, calls, part, ids)
            for _ in range(4):
                await _round(trial.random, calls, part, [ids[0], ids[-1], "new"], crowded=True)


async def fill(random: Random, calls: Calls, part: Part, ids: Sequence[str]) -> None:
    """Put something under each id, and as much again under the first."""
    for id in ids:
        for one in (id, ids[0]):
            operation = part.changes[0](random, [one])
            await operation.on(calls.storage)
            calls.model.answer(operation)


async def _round(
    random: Random, calls: Calls, part: Part, ids: Sequence[str], *, crowded: bool = False
) -> None:
    # Few ways of reading, so that a stale answer to one follows a fresh answer to another.
    every = [one for one in part.reads(ids[:1]) if one.about in (ids[0], "")]
    reads = random.choices([every[0], *random.choices(every, k=2)], k=2)
    if crowded:  # what is long is perhaps read in parts
        reads = [one for one in every if maxsize in one.arguments]

    async def client(name: str) -> None:
        for _ in range(_EACH):
            draw = random.random()
            drawn = part.draw(random, ids) if draw < 0.1 else random.choice(reads)
            if part.refusals and 0.1 < draw < 0.2:
                drawn = random.choice(part.refusals)(random, ids)
            if draw > 0.5:
                drawn = random.choice(part.changes)(random, ids[:1] if draw < 0.9 else ids)
            await calls.make(Call(drawn, name))
            if draw < 0.2:
                await asyncio.sleep(0)

    await together(*(client(f"task {number}") for number in range(_CLIENTS)))
    made = [call.operation for call in calls.made]
    await calls.settle(observation([part], made), f"overlapping calls on {part.port}")
