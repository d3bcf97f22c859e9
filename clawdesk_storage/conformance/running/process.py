"""A backend opened in another process, as its parent sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from clawdesk_storage.conformance.backend import Backend
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation

__all__ = ["Process", "in_process", "started"]


_ANSWER = 5
"""How many items the answer to a call has; the others tell how far the child is."""


class Process:
    """A child that has a location open. What it answers is gathered as it comes."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.answers: list[list[Any]] = []
        self._results: dict[int, list[Any]] = {}
        self._numbers = count()
        self._came = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        if self._child.stdout is not None:
            async for line in self._child.stdout:
                if line.startswith(b"["):  # a backend may print, too
                    await self._take(json.loads(line))
        await self._take(None)

    async def _take(self, answer: list[Any] | None) -> None:
        async with self._came:
            if answer is not None:
                self.answers.append(answer)
            if answer is not None and len(answer) == _ANSWER:
                self._results[answer[1]] = answer
            self._came.notify_all()

    def send(self, *command: object) -> None:
        """Tell the child to make a call, or to write without end."""
        if self._child.stdin is not None:
            self._child.stdin.write((json.dumps(command) + "\n").encode())

    async def reach(self, count: int) -> None:
        """Wait until so many answers have come, or the child has ended."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.answers) >= count or self._ended())

    def _ended(self) -> bool:
        return self._child.stdout is None or self._child.stdout.at_eof()

    async def call(self, name: str, *arguments: object) -> Any:
        """Make the child call a method, and return the result.

        Raises:
            LawViolation: The call failed there, or the child ended.
        """
        number = next(self._numbers)
        self.send("call", number, name, list(arguments))
        async with self._came:
            await self._came.wait_for(lambda: number in self._results or self._ended())
        if number not in self._results:
            raise LawViolation(f"the other process ended during {name}{arguments}")
        how, *_, result = self._results[number]
        if how != "done":
            raise LawViolation(f"in the other process {name}{arguments} raised {result}")
        return result

    async def opened(self) -> None:
        """Wait until the child has the location open.

        Raises:
            LawViolation: It could not open it.
        """
        await self.reach(2)
        if ["open"] not in self.answers:
            said = await self._child.stderr.read() if self._child.stderr else b""
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise LawViolation(f"another process could not open the location: {''.join(last)}")

    async def closed(self) -> None:
        """Let the child close the location.

        Raises:
            LawViolation: It ended before that was done.
        """
        self.send("close")
        async with self._came:
            await self._came.wait_for(lambda: ["closed"] in self.answers or self._ended())
        if ["closed"] not in self.answers:
            raise LawViolation("another process could not close the location")

    async def kill(self) -> list[list[Any]]:
        """Kill the child with SIGKILL, and return all that it answered until then."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        await self._reading
        await self._child.wait()
        return self.answers


@asynccontextmanager
async def in_process(backend: Backend, location: Path) -> AsyncGenerator[Process]:
    """Open `location` in a child process; it is killed at the end, if it still runs.

    Raises:
        Inconclusive: Another process cannot be made to open the very same.
    """
    process = Process(await started(backend, str(location)))
    try:
        yield process
    finally:
        await asyncio.shield(process.kill())


async def started(backend: Backend, *arguments: str) -> asyncio.subprocess.Process:
    """Start a child that has the backend, with these arguments.

    Raises:
        Inconclusive: Another process cannot be made to open the very same.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawdesk_storage.conformance.running.child",
        _named(backend), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, limit=1 << 24,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip


def _named(backend: Backend) -> str:
    """By which name a child finds the very open function that is under test.

    A function's own words for where it stands are copied by every decorator: only what is found
    there and is the same counts.
    """
    if backend.origin is not None:
        return backend.origin
    function: Any = backend.open
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None or found != function:
        raise Inconclusive(
            f"another process cannot open what is under test: {module}.{name} is not the open "
            "function that was given; define it at module level, or name it as module:attribute"
        )
    return (
        f"{getattr(sys.modules[module], '__file__', '')}:{name}"
        if module == "__main__"
        else (f"{module}:{name}")
    )
