"""A run of the bench as a person follows and reads it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TextIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from clawdesk_storage.bench.cell import Cell, Measures
from clawdesk_storage.bench.report import Report
from clawdesk_storage.bench.stall import RESOLUTION
from clawdesk_storage.bench.words import bytes_in_words, rate, ratio, seconds_in_words

__all__ = ["Terminal"]

_STYLES = {"flat": "green", "logarithmic": "green", "linear": "bold yellow", "worse": "bold red"}
_WIDTH = 54


class Terminal:
    """Where a person reads: a terminal gets progress and tables, a file or a pipe plain lines.

    Args:
        stream: What is written to. Colours are left out where it is no terminal, or where the
            environment has `NO_COLOR`.
        first: The target that the others are compared with.
    """

    def __init__(self, stream: TextIO, first: str) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=not stream.isatty())
        self._first = first
        self._progress: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def progress(self, seconds: float) -> Generator[None]:
        """Show how far a run is that takes about so many seconds."""
        if not self._console.is_terminal:
            yield
            return
        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        with Progress(*columns, console=self._console, transient=True) as self._progress:
            self._task = self._progress.add_task("opening", total=seconds)
            yield

    def doing(self, what: str) -> None:
        """See `Observer.doing`."""
        if self._progress:
            words = escape(f"{what[:_WIDTH]:<{_WIDTH}}")
            self._progress.update(self._task, description=words)

    def did(self, seconds: float) -> None:
        """See `Observer.did`."""
        if self._progress:
            self._progress.update(self._task, advance=seconds)

    def measured(self, cells: Sequence[Cell]) -> None:
        """See `Observer.measured`."""
        if not self._console.is_terminal:
            for cell in cells:
                self._print(f"{_place(cell)}  {cell.target}: {self._line(cell, cells)}")

    def _line(self, cell: Cell, beside: Sequence[Cell]) -> str:
        measures = cell.outcome
        if isinstance(measures, str):
            return f"FAILED: {measures}"
        compared = _ratio(cell, _of(self._first, beside))
        took = measures.latency
        quantiles = (took.p50, took.p95, took.p99, took.max)
        words = [
            rate(measures.throughput.median) + (f" ({compared} {self._first})" if compared else ""),
            f"{rate(min(measures.throughput.rounds))} to {rate(max(measures.throughput.rounds))}",
            f"p50, p95, p99, max {', '.join(map(seconds_in_words, quantiles))}",
            f"loop stood still {_stall(measures)}",
            bytes_in_words(measures.peak_memory),
        ]
        words += [] if measures.recall is None else [f"recall {measures.recall:.3f}"]
        return "; ".join(words)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)

    def show(self, report: Report) -> None:
        """Show what was measured: tables, growth, what failed and what was left out."""
        if self._console.is_terminal:
            for port, cells in groupby(report.cells, lambda cell: cell.port):
                self._console.print(self._table(port, list(cells)))
        self._show_growth(report)
        self._show_left_out(report)
        if self._console.is_terminal:
            self._show_failures(report)
        if report.cells:
            self._print(f"\nthe loop is watched in steps of {seconds_in_words(RESOLUTION)}", "dim")
        if not report.finished:
            self._print("\ninterrupted: this is what was finished until then", "bold")

    def _table(self, port: str, cells: Sequence[Cell]) -> Table:
        table = Table(title=port, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        searched = any(isinstance(one.outcome, Measures) and one.outcome.recall for one in cells)
        compared = len({cell.target for cell in cells}) > 1
        table.add_column(cells[0].unit, justify="right")
        table.add_column("at once", justify="right")
        table.add_column("target", no_wrap=True)
        names = [*(["ratio"] * compared), "low", "high", "p50", "p95", "p99", "max", "stall"]
        for name in ["per second", *names, "memory", *(["recall"] * searched)]:
            table.add_column(name, justify="right", no_wrap=True)
        for operation, rows in _by_operation(cells):
            table.add_section()
            table.add_row("", "", operation, style="bold")
            for row in rows:
                self._add_rows(table, row, compared)
        return table

    def _add_rows(self, table: Table, row: Sequence[Cell], compared: bool) -> None:
        first = _of(self._first, row)
        for number, cell in enumerate(row):
            place = ["", ""] if number else [f"{cell.size:,}", str(cell.concurrency)]
            figures = _figures(cell.outcome)
            if compared and not isinstance(cell.outcome, str):
                figures.insert(1, _ratio(cell, first))
            table.add_row(*place, cell.target, *figures)

    def _show_growth(self, report: Report) -> None:
        grown = report.growth()
        if not grown:
            return
        self._print("\ncost against size, one at a time")
        width = max(len(f"{port}.{operation}") for _, port, operation in grown)
        names = max(len(target) for target, _, _ in grown)
        for (target, port, operation), growth in grown.items():
            # No width for the target where it stands alone: the verdict is what is looked for.
            place = f"  {f'{port}.{operation}':<{width}}  {target:<{names}}"
            words = f"{growth.verdict:<11}  size^{round(growth.exponent, 2) + 0.0:.2f}"
            self._print(f"{place}  {words}", _STYLES[growth.verdict])

    def _show_left_out(self, report: Report) -> None:
        reasons = [(one.name, reason) for one in report.targets for reason in one.left_out]
        if reasons:
            self._print("\nleft out", "dim")
        for name, reason in reasons:
            self._print(f"  {name}: {reason}", "dim")

    def _show_failures(self, report: Report) -> None:
        failed = [cell for cell in report.cells if isinstance(cell.outcome, str)]
        for cell in failed:
            self._print(f"\nFAILED: {_place(cell)}  {cell.target}: {cell.outcome}", "bold red")


def _by_operation(cells: Sequence[Cell]) -> list[tuple[str, list[list[Cell]]]]:
    """The cells of a port by operation, those of one size and concurrency together."""
    rows: dict[str, dict[tuple[int, int], list[Cell]]] = {}
    for cell in cells:
        places = rows.setdefault(cell.operation, {})
        places.setdefault((cell.size, cell.concurrency), []).append(cell)
    return [(operation, [*places.values()]) for operation, places in rows.items()]


def _place(cell: Cell) -> str:
    return f"{cell.port}.{cell.operation}  {cell.size:,} {cell.unit}, {cell.concurrency} at once"


def _of(target: str, cells: Sequence[Cell]) -> Cell | None:
    return next((cell for cell in cells if cell.target == target), None)


def _ratio(cell: Cell, first: Cell | None) -> str:
    """How many times the first target's throughput a target has; nothing for the first itself."""
    if first is None or cell is first:
        return ""
    if isinstance(cell.outcome, str) or isinstance(first.outcome, str):
        return ""
    return ratio(cell.outcome.throughput.times(first.outcome.throughput))


def _stall(measures: Measures) -> str:
    return seconds_in_words(measures.loop_stall) if measures.loop_stall >= RESOLUTION else "–"


def _figures(outcome: Measures | str) -> list[str]:
    if isinstance(outcome, str):
        return ["FAILED"]
    speed, took = outcome.throughput, outcome.latency
    rates = [f"{one:,.0f}" if one >= 100 else f"{one:.3g}" for one in speed.to_json().values()]
    times = [seconds_in_words(one) for one in (took.p50, took.p95, took.p99, took.max)]
    share = [] if outcome.recall is None else [f"{outcome.recall:.3f}"]
    return [*rates, *times, _stall(outcome), bytes_in_words(outcome.peak_memory), *share]
