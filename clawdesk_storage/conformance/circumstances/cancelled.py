"""Cancelled: among overlapping calls one is cancelled at one of its awaits, once or twice.

The others' answers must be such as if it had taken place, or had not. So must be what is read a
little later; only until another call has returned may it be under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from clawdesk_storage.conformance.circumstances.cancellation import Counted, Moment
from clawdesk_storage.conformance.circumstances.exploring import observation
from clawdesk_storage.conformance.circumstances.interleaving import Late, late
from clawdesk_storage.conformance.circumstances.overlapping import Call, Calls
from clawdesk_storage.conformance.material.model import Draw, Part, parts_of
from clawdesk_storage.conformance.material.operation import Operation, Recall
from clawdesk_storage.conformance.trial import LawViolation, Trial

__all__ = ["cancel"]

_PATIENCE = 4.0
"""Seconds that calls have to end."""

_MOMENTS = (
    (Moment.WAITING, False),
    (Moment.RESUMING, False),
    *[(Moment.LATER, False)] * 4,
    (Moment.WAITING, True),
    (Moment.RESUMING, True),
    (Moment.LATER, True),
)
"""When it is cancelled, and whether another time after that."""

_LONGEST_PAUSE = 0.003
"""Seconds until a cancellation that comes a little later."""

_SUSPENSIONS = 12
"""At how many of its awaits a call is cancelled at most."""


async def cancel(trial: Trial) -> None:
    """Cancel calls of every kind, at each await in turn, among others."""
    async with trial.open() as storage:
        calls = Calls(storage, Recall(trial.backend.recall))
        for part in parts_of(storage.raw):
            for number, draw in enumerate(_draws(part)):
                ids = [f"{number} {id}" for id in ("a", "b")]
                await _Kind(trial.random, calls, part, draw, ids).each_await()


def _draws(part: Part) -> Sequence[Draw]:
    """Draw each kind of change, twice, and each method that reads, twice if there are few."""

    def reading(method: str) -> Draw:
        def draw(random: Random, ids: Sequence[str]) -> Operation:
            return random.choice([one for one in part.reads(ids) if one.method == method])

        return draw

    methods = dict.fromkeys(one.method for one in part.reads(["a"]))
    changes = list(dict.fromkeys(part.changes))
    reads = list(map(reading, methods))
    return [*changes, *changes, *reads, *(reads if part.single else [])]


class _Victim:
    """A call that is to be cancelled."""

    def __init__(
        self, operation: Operation, suspension: int, moment: Moment, *, again: bool, pause: float
    ) -> None:
        self.call = Call(operation, "cancelled" + (" twice" if again else ""))
        self.suspension, self.moment, self.again, self.pause = suspension, moment, again, pause
        self.late = Late()

    async def make(self, calls: Calls) -> bool:
        """Make the call, and tell whether it was cancelled."""
        calls.made.append(self.call)
        self.call.began = calls.now()
        counted = Counted(
            _awaited(self.call.operation, calls),
            self.suspension,
            self.moment,
            again=self.again,
            pause=self.pause,
        )
        held = late.set(self.late)
        task = asyncio.create_task(_run(counted))
        late.reset(held)
        try:
            await asyncio.wait([task], timeout=_PATIENCE)
        finally:
            counted.armed = False
            self.late.go()
        self.place = f"{self.moment} at await {self.suspension} ({counted.place})"
        if not task.done():
            task.cancel()
            raise LawViolation(f"{self.call.operation}, cancelled {self.place}, hangs")
        if task.cancelled():
            self.call.may_be_absent = True
            return True
        self.call.answer, self.call.ended = task.result(), calls.now()
        if counted.cancelled:
            raise LawViolation(
                f"{self.call.operation}, cancelled {self.place}\n"
                "  expected  CancelledError to reach the caller\n"
                f"  came      {self.call.answer!r}"
            )
        return False


async def _awaited(operation: Operation, calls: Calls) -> object:
    return await operation.on(calls.storage)


async def _run(counted: Counted) -> object:
    return await counted


@dataclass(frozen=True)
class _Kind:
    """A kind of call that is cancelled, on a few ids."""

    random: Random
    calls: Calls
    part: Part
    draw: Draw
    ids: Sequence[str]

    async def each_await(self) -> None:
        for suspension in range(1, _SUSPENSIONS + 1):
            for moment, again in _MOMENTS:
                drawn = self.draw(self.random, self.ids)
                pause = self.random.random() * _LONGEST_PAUSE
                victim = _Victim(drawn, suspension, moment, again=again, pause=pause)
                reached = await self._among_others(victim)
                if moment is Moment.WAITING and not reached:
                    return

    async def _among_others(self, victim: _Victim) -> bool:
        """Make the call and others at once, and tell whether it was cancelled."""
        calls, tasks = self.calls, dict[asyncio.Task[Any], Operation]()
        others = self._others(victim.call.operation)
        place = self.random.randint(0, len(others))
        for other in others[:place]:
            tasks[asyncio.create_task(calls.make(Call(other, "another task")))] = other
        dying = asyncio.create_task(self._followed(victim, alone=not others))
        for other in others[place:]:
            tasks[asyncio.create_task(calls.make(Call(other, "another task")))] = other
        _, hanging = await asyncio.wait([dying, *tasks], timeout=2 * _PATIENCE)
        what = f"{victim.call.operation}, {victim.call.who} {victim.place}, among others"
        for task, other in tasks.items():
            if task in hanging:
                raise LawViolation(f"{what}\n{other} hangs")
            if task.cancelled():
                raise LawViolation(f"{what}\nthe cancellation reached {other}")
        if dying in hanging:
            dying.cancel()
            raise LawViolation(f"{what}\na later call hangs")
        if dying.result():
            await _over(victim.late)
        await calls.settle(self._about(), what)
        return dying.result()

    def _others(self, operation: Operation) -> Sequence[Operation]:
        """Draw calls, mostly on the same thing, and one of them perhaps the very same."""
        random, ids = self.random, self.ids
        if operation.about and random.random() < 0.7:
            ids = [operation.about]
        same = operation.is_read or random.random() < 0.4
        alike = operation if same else self.draw(random, ids)
        drawn = [random.choice(self.part.changes)(random, ids), self.part.draw(random, ids)]
        return [alike, *drawn][: random.choice((0, 1, 3, 3))]

    async def _followed(self, victim: _Victim, *, alone: bool) -> bool:
        """Make the call, and where it was cancelled another; until that returns it may go on."""
        cancelled = await victim.make(self.calls)
        if cancelled:
            random, about = self.random, victim.call.operation.about or self.ids[0]
            read = random.choice(list(self.part.reads(self.ids)))
            await self.calls.make(Call(read, "afterwards"))
            victim.call.ended = self.calls.now()
            if alone or random.random() < 0.4:  # it would hide what is lost of the others
                change = self.part.changes[0](random, [about])
                await self.calls.make(Call(change, "at last"))
        return cancelled

    def _about(self) -> Sequence[Operation]:
        """Choose ways of reading: all that are about an id of these, and a few of the others."""
        made = [Operation(self.part.port, "", (), id) for id in self.ids]
        reads = observation([self.part], [*made, *(call.operation for call in self.calls.made)])
        others = [one for one in reads if not one.about]
        few = self.random.sample(others[1:], min(4, len(others[1:])))
        return [*(one for one in reads if one.about), *others[:1], *few]


async def _over(late: Late) -> None:
    """Wait until what was cancelled has taken place, if it does so in spite of that."""
    held = late.is_held
    late.release()
    while late.is_held:  # noqa: ASYNC110  (threads tell nobody)
        await asyncio.sleep(0.001)
    await asyncio.sleep(max(late.wait_for_timers, 0.005 if held else 0.003))
