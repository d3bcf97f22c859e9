"""Fair comparisons on a machine that does other things too.

What is compared runs in turn, round after round, so that a slow moment meets all alike. A ratio is
formed within each round, and the median over the rounds is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeAlias

__all__ = ["Run", "compare"]

Run: TypeAlias = Callable[[], float]
"""Does some operations and returns the seconds that one of them took."""


def compare(
    title: str, runs: Mapping[str, Run], goals: Mapping[str, float] | None = None, rounds: int = 7
) -> None:
    """Run everything in turn and print how fast the first is beside each of the others.

    Args:
        title: What is measured.
        runs: By name; the first is the subject.
        goals: For the name of another run, the least ratio wanted: 2 means that the subject should
            be twice as fast as that one.
        rounds: How often to run each.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run())
    subject = next(iter(runs))
    print(f"\n{title}, median of {rounds} rounds")
    for name, taken in seconds.items():
        row = f"  {name:44}{median(taken) * 1e6:12,.1f} us{1 / median(taken):12,.0f} /s"
        print(row if name == subject else row + _ratio(seconds[subject], taken, goals, name))


def _ratio(
    subject: list[float], other: list[float], goals: Mapping[str, float] | None, name: str
) -> str:
    ratios = [theirs / ours for ours, theirs in zip(subject, other, strict=True)]
    text = f"{median(ratios):9.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
    goal = (goals or {}).get(name)
    if goal is None:
        return text
    return f"{text}, wanted {goal:g}: {'yes' if median(ratios) >= goal else 'NO'}"
