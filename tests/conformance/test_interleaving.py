"""The shuffled loop: races are found every time, and nothing that is right breaks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Protocol

import pytest

from clawdesk_storage.conformance.circumstances.interleaving import ShuffledLoop, run

SEEDS = range(100)


class Log(Protocol):
    """A store of one list."""

    messages: list[int]

    async def append(self, message: int) -> None:
        """Add a message at the end."""
        ...


class Racy:
    """Reads, lets others run, and writes."""

    def __init__(self) -> None:
        self.messages: list[int] = []

    async def append(self, message: int) -> None:
        """Lose what others appended meanwhile."""
        read = self.messages
        await asyncio.sleep(0)
        self.messages = [*read, message]


class SplitLock(Racy):
    """Gives its lock up between the read and the write, and awaits nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = asyncio.Lock()

    async def append(self, message: int) -> None:
        """Lose what others appended meanwhile."""
        async with self._lock:
            read = self.messages
        async with self._lock:
            self.messages = [*read, message]


class LockOfItsOwn(Racy):
    """Takes a lock that nobody else ever takes."""

    async def append(self, message: int) -> None:
        """Lose what others appended meanwhile."""
        read = self.messages
        async with asyncio.Lock():
            self.messages = [*read, message]


class SplitSemaphore(Racy):
    """Takes a semaphore in the wrong place."""

    def __init__(self) -> None:
        super().__init__()
        self._semaphore = asyncio.Semaphore(1)

    async def append(self, message: int) -> None:
        """Lose what others appended meanwhile."""
        read = self.messages
        async with self._semaphore:
            self.messages = [*read, message]


class ThreadedRead(Racy):
    """Reads in a thread and writes in the loop."""

    async def append(self, message: int) -> None:
        """Lose what others appended meanwhile."""
        read = await asyncio.to_thread(lambda: self.messages)
        self.messages = [*read, message]


class Hasty(Racy):
    """Leaves the write to another task, and believes it done a turn of the loop later."""

    async def append(self, message: int) -> None:
        """Return before the message is there, unless tasks run first come, first served."""
        writing = asyncio.create_task(self._write(message))
        await asyncio.sleep(0)
        if not writing.done():
            self.messages.append(-1)

    async def _write(self, message: int) -> None:
        self.messages.append(message)


class Locked(Racy):
    """Keeps its lock from the read to the write."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = asyncio.Lock()

    async def append(self, message: int) -> None:
        """Lose nothing."""
        async with self._lock:
            await super().append(message)


class Atomic(Racy):
    """Awaits nothing."""

    async def append(self, message: int) -> None:
        """Lose nothing."""
        self.messages.append(message)


async def appended(kind: Callable[[], Log], tasks: int = 4, each: int = 5) -> list[int]:
    """What a log holds after some tasks appended to it."""
    log = kind()

    async def work(first: int) -> None:
        for message in range(first, first + each):
            await log.append(message)

    await asyncio.gather(*(work(each * number) for number in range(tasks)))
    return log.messages


@pytest.mark.parametrize("kind", [Racy, SplitLock, LockOfItsOwn, SplitSemaphore, ThreadedRead])
def test_race_is_found_with_every_seed(kind: Callable[[], Log]) -> None:
    """A read, an await and a write lose a message, whatever is awaited."""
    unseen = [seed for seed in SEEDS if len(run(partial(appended, kind), seed=seed)) == 20]
    assert not unseen


def test_reliance_on_the_order_of_tasks_is_found_with_every_seed() -> None:
    """A store that the ordinary loop never catches returns before it has written."""
    unseen = [seed for seed in SEEDS if -1 not in run(partial(appended, Hasty), seed=seed)]
    assert not unseen


@pytest.mark.parametrize("kind", [SplitLock, LockOfItsOwn, SplitSemaphore, Hasty])
def test_ordinary_loop_does_not_see_it(kind: Callable[[], Log]) -> None:
    """Without the shuffled loop these mistakes look right, which is what it is there for."""
    assert set(range(20)) == set(asyncio.run(appended(kind)))


@pytest.mark.parametrize("kind", [Locked, Atomic])
def test_correct_store_loses_nothing(kind: Callable[[], Log]) -> None:
    """What is right stays right with every seed."""
    wrong = [seed for seed in SEEDS if len(set(run(partial(appended, kind), seed=seed))) != 20]
    assert not wrong


def test_race_of_two_calls_is_found_soon() -> None:
    """Of two single calls in 100 interleavings some lose a message, and some do not."""
    lengths = {len(run(partial(appended, Racy, 2, 1), seed=seed)) for seed in SEEDS}
    expected = {1, 2}
    assert expected == lengths


def test_every_order_of_tasks_occurs() -> None:
    """Tasks that start together run in each of the possible orders."""
    orders = {tuple(run(partial(appended, Atomic, 3, 1), seed=seed)) for seed in range(200)}
    expected = 6
    assert expected == len(orders)


def test_one_task_overtakes_another_by_far() -> None:
    """A task does ten steps while another one stands between two of its own."""

    async def main() -> int:
        steps = 0

        async def walk() -> None:
            nonlocal steps
            for _ in range(10):
                await asyncio.sleep(0)
                steps += 1

        async def stand() -> int:
            before = steps
            await asyncio.sleep(0)
            return steps - before

        _, overtaken = await asyncio.gather(walk(), stand())
        return overtaken

    assert max(run(main, seed=seed) for seed in range(200)) == 10


async def trace() -> list[tuple[str, int]]:
    """Who ran when, with a lock, an event and sleeps among four tasks."""
    steps: list[tuple[str, int]] = []
    lock, event = asyncio.Lock(), asyncio.Event()

    async def work(name: str) -> None:
        for number in range(5):
            steps.append((name, number))
            async with lock:
                await asyncio.sleep(0)
            if number == 2:
                event.set()
        await event.wait()
        steps.append((name, -1))

    await asyncio.gather(*map(work, "abcd"))
    return steps


def test_same_seed_gives_the_same_interleaving() -> None:
    """Without threads and sockets a failure can be repeated from its seed."""
    for seed in SEEDS:
        assert run(trace, seed=seed) == run(trace, seed=seed)


def test_other_seeds_give_other_interleavings() -> None:
    """A hundred seeds are a hundred attempts, not one."""
    traces = {tuple(run(trace, seed=seed)) for seed in SEEDS}
    assert len(SEEDS) == len(traces)


def test_callbacks_keep_their_order() -> None:
    """What is no task runs first come, first served, as transports rely on."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        called: list[int] = []
        for number in range(20):
            loop.call_soon(called.append, number)
        last = asyncio.Event()
        loop.call_soon(last.set)
        await last.wait()
        return called

    expected = list(range(20))
    assert all(expected == run(main, seed=seed) for seed in SEEDS)


def test_no_step_overtakes_a_callback_before_it() -> None:
    """Who wakes a task after scheduling a callback finds the callback done."""

    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        done: list[bool] = []

        async def wait() -> bool:
            await event.wait()
            return bool(done)

        tasks = [asyncio.create_task(wait()) for _ in range(5)]
        for _ in range(100):
            await asyncio.sleep(0)
        loop.call_soon(done.append, True)
        event.set()
        return await asyncio.gather(*tasks)

    assert all(all(run(main, seed=seed)) for seed in SEEDS)


def test_callbacks_of_one_thread_keep_their_order() -> None:
    """A thread's reports arrive in the order in which it made them."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        called: list[int] = []

        def report() -> None:
            for number in range(20):
                loop.call_soon_threadsafe(called.append, number)

        await asyncio.to_thread(report)
        return called

    expected = list(range(20))
    assert expected == run(main, seed=1)


def test_scheduled_cancellation_can_be_taken_back() -> None:
    """The handle of a callback that is a task's method works."""

    async def main() -> bool:
        task = asyncio.create_task(asyncio.sleep(0))
        asyncio.get_running_loop().call_soon(task.cancel).cancel()
        await task
        return task.cancelled()

    assert not run(main, seed=1)


def test_context_follows_its_task() -> None:
    """Each task sees its own context variables."""
    variable = ContextVar("variable", default=-1)

    async def work(number: int) -> bool:
        variable.set(number)
        for _ in range(5):
            await asyncio.sleep(0)
        return variable.get() == number

    async def main() -> bool:
        return all(await asyncio.gather(*map(work, range(5)))) and variable.get() == -1

    assert all(run(main, seed=seed) for seed in SEEDS)


def test_sockets_work() -> None:
    """Clients and a server talk over a real connection."""

    async def ask(port: int, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"question %d\n" % number)
        answered = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answered

    async def main() -> list[bytes]:
        answered = asyncio.Semaphore(0)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(line.upper())
                await writer.drain()
            writer.close()
            await writer.wait_closed()
            answered.release()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            answers = await asyncio.gather(*(ask(port, number) for number in range(5)))
            for _ in answers:
                await answered.acquire()
            return answers

    expected = [b"QUESTION %d\n" % number for number in range(5)]
    assert all(expected == run(main, seed=seed) for seed in range(10))


def test_subprocesses_work() -> None:
    """A child process is started, spoken to and waited for."""

    async def main() -> tuple[bytes, int | None]:
        program = "import sys; sys.stdout.write(sys.stdin.read().upper())"
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=pipe, stdout=pipe
        )
        output, _ = await process.communicate(b"question")
        return output, process.returncode

    expected = b"QUESTION", 0
    assert all(expected == run(main, seed=seed) for seed in range(5))


def test_time_limits_work() -> None:
    """A task that waits for ever is cancelled by its time limit."""

    async def main() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "in time"
        return "never"

    expected = "in time"
    assert expected == run(main, seed=1)


def test_exception_reaches_the_caller() -> None:
    """What the coroutine raises, `run` raises."""

    async def main() -> None:
        await asyncio.sleep(0)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run(main, seed=1)


async def test_runs_beside_another_loop() -> None:
    """A law that runs on a loop already runs its rounds in a thread."""
    messages = await asyncio.to_thread(run, partial(appended, Atomic), seed=1)
    assert set(range(20)) == set(messages)


def test_locks_are_themselves_again_afterwards() -> None:
    """Outside of shuffled loops a free lock is taken at once, as ever."""
    before = asyncio.Lock.acquire, asyncio.Semaphore.acquire
    run(trace, seed=1)
    assert before == (asyncio.Lock.acquire, asyncio.Semaphore.acquire)


async def test_locks_of_other_loops_do_not_yield() -> None:
    """A loop that runs meanwhile in another thread takes a free lock at once."""

    async def turns(take: Awaitable[object]) -> int:
        count = 0

        async def tick() -> None:
            nonlocal count
            while True:
                count += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await take
        ticking.cancel()
        return count

    async def meanwhile(loop: asyncio.AbstractEventLoop) -> int:
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(turns(asyncio.Lock().acquire()), loop)
        )

    loop = asyncio.get_running_loop()
    expected = 0
    assert expected == await asyncio.to_thread(run, partial(meanwhile, loop), seed=1)


def test_loop_serves_a_runner_of_ones_own() -> None:
    """The loop is a factory's product like any other."""
    with asyncio.Runner(loop_factory=partial(ShuffledLoop, 1)) as runner:
        first = runner.run(appended(Locked))
        second = runner.run(appended(Locked))
    assert set(first) == set(second)
