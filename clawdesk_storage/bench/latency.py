"""How long calls took: exact quantiles over every call of all rounds."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

__all__ = ["Latency"]


@dataclass(frozen=True)
class Latency:
    """Quantiles in seconds."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, rounds: Iterable[array[float]]) -> Latency:
        """Return the quantiles of all the rounds' calls together.

        Every quantile is the time of a call that was made: the least that this share of the calls
        did not exceed. Nothing is interpolated, averaged or put into buckets.
        """
        taken = sorted(seconds for one in rounds for seconds in one)
        return cls(*(taken[ceil(share * len(taken)) - 1] for share in (0.5, 0.95, 0.99, 1)))
