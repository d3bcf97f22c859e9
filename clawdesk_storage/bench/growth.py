"""How the cost of an operation grows with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

__all__ = ["Growth"]

_AT_THE_TOP = 3
_FLAT = 1.5
_WORSE = 1.4

_SHAPES: Mapping[str, Callable[[float], float]] = {"logarithmic": log, "linear": float}


@dataclass(frozen=True)
class Growth:
    """What the costs at growing sizes say.

    Args:
        exponent: The slope of the cost against the size, both as logarithms, over the three largest
            sizes: at small ones the fixed cost of a call hides what grows.
        verdict: `"flat"` where those costs rise by less than half over these sizes; `"worse"` where
            the exponent is beyond 1.4, which a sort does not reach, and a scan not even where it
            outgrows the processor's caches; otherwise `"logarithmic"` or `"linear"`, whichever,
            added to a fixed cost, comes closer to the costs at all sizes: the exponent alone would
            take a small linear part for a logarithm.
    """

    exponent: float
    verdict: str

    @classmethod
    def of(cls, costs: Mapping[int, float]) -> Growth | None:
        """Return how costs grow, or None of fewer than three sizes.

        Args:
            costs: Seconds by size.
        """
        points = sorted(costs.items())
        if len(points) < _AT_THE_TOP:
            return None
        top = points[-_AT_THE_TOP:]
        exponent = _slope([(log(size), log(cost)) for size, cost in top])
        if (top[-1][0] / top[0][0]) ** exponent < _FLAT:
            return cls(exponent, "flat")
        if exponent > _WORSE:
            return cls(exponent, "worse")
        misfits = {verdict: _misfit(points, shape) for verdict, shape in _SHAPES.items()}
        return cls(exponent, min(misfits, key=misfits.__getitem__))


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line of least squares."""
    x0 = sum(x for x, _ in points) / len(points)
    y0 = sum(y for _, y in points) / len(points)
    return sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)


def _misfit(points: Sequence[tuple[float, float]], shape: Callable[[float], float]) -> float:
    """How far `fixed + factor * shape(size)` stays from the costs at best, in ratios."""
    fitted = _fit([(shape(size), cost) for size, cost in points])
    return sum(log(fitted(shape(size)) / cost) ** 2 for size, cost in points)


def _fit(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """The line of least relative squares, with neither a negative offset nor a negative slope."""
    weights = [1 / y**2 for _, y in points]
    total = sum(weights)
    x0 = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    y0 = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    across = sum(w * (x - x0) * (y - y0) for w, (x, y) in zip(weights, points, strict=True))
    along = sum(w * (x - x0) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    slope = max(0.0, across / along)
    if y0 < slope * x0:  # through the origin then
        products = sum(w * x * y for w, (x, y) in zip(weights, points, strict=True))
        slope = products / sum(w * x * x for w, (x, _) in zip(weights, points, strict=True))
        return lambda x: slope * x
    return lambda x: y0 + slope * (x - x0)
