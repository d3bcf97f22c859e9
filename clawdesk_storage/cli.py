"""The command line: `clawdesk-storage verify` and `clawdesk-storage laws`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from clawdesk_storage.conformance import BackendError, Law, Report, laws, verify
from clawdesk_storage.conformance.isolation import lingering
from clawdesk_storage.conformance.runner import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from clawdesk_storage.terminal import Terminal

__all__ = ["main"]

_CONFORMS, _DOES_NOT, _NOT_RUN, _INTERRUPTED = 0, 1, 2, 130

_EPILOG = """\
TARGET is the name of an installed backend, or module:attribute of an open function or a Backend.

exit status: 0 it conforms, 1 it does not, 2 it could not be run, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: The arguments, without the program's name; None takes those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a store's words may hold what cannot be encoded
            stream.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], int] = given.run
        return _left(run(given))
    except KeyboardInterrupt:
        _say("interrupted")
        return _left(_INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CONFORMS


def _left(status: int) -> int:
    if lingering():  # a store's thread that never ends would keep the interpreter waiting
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clawdesk-storage",
        description="Tell whether a backend delivers what an AI-agent gateway needs of a storage.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_verify(commands.add_parser(
        "verify",
        help="try a backend against the laws",
        description="Try a backend against the laws.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ))  # fmt: skip
    laws = commands.add_parser(
        "laws", help="list the laws, or explain some", description="List the laws, or explain some."
    )
    laws.add_argument("numbers", nargs="*", metavar="LAW", help="such as SES-07, or SES")
    laws.set_defaults(run=_laws)
    return parser


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="the backend")
    parser.add_argument(
        "--law", action="append", default=[], metavar="LAW",
        help="try only this law, or those whose numbers begin so; can be repeated",
    )  # fmt: skip
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
        help=f"for each law ({DEFAULT_TIMEOUT:g})",
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
        from clawdesk_storage.terminal import Terminal  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _fail(f'{error}; install it with: pip install "clawdesk-storage[conformance]"')
    for name in files.values():
        if not _writable(name):
            return _fail(f"cannot write {name}: its folder does not exist or is not yours to write")
    terminal = Terminal(sys.stderr if "-" in files.values() else sys.stdout)
    try:
        report = _run(given, terminal)
    except BackendError as error:
        return _fail(str(error))
    terminal.show(report)
    for form, name in files.items():
        _write(_FORMS[form](report), name)
    return _CONFORMS if report.passed else _DOES_NOT


def _run(given: argparse.Namespace, terminal: Terminal) -> Report:
    with terminal.progress(len(laws(*given.law))) as progress:
        return asyncio.run(
            verify(
                given.target,
                select=given.law,
                seed=given.seed,
                timeout=given.timeout,
                static=not given.no_static,
                progress=progress,
            )
        )


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


_FORMS: dict[str, Callable[[Report], str]] = {
    "json": lambda report: _as_json(report.to_json()),
    "junit": Report.to_junit,
    "html": Report.to_html,
    "badge": lambda report: _as_json(report.to_badge()),
}


def _writable(name: str) -> bool:
    if name == "-":
        return True
    file = Path(name)
    return os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()


def _write(text: str, name: str) -> None:
    if name == "-":
        sys.stdout.write(text)
    else:
        Path(name).write_text(text, encoding="utf-8")


def _laws(given: argparse.Namespace) -> int:
    try:
        chosen = laws(*given.numbers)
    except BackendError as error:
        return _fail(str(error))
    if given.numbers:
        print("\n\n".join(map(_explained, chosen)))
    else:
        print("\n".join(map(str, chosen)))
    return _CONFORMS


def _explained(law: Law) -> str:
    needs = f"\nOnly for backends that claim: {law.claim}." if law.claim else ""
    return f"{law}\n{law.port}\n\n{law.statement}\n\n{law.reason}{needs}"


def _fail(sentence: str) -> int:
    _say(sentence)
    return _NOT_RUN


def _say(sentence: str) -> None:
    print(f"clawdesk-storage: {sentence}", file=sys.stderr)
