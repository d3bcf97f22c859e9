"""The other process, when it is there to be killed: rounds of calls, each in a fork of its own.

What runs here has imported the backend and opened nothing. For each round it forks; the fork opens
the location, makes the calls, tells each answer as soon as it is there, and dies by a signal that
no handler sees, at a chosen return of a call into the driver or the system: so each moment between
two steps of one write is reached, and not by luck.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.operation import Operation, packed, unpacked

__all__ = ["Round", "serve"]

_HARMLESS: Final = {
    "builtins", "_asyncio", "_thread", "_contextvars", "_queue", "_socket", "_weakref", "_abc",
    "_collections", "collections", "_functools", "_operator", "_pickle", "_random", "_struct",
    "_json", "_hashlib", "_blake2", "array", "binascii", "datetime", "itertools", "math", "numpy",
    "re", "select", "sys", "time", "types", "pydantic_core", "zlib",
}  # fmt: skip
"""Modules and packages whose calls write nothing."""

_READING: Final = {"fileno", "fspath", "getpid", "recv", "stat"}
"""Functions of others that write nothing."""


@dataclass(frozen=True)
class Round:
    """What a fork does before it dies.

    Args:
        location: What it opens.
        operations: The calls that it makes one after the other.
        last: Those that it makes at once after that.
        event: At which return from the driver it dies, counted from the beginning of the last calls
            or, where there are none, of the opening; 0 lets it end them.
        delay: Seconds that it has even then.
    """

    location: Path
    operations: Sequence[Operation]
    last: Sequence[Operation]
    event: int = 0
    delay: float = 0.0


def serve(open_storage: Callable[[Path], Any]) -> None:
    """Do the rounds that come on standard input, a line each, until it ends."""
    for line in sys.stdin:
        round = unpacked(line)
        pid = os.fork()
        if pid == 0:
            _die(open_storage, round)
        os.waitpid(pid, 0)
        _say("ended")


def _die(open_storage: Callable[[Path], Any], round: Round) -> None:
    """Do a round and end the process, whatever happens."""
    try:
        asyncio.run(_Dying(round).work(open_storage))
    except BaseException as error:  # noqa: BLE001  (the parent tells it)
        _say("failed", f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _say(*words: object) -> None:
    # One write, so that a line is whole or absent whenever the process is killed.
    os.write(1, f"clawdesk {packed(words)}\n".encode())


class _Dying:
    def __init__(self, round: Round) -> None:
        self._round = round
        self._events = 0
        self._armed = not round.last

    async def work(self, open_storage: Callable[[Path], Any]) -> None:
        round = self._round
        # Before the storage has threads: one that runs already could not be watched.
        threading.setprofile(self._count)
        sys.setprofile(self._count)
        async with open_storage(round.location) as storage:
            for number, operation in enumerate(round.operations):
                _say("answer", number, await operation.on(storage))
            self._armed = True
            await together(*(self._make(storage, n) for n in range(len(round.last))))
            # No handler of the storage sees this: what it did not write by now is lost.
            _say("events", self._events)
            self._kill()

    async def _make(self, storage: Any, number: int) -> None:
        answer = await self._round.last[number].on(storage)
        _say("answer", len(self._round.operations) + number, answer)

    def _count(self, frame: FrameType, event: str, function: Any) -> None:
        if not self._armed or event != "c_return" or _is_harmless(function):
            return
        self._events += 1
        if self._events == self._round.event:
            if self._round.delay:
                signal.setitimer(signal.ITIMER_REAL, self._round.delay)
            else:
                self._kill()

    def _kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _is_harmless(function: Any) -> bool:
    owner: object = getattr(function, "__self__", None)
    of_a_module = owner is None or isinstance(owner, ModuleType)
    module: object = getattr(function if of_a_module else type(owner), "__module__", None)
    package = str(module or "builtins").partition(".")[0]
    return package in _HARMLESS or getattr(function, "__name__", "") in _READING
