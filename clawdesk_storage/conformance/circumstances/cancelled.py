"""Cancelled: among overlapping calls one is cancelled at one of its awaits, once or twice.

The others' answers must be such as if it had taken place, or had not. So must be what is read once
a later call has returned: until then it may be under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

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
    """Draw each kind of change, and each method that reads."""

    def reading(method: str) -> Draw:
        def draw(random: Random, ids: Sequence[str]) -> Operation:
            return random.choice([one for one in part.reads(ids) if one.method == method])

        return draw

    methods = dict.fromkeys(one.method for one in part.reads(["a"]))
    return [*dict.fromkeys(part.changes), *map(reading, methods)]


class _Victim:
    """A call that is to be cancelled."""

    def __init__(
        self, operation: Operation, suspension: int, moment: Moment, *, again: bool
    ) -> None:
        self.call = Call(operation, "cancelled" + (" twice" if again else ""))
        self.suspension, self.moment, self.again = suspension, moment, again
        self.late = Late()

    async def make(self, calls: Calls) -> bool:
        """Make the call, and tell whether it was cancelled."""
        late.set(self.late)
        calls.made.append(self.call)
        self.call.began = calls.now()
        counted = Counted(
            _awaited(self.call.operation, calls), self.suspension, self.moment, again=self.again
        )
        task = asyncio.create_task(_run(counted))
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
            reached = False
            for moment in Moment:
                for again in (False, True):
                    drawn = self.draw(self.random, self.ids)
                    victim = _Victim(drawn, suspension, moment, again=again)
                    reached |= await self._among_others(victim)
            if not reached:
                return

    async def _among_others(self, victim: _Victim) -> bool:
        """Make the call and others at once, and tell whether it was cancelled."""
        random, calls = self.random, self.calls
        drawn = [random.choice(self.part.changes)(random, self.ids)]
        drawn.append(self.part.draw(random, self.ids))
        alike = victim.call.operation if random.random() < 0.5 else self.draw(random, self.ids)
        others = [Call(one, "another task") for one in (alike, *drawn)]
        dying = asyncio.create_task(victim.make(calls))
        tasks = [asyncio.create_task(calls.make(other)) for other in others]
        _, hanging = await asyncio.wait([dying, *tasks], timeout=2 * _PATIENCE)
        cancelled = await dying
        what = f"{victim.call.operation}, {victim.call.who} {victim.place}, among others"
        for other, task in zip(others, tasks, strict=True):
            if task in hanging:
                raise LawViolation(f"{what}\n{other.operation} hangs")
            if task.cancelled():
                raise LawViolation(f"{what}\nthe cancellation reached {other.operation}")
        if cancelled:
            await self._expect_settled(victim, what)
        else:
            await calls.settle(self._about(), what)
        victim.late.release()
        return cancelled

    async def _expect_settled(self, victim: _Victim, what: str) -> None:
        """Expect that the store works, and that nothing takes place once a call has returned."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._settled(victim, what)
        except TimeoutError:
            raise LawViolation(f"{what}\na later call hangs") from None

    async def _settled(self, victim: _Victim, what: str) -> None:
        calls = self.calls
        # On the same thing, so that the cancelled call would show if it took place after this.
        later = self.part.changes[0](self.random, [victim.call.operation.about or self.ids[0]])
        await calls.make(Call(later, "afterwards"))
        victim.call.ended = calls.now()
        reads, held = self._about(), victim.late.is_held
        await calls.settle(reads, what)
        victim.late.release()
        while victim.late.is_held:  # noqa: ASYNC110  (threads tell nobody)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.005 if held else 0.002)
        await calls.settle(reads, f"{what}, a little later")

    def _about(self) -> Sequence[Operation]:
        return observation([self.part], [call.operation for call in self.calls.made])
