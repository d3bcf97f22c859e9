"""A report as a person reads it, and the progress of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
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
_MARKS: Final = {
    Outcome.PASSED: ".",
    Outcome.FAILED: "F",
    Outcome.INCONCLUSIVE: "?",
    Outcome.WAIVED: "w",
    Outcome.NOT_CLAIMED: "-",
    Outcome.NOT_OFFERED: "-",
}
_WIDTH: Final = 78
_SLOWEST: Final = 3
_SHAPE: Final = "STO-04"

_FIRST: Final = 6
"""How many causes are named before they are told in full: a screenful, with what stands above."""

_LONGEST: Final = 180


class Terminal:
    """Where a person reads: a terminal, or a file or a pipe, which gets plain lines.

    Args:
        stream: What is written to. Colours are left out where it is no terminal, or where the
            environment has `NO_COLOR`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream, highlight=False, soft_wrap=not stream.isatty())

    @contextmanager
    def progress(self, count: int) -> Generator[Callable[[LawResult], None]]:
        """Show how far a run of `count` laws is; yields what is to be called with each result."""
        if not self._console.is_terminal:
            with self._marks() as mark:
                yield mark
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

    @contextmanager
    def _marks(self) -> Generator[Callable[[LawResult], None]]:
        """A mark for each law, family after family; yields what writes one."""
        family, column = "", 0

        def mark(result: LawResult) -> None:
            nonlocal family, column
            text = _MARKS[result.outcome]
            if result.law.id[:3] != family:
                family = result.law.id[:3]
                text = f"{' ' if column else ''}{family} {text}"
            if column + len(text) > _WIDTH:
                text, column = f"\n{text.strip()}", -1
            column += len(text)
            self._stream.write(text)
            self._stream.flush()

        try:
            yield mark
        finally:
            if column:
                self._stream.write("\n")

    def _print(self, text: str, style: str) -> None:
        self._console.print(text, style=style, markup=False)

    def show(self, report: Report) -> None:
        """Show the whole report, and what to mend where it is seen: at the end of a terminal."""
        if self._console.is_terminal:
            for port, results in groupby(report.results, lambda result: result.law.port):
                self._console.print(_table(port, list(results)))
        else:
            self._show_first(report)
        self._show_causes(_causes(report.results))
        self._show_idle(report)
        self._show_abilities(report)
        self._show_claims(report)
        self._show_slowest(report)
        if self._console.is_terminal:
            self._show_first(report)
        self._print(report.verdict(), "bold green" if report.conforms else "bold")

    def show_failures(self, results: Sequence[LawResult]) -> None:
        """Show what has failed, each cause once."""
        self._show_causes(_causes(results))

    def _show_first(self, report: Report) -> None:
        """Show what to mend: the types and the shape, then what explains the most failures."""
        self._show_static(report)
        causes = _causes(report.results)
        if causes:
            self._print("\nwhat to mend, first what explains most:", "")
        for first, *others in causes[:_FIRST]:
            more = f", and {_numbers(others)}" if others else ""
            style = _STYLES[first.outcome]
            self._print(f"{first.outcome.value:<12} {first.law}{more}", style)
            self._print(f"{'':<12} {_headline(first)}", "")
        if len(causes) > _FIRST:
            self._print(f"{'':<12} … and {len(causes) - _FIRST} besides", "")

    def _show_causes(self, causes: Sequence[Sequence[LawResult]]) -> None:
        """Show each cause: in full for its first law, by number for the others."""
        for first, *others in causes:
            self._print(f"\n{first.outcome.value}: {first.detail}", _STYLES[first.outcome])
            if others:
                told = f"by the same cause ({first.cause}): {_numbers(others)}"
                self._print(told, "bold red")

    def _show_idle(self, report: Report) -> None:
        idle: dict[str, list[LawResult]] = {}
        for one in report.results:
            if one.outcome in IDLE:
                idle.setdefault(f"{one.outcome.value}: {one.detail}", []).append(one)
        for reason, results in idle.items():
            self._print(f"\n{reason}\n  {_numbers(results)}", "dim")

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


def _causes(results: Sequence[LawResult]) -> list[list[LawResult]]:
    """What did not pass, by cause: the shape first, then what explains the most laws."""
    causes: dict[str, list[LawResult]] = {}
    for one in results:
        if one.outcome not in (Outcome.PASSED, *IDLE):
            causes.setdefault(one.cause or one.law.id, []).append(one)
    shape = [one for one in causes.values() if one[0].law.id == _SHAPE]
    others = sorted((one for one in causes.values() if one not in shape), key=len, reverse=True)
    return [*shape, *others]


def _headline(result: LawResult) -> str:
    """What happened, in a line: where in the store, and the beginning of what came."""
    place = re.search(r" (\S+:\d+ in \S+)$", result.cause)
    happened = result.happened.partition("\n\n")[0].removeprefix("the store raised ")
    text = happened.partition("\n")[0] if place else " ".join(happened.split())
    where = f"{place[1].removeprefix(f'{Path.cwd()}/')}: " if place else ""
    return where + (text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …")


def _numbers(results: Sequence[LawResult]) -> str:
    """The laws' numbers, those of a family that follow each other as the first and the last."""
    runs: list[list[LawResult]] = []
    for one in results:
        if runs and _follows(runs[-1][-1].law.id, one.law.id):
            runs[-1].append(one)
        else:
            runs.append([one])
    texts = [[one.law.id for one in run] for run in runs]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in texts)


def _follows(number: str, other: str) -> bool:
    return number[:4] == other[:4] and int(number[4:]) + 1 == int(other[4:])


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
