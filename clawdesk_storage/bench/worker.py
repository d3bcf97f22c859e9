"""A target's process, as its parent sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

__all__ = ["Worker", "WorkerError", "working"]

PATIENCE = 60.0
"""Seconds that an answer may take."""

_GOODBYE = 10.0


class WorkerError(Exception):
    """A target did not do what it was told; the message says why, in a sentence."""


class Worker:
    """A child that has a location open. It does one thing at a time."""

    def __init__(self, child: asyncio.subprocess.Process, errors: IO[bytes]) -> None:
        self._child = child
        self._errors = errors
        self._gone = ""

    async def ask(self, *command: object, patience: float = PATIENCE) -> dict[str, Any]:
        """Tell the child to do something, and return its answer.

        Args:
            command: The name of a method of the child's, and its arguments.
            patience: Seconds to wait.

        Raises:
            WorkerError: It failed there, took too long, or the child has ended.
        """
        if self._gone:
            raise WorkerError(f"not measured: {self._gone}")
        if self._child.stdin is not None:
            self._child.stdin.write((json.dumps(command) + "\n").encode())
        return await self.answer(f"{command[0]}", patience)

    async def answer(self, doing: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Return the next answer.

        Args:
            doing: What the child is busy with, for the message.
            patience: Seconds to wait.

        Raises:
            WorkerError: As for `ask`.
        """
        try:
            async with asyncio.timeout(patience):
                line = await self._child.stdout.readline() if self._child.stdout else b""
        except TimeoutError:
            self.kill(f"it had not ended after {patience:g} seconds ({doing})")
            raise WorkerError(self._gone) from None
        if not line:
            self._gone = f"its process ended ({doing}){self._last_words()}"
            raise WorkerError(self._gone)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""

    def kill(self, reason: str) -> None:
        """End the child at once; what is asked of it later fails for that reason."""
        self._gone = reason
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Let the child close its storage, if it still can, and end it."""
        with suppress(WorkerError):
            await self.ask("close", patience=_GOODBYE)
        self.kill("it was ended")
        await self._child.wait()


@asynccontextmanager
async def working(
    target: str, location: Path, port: str, size: int, seed: int
) -> AsyncGenerator[Worker]:
    """Start a target's process; it is ended with the block.

    Args:
        target: `module:attribute`, or the name of an entry point.
        location: Where the storage is.
        port: The attribute of the store that is worked on.
        size: How much it will hold.
        seed: Where the data's randomness starts.
    """
    with TemporaryFile() as errors:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clawdesk_storage.bench.child",
            target, str(location), port, str(size), str(seed),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
            start_new_session=True, limit=1 << 24,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        worker = Worker(child, errors)
        try:
            yield worker
        except BaseException:
            worker.kill("interrupted")  # it may be busy for long
            raise
        finally:
            await asyncio.shield(worker.end())
