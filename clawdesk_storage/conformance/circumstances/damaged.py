"""Damaged: every way of reading what was there raises; what needs nothing damaged is as before."""

from __future__ import annotations

from collections.abc import Sequence

from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.model import parts_of
from clawdesk_storage.conformance.material.operation import Model, Operation, Raised, Recall, told
from clawdesk_storage.conformance.trial import LawViolation, Opened, Trial

__all__ = ["damage"]

_CROWD = 104
"""How many records there are: more than a page."""

_MENDED = 10
"""How many of them are stored anew: some of these come first, wherever there is an order."""

_OF_KEYS = ("count", "ids")
"""Ways of reading that need no record, damaged or not."""


async def damage(trial: Trial, port: str, number: int) -> None:
    """Damage the records of a port, and read them in every way; mend some, and read again."""
    if trial.backend.corrupt is None:  # the runner tries this law only where there is a hook
        raise RuntimeError("a corruption law needs a corrupt hook")
    recall = Recall(trial.backend.recall)
    ids = [f"key {number:03}" for number in range(_CROWD)]
    async with trial.open(number) as storage:
        parts = [part for part in parts_of(storage.raw) if part.port == port]
        made = [
            part.changes[0](trial.random, [id])
            for part in parts
            for id in ids[: 1 if part.single else None]
        ]
        await together(*(one.on(storage) for one in made))
    trial.note(f"every stored record of {port} is damaged")
    await trial.backend.corrupt(trial.location(number), port)
    whole = Model(recall).after(*made)
    async with trial.open(number) as storage:
        for part in parts:
            every = (read for read in part.reads(ids) if read.method not in _OF_KEYS)
            reads = [one for one in every if one.about in ("", *ids[:2], "never saved")]
            keys = [] if part.single else ids
            await _expect_damaged(storage, reads, whole, keys)
            anew = [part.changes[0](trial.random, [id]) for id in ids[:_MENDED]]
            trial.note("some are stored anew, among the damaged")
            if not any([await one.on(storage) for one in anew]):  # else a damaged one is in the way
                await _expect_damaged(storage, reads, whole.after(*anew), keys)


async def _expect_damaged(
    storage: Opened, reads: Sequence[Operation], whole: Model, keys: Sequence[str]
) -> None:
    """Expect an error, or what would be read if nothing were damaged; each is asked twice at once.

    Args:
        storage: What is open.
        reads: Every way of reading.
        whole: What would be read.
        keys: One of them is named by an error that is about all.
    """
    for read in reads:
        expected = whole.answer(read)
        named = [read.about] if read.about else keys
        for came in await together(read.on(storage), read.on(storage)):
            if told(expected, came) is not None and not _is_of_damage(came, named):
                said = "SerializationError" + (f" naming {named[0]!r}" if len(named) == 1 else "")
                lines = f"  expected  {said}\n  came      {came!r:.300}"
                raise LawViolation(f"{read}, of damaged records\n{lines}")


def _is_of_damage(came: object, keys: Sequence[str]) -> bool:
    if not isinstance(came, Raised) or came.kind != "SerializationError":
        return False
    return not keys or any(key in came.message for key in keys)
