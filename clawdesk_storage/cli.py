"""The command line `clawdesk-storage`: its commands stand in `clawdesk_storage.commands`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from io import TextIOWrapper

from clawdesk_storage.commands import bench, laws, new, report, verify
from clawdesk_storage.commands.output import INTERRUPTED, NOT_RUN, fail, say

__all__ = ["main"]


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
        status = run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough, but perhaps no verdict
        _write_no_more()
        return NOT_RUN
    except OSError as error:
        if error.filename is not None:
            raise
        _write_no_more()
        return fail(f"cannot write what was to be printed: {error.strerror}")
    return status


def _write_no_more() -> None:
    """Let what is still to be flushed at the end go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clawdesk-storage",
        description="Tell whether a backend delivers what an AI-agent gateway needs of a storage.",
    )
    parser.add_argument(
        "--version", action="version", version=f"clawdesk-storage {version('clawdesk-storage')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (verify, report, bench, laws, new):
        command.add(commands.add_parser)
    return parser
