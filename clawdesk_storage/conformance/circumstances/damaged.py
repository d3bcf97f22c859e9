"""Damaged: every way of reading what was there raises, twice, and what was not there is not."""

from __future__ import annotations

from clawdesk_storage.conformance.material.model import parts_of
from clawdesk_storage.conformance.material.operation import Model, Operation, Raised, Recall, told
from clawdesk_storage.conformance.trial import LawViolation, Trial

__all__ = ["damage"]

_CROWD = 104
"""How many records there are: more than a page."""

_OF_KEYS = ("count", "ids")
"""Ways of reading that need no record, damaged or not."""


async def damage(trial: Trial, port: str, number: int) -> None:
    """Damage the records of a port, and read them in every way."""
    if trial.backend.corrupt is None:  # the runner tries this law only where there is a hook
        raise RuntimeError("a corruption law needs a corrupt hook")
    model, empty = Model(Recall(trial.backend.recall)), Model()
    ids = [f"key {number:03}" for number in range(_CROWD)]
    async with trial.open(number) as storage:
        parts = [part for part in parts_of(storage.raw) if part.port == port]
        for part in parts:
            for id in ids[: 1 if part.single else None]:
                made = part.changes[0](trial.random, [id])
                model.answer(made)
                await made.on(storage)
    trial.note(f"every stored record of {port} is damaged")
    await trial.backend.corrupt(trial.location(number), port)
    async with trial.open(number) as storage:
        for part in parts:
            asked = ("", *ids[:2], "never saved")
            every = (read for read in part.reads(ids) if read.method not in _OF_KEYS)
            reads = [read for read in every if read.about in asked]
            for read in reads:
                there = told(empty.answer(read), model.answer(read)) is not None
                for _ in range(2):
                    keys = [] if part.single else [read.about] if read.about else ids
                    _judge(read, await read.on(storage), keys, there=there)


def _judge(read: Operation, came: object, keys: list[str], *, there: bool) -> None:
    damaged = isinstance(came, Raised) and came.kind == "SerializationError"
    if not there:
        if isinstance(came, Raised) and not damaged:
            raise LawViolation(f"{read}, of what was not there\n  came      {came!r:.300}")
        return
    named = not keys or (isinstance(came, Raised) and any(key in came.message for key in keys))
    if not (damaged and named):
        expected = "SerializationError" + (f" naming {keys[0]!r}" if len(keys) == 1 else "")
        raise LawViolation(
            f"{read}, of damaged records\n  expected  {expected}\n  came      {came!r:.300}"
        )
