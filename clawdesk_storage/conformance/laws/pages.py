"""What `MessagePages` promises: a history that can be read from any place, and followed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from clawdesk_storage.abilities import HistoryEntry
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import BAD_IDS
from clawdesk_storage.conformance.material.samples import message, moment
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import SessionId

_ALL = sys.maxsize
_S = SessionId("s")
_ABILITY = "MessagePages"
_ENOUGH = 400
"""More than any history here has: whoever is given so many walks in a circle."""


def _store(storage: Opened) -> Any:
    return storage.conversations


async def _fill(store: Any, id: SessionId, count: int) -> None:
    for number in range(count):
        at = moment(seconds=(number * 7) % 5)
        await store.append_message(id, message(str(number), timestamp=at))


def _contents(entries: Sequence[HistoryEntry]) -> list[str]:
    return [entry.message.content for entry in entries]


def _expect_rising(trial: Trial, entries: Sequence[HistoryEntry], what: str) -> None:
    positions = [entry.position for entry in entries]
    trial.same(sorted(set(positions)), positions, f"the positions {what}, which rise strictly")


async def backwards(store: Any, id: SessionId, size: int) -> list[HistoryEntry]:
    """Read a whole history in pages, from its end."""
    entries: list[HistoryEntry] = []
    while True:
        first = entries[0].position if entries else None
        page = await store.get_before(id, first, size)
        entries[:0] = page
        if len(page) < size or len(entries) > _ENOUGH:
            return entries


async def forwards(store: Any, id: SessionId, size: int) -> list[HistoryEntry]:
    """Read a whole history in pages, from its beginning."""
    entries: list[HistoryEntry] = []
    while True:
        last = entries[-1].position if entries else None
        page = await store.get_after(id, last, size)
        entries += page
        if len(page) < size or len(entries) > _ENOUGH:
            return entries


@law("PAG-01", ability=_ABILITY)
async def the_last_page_holds_the_last_messages(trial: Trial) -> None:
    """`get_before(id, None, n)` holds the messages of `get_messages(id, n)`, oldest first.

    Two ways of reading one history must not disagree about its end, or about what is in it.
    """
    async with trial.open() as storage:
        store = _store(storage)
        trial.same([], list(await store.get_before(_S, None, 5)), "the last page of nothing")
        trial.same([], list(await store.get_after(_S, None, 5)), "the first page of nothing")
        await _fill(store, _S, 9)
        await _fill(store, SessionId("t"), 3)
        for limit in (0, 1, 4, 9, 20, _ALL):
            expected = list(await store.get_messages(_S, limit))
            came = [one.message for one in await store.get_before(_S, None, limit)]
            trial.same(expected, came, f"get_before(None, {limit})")


@law("PAG-02", ability=_ABILITY)
async def walking_either_way_gives_each_message_once(trial: Trial) -> None:
    """Walking either way in pages of any size gives each message once, whatever the timestamps.

    Pages by timestamp repeat or skip what has an equal one at the edge of a page.
    """
    expected = [str(number) for number in range(23)]
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(store, _S, 23)
        for size in (1, 2, 5, 7, 22, 23, 24):
            came = await backwards(store, _S, size)
            trial.same(expected, _contents(came), f"walking back in pages of {size}")
            same = await forwards(store, _S, size)
            trial.same(came, same, f"walking on in pages of {size}, beside walking back")


@law("PAG-03", ability=_ABILITY)
async def appends_between_two_pages_neither_repeat_nor_skip(trial: Trial) -> None:
    """Appends between two pages neither repeat nor skip a message.

    Pages by offset from the end move with every message that comes.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(store, _S, 12)
        page = list(await store.get_before(_S, None, 4))
        trial.same(["8", "9", "10", "11"], _contents(page), "the last page")
        for number in range(3):
            await store.append_message(_S, message(f"new {number}"))
            page = list(await store.get_before(_S, page[0].position, 4))
            first = 4 * (1 - number)
            expected = [str(n) for n in range(first, first + 4) if n >= 0]
            trial.same(expected, _contents(page), f"the page before, {number + 1} appends later")
            if not page:
                break
        after = await store.get_after(_S, None, 13)
        news = await store.get_after(_S, after[-1].position, _ALL)
        trial.same(["new 1", "new 2"], _contents(news), "what is newer than the first new message")


@law("PAG-04", ability=_ABILITY, shuffled=True)
async def positions_rise_strictly(trial: Trial) -> None:
    """Positions are integers that rise strictly in the order of the history.

    Two tasks that both read the last position take the same one.
    """
    async with trial.open() as storage:
        store = _store(storage)
        calls = (store.append_message(_S, message(str(number))) for number in range(30))
        await together(*calls)
        entries = await store.get_before(_S, None, _ALL)
        trial.same(30, len(entries), "how many messages are there")
        _expect_rising(trial, entries, "after overlapping appends")
        odd = [entry.position for entry in entries if type(entry.position) is not int]
        trial.same([], odd, "the positions that are no plain integers")


@law("PAG-05", ability=_ABILITY)
async def a_position_never_comes_back(trial: Trial) -> None:
    """A position never comes back: not after `clear`, and not after reopening.

    Whoever holds one from before must not be given other messages for it.
    """
    seen: set[int] = set()
    for turn in range(3):
        async with trial.open(0 if trial.backend.durable else turn) as storage:
            store = _store(storage)
            if not trial.backend.durable:
                seen = set()
            for _ in range(2):
                await _fill(store, _S, 3)
                entries = await store.get_after(_S, None, _ALL)
                positions: set[int] = {one.position for one in entries}
                trial.same([], sorted(positions & seen), "positions that came back")
                trial.holds(
                    min(positions) > max(seen, default=-sys.maxsize),
                    "the positions, after what was there before was cleared",
                    "only ones above those given before", sorted(positions),
                )  # fmt: skip
                seen |= positions
                await store.clear(_S)


@law("PAG-06", ability=_ABILITY)
async def a_position_whose_message_is_gone_still_bounds(trial: Trial) -> None:
    """A position whose message is gone, or never was, still bounds what is older and newer.

    A screen goes on from the last message that it has shown, though it was cleared meanwhile.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(store, _S, 4)
        last = (await store.get_before(_S, None, 1))[0].position
        await store.clear(_S)
        trial.same([], list(await store.get_before(_S, last, 9)), "before a cleared position")
        trial.same([], list(await store.get_after(_S, last, 9)), "after a cleared position")
        await store.append_message(_S, message("new"))
        trial.same([], list(await store.get_before(_S, last, 9)), "before it, one appended")
        trial.same(["new"], _contents(await store.get_after(_S, last, 9)), "after it, one appended")
        trial.same(["new"], _contents(await store.get_after(_S, -1, 9)), "after -1")
        far = 2**62
        trial.same(["new"], _contents(await store.get_before(_S, far, 9)), "before a far position")
        trial.same([], list(await store.get_after(_S, far, 9)), "after a far position")


@law("PAG-07", ability=_ABILITY, shuffled=True)
async def whoever_follows_misses_nothing(trial: Trial) -> None:
    """Whoever follows with `get_after` while others append misses nothing.

    Positions are given in the order in which messages become visible. A plain sequence is not: a
    number that was taken earlier and committed later turns up behind the reader's back.
    """
    async with trial.open() as storage:
        await _expect_followed(trial, _store(storage), [_store(storage)] * 4, SessionId("one"))
        if trial.backend.shared:
            async with trial.open() as other:
                writers = [_store(storage), _store(other)] * 2
                await _expect_followed(trial, _store(storage), writers, SessionId("two"))


async def _expect_followed(
    trial: Trial, reader: Any, writers: Sequence[Any], id: SessionId
) -> None:
    running = len(writers)

    async def write(store: Any, name: int) -> None:
        nonlocal running
        try:
            for number in range(10):
                await store.append_message(id, message(f"{name}.{number}"))
        finally:
            running -= 1

    followed: list[HistoryEntry] = []

    async def follow() -> None:
        while True:
            last = running == 0
            position = followed[-1].position if followed else None
            followed.extend(await reader.get_after(id, position, 3))
            if len(followed) > _ENOUGH or (last and len(followed) >= 10 * len(writers)):
                return
            if last and not await reader.get_after(id, followed[-1].position, 1):
                return
            await asyncio.sleep(0)

    await together(follow(), *(write(store, name) for name, store in enumerate(writers)))
    whole = list(await reader.get_after(id, None, _ALL))
    trial.same(10 * len(writers), len(whole), "how many messages are there")
    trial.same(_contents(whole), _contents(followed), "what was followed, beside the history")


@law("PAG-08", ability=_ABILITY)
async def limits_of_pages_at_their_edges(trial: Trial) -> None:
    """Limit 0 is empty, `sys.maxsize` is all, a negative is `ValueError`; a short page is the end.

    A bad id is refused by these methods as by the others: each has to check for itself.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(store, _S, 5)
        middle = (await store.get_before(_S, None, 3))[0].position
        for name in ("get_before", "get_after"):
            method = getattr(store, name)
            trial.same([], list(await method(_S, None, 0)), f"{name} with limit 0")
            trial.same(5, len(await method(_S, None, _ALL)), f"{name} with limit sys.maxsize")
            trial.same(2, len(await method(_S, middle, _ALL)), f"{name} of the third, all of it")
            await trial.refused(ValueError, method(_S, None, -1), f"{name} with limit -1")
            await trial.refused(ValueError, method(_S, middle, -1), f"{name} with limit -1")
            for id in BAD_IDS:
                call = method(SessionId(id), None, 1)
                await trial.refused(ValueError, call, f"{name} of the id {id!r}")


@law("PAG-09", ability=_ABILITY)
async def positions_are_the_same_everywhere(trial: Trial) -> None:
    """Other handles and a reopened store give the same positions.

    A link to a place in a conversation is opened on another server, tomorrow.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await _fill(store, _S, 5)
        entries = list(await store.get_after(_S, None, _ALL))
        if trial.backend.shared:
            async with trial.open() as other:
                same = list(await _store(other).get_before(_S, None, _ALL))
                trial.same(entries, same, "the entries, through another handle")
    if trial.backend.durable:
        async with trial.open() as storage:
            same = list(await _store(storage).get_after(_S, None, _ALL))
            trial.same(entries, same, "the entries, after reopening")


@law("PAG-10", ability=_ABILITY, claim="corruption")
async def a_damaged_message_is_not_skipped_in_a_page(trial: Trial) -> None:
    """A damaged message raises `SerializationError` from every page that it is on.

    A page that leaves it out shows a conversation that never took place.
    """
    async with trial.open() as storage:
        await _fill(_store(storage), _S, 3)
    if trial.backend.corrupt is not None:
        await trial.backend.corrupt(trial.location(), "conversations")
    async with trial.open() as storage:
        store = _store(storage)
        for name in ("get_before", "get_after"):
            call = getattr(store, name)(_S, None, 3)
            await trial.refused(SerializationError, call, f"{name} of damaged messages")
