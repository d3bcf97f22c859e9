"""Figures as a person reads them."""

from __future__ import annotations

__all__ = ["bytes_in_words", "rate", "ratio", "seconds_in_words"]


def seconds_in_words(seconds: float) -> str:
    """Return a time with three figures and a unit that suits it."""
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{_three(seconds * factor)} {unit}"
    return f"{_three(seconds * 1e6)} µs"


def bytes_in_words(count: int) -> str:
    """Return an amount of memory."""
    return f"{count / 2**20:,.0f} MiB"


def rate(per_second: float) -> str:
    """Return how often something happens."""
    return f"{_three(per_second)}/s"


def ratio(value: float) -> str:
    """Return how many times something is something else."""
    return f"{_three(value)}x"


def _three(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"
