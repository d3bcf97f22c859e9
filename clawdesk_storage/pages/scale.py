"""Scales of plots: from figures to places, and the ticks between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

__all__ = ["Linear", "Log"]

_FEW_DECADES = 2


@dataclass(frozen=True)
class Linear:
    """A scale from zero.

    Args:
        most: The largest figure to be shown.
        start: Where zero is.
        end: Where the largest figure is.
    """

    most: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a figure."""
        return self.start + (self.end - self.start) * value / self.most

    def ticks(self) -> Sequence[float]:
        """Return round figures from zero, four intervals at most."""
        step = _round_up(self.most / 4)
        return [step * n for n in range(floor(self.most / step * 1.0001) + 1)]


@dataclass(frozen=True)
class Log:
    """A scale on which a step is a factor.

    Args:
        least: The smallest figure to be shown.
        most: The largest figure to be shown.
        start: Where the smallest is.
        end: Where the largest is.
    """

    least: float
    most: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, decades: float = 1) -> Log:
        """Return a scale from a round figure to another that holds all `values`.

        Args:
            values: What is to be shown, all above zero.
            start: Where the smallest is.
            end: Where the largest is.
            decades: How many powers of ten it spans at least, so that what hardly changes looks so.
        """
        least, most = _round_down(min(values)), _round_up(max(values))
        while log10(most / least) < decades - 1e-9:
            if log10(max(values) / least) <= log10(most / min(values)):
                least = _round_down(least * 0.99)
            else:
                most = _round_up(most * 1.01)
        return cls(least, most, start, end)

    def __call__(self, value: float) -> float:
        """Return the place of a figure."""
        return self.start + (self.end - self.start) * log10(value / self.least) / self.decades

    @property
    def decades(self) -> float:
        """How many powers of ten the scale spans."""
        return log10(self.most / self.least)

    def ticks(self) -> Sequence[float]:
        """Return the powers of ten, and 2 and 5 times those where they are few."""
        powers = range(floor(log10(self.least)), ceil(log10(self.most)) + 1)
        factors = (1, 2, 5) if self.decades < _FEW_DECADES else (1,)
        every = (factor * 10.0**power for power in powers for factor in factors)
        return [one for one in every if self.least * 0.999 <= one <= self.most * 1.001]


def _round_up(value: float) -> float:
    power = 10.0 ** floor(log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * 0.9999)


def _round_down(value: float) -> float:
    power = 10.0 ** floor(log10(value) + 1e-9)
    return next(factor * power for factor in (5, 2, 1) if factor * power <= value * 1.0001)
