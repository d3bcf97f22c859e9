"""What the abilities promise where a scan, a race or a hostile key would be the easy mistake."""

import asyncio
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clawdesk_storage import (
    And,
    ChannelId,
    Compares,
    Contains,
    Equals,
    Exists,
    JsonValue,
    Message,
    Not,
    Or,
    Role,
    Session,
    SessionId,
    VectorEntry,
    Where,
    matches,
    update,
)

from clawdesk_sqlite import SQLiteStorage, columns, open_storage
from clawdesk_sqlite.columns import Columns

A = SessionId("a")
KEYS = ["a", "a.b", "$eq", "0", '"', "'", "%", "é", "\0", ""]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 0.5, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63)),
    *("", "a", "b", "1", "\0", "\U0001f600", "\uffff", "true", 1e300, 9, 10),
]


def some_metadata(chance: random.Random, depth: int = 2) -> JsonValue:
    """An object, an array or a scalar."""
    kind = chance.random()
    if depth and kind < 0.6:
        return {
            chance.choice(KEYS): some_metadata(chance, depth - 1)
            for _ in range(chance.randrange(5))
        }
    if depth and kind < 0.75:
        return [some_metadata(chance, depth - 1) for _ in range(chance.randrange(3))]
    scalar: JsonValue = chance.choice(SCALARS)
    return scalar


def some_filter(chance: random.Random, depth: int = 2) -> Where:
    """A filter with the same keys and scalars."""
    kind = chance.randrange(7 if depth else 4)
    path = [chance.choice(KEYS) for _ in range(chance.choice((1, 1, 2)))]
    scalar = chance.choice(SCALARS)
    match kind:
        case 0:
            return Equals(path, scalar)
        case 1:
            ordered = [one for one in SCALARS if one is not None and not isinstance(one, bool)]
            sign: Any = chance.choice(["<", "<=", ">", ">="])
            return Compares(path, sign, chance.choice(ordered))
        case 2:
            return Contains(path, scalar)
        case 3:
            return Exists(path)
        case 4:
            return Not(some_filter(chance, depth - 1))
        case _:
            parts = [some_filter(chance, depth - 1) for _ in range(chance.randrange(4))]
            return And(parts) if kind == 5 else Or(parts)


def counted(session: Session | None) -> Session:
    """The session with one message more."""
    assert session is not None
    return session.model_copy(update={"message_count": session.message_count + 1})


async def found(storage: SQLiteStorage, where: Where) -> set[str]:
    """The ids of all that a filter finds."""
    return {one.id for one in await storage.vectors.search_where([1, 0], where, top_k=10**6)}


async def test_filters_agree_with_the_reference(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight thousand of them on three thousand documents, with hostile keys and numbers.

    Each is compared for some of the documents, for `matches` takes longer than the search.
    """
    monkeypatch.setattr(columns, "_MOST_COLUMNS", 200)  # so that none is made again and again
    chance = random.Random(8)
    documents = {f"v{number}": some_metadata(chance) for number in range(3000)}
    entries = [VectorEntry(id, [1, 0], metadata) for id, metadata in documents.items()]
    await storage.vectors.upsert_many(entries)
    engine: Any = vars(storage.vectors)["_engine"]
    replica: Any = vars(storage.vectors)["_replica"]
    ids = list(documents)
    for _ in range(8000):
        where = some_filter(chance)
        some = set(chance.sample(ids, 200))
        # As `delete_where` finds them: making three thousand results takes the longest.
        found, _ = await engine.search(partial(replica.matching, where=where))
        assert {id for id in some if matches(where, documents[id])} == some & set(found)


async def test_filters_agree_while_entries_change(storage: SQLiteStorage) -> None:
    """Replaced and deleted ones; each entry is found by a filter or by its complement."""
    chance = random.Random(17)
    kept: dict[str, JsonValue] = {}
    for _ in range(300):
        changed = {f"v{chance.randrange(400)}": some_metadata(chance) for _ in range(20)}
        kept.update(changed)
        await storage.vectors.upsert_many(
            [VectorEntry(id, [1, 0], metadata) for id, metadata in changed.items()]
        )
        gone = chance.sample(sorted(kept), 3)
        await storage.vectors.delete_many(gone)
        kept = {id: metadata for id, metadata in kept.items() if id not in gone}
        where = some_filter(chance)
        matching = {id for id, metadata in kept.items() if matches(where, metadata)}
        assert (matching, kept.keys() - matching) == (
            await found(storage, where),
            await found(storage, ~where),
        )


async def test_a_filter_may_name_what_was_asked_for_long_ago(storage: SQLiteStorage) -> None:
    """Beside what nobody has asked for: to look at many keys in turn makes none of them unknown."""
    metadata: JsonValue = {str(number): number for number in range(200)}
    await storage.vectors.upsert("v", [1, 0], metadata=metadata)
    asked = [
        {"v"} == await found(storage, Equals("0", 0) & Equals(str(number), number))
        for number in range(200)
    ]
    assert [True] * 200 == asked


def test_values_that_nothing_has_any_more_are_forgotten() -> None:
    """A column ends when most of its values are gone, and is made anew by the next filter."""
    columns, where = Columns(), Equals("n", 9_999)
    lacked = 0
    for number in range(10_000):
        metadata: JsonValue = {"n": number}
        columns.put(0, metadata)
        lacked += len(columns.missing(where))
        columns.add(where, iter([(0, metadata)]))
    assert 1 < lacked < 10
    assert [True] == columns.mask(where, 1).tolist()


async def test_what_a_filter_deletes_is_what_it_matches(
    storage: SQLiteStorage, location: Path
) -> None:
    """What another handle stored a moment ago included."""
    await storage.vectors.upsert("old", [1, 0], metadata={"user": "ada"})
    await storage.vectors.search([1, 0], top_k=1)
    async with open_storage(location) as other:
        await other.vectors.upsert("new", [1, 0], metadata={"user": "ada"})
        await other.vectors.upsert("bob", [1, 0], metadata={"user": "bob"})
        await storage.vectors.delete_where(Equals("user", "ada"))
        assert ["bob"] == [one.id for one in await other.vectors.search([1, 0], top_k=9)]


async def test_fifty_who_count_count_right(storage: SQLiteStorage) -> None:
    """A hundred times each, with `update`."""
    await storage.sessions.save(Session(id=A, channel=ChannelId("c")))

    async def work() -> None:
        for _ in range(100):
            await update(storage.sessions, A, counted, attempts=10_000)

    await asyncio.gather(*(work() for _ in range(50)))
    session = await storage.sessions.get(A)
    assert 5000 == (session and session.message_count)


async def test_no_update_is_lost(storage: SQLiteStorage, location: Path) -> None:
    """Whoever counts with `update`, through two handles, counts right."""
    await storage.sessions.save(Session(id=A, channel=ChannelId("c")))

    async with open_storage(location) as other:
        for _ in range(20):
            await asyncio.gather(
                *(update(one.sessions, A, counted, attempts=100) for one in (storage, other) * 5)
            )
    session = await storage.sessions.get(A)
    assert 200 == (session and session.message_count)


async def test_positions_are_never_given_twice(location: Path) -> None:
    """Not after `clear`, a truncation or reopening."""
    seen: list[int] = []
    for _ in range(3):
        async with open_storage(location) as storage:
            conversations = storage.conversations
            hello = Message(role=Role.USER, content="hello")
            await conversations.append_messages(A, [hello] * 3)
            pages = await conversations.get_before(A, None, limit=9)
            seen += [entry.position for entry in pages]
            await conversations.truncate_after(A, pages[0].position, pages[-1].position)
            seen.append(await conversations.append_after(A, pages[0].position, [hello]))
            await conversations.clear(A)
    assert sorted(set(seen)) == seen
