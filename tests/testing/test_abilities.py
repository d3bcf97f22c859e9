"""What the in-memory stores can do beyond the ports, each by its equation over them."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    ConfigRevisions,
    ConflictError,
    Contents,
    Equals,
    Exists,
    HistoryEntry,
    Message,
    MessageBatches,
    MessageGuards,
    MessagePages,
    Role,
    SerializationError,
    Session,
    SessionId,
    SessionRevisions,
    VectorBatches,
    VectorContents,
    VectorEntry,
    VectorFilters,
)
from clawdesk_storage.testing import MemoryStorage

_S, _T = SessionId("s"), SessionId("t")


def _said(text: str) -> Message:
    return Message(role=Role.USER, content=text)


def _bad() -> Message:
    message = _said("bad")
    message.metadata["x"] = object()  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
    return message


def _session(id: str, count: int = 0) -> Session:
    return Session(id=SessionId(id), channel=ChannelId("c"), message_count=count)


def _texts(entries: Sequence[HistoryEntry]) -> list[str]:
    return [entry.message.content for entry in entries]


@pytest.mark.parametrize(
    ("store", "ability"),
    [
        ("sessions", SessionRevisions),
        ("sessions", Contents),
        ("conversations", MessageBatches),
        ("conversations", MessagePages),
        ("conversations", MessageGuards),
        ("conversations", Contents),
        ("config", ConfigRevisions),
        ("vectors", VectorBatches),
        ("vectors", VectorFilters),
        ("vectors", VectorContents),
    ],
)
def test_the_reference_has_every_ability(store: str, ability: type) -> None:
    """`isinstance` tells."""
    assert isinstance(getattr(MemoryStorage(), store), ability)


# Conversations


async def test_a_batch_is_its_messages_one_by_one() -> None:
    """In order, after what was there; an empty one is nothing."""
    store = MemoryStorage().conversations
    await store.append_message(_S, _said("a"))
    await store.append_messages(_S, [_said("b"), _said("c")])
    await store.append_messages(_T, [])
    assert ["a", "b", "c"] == [one.content for one in await store.get_messages(_S, 9)]
    assert ([_S], 1) == (await store.ids(None, limit=9), await store.count())


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_batch_with_a_bad_message_is_refused_whole(place: int) -> None:
    """Wherever it stands, and whichever method is called."""
    store = MemoryStorage().conversations
    batch = [_said("a"), _said("b")]
    batch.insert(place, _bad())
    with pytest.raises(SerializationError):
        await store.append_messages(_S, batch)
    with pytest.raises(SerializationError):
        await store.append_after(_S, None, batch)
    assert 0 == await store.count()


@pytest.mark.parametrize("size", [1, 2, 3, 10])
async def test_pages_in_both_directions_give_each_message_once(size: int) -> None:
    """Oldest first in every page."""
    store = MemoryStorage().conversations
    texts = [str(number) for number in range(7)]
    await store.append_messages(_S, [_said(text) for text in texts])
    forward: list[HistoryEntry] = []
    while page := await store.get_after(_S, forward[-1].position if forward else None, size):
        forward += page
    backward: list[HistoryEntry] = []
    while page := await store.get_before(_S, backward[0].position if backward else None, size):
        backward = [*page, *backward]
    assert (texts, forward) == (_texts(forward), backward)


async def test_a_position_whose_message_is_gone_still_bounds() -> None:
    """Or that never was."""
    store = MemoryStorage().conversations
    first = await store.append_after(_S, None, [_said("a")])
    gone = await store.append_after(_S, first, [_said("b")])
    await store.truncate_after(_S, first, gone)
    await store.append_message(_S, _said("c"))
    assert ["c"] == _texts(await store.get_after(_S, gone, limit=9))
    assert ["a"] == _texts(await store.get_before(_S, gone, limit=9))
    assert ["a", "c"] == _texts(await store.get_before(_S, sys.maxsize, limit=9))
    assert ["a", "c"] == _texts(await store.get_after(_S, -1, limit=9))


async def test_a_position_never_comes_back() -> None:
    """Not after `clear`, and not after a truncation."""
    store = MemoryStorage().conversations
    given = [await store.append_after(_S, None, [_said("a")])]
    await store.clear(_S)
    given.append(await store.append_after(_S, None, [_said("b")]))
    await store.truncate_after(_S, None, given[-1])
    given.append(await store.append_after(_S, None, [_said("c"), _said("d")]))
    assert sorted(set(given)) == given


async def test_a_stale_position_is_a_conflict_and_changes_nothing() -> None:
    """Absent, older, gone or not yet there."""
    store = MemoryStorage().conversations
    old = await store.append_after(_S, None, [_said("a")])
    newest = await store.append_after(_S, old, [_said("b")])
    for stale in (None, old, newest + 1):
        with pytest.raises(ConflictError, match="conflict: the newest message of 's'"):
            await store.append_after(_S, stale, [_said("c")])
    for stale in (old, newest + 1):
        with pytest.raises(ConflictError):
            await store.truncate_after(_S, None, stale)
    assert ["a", "b"] == [one.content for one in await store.get_messages(_S, 9)]


async def test_nothing_cannot_be_appended_after_a_position() -> None:
    """An empty conversation would have no newest position to return."""
    store = MemoryStorage().conversations
    with pytest.raises(ValueError, match="no messages"):
        await store.append_after(_S, None, [])


async def test_truncating_removes_exactly_the_tail() -> None:
    """And with it the conversation, where nothing is left."""
    store = MemoryStorage().conversations
    first = await store.append_after(_S, None, [_said("a")])
    newest = await store.append_after(_S, first, [_said("b"), _said("c")])
    await store.truncate_after(_S, newest, newest)
    assert 3 == len(await store.get_messages(_S, 9))
    await store.truncate_after(_S, first, newest)
    assert ["a"] == [one.content for one in await store.get_messages(_S, 9)]
    await store.truncate_after(_S, None, first)
    assert ([], 0) == (await store.ids(None, limit=9), await store.count())


# Sessions and configuration


async def test_every_save_gives_a_new_revision() -> None:
    """A plain one and an equal one too, and none comes back after deleting."""
    store = MemoryStorage().sessions
    seen = [await store.save_if(_session("s"), revision=None)]
    await store.save(_session("s"))
    found = await store.get_revision(_S)
    assert found
    seen.append(found.revision)
    seen.append(await store.save_if(found.session, revision=found.revision))
    await store.delete_if(_S, revision=seen[-1])
    seen.append(await store.save_if(_session("s"), revision=None))
    assert len(seen) == len(set(seen))


async def test_a_stale_revision_is_a_conflict_and_changes_nothing() -> None:
    """For a session that was saved since, that was deleted, and that is there already."""
    store = MemoryStorage().sessions
    stale = await store.save_if(_session("s", 1), revision=None)
    await store.save(_session("s", 2))
    for revision in (stale, None):
        with pytest.raises(ConflictError, match="conflict: session 's'"):
            await store.save_if(_session("s", 3), revision=revision)
    with pytest.raises(ConflictError):
        await store.delete_if(_S, revision=stale)
    found = await store.get(_S)
    assert found
    assert 2 == found.message_count
    await store.delete(_S)
    with pytest.raises(ConflictError):
        await store.save_if(_session("s", 3), revision=stale)
    assert await store.get_revision(_S) is None


async def test_the_configuration_has_revisions_too() -> None:
    """None stands for one that was never saved."""
    store = MemoryStorage().config
    assert (AppConfig(), None) == await store.get_config_revision()
    first = await store.save_config_if(AppConfig(), revision=None)
    await store.save_config(AppConfig())
    config, revision = await store.get_config_revision()
    assert (AppConfig(), True) == (config, revision not in (None, first))
    for stale in (None, first):
        with pytest.raises(ConflictError):
            await store.save_config_if(AppConfig(), revision=stale)
    await store.save_config_if(AppConfig(), revision=revision)


# Vectors


def _entry(id: str, *vector: float, metadata: Any = None) -> VectorEntry:
    return VectorEntry(id, vector, metadata)


async def test_of_equal_ids_in_a_batch_the_last_counts() -> None:
    """As if one by one."""
    store = MemoryStorage().vectors
    await store.upsert_many([_entry("a", 1, 0), _entry("b", 0, 1), _entry("a", 0, -1)])
    assert ["b", "a"] == [one.id for one in await store.search([0, 1], top_k=9)]


@pytest.mark.parametrize(
    "bad",
    [_entry("x", 1, 0, 0), _entry("x", 0, 0), _entry("", 1, 0), _entry("x", 1, 0, metadata={1})],
)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_bad_entry_refuses_the_batch_and_fixes_no_dimension(
    bad: VectorEntry, place: int
) -> None:
    """Nothing is stored, and the store is as it was."""
    store = MemoryStorage().vectors
    batch = [_entry("a", 1, 0), _entry("b", 1, 0)]
    batch.insert(place, bad)
    with pytest.raises((ValueError, SerializationError)):
        await store.upsert_many(batch)
    await store.upsert("c", [1, 0, 0, 0], metadata=None)
    assert 1 == await store.count()


async def test_a_bad_id_deletes_nothing() -> None:
    """Absent ones are no error."""
    store = MemoryStorage().vectors
    await store.upsert("a", [1], metadata=None)
    with pytest.raises(ValueError, match="id"):
        await store.delete_many(["a", ""])
    assert 1 == await store.count()
    await store.delete_many(["a", "absent"])
    assert 0 == await store.count()


async def test_a_filtered_search_is_the_ranking_filtered() -> None:
    """Its first k, with the same scores."""
    store = MemoryStorage().vectors
    for number in range(10):
        await store.upsert(str(number), [10, number], metadata={"odd": number % 2 == 1})
    ranking = await store.search([1, 0], top_k=10)
    odd = [one for one in ranking if int(one.id) % 2]
    assert odd[:3] == await store.search_where([1, 0], Equals("odd", True), top_k=3)


async def test_deleting_by_a_filter_deletes_what_matches() -> None:
    """And nothing else."""
    store = MemoryStorage().vectors
    await store.upsert_many([_entry("a", 1, metadata={"x": None}), _entry("b", 1)])
    await store.delete_where(Exists("x"))
    assert ["b"] == [one.id for one in await store.entries(None, limit=9)]


async def test_what_is_read_back_has_the_direction_at_length_one() -> None:
    """And is a copy."""
    store = MemoryStorage().vectors
    await store.upsert("a", [3, 4], metadata={"b": [1]})
    found = await store.get("a")
    assert found
    vector: Any = found.vector
    vector[0] = 7
    again = await store.get("a")
    assert again
    assert pytest.approx([0.6, 0.8]) == [float(value) for value in again.vector]
    assert ({"b": [1]}, None) == (again.metadata, await store.get("absent"))


# Contents


@pytest.mark.parametrize("size", [1, 2, 10])
async def test_pages_of_ids_are_all_of_them_in_order(size: int) -> None:
    """By code point, beyond the basic plane too."""
    ids = ["a", "b", "\uffff", "\U0001f642"]
    storage = MemoryStorage()
    for id in reversed(ids):
        await storage.sessions.save(_session(id))
        await storage.vectors.upsert(id, [1], metadata=None)
    read: list[SessionId] = []
    while page := await storage.sessions.ids(read[-1] if read else None, limit=size):
        read += page
    entries: list[str] = []
    while some := await storage.vectors.entries(entries[-1] if entries else None, limit=size):
        entries += [one.id for one in some]
    assert (ids, ids) == (read, entries)
    assert (4, 4) == (await storage.sessions.count(), await storage.vectors.count())


async def test_a_page_after_no_valid_id_is_refused() -> None:
    """None begins; the empty text is a mistake."""
    storage = MemoryStorage()
    with pytest.raises(ValueError, match="after"):
        await storage.sessions.ids(SessionId(""), limit=1)
    with pytest.raises(ValueError, match="limit"):
        await storage.vectors.entries(None, limit=-1)
