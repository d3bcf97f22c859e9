"""What has come of a process: its children and theirs, whatever sessions they have moved to."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final, NamedTuple

__all__ = ["descendants", "end"]

_PROC: Final = Path("/proc")
_WAIT: Final = 5.0
"""Seconds that processes have to end once they were killed."""


class _Listed(NamedTuple):
    parent: int
    state: str


def descendants(number: int) -> list[int]:
    """Return the processes that have come of one, and still run."""
    listed, found = _processes(), [number]
    for one in found:
        found += [pid for pid, other in listed.items() if other.parent == one]
    return [pid for pid in found[1:] if not listed[pid].state.startswith("Z")]


def end(numbers: list[int]) -> None:
    """Kill processes, and wait until they are gone."""
    for number in numbers:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)
    until = monotonic() + _WAIT
    while _running(numbers) and monotonic() < until:
        sleep(0.01)


def _running(numbers: list[int]) -> bool:
    listed = _processes() if numbers else {}
    return any(one in listed and not listed[one].state.startswith("Z") for one in numbers)


def _processes() -> dict[int, _Listed]:
    if (_PROC / "self" / "stat").exists():
        return _of_proc()
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="],  # noqa: S607  (where there is no /proc)
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [line.split() for line in listed.stdout.splitlines()]
    return {int(pid): _Listed(int(parent), state) for pid, parent, state in rows}


def _of_proc() -> dict[int, _Listed]:
    found: dict[int, _Listed] = {}
    for file in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent, *_ = file.read_text(errors="replace").rpartition(")")[2].split()
            found[int(file.parent.name)] = _Listed(int(parent), state)
    return found
