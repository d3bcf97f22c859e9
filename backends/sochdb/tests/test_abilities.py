"""What the abilities promise where a race, a reopening or a hostile key is the easy mistake."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from clawdesk_storage import (
    And,
    AppConfig,
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

from clawdesk_sochdb import SochDBStorage, open_storage
from clawdesk_sochdb.columns import Columns

A = SessionId("a")
HELLO = Message(role=Role.USER, content="hello")
DOCUMENTS, FILTERS, COMPARED = 3000, 8000, 30
KEYS = ["a", "b", "a.b", "$eq", "0", '"', "'", "%", "é", "e\u0301", "\0", ""]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, -0.0, 0.5, 9, 10, 1e300, 5e-324, 1e22, 10**22),
    *(2**53, 2**53 + 1, 2.0**53, 2**63, 2**63 - 1, -(2**63), 2.0**63),
    *("", "a", "A", "b", "1", "9", "10", "true", "null", "\0", "\uffff", "\U0001f600", "é"),
]
PATHS = [(key,) for key in KEYS] + [
    tuple(random.Random(number).choices(KEYS, k=2 + number % 2)) for number in range(48)
]
OPERANDS = [one for one in SCALARS if one != 10**22 or isinstance(one, float)]


def document(chance: random.Random, depth: int = 3) -> JsonValue:
    """Any JSON value, of the keys and scalars that filters ask for."""
    kind = chance.random()
    if not depth or kind < 0.2:
        return chance.choice(SCALARS)
    if kind < 0.4:
        return [document(chance, depth - 1) for _ in range(chance.randrange(4))]
    keys = chance.sample(KEYS, chance.randrange(6))
    return {key: document(chance, depth - 1) for key in keys}


def where(chance: random.Random, depth: int = 3) -> Where:
    """Any filter."""
    path = chance.choice(PATHS)
    match chance.randrange(7 if depth else 4):
        case 0:
            return Equals(path, chance.choice(OPERANDS))
        case 1:
            sign: Any = chance.choice(["<", "<=", ">", ">="])
            return Compares(path, sign, chance.choice(OPERANDS))
        case 2:
            return Contains(path, chance.choice(OPERANDS))
        case 3:
            return Exists(path)
        case 4:
            return Not(where(chance, depth - 1))
        case kind:
            parts = [where(chance, depth - 1) for _ in range(chance.randrange(4))]
            return And(parts) if kind == 5 else Or(parts)


async def found(storage: SochDBStorage, asked: Where) -> set[str]:
    """The ids of all that a filter finds."""
    return {one.id for one in await storage.vectors.search_where([1, 0], asked, top_k=10**6)}


def test_random_filters_mean_what_the_reference_says() -> None:
    """Hostile keys and numbers included; each filter is compared on other documents."""
    chance = random.Random(17)
    documents = [document(chance) for _ in range(DOCUMENTS)]
    columns = Columns()
    for _ in range(FILTERS):
        asked = where(chance)
        columns.prepare(asked, documents)
        mask = columns.mask(asked, DOCUMENTS)
        for row in chance.sample(range(DOCUMENTS), COMPARED):
            assert matches(asked, documents[row]) == mask[row], (asked, documents[row])


async def test_filters_find_what_the_reference_says(tmp_path: Path) -> None:
    """Through the store, and each document is found by a filter or by its opposite."""
    chance = random.Random(18)
    documents = {str(number): document(chance) for number in range(300)}
    entries = [VectorEntry(id, [1, 0], metadata) for id, metadata in documents.items()]
    async with open_storage(tmp_path) as storage:
        await storage.vectors.upsert_many(entries)
    async with open_storage(tmp_path) as storage:
        for _ in range(100):
            asked = where(chance)
            expected = {id for id, metadata in documents.items() if matches(asked, metadata)}
            assert expected == await found(storage, asked), asked
            assert documents.keys() - expected == await found(storage, ~asked), asked


async def test_filters_follow_what_is_replaced_and_deleted(tmp_path: Path) -> None:
    """A column that is there already moves with the rows, and with what they hold."""
    chance = random.Random(3)
    kept: dict[str, JsonValue] = {}
    async with open_storage(tmp_path) as storage:
        for _ in range(200):
            changed = {f"v{chance.randrange(300)}": document(chance) for _ in range(20)}
            await storage.vectors.upsert_many(
                [VectorEntry(id, [1, 0], metadata) for id, metadata in changed.items()]
            )
            kept |= changed
            gone = chance.sample(sorted(kept), 9)
            await storage.vectors.delete_many(gone)
            kept = {id: metadata for id, metadata in kept.items() if id not in gone}
            asked = where(chance)
            expected = {id for id, metadata in kept.items() if matches(asked, metadata)}
            assert expected == await found(storage, asked)
            if chance.random() < 0.1:
                await storage.vectors.delete_where(asked)
                kept = {id: metadata for id, metadata in kept.items() if id not in expected}
                assert len(kept) == await storage.vectors.count()


async def test_a_filter_may_name_more_paths_than_are_kept(tmp_path: Path) -> None:
    """Those that it needs are there, whichever were used before."""
    async with open_storage(tmp_path) as storage:
        await storage.vectors.upsert("one", [1, 0], metadata={f"k{n}": n for n in range(200)})
        for start in range(0, 150, 25):
            parts = [Equals(f"k{n}", n) for n in range(start, start + 50)]
            assert {"one"} == await found(storage, Equals("k0", 0) & And(parts))
        assert {"one"} == await found(storage, And([Equals(f"k{n}", n) for n in range(200)]))


@pytest.mark.parametrize("none", [None, "user", {"user": "ada"}, True])
async def test_what_is_no_filter_is_refused(tmp_path: Path, none: Any) -> None:
    """Whoever forgets it must neither see nor remove what is another's."""
    async with open_storage(tmp_path) as storage:
        await storage.vectors.upsert("one", [1, 0], metadata={"user": "bob"})
        with pytest.raises(ValueError, match="where must be a filter"):
            await storage.vectors.search_where([1, 0], none, top_k=9)
        with pytest.raises(ValueError, match="where must be a filter"):
            await storage.vectors.delete_where(none)
        assert 1 == await storage.vectors.count()


async def test_values_that_are_gone_do_not_pile_up(tmp_path: Path) -> None:
    """An entry that is replaced for ever takes no more memory than one that is not."""
    async with open_storage(tmp_path) as storage:
        asked = Compares("n", ">=", 0)
        assert set[str]() == await found(storage, asked)
        for start in range(0, 5000, 100):
            entries = [VectorEntry(str(n), [1, 0], {"n": start + n}) for n in range(100)]
            await storage.vectors.upsert_many(entries)
        columns = storage.vectors._columns  # pyright: ignore[reportPrivateUsage]
        kept = [len(one._code_of) for one in columns._columns.values()]  # pyright: ignore[reportPrivateUsage]
        assert sum(kept) < 3000
        assert 100 == len(await found(storage, asked))


async def test_no_update_is_lost(tmp_path: Path) -> None:
    """Fifty tasks that read, think and save again and again count exactly."""

    def count(session: Session | None) -> Session:
        assert session is not None
        return session.model_copy(update={"message_count": session.message_count + 1})

    async with open_storage(tmp_path) as storage:
        await storage.sessions.save(Session(id=A, channel=ChannelId("c")))

        async def work() -> None:
            for _ in range(20):
                await update(storage.sessions, A, count, attempts=10_000)

        await asyncio.gather(*(work() for _ in range(50)))
        session = await storage.sessions.get(A)
    assert 1000 == (session and session.message_count)


@pytest.mark.parametrize("killed", [False, True])
async def test_positions_are_never_given_twice(tmp_path: Path, killed: bool) -> None:
    """Not after `clear`, a truncation or a reopening, in order or not."""
    seen: list[int] = []
    for _ in range(3):
        async with open_storage(tmp_path) as storage:
            conversations = storage.conversations
            await conversations.append_messages(A, [HELLO] * 3)
            page = await conversations.get_before(A, None, limit=9)
            seen += [entry.position for entry in page]
            await conversations.truncate_after(A, page[0].position, page[-1].position)
            seen.append(await conversations.append_after(A, page[0].position, [HELLO]))
            await conversations.clear(A)
        if killed:
            (tmp_path / "seal.json").unlink()
    assert sorted(set(seen)) == seen


async def test_pages_agree_with_a_list_however_often_it_was_truncated(tmp_path: Path) -> None:
    """Any position bounds: of a message that is there, that is gone, or that never was."""
    chance = random.Random(5)
    kept: list[int] = []
    async with open_storage(tmp_path) as storage:
        conversations = storage.conversations
        for _ in range(60):
            for _ in range(chance.randrange(1, 6)):
                kept.append(
                    await conversations.append_after(A, kept[-1] if kept else None, [HELLO])
                )
            if chance.random() < 0.6:
                bound = chance.randrange(-1, kept[-1] + 2)
                await conversations.truncate_after(A, bound, kept[-1])
                kept = [position for position in kept if position <= bound]
            for position in [*range(-2, (kept[-1] if kept else 0) + 3, 3), 2**70, -(2**70)]:
                limit = chance.randrange(1, 9)
                before = await conversations.get_before(A, position, limit)
                after = await conversations.get_after(A, position, limit)
                assert (
                    [one for one in kept if one < position][-limit:],
                    [one for one in kept if one > position][:limit],
                ) == ([one.position for one in before], [one.position for one in after])
        assert len(kept) == len(await conversations.get_messages(A, 10**6))


async def test_a_page_reads_no_more_than_it_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any depth of a history that was never truncated: two records beside those of the page."""
    asked: list[bytes] = []
    async with open_storage(tmp_path) as storage:
        await storage.conversations.append_messages(A, [HELLO] * 1000)
        records = storage.conversations._worker._records  # pyright: ignore[reportPrivateUsage]
        assert records is not None
        get = records.get

        def noting(key: bytes, name: str) -> bytes | None:
            asked.append(key)
            return get(key, name)

        monkeypatch.setattr(records, "get", noting)
        for position in (10, 500, 990):
            asked.clear()
            assert 5 == len(await storage.conversations.get_before(A, position, 5))
            assert len(asked) <= 7


async def test_guards_hold_after_reopening(tmp_path: Path) -> None:
    """Tokens and positions are those that were given, and stale ones stay stale."""
    session = Session(id=A, channel=ChannelId("c"))
    async with open_storage(tmp_path) as storage:
        stale = await storage.sessions.save_if(session, None)
        token = await storage.sessions.save_if(session, stale)
        config = await storage.config.save_config_if(AppConfig(), None)
    async with open_storage(tmp_path) as storage:
        revised = await storage.sessions.get_revision(A)
        assert (token, config) == (
            revised and revised.revision,
            (await storage.config.get_config_revision()).revision,
        )
        assert token != stale
