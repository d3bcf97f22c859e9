"""What a storage promises while its engine is out of reach, and once it is back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from clawdesk_storage.conformance.circumstances.exploring import observation
from clawdesk_storage.conformance.circumstances.unreachable import (
    expect_unreachable,
    interrupt,
    known,
)
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.calls import every_call
from clawdesk_storage.conformance.material.model import parts_of
from clawdesk_storage.conformance.material.numbered import angle, config, version
from clawdesk_storage.conformance.material.operation import Raised
from clawdesk_storage.conformance.material.samples import message
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.errors import ConnectionFailedError
from clawdesk_storage.models import SessionId, VectorResult

_ALL = 10**6
_AWAY = Raised("ConnectionFailedError")
_BOUND = 20.0
"""Seconds within which a call must give up."""
_OUTAGES = 4
"""How often the engine goes: what a call does just then is chance."""
_RECOVERY = 10.0
"""Seconds that a handle has to find the engine again, once it is back."""


def _outage(trial: Trial, number: int = 0) -> AbstractAsyncContextManager[object]:
    if trial.backend.outage is None:  # the runner tries this law only where there is a hook
        raise RuntimeError("an outage law needs an outage hook")
    return trial.backend.outage(trial.location(number))


async def _fill(storage: Opened, number: int) -> None:
    if "sessions" in storage.raw:
        await storage.sessions.save(version("s", number))
    if "conversations" in storage.raw:
        await storage.conversations.append_message(SessionId("kept"), message(str(number)))
    if "config" in storage.raw:
        await storage.config.save_config(config(number))
    if "vectors" in storage.raw:
        await storage.vectors.upsert(f"v{number}", angle(number), metadata=number)


async def _expect_filled(trial: Trial, storage: Opened, numbers: Sequence[int], what: str) -> None:
    last = numbers[-1]
    if "sessions" in storage.raw:
        one = await storage.sessions.get(SessionId("s"))
        trial.same(version("s", last), one, f"the session {what}")
    if "conversations" in storage.raw:
        came = await storage.conversations.get_messages(SessionId("kept"), _ALL)
        trial.same([str(n) for n in numbers], [one.content for one in came], f"messages {what}")
    if "config" in storage.raw:
        trial.same(config(last), await storage.config.get_config(), f"the configuration {what}")
    if "vectors" in storage.raw:
        found: Sequence[VectorResult] = await storage.vectors.search(angle(0), _ALL)
        kept = sorted(one.id for one in found if one.id != "v")
        trial.same([f"v{n}" for n in numbers], kept, f"the vectors {what}")


async def _expect_unreachable(
    trial: Trial, name: str, call: Callable[[], Awaitable[object]]
) -> None:
    try:
        async with asyncio.timeout(_BOUND):
            await trial.refused(ConnectionFailedError, call(), f"{name} during the outage")
    except TimeoutError:
        expected = f"ConnectionFailedError within {_BOUND:g} seconds"
        trial.violated(f"{name} during the outage", expected, "a call that hangs")


@law("OUT-01", claim="outage")
async def an_engine_out_of_reach_is_said_so(trial: Trial) -> None:
    """While the engine is unreachable every method raises `ConnectionFailedError` in bounded time.

    Not the driver's own exception, which no caller knows, and not an answer that nothing was found,
    which every caller believes. All methods are called at once: none may wait for ever for a place
    in a pool.
    """
    async with trial.open() as storage:
        calls = await known(trial.random, storage)
        async with _outage(trial):
            for at_once in (True, False):
                await expect_unreachable(storage, calls, "during the outage", at_once=at_once)


@law("OUT-02", claim="outage")
async def a_handle_recovers_by_itself(trial: Trial) -> None:
    """Once the engine is back the same handle works again, and nothing acknowledged is lost.

    A pool that keeps its dead connections, and a handle that stays in its failed state, need a
    restart of the program that nobody is there to do.
    """
    async with trial.open() as storage:
        numbers = [1]
        await _fill(storage, 1)
        for number in (2, 3):
            async with _outage(trial):
                for name, call in every_call(storage).items():
                    await _expect_unreachable(trial, name, call)
            await _recovered(trial, storage)
            await _expect_filled(trial, storage, numbers, "after the outage")
            await _fill(storage, number)
            numbers.append(number)
            await _expect_filled(trial, storage, numbers, "written after the outage")


async def _recovered(trial: Trial, storage: Opened) -> None:
    """Wait until every way of reading works: a call that cannot know yet may fail once more."""
    try:
        async with asyncio.timeout(_RECOVERY):
            for read in observation(parts_of(storage.raw), []):
                while await read.on(storage) == _AWAY:  # noqa: ASYNC110  (nothing says when)
                    await asyncio.sleep(0.05)
    except TimeoutError:
        what = f"the handle, {_RECOVERY:g} seconds after the engine came back"
        trial.violated(what, "answers", "ConnectionFailedError still")


@law("OUT-03", claim="outage")
async def what_was_in_flight_is_whole_or_absent(trial: Trial) -> None:
    """A call in flight when the engine goes either returns or raises `ConnectionFailedError`.

    On every port, what returned is there, and in order; what raised is there once or not at all. A
    retry that does not know whether the first try arrived stores a message twice.
    """
    for number in range(_OUTAGES):
        outage = _outage(trial, number)
        async with trial.open(number) as storage, interrupt(trial, storage, outage):
            await _recovered(trial, storage)
