"""The matrix: what came of every law for every backend, side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from clawdesk_storage.pages.report import IDLE, Law, Report, checked
from clawdesk_storage.pages.templates import fill

__all__ = ["Cell", "Group", "Matrix", "Row", "matrix_page"]

_CLAIMS: Final = {
    "durable": "What is acknowledged outlives the process, even one that is killed.",
    "shared": "Two handles open on one location see each other's finished writes at once.",
    "outage": "What happens while the engine is out of reach can be tried.",
    "corruption": "What happens when stored records are damaged can be tried.",
}
_FAMILY: Final = {"durable": "DUR", "shared": "SHR", "outage": "OUT", "corruption": "COR"}
_RECALL: Final = "The share of the true nearest neighbours that a search finds."
_ABILITY: Final = "Its methods are there, beyond those of the port."
_TYPES: Final = "What the open function yields satisfies the ports, as a type checker sees them."

_ORDER: Final = (
    "SES", "CNV", "CFG", "VEC", "STO", "BAT", "PAG", "GRD", "REV", "VBA", "FIL", "CTS", "CON",
    "DUR", "SHR", "OUT", "COR",
)  # fmt: skip
_LABELLED: Final = re.compile(r" +(expected|came|differs) +(.*)")


@dataclass(frozen=True)
class Cell:
    """What came of one law for one backend.

    Args:
        kind: The outcome, as a word for style sheets too.
        word: What is said of it.
        detail: Why, in parts: a label with a text, or no label and lines.
    """

    kind: str
    word: str
    detail: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Row:
    """A law, and a cell for each backend."""

    id: str
    statement: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Group:
    """The laws of one port."""

    name: str
    rows: Sequence[Row]

    def tallies(self) -> Sequence[str]:
        """Return, for each backend, how many laws passed of those that were run."""
        columns = zip(*(row.cells for row in self.rows), strict=True)
        return [_tally([cell.kind for cell in column]) for column in columns]


@dataclass(frozen=True)
class Matrix:
    """Reports side by side.

    Args:
        reports: What came of each run.
        names: What each is called, all different.
    """

    reports: Sequence[Report]
    names: Sequence[str]

    def groups(self) -> Sequence[Group]:
        """Return the laws that any report has, by port, in the contract's order."""
        laws = {law.id: law for report in self.reports for law in report.laws}
        ordered = sorted(laws.values(), key=_place)
        results = [{law.id: law for law in report.laws} for report in self.reports]
        return [
            Group(port, [_law_row(law, results) for law in family])
            for port, family in groupby(ordered, lambda law: law.port)
        ]

    def summary(self) -> Sequence[Sequence[str]]:
        """Return the whole in a few rows of words: a head, then ports, claims, types, verdicts."""
        verdicts = ["conforms" if report.conforms else "does not" for report in self.reports]
        return [
            ["", *self.names],
            *([group.name, *group.tallies()] for group in self.groups()),
            *(
                [row.id, *(cell.word for cell in row.cells)]
                for row in [*self.abilities(), *self.claims(), self.types()]
            ),
            ["verdict", *verdicts],
        ]

    def claims(self) -> Sequence[Row]:
        """Return what each backend claims."""
        made = [report.claims for report in self.reports]
        rows = [
            Row(name, said, [_claim(report, name) for report in self.reports])
            for name, said in _CLAIMS.items()
        ]
        recall = [Cell("number", f"{one.recall:g}") for one in made]
        return [*rows, Row("recall", _RECALL, recall)]

    def abilities(self) -> Sequence[Row]:
        """Return which abilities each backend offers."""
        names = dict.fromkeys(name for report in self.reports for name in report.abilities)
        return [
            Row(name, _ABILITY, [_standing(report.abilities.get(name)) for report in self.reports])
            for name in names
        ]

    def types(self) -> Row:
        """Return what type checkers said of each backend."""
        return Row("types", _TYPES, [_static(report) for report in self.reports])


def matrix_page(reports: Sequence[Mapping[str, Any]], *, made: datetime) -> str:
    """Return reports as one self-contained page.

    Args:
        reports: Reports in their JSON form, at least one.
        made: When the page is made.

    Raises:
        ReportError: One of them is no report.
    """
    read = [checked(report) for report in reports]
    return page_of(Matrix(read, [report.backend for report in read]), made)


def page_of(matrix: Matrix, made: datetime) -> str:
    """Return a matrix as one self-contained page."""
    kinds = Counter(
        cell.kind for group in matrix.groups() for row in group.rows for cell in row.cells
    )
    return fill("matrix.html", matrix=matrix, kinds=kinds, made=made)


def _place(law: Law) -> tuple[int, str, str]:
    family = law.id[:3]
    return (_ORDER.index(family) if family in _ORDER else len(_ORDER), law.port, law.id)


def _law_row(law: Law, results: Sequence[Mapping[str, Law]]) -> Row:
    return Row(law.id, law.statement, [_cell(result.get(law.id)) for result in results])


def _cell(law: Law | None) -> Cell:
    if law is None:
        return Cell("absent", "not in this report")
    said = law.detail.removeprefix(f"{law.id} {law.statement}").strip("\n")
    return Cell(law.outcome.replace(" ", "-"), law.outcome, list(_parts(said)))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Split a detail into what was expected, what came, and the lines between."""
    for label, lines in groupby(map(_labelled, text.splitlines()), itemgetter(0)):
        said = "\n".join(line for _, line in lines).strip("\n")
        if said:
            yield label, said


def _labelled(line: str) -> tuple[str, str]:
    match = _LABELLED.fullmatch(line)
    return (match[1], match[2]) if match else ("", line)


def _claim(report: Report, name: str) -> Cell:
    """What became of a claim: it is ticked where its laws passed, not where it is only made."""
    if not getattr(report.claims, name):
        return Cell("not-claimed", "no")
    broken = [id for id in report.worst() if id.startswith(_FAMILY[name])]
    return Cell("failed", f"broken: {', '.join(broken)}") if broken else Cell("passed", "yes")


def _standing(standing: str | None) -> Cell:
    kinds = {None: "absent", "offered": "passed", "not offered": "not-offered", "half": "failed"}
    return Cell(kinds[standing], standing or "not in this report")


def _static(report: Report) -> Cell:
    static = report.static
    if static is None:
        return Cell("not-claimed", "left out", [("", "left out by --no-static")])
    if static.errors:
        count = len(static.errors)
        word = f"{count} error{'s' if count > 1 else ''}"
        said = f"{static.checker} {static.version}:".replace(" :", ":")
        return Cell("failed", word, [("", said), *(("", error) for error in static.errors)])
    return Cell("passed", "no errors")


def _tally(kinds: Sequence[str]) -> str:
    idle = [*(outcome.replace(" ", "-") for outcome in IDLE), "absent"]
    ran = sum(kind not in idle for kind in kinds)
    return f"{kinds.count('passed')}/{ran}" if ran else "–"
