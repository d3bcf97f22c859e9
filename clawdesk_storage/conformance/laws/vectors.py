"""What a `VectorStore` promises."""

import asyncio
import math
import operator
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, cast

from clawdesk_storage.abilities import VectorEntry
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import (
    BAD_IDS,
    IDS,
    TEXTS,
    UNSTORABLE,
    json_samples,
    some_ids,
)
from clawdesk_storage.conformance.material.samples import Count
from clawdesk_storage.conformance.trial import Inconclusive, Opened, Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import JsonValue, Vector, VectorResult
from clawdesk_storage.ports import VectorStore

_ALL = sys.maxsize
_TOLERANCE = 1e-4


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    lengths = math.hypot(*left), math.hypot(*right)
    return math.fsum(a / lengths[0] * (b / lengths[1]) for a, b in zip(left, right, strict=True))


def _random_vector(random: Random, dimension: int) -> list[float]:
    return [random.gauss(0, 1) for _ in range(dimension)]


def _ids(results: Sequence[VectorResult]) -> list[str]:
    return [one.id for one in results]


def _expect_score(trial: Trial, expected: float, came: float, what: str) -> None:
    close = type(came) is float and math.isfinite(came) and abs(came - expected) <= _TOLERANCE
    trial.holds(close, what, f"the cosine {expected:.6f} within {_TOLERANCE}", came)


async def _expect_entries(
    trial: Trial,
    store: VectorStore,
    query: Vector,
    expected: Mapping[str, JsonValue],
    what: str,
) -> None:
    """Expect exactly these ids, once each, with this metadata; VEC-03 tells the order."""
    came = await store.search(query, top_k=_ALL)
    trial.same(sorted(expected), sorted(_ids(came)), f"{what}: the ids found")
    for one in came:
        trial.same(expected[one.id], one.metadata, f"{what}: the metadata of {one.id[:40]!r}")


@law("VEC-01")
async def top_k_at_its_edges(trial: Trial) -> None:
    """An empty store, or `top_k` 0, finds nothing; `top_k` beyond the count finds all.

    `sys.maxsize` is beyond the count too, and a negative `top_k` is `ValueError`.
    """
    async with trial.open() as storage:
        store = storage.vectors
        query = [1.0, 0.5, 0.25]
        for top_k in (0, 1, 10, _ALL):
            trial.same([], await store.search(query, top_k), f"an empty store, top_k={top_k}")
        trial.same([], await store.search([1.0], 5), "an empty store, a query of 1 dimension")
        await trial.refused(ValueError, store.search(query, -1), "search of nothing, top_k=-1")
        for count in range(1, 13):
            await store.upsert(f"v{count:02}", [1.0, count, 0.0], metadata=count)
            for top_k in (0, 1, 2, count - 1, count, count + 1, 10, 100, 2**31, 2**32, _ALL):
                came = await store.search(query, top_k=top_k)
                what = f"how many of {count} entries top_k={top_k} finds"
                trial.same(min(top_k, count), len({*_ids(came)}), what)
        counted: Any = Count(3)
        came = await store.search(query, top_k=counted)
        trial.same(3, len(came), "how many are found by what has `__index__`")
        for top_k in (-1, -2, -_ALL):
            await trial.refused(ValueError, store.search(query, top_k), f"search, top_k={top_k}")
        trial.same(12, len(await store.search(query, 99)), "how many are found after the refusals")


def _pairs(random: Random) -> Iterator[tuple[Sequence[float], Sequence[float]]]:
    lengths = (1.0, 1e-18, 1e18, 1e-9, 1e9, 3.7)
    for a in lengths:
        for b in lengths:
            yield [a, 0.0, 0.0], [b, 0.0, 0.0]
            yield [a, 0.0, 0.0], [0.0, b, 0.0]
            yield [a, 0.0, 0.0], [-b, 0.0, 0.0]
            yield [0.6 * a, 0.8 * a, 0.0], [0.0, 0.6 * b, 0.8 * b]
            yield [0.6 * a, 0.8 * a, 0.0], [-0.8 * b, -0.6 * b, 0.0]
    for small in (1e-3, 0.02, 0.03, 0.05):
        yield [1.0, small, 0.0], [1.0, 0.0, 0.0]
    yield [1e-18, 1e18, 0.0], [1e-18, 2e-18, 0.0]
    for _ in range(30):
        yield _random_vector(random, 3), _random_vector(random, 3)


@law("VEC-02")
async def the_score_is_the_cosine(trial: Trial) -> None:
    """The score is the cosine similarity, within 1e-4 of the value computed in float64.

    It is 1 for the same direction at any length from 1e-18 to 1e18, 0 for orthogonal, −1 for
    opposite; always finite; negative scores are results like any other. A distance, a dot product,
    a score squeezed into 0 to 1, and squares that overflow float32 all look alike on unit vectors.
    """
    async with trial.open() as storage:
        store = storage.vectors
        for stored, query in _pairs(trial.random):
            await store.upsert("v", stored, metadata=None)
            came = await store.search(query, top_k=5)
            trial.same(["v"], _ids(came), f"the ids found by {query} where {stored} is stored")
            what = f"the score of {query} against {stored}"
            _expect_score(trial, _cosine(stored, query), came[0].score, what)
    for number, dimension in enumerate((1, 2, 5, 1536, 3072), 1):
        async with trial.open(number) as storage:
            await _expect_cosines(trial, storage.vectors, dimension)


async def _expect_cosines(trial: Trial, store: VectorStore, dimension: int) -> None:
    stored = {f"v{i}": _random_vector(trial.random, dimension) for i in range(8)}
    query = _random_vector(trial.random, dimension)
    stored["same"] = [x * 1e15 for x in query]
    stored["opposite"] = [-x * 1e-15 for x in query]
    for id, vector in stored.items():
        await store.upsert(id, vector, metadata=None)
    # Queries that a cache might take for each other, and one that looks at the last number alone.
    last = [0.0] * (dimension - 1) + [1.0]
    for asked in (query, [x * 1e-12 for x in query], [-x * 1e-12 for x in query], last, query):
        for one in await store.search(asked, top_k=_ALL):
            what = f"the score of {one.id!r} in {dimension} dimensions"
            _expect_score(trial, _cosine(stored[one.id], asked), one.score, what)
    found = _ids(await store.search(query, top_k=_ALL))
    trial.same(sorted(stored), sorted(found), f"the ids found in {dimension} dimensions")


# Unit vectors in which every product and sum is exact, so that equal scores are equal to the bit.
_HALVES = ((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, -0.5, -0.5), (-0.5, -0.5, -0.5, -0.5))
_TIED_IDS = (
    "B", "a", "Z", "10", "9", "é", "e\u0301", "f", "_", "\uffff", "\U00010000", "ab", " a",
    "s" * 900 + "c", "s" * 900 + "a", "s" * 900 + "b",
)  # fmt: skip


@law("VEC-03")
async def results_are_ordered_by_score_then_id(trial: Trial) -> None:
    """Results are ordered by score, best first, equal scores by id in code-point order.

    The same search gives the same answer, and top k is the beginning of top k+1: otherwise a
    prompt changes from run to run though nothing was written.
    """
    async with trial.open() as storage:
        store = storage.vectors
        tied = list(_TIED_IDS)
        trial.random.shuffle(tied)
        query = (0.5, 0.5, 0.5, 0.5)
        names = ("", "middle ", "worst ")
        for part in (tied[:5], tied[5:]):  # with a search between, which may fill a cache
            for vector, name in zip(_HALVES, names, strict=True):
                for id in part:
                    await store.upsert(name + id, vector, metadata=None)
            await store.search(query, top_k=4)
        ids = [name + id for name in names for id in sorted(tied)]
        trial.same(ids, _ids(await store.search(query, _ALL)), "the order of tied scores")
        for top_k in range(len(ids) + 2):
            came = _ids(await store.search(query, top_k))
            trial.same(ids[:top_k], came, f"top {top_k} of the same search")
    async with trial.open(1) as storage:
        await _expect_descending(trial, storage.vectors)
    async with trial.open(2) as storage:
        store = storage.vectors
        for i in range(60):
            await store.upsert(f"v{i * 7 % 60:02}", [1.0, 0.2 + i * 2e-6], metadata=None)
        scores = [one.score for one in await store.search([1.0, 0.0], top_k=60)]
        trial.same(sorted(scores, reverse=True), scores, "scores that hardly differ, best first")


async def _expect_descending(trial: Trial, store: VectorStore) -> None:
    for i in range(60):
        await store.upsert(f"v{i * 7 % 60:02}", _random_vector(trial.random, 6), metadata=None)
    query = _random_vector(trial.random, 6)
    whole = await store.search(query, top_k=60)
    scores = [one.score for one in whole]
    trial.same(sorted(scores, reverse=True), scores, "the scores, best first")
    for top_k in (1, 2, 7, 30, 59, 60, 100):
        for _ in range(2):
            came = await store.search(query, top_k=top_k)
            trial.same(_ids(whole[:top_k]), _ids(came), f"top {top_k} of the same search")


@law("VEC-04")
async def upsert_replaces_vector_and_metadata(trial: Trial) -> None:
    """`upsert` replaces vector and metadata and adds no second entry; searches see it at once.

    A cache that is renewed only when the count changes keeps the old vector; an index that adds
    the new one beside it finds both; a merge keeps metadata that was taken away.
    """
    async with trial.open() as storage:
        store = storage.vectors
        east, north = [1.0, 0.0], [0.0, 1.0]
        await store.upsert("other", [1.0, 1.0], metadata="other")
        steps: list[tuple[list[float], JsonValue]] = [
            (east, {"a": 1, "b": {"c": 2}}),
            (north, {"a": 1, "b": {"c": 2}}),
            (north, {"b": {"d": 3}}),
            (east, {"b": {"d": 3}}),
            (east, [1]),
            (east, [2]),
            (east, True),
            (east, 1),
            (east, 1.0),
            ([-1.0, 0.0], None),
            (north, []),
            (north, []),
            ([2.0, 0.0], {"a": 0}),
        ]
        for vector, metadata in steps:
            await store.upsert("v", vector, metadata=metadata)
            expected = {"v": metadata, "other": "other"}
            for query in (east, north):
                await _expect_entries(trial, store, query, expected, "after an upsert")
                scores = {one.id: one.score for one in await store.search(query, 5)}
                what = f"the score of {query}, after an upsert of {vector}"
                _expect_score(trial, _cosine(vector, query), scores["v"], what)
                best = "v" if _cosine(vector, query) > 0.9 else "other"
                trial.same([best], _ids(await store.search(query, 1)), f"the best for {query}")


@law("VEC-05")
async def delete_removes_that_entry_alone(trial: Trial) -> None:
    """`delete` removes; deleting an absent id is no error; a deleted id can come back.

    Deleted entries that still take up places in the top k, and a deleted id that comes back with
    its old vector, are the usual faults of an index with tombstones.
    """
    async with trial.open() as storage:
        store = storage.vectors
        vectors = {id: [1.0, i / 10] for i, id in enumerate(("a", "ab", "A", "_", "%", "b", "a:b"))}
        left: dict[str, JsonValue] = {id: id for id in vectors}
        for id, vector in vectors.items():
            await store.upsert(id, vector, metadata=id)
        await store.delete("never stored")
        await _expect_entries(trial, store, [1.0, 0.0], left, "after deleting an absent id")
        for id in ("a", "_", "%", "b"):
            for again in ("", " again"):
                await store.delete(id)
                left.pop(id, None)
                what = f"after deleting {id!r}{again}"
                await _expect_entries(trial, store, [1.0, 0.0], left, what)
                best = min(left, key=lambda kept: vectors[kept])
                trial.same([best], _ids(await store.search([1.0, -1.0], 1)), f"the best {what}")
        await store.upsert("a", [-1.0, 0.0], metadata={"back": True})
        left["a"] = {"back": True}
        await _expect_entries(trial, store, [1.0, 0.0], left, "after a deleted id came back")
        scores = {one.id: one.score for one in await store.search([1.0, 0.0], _ALL)}
        _expect_score(trial, -1.0, scores["a"], "the score of a deleted id that came back")
        for number in range(3):  # as many as before, and yet others
            await store.delete(next(iter(left)))
            del left[next(iter(left))]
            await store.upsert(f"new {number}", [1.0, -5.0 - number], metadata=number)
            left[f"new {number}"] = number
            await _expect_entries(trial, store, [1.0, 0.0], left, "one deleted, another stored")
            nearest = await store.search([1.0, -5.0 - number], top_k=1)
            trial.same([f"new {number}"], _ids(nearest), "the best, which has just been stored")
        for id in left:
            await store.delete(id)
        await _expect_entries(trial, store, [1.0, 0.0], {}, "after deleting everything")


def _metadata_samples() -> list[JsonValue]:
    nested = json_samples()
    plain: list[JsonValue] = [None, True, False, 0, 1, 1.0, -0.5, 2**63, [], {}, [None], {"": None}]
    long: JsonValue = {"text": "x" * (1 << 20)}
    return [*plain, *TEXTS, long, *nested.values(), nested]


@law("VEC-06")
async def metadata_is_any_json_value(trial: Trial) -> None:
    """Metadata is any JSON value and survives in every field and type.

    What a caller does later to the metadata or the vector that it passed, or to the metadata that
    it was given, changes nothing that is stored.
    """
    async with trial.open() as storage:
        store = storage.vectors
        samples = dict[str, JsonValue](
            (f"v{i}", value) for i, value in enumerate(_metadata_samples())
        )
        for id, value in samples.items():
            await store.upsert(id, [1.0, 2.0], metadata=value)
        await _expect_entries(trial, store, [1.0, 0.0], samples, "metadata of every kind")
    async with trial.open(1) as storage:
        await _expect_no_alias(trial, storage.vectors)
    async with trial.open(2) as storage:
        store = storage.vectors
        for id in ("one", "two", "three"):
            await store.upsert(id, [1.0, 2.0], metadata={"list": []})
        for _ in range(2):
            first, *others = await store.search([1.0, 2.0], top_k=_ALL)
            trial.note("the caller changes the metadata of the first result")
            cast("Any", first.metadata)["list"].append("later")
            for one in others:
                trial.same({"list": []}, one.metadata, "the metadata of another result")


def _vectors_to_change() -> Iterator[tuple[str, Any, Any]]:
    """A kind of vector, one of that kind that points east, and what changes it."""
    # One of length 1 needs no scaling, so that a store may be tempted to keep it as it is.
    for length in (1.0, 3.0):
        values = [length, 0.0]
        yield "a list", values, values
        for code in "fd":
            owner = array(code, [length, 0.0])
            yield f"an array of {code}", owner, owner
            owner = array(code, [length, 0.0])
            yield f"a memoryview of {code}", memoryview(owner), owner
            numbers = _numpy().array([length, 0.0], dtype=code)
            yield f"a NumPy array of {code}", numbers, numbers


async def _expect_no_alias(trial: Trial, store: VectorStore) -> None:
    for kind, vector, owner in _vectors_to_change():
        mine: Any = {"list": [{"changed": "no"}], "changed": "no"}
        await store.upsert("v", vector, metadata=mine)
        await store.search(vector, top_k=1)
        unchanged = list(map(float, owner))[1] == 0 and float(owner[0]) in (1.0, 3.0)
        trial.holds(unchanged, f"the caller's own vector, {kind}", "as it was passed", owner)
        trial.note("the caller changes the vector and the metadata that it passed")
        mine["changed"] = mine["list"][0]["changed"] = "later"
        mine["list"].append("later")
        owner[0], owner[1] = 0.0, 1.0
        as_stored: Any = {"v": {"list": [{"changed": "no"}], "changed": "no"}}
        what = f"after the caller changed what it passed, {kind}"
        await _expect_entries(trial, store, [1.0, 0.0], as_stored, what)
        for top_k in (1, 1, 5, 5):
            came = await store.search([1.0, 0.0], top_k=top_k)
            trial.same(as_stored["v"], came[0].metadata, f"the metadata, {what}")
            _expect_score(trial, 1.0, came[0].score, f"the score, {what}")
            trial.note("the caller changes the results that it was given")
            given = cast("dict[str, Any]", came[0].metadata)
            given["changed"] = given["list"][0]["changed"] = "later"
            if isinstance(came, list):
                came.clear()


_CROWD, _DIMENSION = 2_500, 16


@law("VEC-07")
async def results_agree_with_brute_force(trial: Trial) -> None:
    """Results agree with brute force over a few thousand vectors, after updates and deletes too.

    All of them are found, or the share (recall) that the backend declares; and what is found has
    its true score.
    """
    random = trial.random
    async with trial.open() as storage:
        store = storage.vectors
        stored = {f"v{i}": _random_vector(random, _DIMENSION) for i in range(_CROWD)}
        await _upsert_all(storage, stored)
        await _expect_recall(trial, store, stored, "after the first upserts")
        for id in random.sample(sorted(stored), 300):
            stored[id] = _random_vector(random, _DIMENSION)
            await store.upsert(id, stored[id], metadata={"id": id})
        await _expect_recall(trial, store, stored, "after updates")
        for id in random.sample(sorted(stored), 300):
            del stored[id]
            await store.delete(id)
        await _expect_recall(trial, store, stored, "after deletes")
    if trial.backend.claims("durable"):
        async with trial.open() as storage:
            await _expect_recall(trial, storage.vectors, stored, "after reopening")


async def _upsert_all(storage: Opened, vectors: Mapping[str, Sequence[float]]) -> None:
    """Store many vectors, most of them in batches where the storage has them."""
    store: Any = storage.vectors
    batched = storage.offers("VectorBatches")
    entries = [VectorEntry(id, vector, {"id": id}) for id, vector in vectors.items()]
    singly = 500 if batched else len(entries)
    for id, vector, metadata in entries[:singly]:
        await store.upsert(id, vector, metadata=metadata)
    for start in range(singly, len(entries), 100):
        await store.upsert_many(entries[start : start + 100])


async def _expect_recall(
    trial: Trial, store: VectorStore, stored: Mapping[str, Sequence[float]], what: str
) -> None:
    units = {id: _unit(vector) for id, vector in stored.items()}
    found = wanted = 0
    for top_k in (1, 10, 10, 10, 50):
        query = _random_vector(trial.random, _DIMENSION)
        unit = _unit(query)
        scores = {id: sum(map(operator.mul, unit, other)) for id, other in units.items()}
        least = sorted(scores.values(), reverse=True)[top_k - 1] - _TOLERANCE / 100
        came = await store.search(query, top_k=top_k)
        several = f"at most {top_k} different ids"
        trial.holds(len({*_ids(came)}) == len(came) <= top_k, f"ids {what}", several, _ids(came))
        for one in came:
            trial.holds(one.id in scores, f"a result {what}", "an id that is stored", one.id)
            _expect_score(trial, scores[one.id], one.score, f"the score of {one.id!r} {what}")
            trial.same({"id": one.id}, one.metadata, f"the metadata of {one.id!r} {what}")
        found += sum(scores[one.id] >= least for one in came)
        wanted += top_k
    recall = trial.backend.recall
    # Three standard deviations: a backend that has just the recall it declares passes.
    least = recall * wanted - 3 * math.sqrt(wanted * recall * (1 - recall))
    trial.holds(found >= least, f"recall {what}", f"at least {recall}", found / wanted)
    if recall == 1:
        every = await store.search(_random_vector(trial.random, _DIMENSION), top_k=_ALL)
        trial.same(sorted(stored), sorted(_ids(every)), f"the ids of all entries, {what}")


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.hypot(*vector)
    return [value / length for value in vector]


_BAD_VECTORS: Mapping[str, Sequence[float]] = {
    "an empty vector": [],
    "a zero vector": [0.0, 0.0, 0.0],
    "a negative zero vector": [-0.0, 0.0, -0.0],
    "a NaN": [1.0, float("nan"), 0.0],
    "nothing but NaN": [float("nan")] * 3,
    "an infinity": [float("inf"), 1.0, 0.0],
    "a negative infinity": [1.0, 0.0, float("-inf")],
    "a number beyond float32": [1e39, 1.0, 0.0],
    "a negative number beyond float32": [0.0, -4e38, 0.0],
    "numbers near the end of float64": [1e308, 1e308, 1e308],
    "a NaN at first": [float("nan"), 1.0, 0.0],
    "a NaN at last": [0.0, 1.0, float("nan")],
    "a NaN beside an infinity": [float("nan"), float("inf"), 1.0],
    "a number just beyond float32": [3.5e38, 1.0, 0.0],
    "an array with an infinity": array("f", [float("inf"), 0.0, 1.0]),
    "an array beyond float32": array("d", [1e300, 0.0, 1.0]),
    "an empty array": array("f"),
    "a zero array": array("f", [0.0, 0.0, 0.0]),
    "an array with a NaN": array("d", [0.0, float("nan"), 1.0]),
    "an array of float32 with a NaN": array("f", [0.0, 1.0, float("nan")]),
}


def _bad_vectors() -> dict[str, Any]:
    arrays = {
        f"{what}, as a NumPy array of {code}": _numpy().array(bad, dtype=code)
        for what, bad in _BAD_VECTORS.items()
        if not isinstance(bad, array)
        for code in "fd"
        if code == "d" or not any(3e38 < abs(value) < math.inf for value in bad)
    }
    return {**_BAD_VECTORS, **arrays}


@law("VEC-08")
async def unusable_vectors_are_refused(trial: Trial) -> None:
    """Empty, zero, non-finite vectors and ones beyond float32 are `ValueError` in both methods.

    Nothing changes, not even the dimension, which a refused vector does not fix. A zero vector has
    no direction; a store that scores it 0 or NaN puts noise among the results.
    """
    async with trial.open() as storage:
        store = storage.vectors
        for what, bad in _bad_vectors().items():
            # Of another dimension than the good vector below, so that keeping it would show.
            upsert = store.upsert("v", [*bad, 0.0, *bad], metadata=None)
            await trial.refused(
                ValueError, upsert, f"upsert of {what}, in more numbers, into nothing"
            )
            await trial.refused(ValueError, store.search(bad, 3), f"search of nothing for {what}")
        good = [3.0, 0.0, 4.0]
        await store.upsert("v", good, metadata="good")
        for what, bad in _bad_vectors().items():
            for id in ("v", "new"):
                upsert = store.upsert(id, bad, metadata="bad")
                await trial.refused(ValueError, upsert, f"upsert of {what} as {id!r}")
            for top_k in (1, 5):
                await trial.refused(ValueError, store.search(bad, top_k), f"search for {what}")
            await _expect_entries(trial, store, good, {"v": "good"}, f"after {what} was refused")
        came = await store.search(good, top_k=1)
        _expect_score(trial, 1.0, came[0].score, "the score, after the refusals")


@law("VEC-09")
async def the_first_vector_fixes_the_dimension(trial: Trial) -> None:
    """The first vector fixes the dimension; another one is `ValueError` in both methods.

    That holds after the last entry was deleted, through other handles and after reopening too. A
    store that pads, truncates or scores 0 hides that two embedding models are mixed.
    """
    async with trial.open() as storage:
        store = storage.vectors
        await store.upsert("v", [1.0, 0.0, 0.0], metadata="first")
        await _expect_three_dimensions(trial, store, "")
        if trial.backend.claims("shared"):
            async with trial.open() as other:
                await _expect_three_dimensions(trial, other.vectors, ", through another handle")
                await store.delete("v")
                await _expect_only_three(trial, other.vectors, ", emptied by another handle")
        else:
            await store.delete("v")
        await _expect_only_three(trial, store, ", emptied")
    if trial.backend.claims("durable"):
        async with trial.open() as storage:
            await _expect_only_three(trial, storage.vectors, ", emptied and reopened")
            await storage.vectors.upsert("v", [1.0, 0.0, 0.0], metadata="first")
        async with trial.open() as storage:
            await _expect_three_dimensions(trial, storage.vectors, ", reopened")
    async with trial.open(1) as storage:
        await _expect_one_dimension(trial, storage.vectors)


async def _expect_one_dimension(trial: Trial, store: VectorStore) -> None:
    """Store vectors of two dimensions at once: those of one are refused, whichever it is."""
    dimensions = [2, 3] * 4
    upserts = [store.upsert(f"v{i}", [1.0] * n, metadata=n) for i, n in enumerate(dimensions)]
    outcomes = await asyncio.gather(*upserts, return_exceptions=True)
    stored = {n for n, outcome in zip(dimensions, outcomes, strict=True) if outcome is None}
    trial.same(1, len(stored), "how many dimensions were accepted by calls that overlap")
    refused = [outcome for outcome in outcomes if outcome is not None]
    mistaken = all(isinstance(outcome, ValueError) for outcome in refused)
    trial.holds(mistaken, "the upserts of the other dimension", "ValueError", refused)
    came = await store.search([1.0] * stored.pop(), top_k=_ALL)
    trial.same(4, len(came), "how many entries are found in the dimension that was accepted")


async def _expect_only_three(trial: Trial, store: VectorStore, when: str) -> None:
    for dimension in (1, 2, 4):
        what = f"{dimension} dimensions in a store of 3{when}"
        upsert = store.upsert("other", [1.0] * dimension, metadata=None)
        await trial.refused(ValueError, upsert, f"upsert of {what}")
        await trial.refused(ValueError, store.search([1.0] * dimension, 5), f"search in {what}")
    trial.same([], await store.search([1.0, 0.0, 0.0], 5), f"a search{when}")


async def _expect_three_dimensions(trial: Trial, store: VectorStore, when: str) -> None:
    for dimension in (1, 2, 4, 6, 300):
        other = [1.0] * dimension
        what = f"{dimension} dimensions in a store of 3{when}"
        for id in ("v", "new"):
            upsert = store.upsert(id, other, metadata="other")
            await trial.refused(ValueError, upsert, f"upsert of {what}")
        await trial.refused(ValueError, store.search(other, top_k=5), f"search in {what}")
    came = await store.search([1.0, 0.0, 0.0], top_k=5)
    trial.same(["v"], _ids(came), f"the ids found, after the refusals{when}")
    trial.same("first", came[0].metadata, f"the metadata, after the refusals{when}")
    _expect_score(trial, 1.0, came[0].score, f"the score, after the refusals{when}")


def _numpy() -> Any:
    try:
        import numpy  # noqa: ICN001, PLC0415  (it takes its time, and few laws need it)
    except ImportError as error:
        raise Inconclusive(
            'NumPy is not installed: pip install "clawdesk-storage[conformance]"'
        ) from error
    return numpy


class _Plain:
    """A vector of a class that knows nothing of sequences or buffers."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = list(values)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    def __getitem__(self, index: int, /) -> float:
        return self._values[index]


_OTHER_ORDER = ">" if sys.byteorder == "little" else "<"


def _kinds(values: Sequence[float]) -> dict[str, Any]:
    """The same vector as every kind of `Vector`."""
    np = _numpy()
    wide = np.array([values, values], dtype=np.float64)
    spaced = array("d", [x for value in values for x in (value, 9.0)])
    return {
        "a list": list(values),
        "a tuple": tuple(values),
        "a list of NumPy numbers": list(wide[0].astype(np.float32)),
        "a list of ints": [int(value) for value in values],
        "a list of ints and floats": [int(values[0]), *values[1:]],
        "an array of float32": array("f", values),
        "an array of float64": array("d", values),
        "a memoryview of float32": memoryview(array("f", values)),
        "a memoryview of float64": memoryview(array("d", values)),
        "a read-only memoryview": memoryview(array("f", values)).toreadonly(),
        "a strided memoryview": memoryview(spaced)[::2],
        "a NumPy array of float32": wide[0].astype(np.float32),
        "a NumPy array of float64": wide[0],
        "a column of a NumPy matrix": wide.T.copy(order="C")[:, 1],
        "a reversed NumPy array": wide[0][::-1].copy()[::-1],
        "a read-only NumPy array": np.frombuffer(wide[0].tobytes()),
        "a NumPy array of int64": wide[0].astype(np.int64),
        "a NumPy array of int32": wide[0].astype(np.int32),
        "a NumPy array of int8": wide[0].astype(np.int8),
        "a NumPy array of float16": wide[0].astype(np.float16),
        "a NumPy array of float32 in the other byte order": wide[0].astype(_OTHER_ORDER + "f4"),
        "a NumPy array of float64 in the other byte order": wide[0].astype(_OTHER_ORDER + "f8"),
        "a NumPy array of int32 in the other byte order": wide[0].astype(_OTHER_ORDER + "i4"),
        "an array of ints of 32 bits": array("i", map(int, values)),
        "an array of ints of 64 bits": array("q", map(int, values)),
        "a memoryview of ints": memoryview(array("i", map(int, values))),
        "an object with the three methods": _Plain(values),
    }


@law("VEC-10")
async def every_kind_of_vector_is_accepted(trial: Trial) -> None:
    """Every kind of `Vector` is accepted: list, tuple, `array`, `memoryview`, NumPy arrays.

    Embeddings come as whatever the client library makes of them. A buffer of float64 that is read
    as float32, or a strided view that is read as if it had no gaps, finds nonsense without an
    error.
    """
    values = [3.0, -1.0, 4.0, -2.0, 5.0]
    async with trial.open() as storage:
        store = storage.vectors
        kinds = _kinds(values)
        for kind, vector in kinds.items():
            await store.upsert(kind, vector, metadata=kind)
        # Nothing here reads the same backwards, with gaps or without.
        against = [2.0, 7.0, -1.0, 8.0, 1.0]
        for kind, query in _kinds(against).items():
            what = f"searched with {kind}"
            expected = dict[str, JsonValue]((id, id) for id in kinds)
            await _expect_entries(trial, store, query, expected, what)
            for one in await store.search(query, top_k=_ALL):
                score = f"the score of {one.id}, {what}"
                _expect_score(trial, _cosine(values, against), one.score, score)


@law("VEC-11")
async def hostile_vector_ids_are_distinct_and_work(trial: Trial) -> None:
    """Hostile ids are all distinct and all work; empty, NUL or surrogate ids are `ValueError`.

    Ids of vectors come from file names, URLs and users: an id is data, and a key made of it must
    keep every one apart.
    """
    async with trial.open() as storage:
        store = storage.vectors
        ids = list(IDS)
        trial.random.shuffle(ids)
        query = [1.0, 0.0]
        expected: dict[str, JsonValue] = {}
        for bad in BAD_IDS:  # of another dimension, which a refused id must not fix
            upsert = store.upsert(bad, [1.0, 2.0, 3.0], metadata=None)
            await trial.refused(ValueError, upsert, f"upsert({bad!a}) into nothing")
        for number, id in enumerate(ids):
            await store.upsert(id, [1.0, float(number)], metadata=number)
            expected[id] = number
        await _expect_entries(trial, store, query, expected, "after hostile ids")
        for bad in BAD_IDS:
            upsert = store.upsert(bad, query, metadata=None)
            await trial.refused(ValueError, upsert, f"upsert({bad!a})")
            await trial.refused(ValueError, store.delete(bad), f"delete({bad!a})")
        await _expect_entries(trial, store, query, expected, "after bad ids were refused")
        # The shortest goes for certain: as a prefix it would take the most along.
        for id in dict.fromkeys(["a", *some_ids(trial.random, len(ids) // 4)]):
            await store.delete(id)
            del expected[id]
            found = _ids(await store.search(query, top_k=_ALL))
            trial.same(sorted(expected), sorted(found), f"the ids, after deleting {id[:40]!r}")
        await _expect_entries(trial, store, query, expected, "after deleting hostile ids")


@law("VEC-12")
async def metadata_that_cannot_be_stored_is_refused(trial: Trial) -> None:
    """Metadata that cannot be stored is `SerializationError`; the earlier entry stays.

    A vector that is written before its metadata is known to be good is found without it.
    """
    async with trial.open() as storage:
        store = storage.vectors
        for what, value in UNSTORABLE:
            # Of another dimension than what follows, which it must not fix.
            upsert = store.upsert("v", [1.0, 2.0, 3.0], metadata=value)
            await trial.refused(SerializationError, upsert, f"upsert of {what} into nothing")
            await _expect_entries(trial, store, [1.0, 0.0], {}, f"after {what} was refused")
        await store.upsert("v", [1.0, 0.0], metadata={"earlier": True})
        for what, value in UNSTORABLE:
            for id in ("v", "new"):
                upsert = store.upsert(id, [0.0, 1.0], metadata={"deep": [value]})
                await trial.refused(SerializationError, upsert, f"upsert of {what} as {id!r}")
            kept: dict[str, JsonValue] = {"v": {"earlier": True}}
            await _expect_entries(trial, store, [1.0, 0.0], kept, f"after {what} was refused")
            came = await store.search([1.0, 0.0], top_k=1)
            _expect_score(trial, 1.0, came[0].score, f"the score, after {what} was refused")
        surrogate: JsonValue = {"a": ["\ud800"]}
        try:
            await store.upsert("v", [1.0, 0.0], metadata=surrogate)
        except SerializationError:
            surrogate = {"earlier": True}
        # An encoding that keeps a lone surrogate is honest too; one that replaces it is not.
        what = "metadata with a lone surrogate, kept or refused"
        await _expect_entries(trial, store, [1.0, 0.0], {"v": surrogate}, what)
