"""What was measured of one operation of one target, at one size and concurrency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from clawdesk_storage.bench.latency import Latency
from clawdesk_storage.bench.round import Round

__all__ = ["Cell", "Measures", "Throughput"]


@dataclass(frozen=True)
class Throughput:
    """Calls per second in each round."""

    rounds: Sequence[float]

    @property
    def median(self) -> float:
        """That of the middle round."""
        return median(self.rounds)

    def times(self, other: Throughput) -> float:
        """Return how many times the other it is: the middle one of the ratios within a round.

        The rounds of the same number lie next to each other in time, so that what else the machine
        did has slowed down both.
        """
        pairs = zip(self.rounds, other.rounds, strict=False)
        return median(ours / theirs for ours, theirs in pairs)

    def to_json(self) -> dict[str, float]:
        """Return the middle, the slowest and the fastest round."""
        return {"median": self.median, "low": min(self.rounds), "high": max(self.rounds)}


@dataclass(frozen=True)
class Measures:
    """What came of the rounds.

    Args:
        rounds: How many there were.
        operations: How many calls they had in all.
        throughput: Calls per second.
        latency: Quantiles over all calls, in seconds.
        peak_memory: The most bytes that the process held during a round.
        loop_stall: The most seconds that the event loop stood still.
        recall: The share of the true nearest neighbours found; None where nothing is searched.
    """

    rounds: int
    operations: int
    throughput: Throughput
    latency: Latency
    peak_memory: int
    loop_stall: float
    recall: float | None

    @classmethod
    def of(cls, rounds: Sequence[Round], recall: float | None) -> Measures:
        """Return what the rounds say together."""
        return cls(
            rounds=len(rounds),
            operations=sum(len(one.taken) for one in rounds),
            throughput=Throughput([one.throughput for one in rounds]),
            latency=Latency.of(one.taken for one in rounds),
            peak_memory=max(one.peak for one in rounds),
            loop_stall=max(one.stall for one in rounds),
            recall=recall,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the measures in the form that other programs read."""
        return {
            **vars(self),
            "throughput": self.throughput.to_json(),
            "latency": vars(self.latency),
        }


_UNMEASURED = dict.fromkeys(Measures.__dataclass_fields__)


@dataclass(frozen=True)
class Cell:
    """One place of the tables: what was measured there, or why nothing was."""

    target: str
    port: str
    operation: str
    size: int
    unit: str
    concurrency: int
    outcome: Measures | str

    def to_json(self) -> dict[str, Any]:
        """Return the cell in the form that other programs read."""
        failed = isinstance(self.outcome, str)
        return {
            **{name: value for name, value in vars(self).items() if name != "outcome"},
            **(_UNMEASURED if isinstance(self.outcome, str) else self.outcome.to_json()),
            "error": self.outcome if failed else None,
        }
