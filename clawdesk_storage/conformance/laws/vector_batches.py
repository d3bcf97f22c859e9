"""What `VectorBatches` promises: many entries change at once."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from clawdesk_storage.abilities import VectorEntry
from clawdesk_storage.conformance.circumstances.cancellation import attempts
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import BAD_IDS
from clawdesk_storage.conformance.material.operation import Operation, packed, unpacked
from clawdesk_storage.conformance.running.process import in_process
from clawdesk_storage.conformance.trial import Inconclusive, Opened, Trial
from clawdesk_storage.errors import SerializationError

_ALL = sys.maxsize
_ABILITY = "VectorBatches"
_PATIENCE = 5.0
_QUERY = [1.0, 0.0]


def _store(storage: Opened) -> Any:
    return storage.vectors


def _entry(id: str, number: int) -> VectorEntry:
    """An entry whose metadata tells its vector."""
    return VectorEntry(id, [1.0, number / 16], {"number": number})


async def _found(store: Any) -> dict[str, Any]:
    return {one.id: one.metadata for one in await store.search(_QUERY, _ALL)}


@law("VBA-01", ability=_ABILITY)
async def a_batch_of_vectors_equals_one_by_one(trial: Trial) -> None:
    """A batch equals its entries stored one by one; of an id given twice the last counts.

    The same for deleting: what is absent is no error, and what is not named stays.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.upsert("old", [0.0, 1.0], metadata="old")
        await store.upsert("replaced", [0.0, 1.0], metadata="old")
        batch = [_entry(f"v{number}", number) for number in range(20)]
        twice = [_entry("twice", 40), _entry("replaced", 3), _entry("twice", 2)]
        await store.upsert_many([*batch, *twice])
        expected = {one.id: one.metadata for one in [*batch, *twice]} | {"old": "old"}
        found = await store.search(_QUERY, _ALL)
        trial.same(expected, {one.id: one.metadata for one in found}, "the entries")
        scores = {one.id: one.score for one in found}
        trial.holds(
            abs(scores["twice"] - scores["v2"]) < 1e-4, "the score of the id given twice",
            f"that of its last vector, {scores['v2']}", scores["twice"],
        )  # fmt: skip
        trial.same(len(expected), len(found), "how many entries are found, each once")
        await store.delete_many(["v0", "absent", "twice", "v0"])
        left = {id: one for id, one in expected.items() if id not in ("v0", "twice")}
        trial.same(left, await _found(store), "the entries, after deleting some")


@law("VBA-02", ability=_ABILITY)
async def a_batch_with_one_bad_entry_stores_nothing(trial: Trial) -> None:
    """One unusable vector, id or metadata, or two dimensions: nothing is stored.

    **And the dimension is not fixed** by a first batch that was refused: a store that fixes it as
    it reads the batch takes no vector of the right one any more.
    """
    bad: list[tuple[type[Exception], VectorEntry]] = [
        (ValueError, VectorEntry("bad", [0.0, 0.0], None)),
        (ValueError, VectorEntry("bad", [], None)),
        (ValueError, VectorEntry("bad", [float("nan"), 1.0], None)),
        (ValueError, VectorEntry("bad", [1.0, 0.0, 0.0], None)),
        (ValueError, VectorEntry("", [1.0, 0.0], None)),
        (ValueError, VectorEntry("a\0", [1.0, 0.0], None)),
        (SerializationError, VectorEntry("bad", [1.0, 0.0], {"bad": {1}})),  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    ]
    for number, (kind, entry) in enumerate(bad):
        async with trial.open(number) as storage:
            store = _store(storage)
            for place in (0, 1, 2):
                batch = [VectorEntry("x", [1.0, 1.0], 1), VectorEntry("y", [2.0, 1.0], 2)]
                batch.insert(place, entry)
                what = f"a first batch whose entry {place} is {entry}"
                await trial.refused(kind, store.upsert_many(batch), what)
                trial.same({}, await _found(store), f"the entries after {what}")
            await store.upsert_many([VectorEntry("z", [1.0, 0.0, 0.0], "three")])
            found = [one.metadata for one in await store.search([1.0, 0.0, 0.0], 5)]
            trial.same(["three"], found, "another dimension, after batches that were refused")
            batch = [VectorEntry("w", [1.0, 1.0, 1.0], 1), VectorEntry("z", [1.0, 1.0], 2)]
            call = store.upsert_many(batch)
            await trial.refused(ValueError, call, "a later batch of another dimension in part")
            found = [one.metadata for one in await store.search([1.0, 0.0, 0.0], 5)]
            trial.same(["three"], found, "the entries after it")
            for id in BAD_IDS:
                call = store.delete_many(["z", id])
                await trial.refused(ValueError, call, f"delete_many with the id {id!r}")
            found = [one.metadata for one in await store.search([1.0, 0.0, 0.0], 5)]
            trial.same(["three"], found, "the entries after deleting with a bad id")


@law("VBA-03", ability=_ABILITY, shuffled=True)
async def no_search_sees_half_a_batch(trial: Trial) -> None:
    """No search sees half of a batch, nor half of a deletion.

    A document whose first chunks alone are found is quoted out of context.
    """
    async with trial.open() as storage:
        store = _store(storage)
        running = True

        async def write() -> None:
            nonlocal running
            try:
                for number in range(8):
                    await store.upsert_many([_entry(f"v{one}", number) for one in range(6)])
                    if number % 3 == 2:
                        await store.delete_many([f"v{one}" for one in range(6)])
            finally:
                running = False

        async def read() -> None:
            while running:
                found = await _found(store)
                numbers = {str(one) for one in found.values()}
                trial.holds(len(found) in (0, 6), "how many a search finds", "0 or 6", len(found))
                trial.holds(len(numbers) <= 1, "whose batch it finds", "one batch", sorted(numbers))
                await asyncio.sleep(0)

        await together(write(), read(), read())


@law("VBA-04", ability=_ABILITY)
async def a_cancelled_batch_of_vectors_is_whole_or_not_at_all(trial: Trial) -> None:
    """A batch that is cancelled, or that a SIGKILL meets, is there whole or not at all.

    One that was acknowledged is there. Where the storage is not durable, nothing is killed.
    """
    async with trial.open() as storage:
        store, number = _store(storage), 0

        def call() -> Any:
            nonlocal number
            number += 1
            return store.upsert_many([_entry(f"v{one}", number) for one in range(6)])

        async for attempt in attempts(call, timeout=_PATIENCE):
            found = await _found(store)
            numbers = {str(one) for one in found.values()}
            whole = len(found) in (0, 6) and len(numbers) <= 1
            trial.holds(whole, f"the entries after {attempt}", "those of one batch", found)
            if number > 60:
                break
    if trial.backend.durable:
        await _kill(trial)


async def _kill(trial: Trial) -> None:
    judged = 0
    for round in range(3):
        async with in_process(trial.backend, trial.location(1)) as process:
            await process.opened()
            for number in range(100):
                batch = [_entry(f"{round}-{number}-{one}", number) for one in range(6)]
                operation = Operation("vectors", "upsert_many", (batch,))
                process.send("call", number, "perform", [packed(operation)])
            await process.reach(2 + trial.random.choice((0, 1, 3, 20)))
            answers = await process.kill()
        done = [one[1] for one in answers if one[0] == "done" and unpacked(one[4]) is None]
        async with trial.open(1) as storage:
            there = [id.rpartition("-")[0] for id in await _found(_store(storage))]
        halves = sorted({name for name in there if there.count(name) != 6})
        trial.same([], halves, "the batches that are there in part, after a kill")
        lost = [number for number in done if f"{round}-{number}" not in there]
        trial.same([], lost, "the batches that were acknowledged and are gone")
        judged += len(done)
    if not judged:
        raise Inconclusive("no batch was acknowledged before the process was killed")


@law("VBA-05", ability=_ABILITY)
async def ten_thousand_entries_are_one_batch(trial: Trial) -> None:
    """Ten thousand entries are one batch, to store and to delete.

    A limit on the parameters of a statement cuts it, or refuses it after a thousand.
    """
    count = 10_000
    async with trial.open() as storage:
        store = _store(storage)
        batch = [VectorEntry(f"v{n}", [1.0, n / count], n) for n in range(count)]
        await store.upsert_many(batch)
        best = [one.metadata for one in await store.search([1.0, 0.0], 3)]
        if trial.backend.recall == 1:
            trial.same([0, 1, 2], best, "the best three")
        await store.delete_many([f"v{n}" for n in range(count) if n != 7])
        left = {one.id: one.metadata for one in await store.search([1.0, 0.0], 5)}
        trial.same({"v7": 7}, left, "what is left")


@law("VBA-06", ability=_ABILITY)
async def empty_batches_of_vectors_are_nothing(trial: Trial) -> None:
    """An empty batch is nothing, and fixes no dimension; absent ids are no error.

    Whoever collects the chunks of a document has sometimes none.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.upsert_many([])
        await store.delete_many([])
        await store.delete_many(["absent"])
        trial.same({}, await _found(store), "the entries")
        await store.upsert("v", [1.0, 0.0, 0.0], metadata=1)
        await store.upsert_many(())
        await store.delete_many(())
        found = [one.id for one in await store.search([1.0, 0.0, 0.0], 5)]
        trial.same(["v"], found, "the entries after empty batches")


@law("VBA-07", ability=_ABILITY, shuffled=True)
async def of_two_first_batches_one_dimension_wins(trial: Trial) -> None:
    """Of two first batches of different dimensions one wins, and the other is `ValueError`.

    Two models that embed into one store must not both be believed.
    """
    for number in range(6):
        async with trial.open(number) as storage:
            store, won = _store(storage), list[int]()

            async def write(size: int, name: int, store: Any = store, won: list[int] = won) -> None:
                vector = [1.0] * size
                batch = [VectorEntry(f"{size}.{name}.{n}", vector, size) for n in range(3)]
                try:
                    await store.upsert_many(batch)
                except ValueError:
                    return
                won.append(size)

            await together(*(write(size, name) for name in range(2) for size in (2, 3)))
            trial.same(1, len(set(won)), "how many dimensions won")
            found = await store.search([1.0] * won[0], _ALL)
            sizes = [one.metadata for one in found]
            trial.same([won[0]] * 3 * len(won), sizes, "the dimensions of the entries")
