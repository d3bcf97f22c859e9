"""The process of one target: opens the storage, fills it, and measures what it is told to.

Started as `python -m clawdesk_storage.bench.child TARGET LOCATION PORT SIZE SEED`. It reads one
JSON array a line from its standard input and answers each with one JSON object a line on its
standard output. When its input ends, so does it: it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from clawdesk_storage.bench.data import Data
from clawdesk_storage.bench.load import LOADS, Load, VectorLoad
from clawdesk_storage.bench.operation import offered
from clawdesk_storage.bench.round import Round
from clawdesk_storage.conformance.backend import load as load_backend
from clawdesk_storage.conformance.running.child import read_commands
from clawdesk_storage.conformance.trial import Calls, Opened, entered

_ENOUGH = 0.02
_TOO_LONG_TO_REPEAT = 1.0
_MOST_WORDS = 300


class Bench:
    """What the parent may ask for, by the methods' names."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._started: dict[tuple[str, int], int] = {}

    async def fill(self, seconds: float) -> dict[str, Any]:
        """Store until the size is reached or the time is up."""
        stored = await self._load.fill(seconds)
        gc.collect()
        return {"stored": stored}

    async def calibrate(self, operation: str, concurrency: int, seconds: float) -> dict[str, Any]:
        """Warm up, and find out how many calls take so long."""
        load, calls = self._load, concurrency
        most = max(concurrency, load.most_calls(operation, concurrency))
        if operation == "clear":
            return {"calls": most, "once": load.once(operation)}
        round = await self._round(operation, concurrency, calls)
        if round.seconds < _TOO_LONG_TO_REPEAT:  # the first call may have been that of a cold cache
            round = await self._round(operation, concurrency, calls)
        while round.seconds < _ENOUGH and calls < most:
            calls = min(most, calls * 2)
            round = await self._round(operation, concurrency, calls)
        wanted = int(calls * seconds / round.seconds)
        return {"calls": max(concurrency, min(most, wanted)), "once": False}

    async def round(self, operation: str, concurrency: int, calls: int) -> dict[str, Any]:
        """Measure one round."""
        return (await self._round(operation, concurrency, calls)).to_json()

    async def _round(self, operation: str, concurrency: int, calls: int) -> Round:
        start = self._started.get((operation, concurrency), 0)
        numbers = range(start, start + calls)
        self._started[operation, concurrency] = numbers.stop
        await self._load.prepare(operation, numbers, concurrency)
        ready = [self._load.call(operation, number, concurrency) for number in numbers]
        return await Round.of(ready, concurrency)

    async def found(self, searches: int) -> dict[str, Any]:
        """Search, and tell what was found."""
        found = await self._load.found(searches) if isinstance(self._load, VectorLoad) else []
        return {"found": found}


async def _serve(target: str, location: str, port: str, size: int, seed: int) -> None:
    commands: asyncio.Queue[list[Any]] = asyncio.Queue()
    say = _speaker()
    read_commands(asyncio.get_running_loop(), commands)
    try:
        async with entered(load_backend(target)[1], Path(location)) as storage:
            opened = Opened(storage, Calls())
            say({"offered": offered(opened)})
            if port in opened.raw:
                await _work(Bench(LOADS[port](opened.raw[port], Data(seed), size)), commands, say)
        say({})
    except Exception as error:  # noqa: BLE001  (the parent tells it)
        say({"error": _sentence(error)})


async def _work(
    bench: Bench, commands: asyncio.Queue[list[Any]], say: Callable[[object], None]
) -> None:
    while (command := await commands.get())[0] != "close":
        try:
            call: Callable[..., Awaitable[dict[str, Any]]] = getattr(bench, command[0])
            say(await call(*command[1:]))
        except Exception as error:  # noqa: BLE001  (the parent tells it)
            say({"error": _sentence(error)})


def _sentence(error: BaseException) -> str:
    said = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    return said if len(said) <= _MOST_WORDS else f"{said[:_MOST_WORDS]} …"


def _speaker() -> Callable[[object], None]:
    """Keep standard output for answers; what a backend prints goes to standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)

    def say(answer: object) -> None:
        with open(answers, "wb", closefd=False) as file:  # a pipe may take a long line in parts
            file.write((json.dumps(answer) + "\n").encode())

    return say


if __name__ == "__main__":
    _target, _location, _port, _size, _seed = sys.argv[1:]
    asyncio.run(_serve(_target, _location, _port, int(_size), int(_seed)))
    os._exit(0)  # threads that a backend left behind shall not keep it
