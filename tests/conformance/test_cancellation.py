"""Calls cancelled at every await: where it happens, what comes of it, and what the call sees."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from clawdesk_storage.conformance.circumstances.cancellation import (
    Attempt,
    Moment,
    Outcome,
    attempts,
)
from clawdesk_storage.conformance.circumstances.interleaving import run

BOTH = [Moment.WAITING, Moment.RESUMING]


async def collected(
    call: Callable[[], Coroutine[Any, Any, object]], *, timeout: float = 5
) -> list[Attempt]:
    """All attempts at a call; the time limit is there for the calls that hang."""
    return [attempt async for attempt in attempts(call, timeout=timeout)]


async def outcomes(
    call: Callable[[], Coroutine[Any, Any, object]], *, timeout: float = 5
) -> set[Outcome]:
    """What became of all attempts at a call."""
    return {attempt.outcome for attempt in await collected(call, timeout=timeout)}


async def turn() -> None:
    """Wait for a future that is done in the next turn of the loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def finish() -> None:
        if not future.cancelled():
            future.set_result(None)

    loop.call_soon(finish)
    await future


async def three_turns() -> str:
    """Suspend three times."""
    await turn()
    await asyncio.sleep(0)
    await turn()
    return "done"


async def test_every_suspension_has_its_attempts() -> None:
    """Three awaits are cancelled one after the other, each at both moments."""
    expected = [(number, moment) for number in (1, 2, 3) for moment in BOTH]
    found = await collected(three_turns)
    assert expected == [(attempt.suspension, attempt.moment) for attempt in found]


async def test_call_without_suspension_gives_no_attempt() -> None:
    """What never suspends cannot be cancelled."""

    async def call() -> None:
        pass

    assert not await collected(call)


async def test_cancellation_that_reaches_the_caller() -> None:
    """An honest call ends as cancelled wherever it is hit."""
    expected = {Outcome.CANCELLED}
    assert expected == await outcomes(three_turns)


async def test_swallowed_cancellation() -> None:
    """A call that goes on as if nothing had happened is found out."""

    async def call() -> str:
        with suppress(asyncio.CancelledError):
            await turn()
        return "done"

    found = await collected(call)
    expected = [(Outcome.COMPLETED, "done")] * 2
    assert expected == [(attempt.outcome, attempt.result) for attempt in found]


async def test_cancellation_swallowed_by_a_retry() -> None:
    """A call that tries again after the cancellation and succeeds has swallowed it."""

    async def call() -> None:
        try:
            await turn()
        except asyncio.CancelledError:
            await turn()

    expected = {Outcome.COMPLETED}
    assert expected == await outcomes(call)


async def test_cancellation_turned_into_another_error() -> None:
    """The exception that reached the caller instead is in the report."""

    async def call() -> None:
        try:
            await turn()
        except asyncio.CancelledError as error:
            raise ConnectionError("lost") from error

    found = await collected(call)
    expected = [(Outcome.RAISED, "ConnectionError('lost')")] * 2
    assert expected == [(attempt.outcome, repr(attempt.error)) for attempt in found]


async def test_call_that_hangs() -> None:
    """A call that waits for ever after its cancellation is given up, and ended."""
    tasks: set[asyncio.Task[Any] | None] = set()

    async def call() -> None:
        tasks.add(asyncio.current_task())
        try:
            await turn()
        finally:
            await asyncio.Event().wait()

    found = attempts(call, timeout=0.01)
    first = await anext(found)
    await found.aclose()
    expected = Outcome.HUNG, True
    assert expected == (first.outcome, all(task is not None and task.done() for task in tasks))


async def test_lock_kept_after_a_cancellation() -> None:
    """The next call hangs on the lock that the cancelled one never released."""
    lock = asyncio.Lock()

    async def call() -> None:
        await lock.acquire()
        await turn()
        lock.release()

    found = await collected(call, timeout=0.01)
    expected = [Outcome.CANCELLED, Outcome.HUNG]
    assert expected == [attempt.outcome for attempt in found]


@pytest.mark.parametrize("moment", BOTH)
async def test_resource_lost_on_resuming(moment: Moment) -> None:
    """What was taken from a pool is lost if the call is cancelled before it knows what it got."""
    pool = [1]

    def take(future: asyncio.Future[int]) -> None:
        if not future.cancelled():
            future.set_result(pool.pop())

    async def call() -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        loop.call_soon(take, future)
        taken = await future
        try:
            await turn()
        finally:
            pool.append(taken)

    async for attempt in attempts(call, timeout=5):
        if attempt.moment is moment:
            break
    expected = {Moment.WAITING: [1], Moment.RESUMING: []}[moment]
    assert expected == pool


async def test_shielded_work_goes_on() -> None:
    """A call that shields its work lets go of it at once, and the work completes afterwards."""
    finished: list[asyncio.Task[None]] = []

    async def call() -> None:
        work = asyncio.create_task(turn())
        finished.append(work)
        await asyncio.shield(work)

    found = await outcomes(call)
    await asyncio.gather(*finished)
    expected = {Outcome.CANCELLED}, False
    assert expected == (found, any(work.cancelled() for work in finished))


async def test_work_in_the_background_completes_after_the_report() -> None:
    """What a cancelled call left running takes effect later: the caller has to look again."""
    effects: list[int] = []
    release = asyncio.Event()
    running: set[asyncio.Task[None]] = set()

    async def work() -> None:
        await release.wait()
        effects.append(1)

    async def call() -> None:
        task = asyncio.create_task(work())
        running.add(task)
        await asyncio.shield(task)

    found = attempts(call, timeout=5)
    first = await anext(found)
    at_first = list(effects)
    release.set()
    await asyncio.gather(*running)
    await found.aclose()
    expected: tuple[Outcome, list[int], list[int]] = Outcome.CANCELLED, [], [1]
    assert expected == (first.outcome, at_first, effects)


async def test_cleanup_may_await() -> None:
    """A call that rolls back before it lets the cancellation through is an honest one."""
    rolled_back: list[bool] = []

    async def call() -> None:
        try:
            await turn()
        except asyncio.CancelledError:
            await turn()
            rolled_back.append(True)
            raise

    expected = {Outcome.CANCELLED}, [True, True]
    assert expected == (await outcomes(call), rolled_back)


async def test_thread_is_awaited() -> None:
    """A call that waits for a thread is cancelled like any other."""
    expected = {Outcome.CANCELLED}
    assert expected == await outcomes(partial(asyncio.to_thread, int))


async def test_error_without_cancellation_is_raised() -> None:
    """A call that fails on its own is no attempt: its error is the caller's."""

    async def call() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await collected(call)


async def test_attempt_names_the_line() -> None:
    """The report says which line of the store was awaiting, and not which one of asyncio."""

    async def call() -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(0.01)

    _, line = inspect.getsourcelines(call)
    expected = f"test_cancellation.py:{line + 2} in {call.__qualname__}"
    assert expected == (await collected(call))[0].place


async def test_attempt_reads_as_a_sentence() -> None:
    """What is printed says when, where and what."""

    async def call() -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise ConnectionError("lost") from None

    _, line = inspect.getsourcelines(call)
    expected = (
        f"cancelled while waiting at await 1 (test_cancellation.py:{line + 2} in "
        f"{call.__qualname__}), the call raised: ConnectionError('lost')"
    )
    assert expected == str((await collected(call))[0])


async def test_call_is_the_current_task() -> None:
    """The call runs in a task of its own, which is the current one throughout."""

    async def call() -> None:
        before = asyncio.current_task()
        await turn()
        assert before is asyncio.current_task()

    assert await collected(call)


async def test_tasks_coroutine_is_a_native_one() -> None:
    """Libraries that look into the task find a coroutine they can inspect."""
    states: set[str] = set()

    async def call() -> None:
        task = asyncio.current_task()
        coroutine: Any = task.get_coro() if task else None
        states.add(inspect.getcoroutinestate(coroutine))
        await turn()

    await collected(call)
    expected = {inspect.CORO_RUNNING}
    assert expected == states


async def test_time_limit_in_the_call_works() -> None:
    """A time limit inside of the call strikes, and the call goes on after it."""

    async def call() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            await turn()
        return "done"

    last = (await collected(call))[-1]
    expected = 2, Outcome.CANCELLED
    assert expected == (last.suspension, last.outcome)


async def test_time_limit_in_the_call_lets_the_cancellation_through() -> None:
    """A time limit that has not struck takes no cancellation for its own."""

    async def call() -> None:
        async with asyncio.timeout(5):
            await turn()

    expected = {Outcome.CANCELLED}
    assert expected == await outcomes(call)


async def test_cancellation_can_be_counted() -> None:
    """The call sees one request to cancel, and can take it back, which counts as swallowing."""
    counts: list[int] = []

    async def call() -> None:
        task = asyncio.current_task()
        try:
            await turn()
        except asyncio.CancelledError:
            if task is not None:
                counts.extend([task.cancelling(), task.uncancel()])

    expected = {Outcome.COMPLETED}, [1, 0, 1, 0]
    assert expected == (await outcomes(call), counts)


async def test_each_attempt_is_over_before_the_next() -> None:
    """Between two attempts no call runs, so that the store can be looked at."""
    running = 0

    async def call() -> None:
        nonlocal running
        running += 1
        try:
            await three_turns()
        finally:
            running -= 1

    seen = [running async for _ in attempts(call, timeout=5)]
    expected = [0] * 6
    assert expected == seen


async def test_cancelled_law_takes_its_call_along() -> None:
    """Who is cancelled while attempting leaves no call behind."""
    tasks: set[asyncio.Task[Any] | None] = set()

    async def call() -> None:
        tasks.add(asyncio.current_task())
        await turn()
        await asyncio.sleep(0)
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await collected(call, timeout=1000)
    assert all(task is not None and task.done() for task in tasks)


def test_attempts_on_a_shuffled_loop() -> None:
    """Cancelling and shuffling go together: the same attempts, whatever the interleaving."""
    expected = {(n, moment, Outcome.CANCELLED) for n in (1, 2, 3) for moment in BOTH}
    for seed in range(20):
        found = run(partial(collected, three_turns), seed=seed)
        assert expected == {(one.suspension, one.moment, one.outcome) for one in found}
