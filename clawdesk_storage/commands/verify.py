"""`clawdesk-storage verify`: try a backend against the laws."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from clawdesk_storage.commands.output import (
    DOES_NOT,
    SUCCESS,
    TARGET,
    as_json,
    fail,
    fail_uninstalled,
    fail_unwritable,
    unwritable,
    write,
)
from clawdesk_storage.conformance import BackendError, Report, laws
from clawdesk_storage.conformance.running.runner import DEFAULT_TIMEOUT
from clawdesk_storage.conformance.running.watch import Watch
from clawdesk_storage.pages import renderings

if TYPE_CHECKING:
    from clawdesk_storage.pages.terminal import Terminal

__all__ = ["add"]

_EPILOG = f"""\
{TARGET}
exit status: 0 it conforms, 1 it does not, 2 it could not be run, 130 interrupted
"""

_FORMS = ("json", "junit", "html", "badge")


def add(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = add_parser(
        "verify",
        help="try a backend against the laws",
        description="Try a backend against the laws.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help="the backend")
    parser.add_argument(
        "--law", action="append", default=[], metavar="LAW",
        help="try only this law, or those whose numbers begin so; can be repeated",
    )  # fmt: skip
    parser.add_argument(
        "-x", "--exitfirst", action="store_true", help="end with the first law that fails"
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the report as JSON"
    )
    parser.add_argument("--junit", metavar="FILE", help="write the report as JUnit XML")
    parser.add_argument("--html", metavar="FILE", help="write the report as a page")
    parser.add_argument("--badge", metavar="FILE", help="write what badge services read")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="where the randomness starts (0)"
    )
    parser.add_argument("--no-static", action="store_true", help="do not check the types")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help=f"how long a law may wait without any call returning ({DEFAULT_TIMEOUT:g})",
    )
    parser.set_defaults(run=_verify)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _verify(given: argparse.Namespace) -> int:
    files = {form: name for form in _FORMS if (name := getattr(given, form)) is not None}
    try:
        from clawdesk_storage.pages.terminal import Terminal  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return fail_uninstalled(error)
    if (name := unwritable(files.values())) is not None:
        return fail_unwritable(name)
    terminal = Terminal(sys.stderr if "-" in files.values() else sys.stdout)
    try:
        report = _run(given, terminal)
    except BackendError as error:
        return fail(str(error))
    terminal.show(report)
    for form, name in files.items():
        try:
            write(_rendered(report, form), name)
        except OSError as error:
            return fail(f"cannot write {name}: {error.strerror}")
    return SUCCESS if report.passed else DOES_NOT


def _rendered(report: Report, form: str) -> str:
    if form == "json":
        return as_json(report.to_json())
    if form == "badge":
        return as_json(renderings.badge(report))
    return renderings.junit(report) if form == "junit" else renderings.html(report)


def _run(given: argparse.Namespace, terminal: Terminal) -> Report:
    with terminal.progress(len(laws(*given.law))) as progress:
        watch = Watch(
            given.target,
            select=given.law,
            seed=given.seed,
            timeout=given.timeout,
            static=not given.no_static,
            exit_first=given.exitfirst,
            progress=progress,
        )
        try:
            return watch.report()
        except KeyboardInterrupt:
            terminal.show_failures(watch.results)
            raise
