"""Plots as shapes in the plane, which a template draws: bars, curves, ranges of quantiles.

One unit is about one pixel of a phone's screen. Each target has a hue and a mark of its own, and
its name beside whatever shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from clawdesk_storage.pages.figures import count, duration, rate
from clawdesk_storage.pages.scale import Linear, Log

__all__ = ["HUES", "MARKS", "Plot", "Target", "bars", "curves", "quantiles"]

HUES = 6
MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-3.6-3.6h7.2v7.2h-7.2z",
    "M0-4.6 4.4 3.4h-8.8z",
    "M0-5 5 0 0 5-5 0z",
    "M0 4.6-4.4-3.4h8.8z",
    "M-4-1.3h2.7V-4h2.6v2.7H4v2.6H1.3V4h-2.6V1.3H-4z",
)
"""Outlines around the origin: circle, square, triangle, diamond, triangle, cross."""

_WIDTH, _LEFT, _RIGHT = 360, 96, 352
_ROW, _HEAD = 20, 22
_LONGEST = 14


@dataclass(frozen=True)
class Target:
    """How a target is drawn."""

    name: str
    number: int

    @property
    def hue(self) -> int:
        """Which of the hues it has."""
        return self.number % HUES

    @property
    def mark(self) -> str:
        """The outline of its mark."""
        return MARKS[self.number % len(MARKS)]

    @property
    def label(self) -> str:
        """Its name, or the end of a long one."""
        return self.name if len(self.name) <= _LONGEST else "…" + self.name[1 - _LONGEST :]


@dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str


@dataclass(frozen=True)
class Bar:
    """A bar of a target's hue."""

    x: float
    y: float
    width: float
    height: float
    hue: int


@dataclass(frozen=True)
class Curve:
    """Points joined by lines, of a target's hue."""

    points: Sequence[tuple[float, float]]
    hue: int


@dataclass(frozen=True)
class Mark:
    """A target's mark; a hollow one stands for what is rarer."""

    x: float
    y: float
    target: Target
    kind: str = "full"


@dataclass(frozen=True)
class Label:
    """A text; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    kind: str = "plain"


@dataclass
class Plot:
    """Shapes in the order in which they are drawn.

    Args:
        title: What is shown.
        height: In the units in which the width is 360.
        note: How it is to be read.
    """

    title: str
    height: float
    note: str = ""
    width: float = _WIDTH
    lines: list[Line] = field(default_factory=list[Line])
    bars: list[Bar] = field(default_factory=list[Bar])
    curves: list[Curve] = field(default_factory=list[Curve])
    marks: list[Mark] = field(default_factory=list[Mark])
    labels: list[Label] = field(default_factory=list[Label])

    def across(self, scale: Linear | Log, top: float, bottom: float, words: _Words) -> None:
        """Draw a horizontal axis: a light line for each tick, and its figure beneath."""
        ticks = scale.ticks()
        for tick in ticks:
            x = scale(tick)
            self.lines.append(Line(x, top, x, bottom, "grid"))
        for x, text in _apart([(scale(tick), words(tick)) for tick in ticks]):
            self.labels.append(Label(x, bottom + 14, text, "middle", "tick"))


_Words = Callable[[float], str]
_Row = tuple[float, Target]


def bars(title: str, groups: Mapping[str, Mapping[Target, Sequence[float] | None]]) -> Plot:
    """Draw throughput: a bar for the median, a line from the slowest round to the fastest.

    Args:
        title: What is shown.
        groups: For each heading and target the median, the slowest and the fastest round, per
            second; None where nothing was measured.
    """
    plot, rows = _rows(title, groups)
    plot.note = "thin line: from the slowest round to the fastest"
    known = [figures for group in groups.values() for figures in group.values() if figures]
    if not known:
        return plot
    scale = Linear(max(max(figures) for figures in known), _LEFT, _RIGHT - 52)
    plot.across(scale, _HEAD - 6, plot.height - 20, lambda tick: rate(tick) if tick else "0")
    for figures, (y, target) in zip(_figures(groups), rows, strict=True):
        if figures is None:
            plot.labels.append(Label(_LEFT + 4, y + 4, "not measured", kind="tick"))
            continue
        median, low, high = figures
        plot.bars.append(Bar(_LEFT, y - 6, scale(median) - _LEFT, 12, target.hue))
        plot.lines.append(Line(scale(low), y, scale(high), y, "spread"))
        plot.labels.append(Label(scale(max(median, high)) + 5, y + 4, rate(median), kind="value"))
    plot.lines.append(Line(_LEFT, _HEAD - 6, _LEFT, plot.height - 20, "axis"))
    return plot


def quantiles(title: str, groups: Mapping[str, Mapping[Target, Sequence[float] | None]]) -> Plot:
    """Draw latencies: for each target a line from p50 over p95 to p99, on a logarithmic axis.

    Args:
        title: What is shown.
        groups: For each heading and target p50, p95 and p99 in seconds; None where nothing was
            measured.
    """
    plot, rows = _rows(title, groups)
    plot.note = "full p50, pale p95, hollow p99; logarithmic axis"
    known = [one for figures in _figures(groups) if figures for one in figures]
    if not known:
        return plot
    scale = Log.around(known, _LEFT + 6, _RIGHT - 12)
    plot.across(scale, _HEAD - 6, plot.height - 20, duration)
    for figures, (y, target) in zip(_figures(groups), rows, strict=True):
        if figures is None:
            plot.labels.append(Label(_LEFT + 4, y + 4, "not measured", kind="tick"))
            continue
        places = [scale(one) for one in figures]
        plot.curves.append(Curve([(places[0], y), (places[-1], y)], target.hue))
        kinds = ("full", "half", "hollow")
        plot.marks += [Mark(x, y, target, kind) for x, kind in zip(places, kinds, strict=True)]
    return plot


def curves(title: str, lines: Mapping[Target, Mapping[int, float]]) -> Plot:
    """Draw cost against size, both on logarithmic axes.

    Args:
        title: What is shown.
        lines: For each target the seconds that a call took, by size.
    """
    left, right, top, bottom = 52, 268, 16, 176
    plot = Plot(title, bottom + 24, "one at a time; both axes are logarithmic")
    sizes = [float(size) for costs in lines.values() for size in costs]
    across = Log.around(sizes, left + 8, right, 1)
    seconds = [cost for costs in lines.values() for cost in costs.values()]
    up = Log.around(seconds, bottom, top, 2)
    plot.across(across, top, bottom, lambda tick: count(round(tick)))
    for tick in up.ticks():
        plot.lines.append(Line(left, up(tick), right + 8, up(tick), "grid"))
        plot.labels.append(Label(left - 6, up(tick) + 4, duration(tick), "end", "tick"))
    for target, costs in lines.items():
        points = [(across(size), up(cost)) for size, cost in sorted(costs.items())]
        plot.curves.append(Curve(points, target.hue))
        plot.marks += [Mark(x, y, target) for x, y in points]
    ends = {target: up(costs[max(costs)]) for target, costs in lines.items()}
    for target, y in _spread(ends):
        plot.labels.append(Label(right + 12, y + 4, target.label, kind=f"name hue-{target.hue}"))
    return plot


def _figures(
    groups: Mapping[str, Mapping[Target, Sequence[float] | None]],
) -> Iterator[Sequence[float] | None]:
    return (figures for group in groups.values() for figures in group.values())


def _rows(title: str, groups: Mapping[str, Mapping[Target, object]]) -> tuple[Plot, Sequence[_Row]]:
    """Lay out headings, and beneath each a row for each target; return where the rows are."""
    plot, rows, y = Plot(title, 0), list[_Row](), 0.0
    for heading, group in groups.items():
        plot.labels.append(Label(0, y + 14, heading, kind="heading"))
        y += _HEAD
        for target in group:
            middle = y + _ROW / 2
            rows.append((middle, target))
            plot.marks.append(Mark(6, middle, target))
            plot.labels.append(Label(16, middle + 4, target.label, kind="name"))
            y += _ROW
        y += 4
    plot.height = y + 22
    return plot, rows


def _apart(ticks: Sequence[tuple[float, str]]) -> Sequence[tuple[float, str]]:
    """Leave out every other figure, again and again, until none touches the next."""
    close = any(
        after[0] - before[0] < 3.2 * (len(before[1]) + len(after[1])) + 6
        for before, after in pairwise(ticks)
    )
    return _apart(ticks[::2]) if close else ticks


def _spread(ends: Mapping[Target, float]) -> Sequence[tuple[Target, float]]:
    """Move labels down where they would cover the one above."""
    placed: list[tuple[Target, float]] = []
    for target, y in sorted(ends.items(), key=lambda one: one[1]):
        placed.append((target, max(y, placed[-1][1] + 13) if placed else y))
    return placed
