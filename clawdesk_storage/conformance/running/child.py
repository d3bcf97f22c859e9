"""The other process: opens a backend by name and does what it is told.

Started as `python -m clawdesk_storage.conformance.running.child TARGET LOCATION`. It reads
commands from its standard input, one JSON array a line, and answers with one JSON array a line on
its standard output: how a call ended, its number (-1 for one that nobody waits for), its name, its
arguments and its result, at the moment when it has returned. When its input ends, so does it: it
never outlives its parent.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import operator
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from clawdesk_storage.conformance.backend import load
from clawdesk_storage.conformance.circumstances import killing
from clawdesk_storage.conformance.material.numbered import NumberedCalls

__all__ = ["read_commands"]


def _say(*words: object) -> None:
    # One write, so that a line is whole or absent whenever the process is killed.
    os.write(1, (json.dumps(words) + "\n").encode())


async def _do(calls: NumberedCalls, number: int, name: str, arguments: list[Any]) -> None:
    try:
        call: Callable[..., Awaitable[object]] = getattr(calls, name)
        _say("done", number, name, arguments, await call(*arguments))
    except Exception as error:  # noqa: BLE001  (the parent tells it)
        _say("failed", number, name, arguments, f"{type(error).__name__}: {error}")


async def _write(calls: NumberedCalls, ports: list[str], task: int, first: int) -> None:
    """Write to all ports without end, each call after the last one has returned."""
    for n in count(first):
        if "conversations" in ports:
            await _do(calls, -1, "append", ["shared", f"{task}.{n}"])
        if "sessions" in ports:
            await _do(calls, -1, "save", [f"s{task}", n])
        if "vectors" in ports:
            await _do(calls, -1, "upsert", [f"{task}.{n}", n])
        if "config" in ports and task == 0:
            await _do(calls, -1, "configure", [n])


async def _serve(open_storage: Callable[[Path], Any], location: Path) -> None:
    commands: asyncio.Queue[list[Any]] = asyncio.Queue()
    read_commands(asyncio.get_running_loop(), commands)
    _say("opening")
    async with open_storage(location) as storage:
        calls, running = NumberedCalls(storage), set[asyncio.Task[None]]()
        _say("open")
        while (command := await commands.get())[0] != "close":
            work = _write if command[0] == "write" else _do
            task = asyncio.create_task(work(calls, *command[1:]))
            running.add(task)
            task.add_done_callback(running.discard)
    _say("closed")


def read_commands(loop: asyncio.AbstractEventLoop, commands: asyncio.Queue[list[Any]]) -> None:
    """Put each line of standard input into the queue; when the input ends, so does the process."""

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()


def _opener(target: str) -> Any:
    """The open function of that name; one that a program defines is found in the program's file."""
    source, _, name = target.rpartition(":")
    if not source.endswith(".py"):
        return load(target)[1].open
    spec = importlib.util.spec_from_file_location("clawdesk_child_main", source)
    if spec is None or spec.loader is None:
        raise ImportError(source)
    found: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return operator.attrgetter(name)(found)


if __name__ == "__main__":
    _target, *_location = sys.argv[1:]
    if _location:
        asyncio.run(_serve(_opener(_target), Path(_location[0])))
    else:
        killing.serve(_opener(_target))
