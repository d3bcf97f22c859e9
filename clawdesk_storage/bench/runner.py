"""Runs the plan: every target in a process of its own, one at a time, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from uuid import uuid4

from clawdesk_storage.bench.cell import Cell, Measures
from clawdesk_storage.bench.lane import Lane, race
from clawdesk_storage.bench.plan import Budget, Group, plan
from clawdesk_storage.bench.recall import SEARCHES, recall
from clawdesk_storage.bench.report import Report, Target
from clawdesk_storage.bench.worker import PATIENCE, Worker, WorkerError, working
from clawdesk_storage.conformance import BackendError
from clawdesk_storage.conformance.backend import load
from clawdesk_storage.conformance.telling.report import versions_of

__all__ = ["Observer", "Run", "prepare"]

_NO_PORT = "none"


class Observer(Protocol):
    """Who is told how far a run is."""

    def doing(self, what: str) -> None:
        """Something begins."""
        ...

    def did(self, seconds: float) -> None:
        """Something that was to take so many seconds has ended."""
        ...

    def measured(self, cells: Sequence[Cell]) -> None:
        """An operation was measured with every target."""
        ...


class Run:
    """A run that can begin.

    Args:
        report: What is filled as it goes; after an interruption it holds what is finished.
        offered: By the name of each target the operations that it offers, by the attributes of the
            ports.
        groups: What is measured.
        budget: How long things may take.
    """

    def __init__(
        self,
        report: Report,
        offered: Mapping[str, Mapping[str, Sequence[str]]],
        groups: Sequence[Group],
        budget: Budget,
    ) -> None:
        self.report = report
        self._offered = offered
        self._groups = groups
        self._budget = budget
        self._lone_seconds: dict[tuple[str, str], float] = {}

    @property
    def seconds(self) -> float:
        """Guess how long the run takes."""
        return sum(
            group.seconds(self._budget) * len(self._targets(group)) for group in self._groups
        )

    def _targets(self, group: Group) -> Sequence[Target]:
        return [one for one in self.report.targets if group.attribute in self._offered[one.name]]

    async def go(self, observer: Observer) -> None:
        """Measure everything; what fails is noted in the report and holds up nothing else."""
        for group in self._groups:
            await self._measure(group, observer)
        self.report.finished = True

    async def _measure(self, group: Group, observer: Observer) -> None:
        async with AsyncExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
            workers: dict[str, Worker] = {}
            for target in self._targets(group):
                observer.doing(f"{target.name}: filling {group.size:,} {group.port.unit}")
                worker = await self._filled(target, group, directory, stack)
                observer.did(group.filling())
                if worker:
                    workers[target.name] = worker
            self._lone_seconds.clear()
            for operation, concurrency in group.tests:
                await self._race(group, operation, concurrency, workers, observer)

    async def _filled(
        self, target: Target, group: Group, directory: Path, stack: AsyncExitStack
    ) -> Worker | None:
        location = directory / f"bench_{uuid4().hex[:12]}"
        location.mkdir()
        where = target.name, location, group.attribute, group.size, self.report.seed
        worker, limit = await stack.enter_async_context(working(*where)), self._budget.fill_seconds
        try:
            await worker.answer("opening the storage")
            stored = (await worker.ask("fill", limit, patience=limit + PATIENCE))["stored"]
        except WorkerError as error:
            worker.kill(str(error))
            stored = group.size  # so that each operation says why it was not measured
        if stored == group.size:
            return worker
        target.left_out.append(
            f"{group.port.name} at {group.size:,} {group.port.unit}: after {limit:g} seconds "
            f"{stored:,} were stored"
        )
        return None

    async def _race(
        self, group: Group, operation: str, concurrency: int,
        workers: Mapping[str, Worker], observer: Observer,
    ) -> None:  # fmt: skip
        observer.doing(f"{operation}, {group.size:,} {group.port.unit}, {concurrency} at once")
        lanes = {
            name: Lane(worker, operation, concurrency, self._budget)
            for name, worker in workers.items()
            if operation in self._offered[name][group.attribute]
            and not self._left_out(name, group, operation, concurrency)
        }
        await race([*lanes.values()], self._budget.rounds)
        cells: list[Cell] = []
        for name, lane in lanes.items():
            outcome = await self._outcome(lane, workers[name], group, operation)
            place = name, group.port.name, operation, group.size, group.port.unit, concurrency
            cells.append(Cell(*place, outcome))
            if concurrency == 1 and isinstance(outcome, Measures):
                self._lone_seconds[name, operation] = outcome.latency.p50
        self.report.cells += cells
        observer.measured(cells)
        observer.did(self._budget.rounds * self._budget.round_seconds * len(self._targets(group)))

    def _left_out(self, name: str, group: Group, operation: str, concurrency: int) -> bool:
        """Whether so many calls at once would take too long, which is noted."""
        seconds = self._lone_seconds.get((name, operation), 0) * concurrency
        if seconds <= self._budget.call_seconds:
            return False
        target = next(one for one in self.report.targets if one.name == name)
        target.left_out.append(
            f"{group.port.name}.{operation} at {group.size:,} {group.port.unit}, {concurrency} at "
            f"once: it might take {seconds:.0f} seconds"
        )
        return True

    async def _outcome(
        self, lane: Lane, worker: Worker, group: Group, operation: str
    ) -> Measures | str:
        if lane.error is not None:
            return lane.error
        share = None
        if operation == "search":
            try:
                found = (await worker.ask("found", SEARCHES))["found"]
            except WorkerError as error:
                return str(error)
            share = recall(found, group.size, self.report.seed)
        return Measures.of(lane.rounds, share)


async def prepare(
    names: Sequence[str],
    *,
    only: Sequence[str] = (),
    scale: float = 1.0,
    seed: int = 0,
    budget: Budget | None = None,
    groups: Sequence[Group] = (),
) -> Run:
    """Look at the targets and return the run that measures them.

    Args:
        names: The targets: `module:attribute` of an open function or a `Backend`, or names of
            entry points. The first is what the others are compared with.
        only: Beginnings of ports' or operations' names; none selects all.
        scale: What the largest sizes are multiplied by.
        seed: Where the data's randomness starts.
        budget: How long things may take.
        groups: What is measured instead of what `only` and `scale` say.

    Raises:
        BackendError: Nothing could be measured: there is no such backend or operation, it is named
            twice, it cannot be opened, or it offers nothing of it.
    """
    groups = groups or plan(only, scale)
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise BackendError(f"{repeated[0]} is named twice")
    targets = [Target(name, versions_of(load(name)[1])) for name in names]
    offered = {name: await _offered(name) for name in names}
    for target in targets:
        missing = _missing(groups, offered[target.name])
        if not any(_has(offered[target.name], group) for group in groups):
            wanted = ", ".join(missing)
            raise BackendError(f"{target.name} offers nothing that is to be measured: {wanted}")
        target.left_out += [f"{one}: not offered" for one in missing]
    return Run(Report(seed, scale, targets), offered, groups, budget or Budget())


def _has(offered: Mapping[str, Sequence[str]], group: Group) -> bool:
    """Tell whether anything of a group can be measured."""
    return any(operation in offered.get(group.attribute, ()) for operation, _ in group.tests)


def _missing(groups: Sequence[Group], offered: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The ports that are to be measured and are not offered, or the operations of one that is."""
    missing: dict[str, None] = {}
    for group in groups:
        if group.attribute not in offered:
            missing[group.port.name] = None
            continue
        for operation, _ in group.tests:
            if operation not in offered[group.attribute]:
                missing[f"{group.port.name}.{operation}"] = None
    return list(missing)


async def _offered(name: str) -> Mapping[str, Sequence[str]]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        location = Path(directory) / f"bench_{uuid4().hex[:12]}"
        location.mkdir()
        async with working(name, location, _NO_PORT, 0, 0) as worker:
            try:
                answer = await worker.answer("opening the storage")
            except WorkerError as error:
                raise BackendError(f"{name} cannot be opened: {error}") from error
    offered: Mapping[str, Sequence[str]] = answer["offered"]
    return offered
