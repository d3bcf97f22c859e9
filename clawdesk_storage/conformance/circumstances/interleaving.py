"""An event loop that lets tasks switch in every order, seeded.

The ordinary loop runs tasks first come, first served, so a store that reads, awaits and writes may
pass a thousand times and lose a message in production. Here each step of a task may wait for a few
turns of the loop: mostly none, sometimes many, so that one task can do a whole operation while
another stands between two awaits. With the same seed, and no threads or sockets involved, the
interleaving is the same.

Nothing happens that asyncio does not allow. Only steps of tasks wait; callbacks keep their order,
on which transports and subprocesses rely, and no step overtakes a callback that was scheduled
before it. All goes through documented methods of the loop. Two things are added:

- A thread that reports to the loop pauses for up to half a millisecond first, so that threads
  report in varying order.
- An `asyncio.Lock` or `Semaphore` that is free lets other tasks run before it is taken. Today it
  does not, which hides that a lock is given up between the read and the write; asyncio does not
  promise it, and the first await added inside of the lock ends it.

A method without any await runs in one step, here as everywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from functools import wraps
from random import Random
from threading import Event, Lock
from typing import Any, Literal, TypeVar, TypeVarTuple

__all__ = ["Late", "ShuffledLoop", "late", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LONGEST_WAIT = 16
_LONGEST_PAUSE = 0.0005


def run(main: Callable[[], Coroutine[Any, Any, T]], *, seed: int) -> T:
    """Run `main` to its end on a loop of its own, and return what it returns.

    A law, which runs on a loop already, calls this with `asyncio.to_thread`. To lose a message with
    every seed, a store that reads, awaits and writes needs some four tasks with five calls each.

    Args:
        main: A coroutine function; what it opens, it also uses and closes.
        seed: Which interleaving; any integer.
    """
    with asyncio.Runner(loop_factory=lambda: ShuffledLoop(seed)) as runner:
        return runner.run(main())


class ShuffledLoop(asyncio.SelectorEventLoop):
    """The loop, for `asyncio.Runner(loop_factory=lambda: ShuffledLoop(seed))`.

    Args:
        seed: Which interleaving; any integer.
    """

    def __init__(self, seed: int) -> None:
        self._waits = Random(seed)  # noqa: S311
        # Threads draw from their own numbers: when they do so is not the seed's to say.
        self._pauses = Random(seed)  # noqa: S311
        self._blank = Context()
        super().__init__()

    def run_forever(self) -> None:
        """Run until stopped, as every loop does."""
        with _locks_that_yield:
            super().run_forever()

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback in order, or the step of a task for some later turn."""
        if not _is_step(callback):
            return super().call_soon(callback, *args, context=context)
        step = _Step(lambda: callback(*args), copy_context() if context is None else context)
        # Heavy-tailed: half the steps run at once, one in ten waits for ten turns and more.
        turns = min(int(1 / (1 - self._waits.random())) - 1, _LONGEST_WAIT)
        return super().call_soon(self._wait, step, turns, context=self._blank)

    def _wait(self, step: _Step, turns: int) -> None:
        if turns:
            super().call_soon(self._wait, step, turns - 1, context=self._blank)
        else:
            step.context.run(step.callback)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread, which the caller's `late` may hold up before it begins."""
        hold = late.get()
        if hold is None:
            return super().run_in_executor(executor, func, *args)

        def begin_late() -> T:
            hold.wait()
            return func(*args)

        return super().run_in_executor(executor, begin_late)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback for a time, or for a later one, as the caller's `late` has it."""
        hold = late.get()
        at = when if hold is None else hold.put_off(when)
        return super().call_at(at, callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback from another thread, after a pause of that thread."""
        if not _is_in_a_loop():
            time.sleep(self._pauses.random() * _LONGEST_PAUSE)
        return super().call_soon_threadsafe(callback, *args, context=context)


class Late:
    """Holds up what a task has given to threads and timers, until its caller has long gone on.

    As long as the caller waits it is for a moment; when the caller was sent away, until others are
    done, or a little longer where they wait for the same thread.
    """

    def __init__(self) -> None:
        self._released, self._gone = Event(), Event()
        self._guard, self._held = Lock(), 0
        self.wait_for_timers: float = 0.0
        """Seconds after which no timer is put off any longer."""

    def put_off(self, when: float) -> float:
        """Return a later time for a timer."""
        self.wait_for_timers = 2 * _PUT_OFF
        return when + _PUT_OFF

    @property
    def is_held(self) -> bool:
        """Whether a thread is being held up."""
        return self._held > 0

    def wait(self) -> None:
        """Wait, in a thread."""
        with self._guard:
            self._held += 1
        if self._gone.wait(_WHILE_WAITED_FOR):
            self._released.wait(_WHILE_GONE)
        with self._guard:
            self._held -= 1

    def go(self) -> None:
        """Tell that the caller has gone."""
        self._gone.set()

    def release(self) -> None:
        """Let the threads begin."""
        self._gone.set()
        self._released.set()


_WHILE_WAITED_FOR, _WHILE_GONE = 0.01, 0.04
"""Seconds that a thread is held up."""

_PUT_OFF = 0.015
"""Seconds that a timer is put off."""

late: ContextVar[Late | None] = ContextVar("late", default=None)
"""What holds up the threads of the current task."""


@dataclass(frozen=True, slots=True)
class _Step:
    callback: Callable[[], object]
    context: Context


def _is_step(callback: Callable[..., object]) -> bool:
    """Tell a step of a task, in C or in Python, from all other callbacks."""
    owner = getattr(callback, "__self__", None)
    # The caller of call_soon(task.cancel) may use the handle, which a step's caller never does.
    return isinstance(owner, asyncio.Task) and callback != owner.cancel


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _YieldingLocks:
    """Makes locks let other tasks run on shuffled loops, as long as one runs in any thread."""

    _KINDS: tuple[Any, ...] = asyncio.Lock, asyncio.Semaphore

    def __init__(self) -> None:
        self._guard = Lock()
        self._loops = 0
        self._ordinary = [kind.acquire for kind in self._KINDS]

    def __enter__(self) -> None:
        with self._guard:
            self._loops += 1
            for kind, acquire in zip(self._KINDS, self._ordinary, strict=True):
                kind.acquire = _yielding(acquire)

    def __exit__(self, *error: object) -> None:
        with self._guard:
            self._loops -= 1
            if not self._loops:
                for kind, acquire in zip(self._KINDS, self._ordinary, strict=True):
                    kind.acquire = acquire


def _yielding(acquire: Callable[[Any], Coroutine[Any, Any, Literal[True]]]) -> Callable[..., Any]:
    @wraps(acquire)
    async def acquire_later(lock: asyncio.Lock | asyncio.Semaphore) -> Literal[True]:
        if isinstance(asyncio.get_running_loop(), ShuffledLoop):
            await asyncio.sleep(0)
        return await acquire(lock)

    return acquire_later


_locks_that_yield = _YieldingLocks()
