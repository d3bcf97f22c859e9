"""The process in which the laws are tried, so that a store costs no more than it.

Started as `python -m clawdesk_storage.conformance.running.worker CHANNEL`. The task comes on its
standard input, and what it has to say goes to the channel, a file descriptor. The laws run in its
main thread, where a store may set signal handlers. When its input ends, so does it.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from clawdesk_storage.conformance.backend import Backend, BackendError, load
from clawdesk_storage.conformance.running.descent import descendants, end
from clawdesk_storage.conformance.running.isolation import Hung
from clawdesk_storage.conformance.running.runner import Offered, Runner, laws
from clawdesk_storage.conformance.running.task import (
    Alive,
    Begun,
    Ended,
    Loaded,
    Opening,
    Refused,
    Said,
    Task,
)
from clawdesk_storage.conformance.telling.report import CLAIMS, versions_of

__all__ = ["ALIVE"]

ALIVE: Final = 1.0
"""Seconds between two signs of life."""


class _Worker:
    def __init__(self, task: Task, channel: Connection) -> None:
        self._task = task
        self._channel = channel
        self._turn = threading.Lock()
        self._jobs = SimpleQueue[Callable[[], object] | None]()

    def work(self) -> None:
        """Do the task: what a law does in this thread, all else in another."""
        try:
            backend = load(self._task.target)[1]
        except BackendError as error:
            return self._say(Refused(str(error)))
        unclaimed = {claim: backend.unclaimed(claim) for claim in CLAIMS}
        self._say(Loaded(unclaimed, backend.recall, versions_of(backend)))
        threading.Thread(target=self._conduct, args=(backend,), daemon=True).start()
        while (job := self._jobs.get()) is not None:
            job()
        return None

    def _say(self, word: Said) -> None:
        with self._turn:
            self._channel.send(word)

    def _conduct(self, backend: Backend) -> None:
        try:
            asyncio.run(self._all(backend))
        except BackendError as error:
            self._say(Refused(str(error)))
        finally:
            self._jobs.put(None)

    async def _all(self, backend: Backend) -> None:
        task, alive = self._task, asyncio.create_task(self._live())
        runner = Runner(
            backend, task.seed, task.timeout, list(task.hung), Path(task.directory), self._jobs.put
        )
        runner.probed.update(task.probed)
        try:
            offered = await runner.offered()
        except Hung as error:
            self._say(Opening({}, str(error)))
            return
        self._say(Opening(offered.abilities if offered else {}))
        checking = asyncio.create_task(self._check(runner, offered)) if task.static else None
        for law in laws(*task.laws) if task.laws else ():
            self._say(Begun(law.id, backend.waivers.get(law.id)))
            one = await runner.result(law)
            self._say(
                Ended(law.id, one.outcome, one.seconds, one.detail, one.cause, one.hung, one.stuck)
            )
            if one.stuck:  # it runs on, and would disturb the next: this process will be ended
                await asyncio.sleep(3600)
        if checking:
            await checking
        alive.cancel()

    async def _check(self, runner: Runner, offered: Offered | None) -> None:
        self._say(await runner.check(offered))

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(ALIVE)
            self._say(Alive())


def _end_with_input(directory: str) -> None:
    """Leave nothing behind when the process that watches is gone."""
    sys.stdin.buffer.read()
    end(descendants(os.getpid()))
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _main(channel: int) -> None:
    os.set_inheritable(channel, False)
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301  (from our own process)
    threading.Thread(target=_end_with_input, args=(task.directory,), daemon=True).start()
    _Worker(task, Connection(channel, readable=False)).work()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
