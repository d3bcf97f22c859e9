"""A run that no store can forge or end: the laws in other processes, which this one watches."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from types import FrameType
from typing import Final

from clawdesk_storage.conformance.backend import BackendError
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.running.descent import descendants, end
from clawdesk_storage.conformance.running.runner import (
    DEFAULT_TIMEOUT,
    expect_run,
    laws,
    unopened,
    waived,
)
from clawdesk_storage.conformance.running.static import StaticCheck
from clawdesk_storage.conformance.running.task import (
    Begun,
    Ended,
    Loaded,
    Opening,
    Refused,
    Said,
    Task,
)
from clawdesk_storage.conformance.telling.report import BAD, LawResult, Outcome, Report

__all__ = ["Watch"]

_SILENCE: Final = 20.0
"""Seconds beside the timeout after which an interpreter that says nothing is ended."""

_STEP: Final = 0.2

_LEAVE: Final = 10.0
"""Seconds that a worker which has done its task has to leave, and its backend to tidy up."""

_MODULE: Final = "clawdesk_storage.conformance.running.worker"

_MOST_READ: Final = 1 << 16
"""Bytes."""

_PRINTED: Final = 20
"""How many lines of what a store printed are shown with a failure."""


class Watch:
    """A run of laws in processes of its own.

    Args:
        target: The backend's name.
        select: Numbers of laws, or their beginnings; none selects all.
        seed: Where the laws' randomness starts.
        timeout: Seconds that a law may wait without any call returning.
        static: Whether to check the backend's types too.
        exit_first: Whether to end with the first law that fails.
        progress: Called with each result as it comes.
    """

    def __init__(
        self,
        target: str,
        *,
        select: Sequence[str] = (),
        seed: int = 0,
        timeout: float = DEFAULT_TIMEOUT,
        static: bool = True,
        exit_first: bool = False,
        progress: Callable[[LawResult], object] = lambda result: None,
    ) -> None:
        self._target, self._select, self._seed, self._timeout = target, select, seed, timeout
        self._exit_first, self._progress = exit_first, progress
        self._left: list[Law] = list(laws(*select))
        self._unchecked = static
        self._loaded: Loaded | None = None
        self._opening: Opening | None = None
        self._begun: Begun | None = None
        self._static: StaticCheck | None = None
        self._printed = 0
        self._cut = False
        self.results: list[LawResult] = []
        """What has come of the laws until now."""

    def report(self) -> Report:
        """Try the laws, and return the report.

        Raises:
            BackendError: Nothing could be run, for a reason that its message says.
        """
        with (
            TemporaryDirectory(prefix="clawdesk-storage-", ignore_cleanup_errors=True) as directory,
            _ended_by_signals(),
        ):
            while self._left or self._unchecked:
                self._work(Path(directory))
        expect_run(self._target, self.results)
        loaded, opening = self._loaded, self._opening
        if loaded is None:  # not without one worker that has said so
            raise BackendError(f"{self._target} was not loaded")
        return Report(
            self._target, loaded.unclaimed, loaded.recall, tuple(self.results), self._static,
            loaded.versions, bool(self._select) or self._cut, opening.abilities if opening else {},
            datetime.now(UTC),
        )  # fmt: skip

    def _work(self, directory: Path) -> None:
        """Let one worker do what is left, until it has done it or has come to its end."""
        task = Task(
            self._target,
            [law.id for law in self._left],
            [one.law.claim for one in self.results],
            [one.cause for one in self.results if one.hung],
            self._seed, self._timeout, self._unchecked, str(directory),
        )  # fmt: skip
        with _worker(task, directory) as (process, channel):
            silent = f"its process was silent for {self._timeout + _SILENCE:g} seconds"
            while (word := self._word(process, channel)) is not None:
                self._take(word, directory)
                if isinstance(word, Ended) and word.stuck:
                    return
                if not (self._left or self._unchecked):
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_LEAVE)
                    return
            if not (self._left or self._unchecked):
                return
            with suppress(subprocess.TimeoutExpired):
                silent = _death(process.wait(1))
        self._died(silent, directory)

    def _word(self, process: subprocess.Popen[bytes], channel: Connection) -> Said | None:
        """What the worker says next, or None when it has ended or says nothing any more."""
        patience = monotonic() + self._timeout + _SILENCE
        while monotonic() < patience:
            ended = process.poll() is not None  # asked before: what it said last may still come
            try:
                if channel.poll(0 if ended else _STEP):
                    word: Said = channel.recv()
                    return word
            except (EOFError, OSError):
                return None
            if ended:
                return None
        return None

    def _take(self, word: Said, directory: Path) -> None:
        if isinstance(word, Refused):
            raise BackendError(word.reason)
        if isinstance(word, Loaded):
            self._loaded = word
        elif isinstance(word, Opening):
            self._opening = word
            if word.problem:
                self._give_up(word.problem)
        elif isinstance(word, Begun):
            self._begun, self._printed = word, _size(directory)
        elif isinstance(word, StaticCheck):
            self._static, self._unchecked = word, False
        elif isinstance(word, Ended):
            self._end(_result(self._left[0], word), directory)

    def _end(self, result: LawResult, directory: Path) -> None:
        """Note what came of the law that is the next."""
        printed = _printed(directory, self._printed) if result.outcome in BAD else ""
        result = replace(result, detail=result.detail + printed)
        self._begun = None
        self._left.pop(0)
        self.results.append(result)
        self._progress(result)
        if self._exit_first and result.outcome in BAD:
            self._cut = self._cut or bool(self._left)
            self._left.clear()

    def _give_up(self, problem: str) -> None:
        """Fail all that is left, since the storage cannot be opened."""
        for law in list(self._left):
            self._begun = None
            self._left.pop(0)
            self.results.append(unopened(law, problem))
        if self._unchecked:
            self._static = StaticCheck("pyright", "", (), "the storage cannot be opened")
        self._unchecked = False

    def _died(self, how: str, directory: Path) -> None:
        """Note what the end of a worker costs: the law that ran, or all if it did not come so far.

        Raises:
            BackendError: It ended while the backend was loaded.
        """
        if self._loaded is None:
            said = _printed(directory, 0).strip().splitlines()[-1:]
            raise BackendError(
                f"{self._target} could not be loaded: {how} {' '.join(said)}".strip()
            )
        if self._begun is not None:
            law = self._left[0]
            detail = f"{law.id} {law.statement}\n\n{how} while the law was tried"
            result = LawResult(law, Outcome.FAILED, 0.0, detail, how)
            self._end(waived(result, self._begun.waiver), directory)
        elif self._opening is None or not self._left:
            self._give_up(f"{how} while it was opened")


@contextmanager
def _worker(task: Task, directory: Path) -> Generator[tuple[subprocess.Popen[bytes], Connection]]:
    """Start a worker, and end it with all that is in its group and all that has come of it."""
    reading, writing = os.pipe()
    with Connection(reading, writable=False) as channel, _output(directory).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  (our own module)
            [sys.executable, "-X", "faulthandler", "-m", _MODULE, str(writing)],
            stdin=subprocess.PIPE, stdout=output, stderr=output, pass_fds=[writing],
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        os.close(writing)
        try:
            with suppress(BrokenPipeError):
                _send(process, task)
            yield process, channel
        finally:
            come = descendants(process.pid)  # in sessions of their own, some of them
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            end(come)
            with suppress(BrokenPipeError):
                process.stdin and process.stdin.close()  # pyright: ignore[reportUnusedExpression]


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """Let the signals by which others end a program end this one through its `finally`s."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send(process: subprocess.Popen[bytes], task: Task) -> None:
    if process.stdin is not None:
        pickle.dump(task, process.stdin)
        process.stdin.flush()


def _result(law: Law, word: Ended) -> LawResult:
    return LawResult(
        law, Outcome(word.outcome), word.seconds, word.detail, word.cause, word.hung, word.stuck
    )


def _death(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f"the process was killed by {signal.Signals(-status).name}"
    return f"the process ended with exit status {status}"


def _output(directory: Path) -> Path:
    return directory / "output"


def _size(directory: Path) -> int:
    return _output(directory).stat().st_size


def _printed(directory: Path, start: int) -> str:
    """What was printed since the output had that size, its end at least, as lines of a detail."""
    with _output(directory).open("rb") as output:
        output.seek(max(start, _size(directory) - _MOST_READ))
        lines = output.read().decode(errors="backslashreplace").splitlines()
    if not lines:
        return ""
    shown = "\n".join(f"  {line}" for line in lines[-_PRINTED:])
    return f"\n\nprinted meanwhile\n{shown}"
