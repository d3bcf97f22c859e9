"""The page of a bench: plots, and all figures beneath them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict

from clawdesk_storage.pages import figures
from clawdesk_storage.pages.plot import Plot, Target, bars, curves, quantiles
from clawdesk_storage.pages.templates import fill
from clawdesk_storage.pages.text import printable_throughout

__all__ = ["bench_page"]

_VERDICTS: Final = {"worse": "worse than linear"}


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


class Machine(_Part):
    """Where it was measured."""

    python: str
    system: str
    cores: int | None


class Measured(_Part):
    """A target, and what was not measured of it."""

    name: str
    versions: Mapping[str, str]
    left_out: Sequence[str]


class Throughput(_Part):
    """Calls per second."""

    median: float
    low: float
    high: float


class Latency(_Part):
    """Seconds that calls took."""

    p50: float
    p95: float
    p99: float
    max: float


class Workload(_Part):
    """One operation of one target, at one size and concurrency."""

    target: str
    port: str
    operation: str
    size: int
    unit: str
    concurrency: int
    rounds: int | None
    operations: int | None
    throughput: Throughput | None
    latency: Latency | None
    peak_memory: float | None
    loop_stall: float | None
    recall: float | None
    error: str | None


class Growth(_Part):
    """How the cost of an operation grows."""

    target: str
    port: str
    operation: str
    exponent: float
    verdict: str

    @property
    def words(self) -> str:
        """The verdict, as a person says it."""
        return _VERDICTS.get(self.verdict, self.verdict)


class Bench(_Part):
    """What came of a run of the bench."""

    date: datetime
    seed: int
    scale: float
    finished: bool
    machine: Machine
    targets: Sequence[Measured]
    workloads: Sequence[Workload]
    growth: Sequence[Growth]


_Told = Callable[[Workload], Sequence[float] | None]


@dataclass(frozen=True)
class Operation:
    """One operation of one port: what was measured of every target."""

    port: str
    name: str
    workloads: Sequence[Workload]
    targets: Sequence[Target]
    growth: Mapping[str, Growth]

    @property
    def id(self) -> str:
        """What a link calls it."""
        return "".join(one if one.isalnum() else "-" for one in f"{self.port}-{self.name}")

    @property
    def sizes(self) -> Sequence[int]:
        """The sizes at which it was measured, growing."""
        return sorted({one.size for one in self.workloads})

    @property
    def approximate(self) -> bool:
        """Whether there is a recall to be told."""
        return any(one.recall is not None for one in self.workloads)

    def at_largest(self, target: Target) -> Workload | None:
        """Return what a target did for a single caller at the largest size."""
        (least, *_), size = sorted({one.concurrency for one in self.workloads}), self.sizes[-1]
        found = (one for one in self._of(target) if (one.concurrency, one.size) == (least, size))
        return next(found, None)

    def _of(self, target: Target) -> Iterator[Workload]:
        return (one for one in self.workloads if one.target == target.name)

    def plots(self) -> Iterator[Plot]:
        """Draw throughput, latency and, where there are several sizes, cost against size."""
        where = self._where(self.sizes[-1])
        yield bars(f"Calls per second{where}", self._grouped(_rates))
        yield quantiles(f"Time of a call: p50, p95, p99{where}", self._grouped(_times))
        lines = {target: costs for target in self.targets if (costs := self._costs(target))}
        if len(self.sizes) > 1 and lines:
            yield curves(f"Time of a call against {self.workloads[0].unit} stored", lines)

    def _where(self, size: int) -> str:
        return f", {size:,} {self.workloads[0].unit} stored" if size > 1 else ""

    def _grouped(self, told: _Told) -> Mapping[str, Mapping[Target, Sequence[float] | None]]:
        largest = {
            (one.concurrency, one.target): told(one)
            for one in self.workloads
            if one.size == self.sizes[-1]
        }
        return {
            "one call at a time" if concurrency == 1 else f"{concurrency} at once": {
                target: largest[concurrency, target.name]
                for target in self.targets
                if (concurrency, target.name) in largest
            }
            for concurrency in sorted({concurrency for concurrency, _ in largest})
        }

    def _costs(self, target: Target) -> Mapping[int, float]:
        """What growth is told of: the seconds that a call takes when it is alone."""
        return {
            one.size: one.latency.p50
            for one in self._of(target)
            if one.latency and one.concurrency == 1
        }


def bench_page(report: Mapping[str, Any]) -> str:
    """Return what came of a bench as one self-contained page.

    Args:
        report: The report in its JSON form.
    """
    bench = Bench.model_validate(printable_throughout(report))
    targets = [Target(one.name, number) for number, one in enumerate(bench.targets)]
    return fill(
        "bench.html",
        bench=bench,
        made=bench.date,
        targets=targets,
        ports=_ports(bench, targets),
        say=figures,
    )


def _rates(one: Workload) -> Sequence[float] | None:
    made = one.throughput
    return (made.median, made.low, made.high) if made else None


def _times(one: Workload) -> Sequence[float] | None:
    taken = one.latency
    return (taken.p50, taken.p95, taken.p99) if taken else None


def _ports(bench: Bench, targets: Sequence[Target]) -> Mapping[str, Sequence[Operation]]:
    """Group what was measured by port and operation, in the order of the report."""
    names = dict.fromkeys((one.port, one.operation) for one in bench.workloads)
    ports: dict[str, list[Operation]] = {}
    for port, name in names:
        ports.setdefault(port, []).append(_operation(bench, targets, port, name))
    return ports


def _operation(bench: Bench, targets: Sequence[Target], port: str, name: str) -> Operation:
    workloads = [one for one in bench.workloads if (one.port, one.operation) == (port, name)]
    seen = {one.target for one in workloads}
    growth = {one.target: one for one in bench.growth if (one.port, one.operation) == (port, name)}
    return Operation(port, name, workloads, [one for one in targets if one.name in seen], growth)
