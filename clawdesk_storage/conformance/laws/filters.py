"""What `VectorFilters` promises: a search among the entries that a filter matches, and no other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, cast

from clawdesk_storage.abilities import VectorEntry
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.documents import KEYS, documents, where
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.where import And, Compares, Contains, Equals, Exists, Not, Or, Where, matches

_ALL = sys.maxsize
_ABILITY = "VectorFilters"
_QUERY = [1.0, 0.0]


def _store(storage: Opened) -> Any:
    return storage.vectors


async def _fill(storage: Opened, metadata: Sequence[Any]) -> dict[str, Any]:
    """Store an entry for each metadata, in an order of scores that is not that of the ids."""
    stored = {f"v{(number * 7) % 1009:04}": one for number, one in enumerate(metadata)}
    entries = [
        VectorEntry(id, [1.0, (number * 13 % 101) / 50 - 1], one)
        for number, (id, one) in enumerate(stored.items())
    ]
    await _upsert_all(storage, entries)
    return stored


async def _upsert_all(storage: Opened, entries: Sequence[VectorEntry]) -> None:
    store = _store(storage)
    if storage.offers("VectorBatches"):
        await store.upsert_many(entries)
    else:
        await together(*(store.upsert(id, vector, one) for id, vector, one in entries))


async def _ids(store: Any, filter: Where) -> set[str]:
    return {one.id for one in await store.search_where(_QUERY, filter, _ALL)}


async def _expect(trial: Trial, store: Any, stored: dict[str, Any], filter: Where) -> None:
    """Expect what `matches` says, and the rest for the complement."""
    found = await _ids(store, filter)
    for id, metadata in stored.items():
        if (id in found) != matches(filter, metadata):
            expected = "found" if matches(filter, metadata) else "not found"
            what = f"whether {filter} finds the metadata {metadata!r}"
            trial.violated(what, expected, "found" if id in found else "not found")
    trial.holds(found <= set(stored), f"what {filter} finds", "entries that are stored", found)


async def _expect_each(
    trial: Trial, metadata: Iterable[Any], filters: Iterable[Where], number: int = 0
) -> None:
    async with trial.open(number) as storage:
        stored = await _fill(storage, list(metadata))
        for filter in filters:
            await _expect(trial, _store(storage), stored, filter)
            await _expect(trial, _store(storage), stored, Not(filter))


@law("FIL-01", ability=_ABILITY)
async def the_result_is_the_whole_ranking_filtered(trial: Trial) -> None:
    """The result is the whole ranking, filtered, and its first k: min(k, matching) results.

    A filter that looks at the best hundred alone finds nothing for whoever has few entries.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(storage, [{"rare": n % 50 == 0, "n": n} for n in range(400)])
        whole = list(await store.search(_QUERY, _ALL))
        for filter in (Equals("rare", True), Equals("rare", False), Equals("n", 399)):
            ranked = [one for one in whole if matches(filter, one.metadata)]
            for top_k in (0, 1, 3, 8, 100, _ALL):
                came = list(await store.search_where(_QUERY, filter, top_k))
                if trial.backend.recall == 1:
                    what = f"the {top_k} nearest of {filter}, by id"
                    trial.same([one.id for one in ranked[:top_k]], [one.id for one in came], what)
        for bad in (-1, -5):
            call = store.search_where(_QUERY, Equals("rare", True), bad)
            await trial.refused(ValueError, call, f"search_where with top_k {bad}")
        for query in ([0.0, 0.0], [], [1.0, 0.0, 0.0], [float("nan"), 1.0]):
            call = store.search_where(query, Equals("rare", True), 1)
            await trial.refused(ValueError, call, f"search_where for {query}")


@law("FIL-02", ability=_ABILITY)
async def a_filter_and_its_complement_divide_the_entries(trial: Trial) -> None:
    """Each entry matches exactly one of a filter and its `Not`, whatever both look like.

    Three-valued logic, where neither is true, loses entries from both answers.
    """
    metadata = documents(trial.random, 320)
    async with trial.open() as storage:
        store = _store(storage)
        stored = await _fill(storage, metadata)
        for _ in range(40):
            filter = where(trial.random, 2)
            await _expect(trial, store, stored, filter)
            found, rest = await _ids(store, filter), await _ids(store, Not(filter))
            trial.same([], sorted(found & rest), f"what {filter} and its complement both find")
            trial.same(set(stored), found | rest, f"what {filter} and its complement find together")


@law("FIL-03", ability=_ABILITY)
async def missing_is_not_null(trial: Trial) -> None:
    """Null is a value that exists; a missing key is none, and every leaf is false of it.

    "Not deleted" must not mean "deleted is null", as it does where a missing key reads as null.
    """
    metadata: list[Any] = [
        {"a": None},
        {},
        {"b": None},
        {"a": 0},
        {"a": {"b": None}},
        {"a": {}},
        None,
    ]
    filters: list[Where] = [Equals("a", None), Exists("a"), Exists(("a", "b"))]
    filters += [Equals(("a", "b"), None), Contains("a", None), Equals("a", 0)]
    await _expect_each(trial, metadata, filters)


@law("FIL-04", ability=_ABILITY)
async def booleans_are_not_numbers(trial: Trial) -> None:
    """Booleans and numbers are never equal, and do not compare.

    For Python and for SQLite True is 1; for whoever filters by a flag it is not.
    """
    metadata = [{"a": one} for one in (True, False, 1, 0, 1.0, "true", [True], [1])]
    filters: list[Where] = [Equals("a", one) for one in (True, False, 1, 0)]
    filters += [Compares("a", ">=", 0), Compares("a", "<", 1), Contains("a", True)]
    await _expect_each(trial, metadata, [*filters, Contains("a", 1)])


@law("FIL-05", ability=_ABILITY)
async def numbers_are_compared_by_their_value(trial: Trial) -> None:
    """1 is 1.0, and neighbours above 2^53 differ; order is that of the numbers, not of their text.

    A column of float64 takes two ids for one, and a column of text puts 10 before 9.
    """
    big = 2**53
    values: list[float | str] = [1, 1.0, 2, 9, 10, -1, 0.0, -0.0]
    values += [big, big + 1, float(big), 2**63 - 1, 2**63 - 2]
    values += [-(2**63), 1e300, -1e300, 5e-324, 0.1, "9", "10"]
    metadata = [{"a": one} for one in values]
    filters: list[Where] = [Equals("a", one) for one in values]
    for sign in ("<", "<=", ">", ">="):
        filters += [Compares("a", sign, one) for one in (1, 9, 9.5, big, big + 1, float(2**62))]
    await _expect_each(trial, metadata, filters)


@law("FIL-06", ability=_ABILITY)
async def text_is_compared_by_code_point(trial: Trial) -> None:
    """Text is compared by code point: no folding, no collation, NUL and beyond the BMP included.

    UTF-16 puts U+1F600 before U+FFFF, a collation puts "a" beside "A", and C ends a text at NUL.
    """
    texts = ["", "a", "A", "b", "a\0", "a\0b", "a\0c", "\0", "é", "e\u0301", "z", "\uffff"]
    texts += ["\U0001f600", "ß", "ss", "a b", "a%", "\\", "\x01", "\x02", "\x7f", "x" * 3000]
    metadata = [{"a": one} for one in texts]
    filters: list[Where] = [Equals("a", one) for one in texts]
    for sign in ("<", "<=", ">", ">="):
        filters += [Compares("a", sign, one) for one in ("a", "a\0b", "\x01", "é", "\uffff", "Z")]
    await _expect_each(trial, metadata, filters)


@law("FIL-07", ability=_ABILITY)
async def unlike_kinds_are_false(trial: Trial) -> None:
    """What is of another kind does not compare: false, and never an error.

    One entry with a text where others have a number must not end everybody's search.
    """
    values: list[Any] = [None, True, 5, 5.5, "5", "a", [], [5], {}, {"a": 5}]
    filters: list[Where] = []
    for sign in ("<", "<=", ">", ">="):
        filters += [Compares("a", sign, one) for one in (5, "5", "")]
    filters += [Equals("a", one) for one in (5, "5", "", None)]
    filters += [Contains("a", 5), Contains("a", "5")]
    await _expect_each(trial, [{"a": one} for one in values], filters)


@law("FIL-08", ability=_ABILITY)
async def hostile_keys_are_keys(trial: Trial) -> None:
    """Hostile keys are keys: `$eq`, `a.b`, `0`, quotes, `%`, an empty one; nothing is split.

    A path that is put into a query's text finds other people's entries.
    """
    metadata: list[Any] = [{key: 1} for key in KEYS] + [{"a": {key: 2}} for key in KEYS]
    metadata += [{"a": {"b": 1}}, {"": {"": 3}}, [1, 2], {"a": [{"b": 1}]}]
    filters: list[Where] = [Equals((key,), 1) for key in KEYS]
    filters += [Exists(("a", key)) for key in KEYS] + [Equals(("", ""), 3)]
    await _expect_each(trial, metadata, filters)


@law("FIL-09", ability=_ABILITY)
async def no_step_leads_into_an_array(trial: Trial) -> None:
    """A path leads through objects only; `Contains` is how an array is looked into, one level deep.

    A step `0` into an array, and an array that matches through its elements, are not asked for.
    """
    metadata: list[Any] = [{"a": [{"b": 1}]}, {"a": {"b": 1}}, {"a": [1, [2]]}, {"a": {"0": 1}}]
    metadata += [{"a": ["b"]}, {"a": "b"}, {"a": []}, {"a": {"b": [1]}}, {"a": {"b": 1, "c": 2}}]
    filters: list[Where] = [Equals(("a", "b"), 1), Exists(("a", "b")), Exists(("a", "0"))]
    filters += [Equals(("a", "0"), 1), Contains("a", 1), Contains("a", 2), Contains("a", "b")]
    filters += [Contains(("a", "b"), 1), Equals("a", 1), Equals("a", "b"), Exists("a")]
    await _expect_each(trial, metadata, filters)


@law("FIL-10", ability=_ABILITY)
async def metadata_may_be_no_object(trial: Trial) -> None:
    """Metadata that is no object has no keys: every leaf is false, and `Not` of it is true.

    A list of tags, a number and None are metadata too, and must not end the search.
    """
    metadata: list[Any] = [None, True, 0, 1.5, "", "a", [], ["a"], [{"a": 1}], {}, {"a": 1}]
    filters: list[Where] = [Exists("a"), Equals("a", 1), Equals("a", None), Contains("a", "a")]
    await _expect_each(trial, metadata, [*filters, Compares("a", ">", 0), Exists("0")])


@law("FIL-11", ability=_ABILITY)
async def the_empty_and_is_true_and_the_empty_or_is_false(trial: Trial) -> None:
    """The empty `And` matches every entry, the empty `Or` none.

    A filter that was put together from a list of conditions has sometimes none.
    """
    metadata: list[Any] = [None, {}, {"a": 1}, [1]]
    filters: list[Where] = [And(()), Or(()), And((Or(()),)), Or((And(()),)), Or((Or(()), And(())))]
    await _expect_each(trial, metadata, filters)


@law("FIL-12", ability=_ABILITY)
async def deep_and_wide_filters_work(trial: Trial) -> None:
    """Sixteen levels and a thousand parts work.

    A list of the documents that a user may see is a filter of a thousand parts.
    """
    metadata = [{"n": number, "even": number % 2 == 0} for number in range(60)]
    wide = Or(tuple(Equals("n", number) for number in range(0, 3000, 3)))
    deep: Where = Equals("even", True)
    for level in range(15):
        deep = (
            Not(deep) if level % 3 == 0 else And((deep, Or((deep,)))) if level < 4 else Or((deep,))
        )
    narrow = And(tuple(Not(Equals("n", number)) for number in range(1, 1001)))
    await _expect_each(trial, metadata, [wide, deep, narrow])


@law("FIL-13", ability=_ABILITY)
async def a_replaced_entry_counts_at_once(trial: Trial) -> None:
    """What was replaced or deleted is filtered by what it is now, at once and everywhere.

    A column beside the record, or an index in memory, that is renewed later shows the past; so
    does another handle.
    """
    async with trial.open() as storage:
        store = _store(storage)
        for number in range(6):
            await store.upsert("v", _QUERY, metadata={"turn": number})
            for turn in range(7):
                expected = {"v"} if turn == number else set[str]()
                found = await _ids(store, Equals("turn", turn))
                trial.same(expected, found, f"what has turn {turn}, after it became {number}")
        if trial.backend.shared:
            async with trial.open() as other:
                trial.same({"v"}, await _ids(_store(other), Equals("turn", 5)), "another handle")
                await store.upsert("v", _QUERY, metadata={"turn": 9})
                for turn, expected in ((5, set[str]()), (9, {"v"})):
                    found = await _ids(_store(other), Equals("turn", turn))
                    trial.same(expected, found, f"what has turn {turn}, through another handle")
        await store.upsert("v", _QUERY, metadata={"turn": 9})
        await store.delete("v")
        trial.same(set[str](), await _ids(store, Equals("turn", 9)), "after deleting")
        await store.upsert("w", _QUERY, metadata={"turn": 9})
    if trial.backend.durable:
        async with trial.open() as storage:
            trial.same({"w"}, await _ids(_store(storage), Equals("turn", 9)), "after reopening")


@law("FIL-14", ability=_ABILITY)
async def the_score_does_not_depend_on_the_filter(trial: Trial) -> None:
    """An entry has the same score with a filter as without.

    Scores are compared across searches, and with a bound that the application keeps.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(storage, [{"n": number % 3} for number in range(60)])
        scores = {one.id: one.score for one in await store.search(_QUERY, _ALL)}
        for number in range(3):
            for one in await store.search_where(_QUERY, Equals("n", number), _ALL):
                near = abs(scores[one.id] - one.score) <= 1e-6
                trial.holds(near, f"the score of {one.id}", repr(scores[one.id]), one.score)


@law("FIL-15", ability=_ABILITY, claim="corruption")
async def a_damaged_entry_is_not_filtered_away(trial: Trial) -> None:
    """A damaged entry raises `SerializationError` from a search that needs it, and stays.

    A record that cannot be read matches nothing only by accident; nothing is deleted for it.
    """
    async with trial.open() as storage:
        await _fill(storage, [{"n": 1}, {"n": 1}])
    if trial.backend.corrupt is not None:
        await trial.backend.corrupt(trial.location(), "vectors")
    async with trial.open() as storage:
        store = _store(storage)
        for filter in (Equals("n", 1), Not(Equals("n", 2))):
            call = store.search_where(_QUERY, filter, 5)
            await trial.refused(SerializationError, call, f"a search for {filter}, damaged")


@law("FIL-16", ability=_ABILITY)
async def delete_where_removes_exactly_what_matches(trial: Trial) -> None:
    """`delete_where` removes exactly what matches, from every way of reading.

    A user who asks to be forgotten is, and nobody else who has a key of that name.
    """
    metadata = documents(trial.random, 260)
    numbers = count()
    async with trial.open() as storage:
        store = _store(storage)
        stored = await _fill(storage, metadata)
        filters: list[Where] = [Equals("a", True), Exists(("a", "b")), Not(Exists("a")), Or(())]
        for filter in [*filters, *(where(trial.random, 1) for _ in range(4)), And(())]:
            await store.delete_where(filter)
            stored = {id: one for id, one in stored.items() if not matches(filter, one)}
            left = {one.id for one in await store.search(_QUERY, _ALL)}
            trial.same(set(stored), left, f"what is left after deleting where {filter}")
            trial.same(set(stored), await _ids(store, And(())), "the same, filtered by nothing")
            id = f"new {next(numbers)}"
            await store.upsert(id, _QUERY, metadata={"a": False})
            stored[id] = {"a": False}


@law("FIL-17", ability=_ABILITY)
async def the_recall_is_that_of_the_matching(trial: Trial) -> None:
    """With a declared recall, that share of the *matching* nearest is found; with 1.0, all.

    An approximate index that is filtered afterwards has a recall of nothing for a rare match.
    """
    size, top_k = 600, 5
    async with trial.open() as storage:
        store = _store(storage)
        vectors = [[trial.random.gauss(0, 1) for _ in range(6)] for _ in range(size)]
        entries = [VectorEntry(f"v{n}", one, {"rare": n % 30}) for n, one in enumerate(vectors)]
        await _upsert_all(storage, entries)
        found = wanted = 0
        for number in range(30):
            query = [trial.random.gauss(0, 1) for _ in range(6)]
            whole = await store.search(query, _ALL)
            if len(whole) < size:  # an approximate search leaves out some of all, too
                continue
            near = [one.id for one in whole if one.metadata == {"rare": number}][:top_k]
            came = await store.search_where(query, Equals("rare", number), top_k)
            trial.same(top_k, len(came), "how many of the matching were found")
            wanted += len(near)
            found += sum(one.id in near for one in came)
        enough = found >= trial.backend.recall * wanted
        declared = f"a share of {trial.backend.recall:g} at least"
        trial.holds(
            enough, "the matching nearest that were found", declared, f"{found} of {wanted}"
        )


@law("FIL-18", ability=_ABILITY)
async def what_is_no_filter_is_refused(trial: Trial) -> None:
    """What is no filter is `ValueError` in both methods, None above all, and nothing changes.

    A filter is what keeps a user's memories from another's: one that got lost on its way must not
    mean that everything is found, or everything is deleted.
    """
    async with trial.open() as storage:
        store = _store(storage)
        stored = await _fill(storage, [{"user": "ada"}, {"user": "bob"}])
        for nothing in cast("list[Where]", [None, {}, {"user": "ada"}, "user", ("user", "ada")]):
            await trial.refused(
                ValueError, store.search_where(_QUERY, nothing, 9), f"a search where {nothing!r}"
            )
            await trial.refused(ValueError, store.delete_where(nothing), f"deleting {nothing!r}")
        left = {one.id for one in await store.search(_QUERY, 9)}
        trial.same(set(stored), left, "what is left")
