"""`clawdesk-storage bench`: how fast backends are, and how their cost grows."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

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
from clawdesk_storage.conformance import BackendError

if TYPE_CHECKING:
    from clawdesk_storage.bench import Run
    from clawdesk_storage.bench.terminal import Terminal

__all__ = ["add"]

_SMALLEST, _LARGEST = 0.01, 100.0

_EPILOG = f"""\
{TARGET}\
Others are compared with the first. Each runs in a process of its own, one at a time, and all take
turns round by round, so that whatever else the machine does hits them alike.

Measured are the throughput (median, slowest and fastest round), exact quantiles of the time of a
call, the longest time that the event loop stood still, the most memory that the target's process
held (that of a server is not in it), the share of the true nearest neighbours that a search found,
and how the cost of an operation grows with what is stored.

exit status: 0 measured, 1 an operation failed, 2 nothing could be measured, 130 interrupted
"""


def add(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = add_parser(
        "bench",
        help="measure how fast backends are, and how their cost grows",
        description="Measure how fast backends are, and how their cost grows.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="a backend")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME",
        help="measure only ports or operations that begin so, such as search or "
        "SessionStore.list; can be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--scale", type=_scale, default=1.0, metavar="X",
        help="multiply the largest sizes: 0.1 for a quick look, 10 for a long one (1)",
    )  # fmt: skip
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the report as JSON"
    )
    parser.add_argument("--html", metavar="FILE", help="write the report as a page")
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="where the data's randomness starts (0)"
    )
    parser.set_defaults(run=_bench)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = -1
    if not _SMALLEST <= scale <= _LARGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from {_SMALLEST:g} to {_LARGEST:g}"
        )
    return scale


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _bench(given: argparse.Namespace) -> int:
    files = [name for name in (given.json, given.html) if name is not None]
    if (name := unwritable(files)) is not None:
        return fail_unwritable(name)
    try:
        from clawdesk_storage.bench import prepare  # noqa: PLC0415
        from clawdesk_storage.bench.terminal import Terminal  # noqa: PLC0415

        page = None if given.html is None else _page(given.html)
        terminal = Terminal(sys.stderr if "-" in files else sys.stdout, given.targets[0])
        options = {"only": given.only, "scale": given.scale, "seed": given.seed}
        run = asyncio.run(prepare(given.targets, **options))
    except ModuleNotFoundError as error:
        return fail_uninstalled(error)
    except BackendError as error:
        return fail(str(error))
    try:
        _go(run, terminal)
    finally:  # also of an interrupted run
        terminal.show(run.report)
        told = run.report.to_json()
        if given.json is not None:
            write(as_json(told), given.json)
        if page is not None:
            page(told)
    return DOES_NOT if run.report.failed else SUCCESS


def _go(run: Run, terminal: Terminal) -> None:
    with terminal.progress(run.seconds):
        asyncio.run(run.go(terminal))


def _page(name: str) -> Callable[[Mapping[str, Any]], None]:
    """Return what writes a report as a page."""
    # Before the run: what is not installed is noticed at once, and not after minutes.
    from clawdesk_storage.pages.bench import bench_page  # noqa: PLC0415

    return lambda told: write(bench_page(told), name)
