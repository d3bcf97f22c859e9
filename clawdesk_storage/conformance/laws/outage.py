"""What a storage promises while its engine is out of reach, and once it is back."""

from clawdesk_storage.conformance.circumstances.exploring import explore, observation
from clawdesk_storage.conformance.circumstances.outages import Outages
from clawdesk_storage.conformance.circumstances.unreachable import (
    expect_unreachable,
    interrupt,
    known,
    outage,
    recovered,
)
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.calls import every_call
from clawdesk_storage.conformance.material.model import IDS, parts_of
from clawdesk_storage.conformance.material.operation import Model, Recall
from clawdesk_storage.conformance.trial import LawViolation, Opened, Trial
from clawdesk_storage.errors import ConnectionFailedError

_OUTAGES = 4
"""How often the engine goes: what a call does just then is chance."""


@law("OUT-01", claim="outage")
async def an_engine_out_of_reach_is_said_so(trial: Trial) -> None:
    """While the engine is unreachable every method raises `ConnectionFailedError` in bounded time.

    Not the driver's own exception, which no caller knows, and not an answer that nothing was found,
    which every caller believes. All methods are called at once: none may wait for ever for a place
    in a pool.
    """
    async with trial.open() as storage:
        calls = await known(trial.random, storage)
        async with outage(trial):
            # Two who ask the same at once are each given an exception of their own.
            twice = [*calls, *calls]
            await expect_unreachable(storage, twice, "during the outage", at_once=True)
            await expect_unreachable(storage, calls, "during the outage", at_once=False)


@law("OUT-02", claim="outage")
async def a_handle_recovers_by_itself(trial: Trial) -> None:
    """Once the engine is back the same handle works again, and nothing acknowledged is lost.

    A pool that keeps its dead connections, and a handle that stays in its failed state, need a
    restart of the program that nobody is there to do.
    """
    async with trial.open(100) as storage:
        async with outage(trial, 100):
            for name, call in every_call(storage).items():
                await trial.refused(ConnectionFailedError, call(), f"{name} during the outage")
        await recovered(storage)
        await _expect_as_new(trial, storage)
    await explore(trial, Outages(), runs=10, length=80, every=40)


async def _expect_as_new(trial: Trial, storage: Opened) -> None:
    """Expect that the calls that failed have left nothing, not even a dimension."""
    model, parts = Model(Recall(trial.backend.recall)), parts_of(storage.raw)
    made = [part.changes[0](trial.random, IDS) for part in parts]
    for one in [*observation(parts, made), *made, *observation(parts, made)]:
        lines = model.differs(one, await one.on(storage))
        if lines:
            what = f"{one}, after an outage in which all calls were refused"
            raise LawViolation("\n".join([what, *lines]))


@law("OUT-03", claim="outage")
async def what_was_in_flight_is_whole_or_absent(trial: Trial) -> None:
    """A call in flight when the engine goes either returns or raises `ConnectionFailedError`.

    On every port, what returned is there, and in order; what raised is there once or not at all. A
    retry that does not know whether the first try arrived stores a message twice.
    """
    for number in range(_OUTAGES):
        async with trial.open(number) as storage:
            await interrupt(trial, storage, number)
