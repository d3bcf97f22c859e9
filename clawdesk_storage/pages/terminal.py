"""A report as a person reads it, and the progress of a run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Final, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from clawdesk_storage.conformance import LawResult, Outcome, Report
from clawdesk_storage.conformance.ability import Standing
from clawdesk_storage.conformance.telling.report import BAD, CLAIMS, IDLE

__all__ = ["Terminal"]

_STYLES: Final = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.INCONCLUSIVE: "bold red",
    Outcome.WAIVED: "yellow",
    Outcome.NOT_CLAIMED: "dim",
    Outcome.NOT_OFFERED: "dim",
}
_SLOWEST = 3
_SHAPE: Final = "STO-04"


class Terminal:
    """Where a person reads: a terminal, or a file or a pipe, which gets plain lines.

    Args:
        stream: What is written to. Colours are left out where it is no terminal, or where the
            environment has `NO_COLOR`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=not stream.isatty())

    @contextmanager
    def progress(self, count: int) -> Generator[Callable[[LawResult], None]]:
        """Show how far a run of `count` laws is; yields what is to be called with each result."""
        if not self._console.is_terminal:
            yield self._plain_line
            return
        columns = (TextColumn("{task.description:<50}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns, TimeElapsedColumn(), console=self._console, transient=True
        ) as progress:
            task, failed = progress.add_task("opening", total=count), list[LawResult]()

            def step(result: LawResult) -> None:
                if result.outcome in BAD:  # it stays above the bar
                    failed.append(result)
                    self._print(f"{result.outcome.value}: {result.law}", "bold red")
                counted = f"{len(failed)} failed  " if failed else ""
                told = escape(f"{counted}{result.law}"[:50])
                progress.update(task, advance=1, description=told)

            yield step

    def _plain_line(self, result: LawResult) -> None:
        self._print(f"{result.outcome.value:<12} {result.law}", "")

    def _print(self, text: str, style: str) -> None:
        self._console.print(text, style=style, markup=False)

    def show(self, report: Report) -> None:
        """Show the whole report: tables, failures, types, claims, verdict."""
        if self._console.is_terminal:
            for port, results in groupby(report.results, lambda result: result.law.port):
                self._console.print(_table(port, list(results)))
        self._show_static(report)
        self._show_shape(report)
        self._show_idle(report)
        self._show_abilities(report)
        self._show_claims(report)
        self._show_slowest(report)
        self._print(report.verdict(), "bold green" if report.conforms else "bold")

    def show_failures(self, results: Sequence[LawResult]) -> None:
        """Show what failed, each cause once: in full for its first law, by number for others."""
        told = [one for one in results if one.outcome not in (Outcome.PASSED, *IDLE)]
        causes: dict[str, list[LawResult]] = {}
        for one in told:
            causes.setdefault(one.cause or one.law.id, []).append(one)
        for first, *others in causes.values():
            self._print(f"\n{first.outcome.value}: {first.detail}", _STYLES[first.outcome])
            if others:
                numbers = ", ".join(one.law.id for one in others)
                self._print(f"by the same cause ({first.cause}): {numbers}", "bold red")

    def _show_shape(self, report: Report) -> None:
        """Show what failed, the shape first: it explains most of the rest."""
        shape = [one for one in report.results if one.law.id == _SHAPE]
        self.show_failures([*shape, *(one for one in report.results if one not in shape)])

    def _show_idle(self, report: Report) -> None:
        idle = [result for result in report.results if result.outcome in IDLE]
        for reason, results in groupby(idle, lambda result: (result.outcome, result.detail)):
            numbers = ", ".join(result.law.id for result in results)
            self._print(f"\n{reason[0].value}: {reason[1]}\n  {numbers}", "dim")

    def _show_static(self, report: Report) -> None:
        static = report.static
        if static is None:
            self._print("\ntypes: left out (--no-static)", "dim")
        elif static.problem is not None:
            self._print(f"\ntypes: NOT CHECKED: {static.problem}", "bold red")
        elif static.errors:
            self._print(f"\ntypes, says {static.checker} {static.version}:", "bold red")
            for error in static.errors:
                self._print(f"  {error}".replace("\n", "\n  "), "red")
        else:
            self._print(f"\ntypes: no errors, says {static.checker} {static.version}", "green")

    def _show_abilities(self, report: Report) -> None:
        for half in report.halves:
            self._print(f"\nfailed: {half}", "bold red")
        for standing in Standing:
            names = [one for one, offer in report.abilities.items() if offer.standing is standing]
            if names:
                self._print(f"\nabilities {standing.value}: {', '.join(names)}", "dim")

    def _show_claims(self, report: Report) -> None:
        self._print("\nclaims", "")
        for claim in CLAIMS:
            reason, broken = report.unclaimed[claim], ", ".join(report.broken(claim))
            kept = f"broken: {broken}" if broken else "yes"
            self._print(f"  {claim:<11}{kept if reason is None else 'no, ' + reason}", "")
        self._print(f"  {'recall':<11}{report.recall:g}", "")

    def _show_slowest(self, report: Report) -> None:
        slowest = sorted(report.results, key=lambda result: -result.seconds)[:_SLOWEST]
        shown = ", ".join(f"{result.law.id} {result.seconds:.2f} s" for result in slowest)
        self._print(f"\nslowest: {shown}\n", "dim")


def _table(port: str, results: Sequence[LawResult]) -> Table:
    passed = sum(result.outcome is Outcome.PASSED for result in results)
    table = Table(title=f"{port}  {passed}/{len(results)}", title_justify="left", expand=False)
    table.add_column("law")
    table.add_column("", overflow="fold", min_width=52)
    table.add_column("outcome")
    for result in results:
        style = _STYLES[result.outcome]
        table.add_row(result.law.id, result.law.title, result.outcome.value, style=style)
    return table
