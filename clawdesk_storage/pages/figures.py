"""Figures as a person reads them."""

from __future__ import annotations

__all__ = ["amount", "count", "duration", "rate"]


def duration(seconds: float) -> str:
    """Return a time with about three figures and the unit that suits it."""
    if seconds >= 1:
        return f"{_brief(seconds)} s"
    return f"{_brief(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{_brief(seconds * 1e6)} µs"


def amount(size: float) -> str:
    """Return an amount of memory, given in bytes."""
    return f"{_brief(size / 2**20)} MiB"


def rate(per_second: float) -> str:
    """Return how often something happens in a second, in thousands and millions."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if per_second >= factor:
            return f"{_brief(per_second / factor)}{letter}/s"
    return f"{_brief(per_second)}/s"


def count(number: int) -> str:
    """Return how many there are, in thousands and millions where that is exact enough."""
    for factor, letter in ((10**6, "M"), (10**3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{letter}"
    return str(number)


def _brief(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
