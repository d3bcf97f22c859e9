"""`clawdesk-storage report`: several reports side by side."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from clawdesk_storage.commands.output import (
    SUCCESS,
    fail,
    fail_uninstalled,
    fail_unwritable,
    unwritable,
    write,
)
from clawdesk_storage.conformance import laws

if TYPE_CHECKING:
    from clawdesk_storage.pages.report import Report

__all__ = ["add"]

_EPILOG = """\
FILE is what `clawdesk-storage verify TARGET --json FILE` wrote.

exit status: 0 it was shown, whatever the verdicts are, 2 it could not be
"""


class _UnreadableError(Exception):
    """A file that is no report of a whole run; the message says why and what to do."""


def add(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = add_parser(
        "report",
        help="show several reports side by side",
        description="Show several reports side by side: backends across, laws down.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a report as JSON")
    parser.add_argument(
        "--html", metavar="FILE", help="write a page; without it, counts by port are printed"
    )
    parser.set_defaults(run=_report)


def _report(given: argparse.Namespace) -> int:
    try:
        from clawdesk_storage.pages.matrix import Matrix, page_of  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return fail_uninstalled(error)
    try:
        reports = _read(given.files)
    except _UnreadableError as error:
        return fail(str(error))
    matrix = Matrix(reports, _names(reports, given.files))
    if given.html is None:
        write(_table(matrix.summary()), "-")
        return SUCCESS
    if given.html in given.files:
        return fail(f"{given.html} is one of the reports; name another file for the page")
    if unwritable([given.html]):
        return fail_unwritable(given.html)
    write(page_of(matrix, datetime.now(UTC)), given.html)
    return SUCCESS


def _read(files: Sequence[str]) -> Sequence[Report]:
    (file, times), *_ = Counter(files).most_common(1)
    if times > 1:
        raise _UnreadableError(f"{file} is named {times} times; name each report once")
    return [_whole(file) for file in files]


def _whole(file: str) -> Report:
    """Read the report of a run that tried every law."""
    from clawdesk_storage.pages.report import ReportError, parse  # noqa: PLC0415

    try:
        report = parse(Path(file).read_bytes())
    except OSError as error:
        raise _UnreadableError(f"cannot read {file}: {error.strerror}") from error
    except ReportError as error:
        again = f"make it again with: clawdesk-storage verify TARGET --json {file}"
        raise _UnreadableError(f"{file} is {error}; {again}") from error
    missing = _missing(report)
    if report.narrowed or missing:
        why = f", without {missing[0]}" if missing else ""
        raise _UnreadableError(
            f"{file} comes from a run of only some of the laws{why}; make it again without --law: "
            f"clawdesk-storage verify {report.backend} --json {file}"
        )
    return report


def _missing(report: Report) -> Sequence[str]:
    """Return the laws that a report lacks; one of another version has laws of its own."""
    if report.versions.get("clawdesk-storage") != version("clawdesk-storage"):
        return []
    tried = {law.id for law in report.laws}
    return [law.id for law in laws() if law.id not in tried]


def _names(reports: Sequence[Report], files: Sequence[str]) -> Sequence[str]:
    """Name the columns: where two backends share a name, their files tell them apart."""
    names = Counter(report.backend for report in reports)
    return [
        report.backend if names[report.backend] == 1 else f"{report.backend} ({file})"
        for report, file in zip(reports, files, strict=True)
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
