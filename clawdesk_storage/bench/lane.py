"""One target on its way through the rounds of one operation, beside others."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from clawdesk_storage.bench.plan import Budget
from clawdesk_storage.bench.round import Round
from clawdesk_storage.bench.worker import Worker, WorkerError

__all__ = ["Lane", "race"]


class Lane:
    """A target's rounds of one operation.

    Args:
        worker: The target's process.
        operation: What is measured.
        concurrency: How many calls are under way at once.
        budget: How long things may take.
    """

    def __init__(self, worker: Worker, operation: str, concurrency: int, budget: Budget) -> None:
        self._worker = worker
        self._what = operation, concurrency
        self._budget = budget
        self._calls = 0
        self._spent = 0.0
        self._left = budget.rounds
        self.rounds: list[Round] = []
        self.error: str | None = None

    async def ready(self) -> None:
        """Warm up, and find out how many calls make up a round."""
        answer = await self._timed("calibrate", *self._what, self._budget.round_seconds)
        if answer:
            self._calls = answer["calls"]
            self._left = 1 if answer["once"] else self._left
        self._spent = 0.0

    async def round(self) -> None:
        """Do a round, unless there were enough."""
        over = self.rounds and self._spent > self._budget.cell_seconds
        if self.error or over or len(self.rounds) == self._left:
            return
        answer = await self._timed("round", *self._what, self._calls)
        if answer:
            self.rounds.append(Round.from_json(answer))

    async def _timed(self, *command: object) -> dict[str, Any]:
        started = perf_counter()
        try:
            return await self._worker.ask(*command)
        except WorkerError as error:
            self.error = str(error)
            return {}
        finally:
            self._spent += perf_counter() - started


async def race(lanes: Sequence[Lane], rounds: int) -> None:
    """Let every target do a round, then every target the next one.

    Whatever else the machine does hits all of them alike. Each round begins with another target.
    """
    for lane in lanes:
        await lane.ready()
    for number in range(rounds):
        first = number % max(1, len(lanes))
        for lane in [*lanes[first:], *lanes[:first]]:
            await lane.round()
