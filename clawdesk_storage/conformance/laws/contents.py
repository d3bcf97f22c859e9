"""What `Contents` and `VectorContents` promise: that what is there can be told."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from clawdesk_storage.abilities import VectorEntry
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import BAD_IDS, IDS
from clawdesk_storage.conformance.material.samples import message, session
from clawdesk_storage.conformance.trial import NotOffered, Opened, Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import SessionId

_ALL = sys.maxsize
_QUERY = [3.0, 4.0]
_ENOUGH = 1_000
"""More ids than there are anywhere here: whoever is given so many walks in a circle."""


class _Kind:
    """One of the stores that tell what is there, written and read by id."""

    def __init__(self, port: str, storage: Opened) -> None:
        self.port = port
        self.store: Any = getattr(storage, port)

    async def put(self, id: str, number: int = 0) -> None:
        if self.port == "sessions":
            await self.store.save(session(id, "c", message_count=number))
        elif self.port == "conversations":
            await self.store.append_message(SessionId(id), message(str(number)))
        else:
            await self.store.upsert(id, [3.0, 4.0 + number], metadata={"number": number})

    async def remove(self, id: str) -> None:
        await (self.store.clear(id) if self.port == "conversations" else self.store.delete(id))

    async def page(self, after: str | None, limit: int) -> list[str]:
        if self.port == "vectors":
            return [one.id for one in await self.store.entries(after, limit)]
        return list(await self.store.ids(after, limit))

    async def walk(self, size: int) -> list[str]:
        ids: list[str] = []
        while True:
            page = await self.page(ids[-1] if ids else None, size)
            ids += page
            if len(page) < size or len(ids) > _ENOUGH:
                return ids


def _kinds(storage: Opened) -> Sequence[_Kind]:
    ports = [*storage.offer("Contents").ports, *storage.offer("VectorContents").ports]
    if not ports:
        raise NotOffered("the storage offers neither Contents nor VectorContents")
    return [_Kind(port, storage) for port in ports]


@law("CTS-01")
async def pages_of_ids_make_up_everything(trial: Trial) -> None:
    """Pages of any size together are everything, once, in code-point order of the ids.

    A backup that walks by `list` while sessions move misses some; one that walks by id does not.
    """
    async with trial.open() as storage:
        for kind in _kinds(storage):
            trial.same([], await kind.walk(3), f"the contents of empty {kind.port}")
            ids = IDS[:120]
            await together(*map(kind.put, ids))
            expected = sorted(ids)
            for size in (1, 7, 50, len(ids), _ALL):
                what = f"the ids of {kind.port}, in pages of {size}"
                trial.same(expected, await kind.walk(size), what)
            beyond = [id for id in expected if id > "b"]
            trial.same(beyond, await kind.page("b", _ALL), f"the ids of {kind.port} beyond 'b'")


@law("CTS-02", shuffled=True)
async def what_stays_comes_once_while_others_write(trial: Trial) -> None:
    """What is there throughout comes exactly once, while others write and remove.

    Pages by offset move with each entry that comes or goes before them.
    """
    async with trial.open() as storage:
        for kind in _kinds(storage):
            await _disturbed(trial, kind)


async def _disturbed(trial: Trial, kind: _Kind) -> None:
    stay = [f"s{number:02}" for number in range(20)]
    await together(*map(kind.put, stay))
    running = True

    async def disturb() -> None:
        nonlocal running
        try:
            for number in range(20):
                await kind.put(f"a{number}")
                await asyncio.sleep(0)  # a store need not yield
                await kind.put(f"s{number:02}x")
                await kind.remove(f"a{number}")
        finally:
            running = False

    async def walk() -> None:
        while running:
            came = [id for id in await kind.walk(3) if id in stay]
            trial.same(stay, came, f"what stayed in {kind.port}, meanwhile")
            await asyncio.sleep(0)

    await together(disturb(), walk())


@law("CTS-03")
async def the_count_agrees(trial: Trial) -> None:
    """`count` is how many there are: after replacing, deleting and deleting again, too.

    A count that is kept beside the entries drifts with every write that changes nothing.
    """
    async with trial.open() as storage:
        for kind in _kinds(storage):
            steps: list[tuple[str, Callable[[str], Awaitable[None]], str, int]] = [
                ("the first", kind.put, "a", 1),
                ("the same again", kind.put, "a", 1),
                ("another", kind.put, "b", 2),
                ("deleting what is absent", kind.remove, "absent", 2),
                ("deleting", kind.remove, "a", 1),
                ("deleting again", kind.remove, "a", 1),
                ("saving anew", kind.put, "a", 2),
            ]
            trial.same(0, await kind.store.count(), f"the count of empty {kind.port}")
            for what, step, id, expected in steps:
                await step(id)
                trial.same(expected, await kind.store.count(), f"the count of {kind.port}: {what}")
                trial.same(expected, len(await kind.walk(5)), f"the ids of {kind.port}: {what}")


@law("CTS-04")
async def what_is_deleted_is_gone_from_the_contents(trial: Trial) -> None:
    """What was deleted is gone, from another handle too, and after reopening.

    A list of what there is that each handle keeps for itself shows what another has removed.
    """
    async with trial.open() as storage:
        for kind in _kinds(storage):
            for id in ("a", "b", "c"):
                await kind.put(id)
            await kind.remove("b")
            trial.same(["a", "c"], await kind.walk(5), f"the ids of {kind.port}")
            if trial.backend.shared:
                async with trial.open() as other:
                    seen = _Kind(kind.port, other)
                    trial.same(["a", "c"], await seen.walk(5), "through another handle")
                    await seen.remove("a")
                    await seen.put("d")
                    trial.same(["c", "d"], await kind.walk(5), "after another handle's changes")
                    trial.same(2, await kind.store.count(), "the count after them")
                    await seen.put("a")
                    await seen.remove("d")
    if trial.backend.durable:
        async with trial.open() as storage:
            for kind in _kinds(storage):
                trial.same(["a", "c"], await kind.walk(5), f"{kind.port}, after reopening")
                trial.same(2, await kind.store.count(), f"the count of {kind.port} then")


@law("CTS-05", ability="VectorContents")
async def a_vector_read_back_is_what_was_stored(trial: Trial) -> None:
    """`get` agrees with `entries` and with a search: direction, metadata, and what is absent.

    A vector comes back at length 1, within float32: it can be stored elsewhere and found the same.
    """
    async with trial.open() as storage:
        store: Any = storage.vectors
        trial.same(None, await store.get("absent"), "an entry that is absent")
        vectors = {"a": [3.0, 4.0], "b": [-1e18, 1e17], "c": [1e-18, 2e-18]}
        for id, vector in vectors.items():
            await store.upsert(id, [9.0, 9.0], metadata="old")
            await store.upsert(id, vector, metadata={"of": id, "one": 1.0})
        entries = {one.id: one for one in await store.entries(None, _ALL)}
        found = {one.id: one for one in await store.search(_QUERY, _ALL)}
        for id, vector in vectors.items():
            got: VectorEntry = await store.get(id)
            trial.same((id, {"of": id, "one": 1.0}), (got.id, got.metadata), f"the entry {id}")
            trial.same(list(got.vector), list(entries[id].vector), f"the vector {id} by `entries`")
            trial.same(got.metadata, entries[id].metadata, f"the metadata of {id} by `entries`")
            length = math.hypot(*vector)
            for expected, came in zip(vector, got.vector, strict=True):
                near = abs(expected / length - float(came)) <= 1e-6
                trial.holds(near, f"the vector {id}", f"{expected / length:.6f}", float(came))
            cosine = sum(float(x) * y for x, y in zip(got.vector, (0.6, 0.8), strict=True))
            same = abs(cosine - found[id].score) <= 1e-4
            trial.holds(same, f"the score of {id}", f"{cosine:.5f}", found[id].score)
        await store.delete("a")
        trial.same(None, await store.get("a"), "an entry that was deleted")
        for id in BAD_IDS:
            await trial.refused(ValueError, store.get(id), f"get of the id {id!r}")


@law("CTS-06")
async def contents_at_their_edges(trial: Trial) -> None:
    """Limit 0 is empty, a negative is `ValueError`, and so is a bad id to go on from.

    The newest method is the one that forgets to check what all the others check.
    """
    async with trial.open() as storage:
        for kind in _kinds(storage):
            await kind.put("a")
            trial.same([], await kind.page(None, 0), f"{kind.port} with limit 0")
            trial.same(["a"], await kind.page(None, _ALL), f"{kind.port} with sys.maxsize")
            trial.same(["a"], await kind.page("A", 5), f"{kind.port} beyond what is absent")
            trial.same([], await kind.page("b", 5), f"{kind.port} beyond the last")
            await trial.refused(ValueError, kind.page(None, -1), f"{kind.port} with limit -1")
            for id in BAD_IDS:
                what = f"{kind.port} beyond the id {id!r}"
                await trial.refused(ValueError, kind.page(id, 1), what)


@law("CTS-07", ability="VectorContents", claim="corruption")
async def a_damaged_entry_is_not_left_out(trial: Trial) -> None:
    """A damaged entry raises `SerializationError` from `get` and from `entries`.

    A backup that leaves out what it cannot read is believed to be whole.
    """
    async with trial.open() as storage:
        store: Any = storage.vectors
        await store.upsert("a", _QUERY, metadata={"n": 1})
    if trial.backend.corrupt is not None:
        await trial.backend.corrupt(trial.location(), "vectors")
    async with trial.open() as storage:
        store = storage.vectors
        await trial.refused(SerializationError, store.get("a"), "get of a damaged entry")
        await trial.refused(SerializationError, store.entries(None, 5), "entries, one damaged")
