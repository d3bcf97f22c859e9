"""What a `SessionStore` promises."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import (
    BAD_IDS,
    IDS,
    LARGE,
    UNSTORABLE,
    json_samples,
)
from clawdesk_storage.conformance.material.samples import EPOCH, Count, moment, session, sessions
from clawdesk_storage.conformance.trial import Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import ChannelId, Session, SessionId, SessionState
from clawdesk_storage.ports import SessionStore


def _newest_first(many: Sequence[Session]) -> list[Session]:
    by_id = sorted(many, key=lambda one: one.id)
    return sorted(by_id, key=lambda one: one.last_activity, reverse=True)


async def _save_all(store: SessionStore, many: Sequence[Session]) -> None:
    for one in many:
        await store.save(one)


async def _expect_listed(
    trial: Trial, store: SessionStore, expected: Sequence[Session], what: str
) -> None:
    """Expect `list` to hold exactly these sessions; in which order is SES-06's affair."""
    came = await store.list(len(expected) + 10, 0)
    _expect_ids(trial, sorted(one.id for one in expected), sorted(one.id for one in came), what)
    by_id = {one.id: one for one in came}
    for one in expected:
        trial.same(one, by_id[one.id], f"{what}: session {one.id!r} in the list")


def _expect_ids(trial: Trial, expected: Sequence[str], came: Sequence[str], what: str) -> None:
    trial.same(list(expected), list(came), f"{what}, by id")


@law("SES-01")
async def a_session_never_saved_is_none(trial: Trial) -> None:
    """`get` of an id never saved is None, and a miss leaves `list` unchanged.

    A store that creates a session on a miss, as a get-or-create would, fills the list with
    sessions that nobody made; one that raises breaks every caller's `if session is None`.
    """
    async with trial.open() as storage:
        store = storage.sessions
        trial.same(None, await store.get(SessionId("nobody")), "get from an empty store")
        trial.same([], await store.list(10, 0), "list of an empty store, after a miss")
        here = session("here", "telegram")
        await store.save(here)
        for absent in ("her", "here ", "HERE", "her_", "%", "*", "gone"):
            trial.same(None, await store.get(SessionId(absent)), f"get({absent!r}), never saved")
            empty = await store.list_by_channel(ChannelId(absent))
            trial.same([], empty, f"list_by_channel({absent!r}), where nothing was saved")
        trial.same(None, await store.get(SessionId("telegram")), "get of a channel's id")
        await _expect_listed(trial, store, [here], "after the misses")
        trial.same(here, await store.get(SessionId("here")), "the one that was saved")


@law("SES-02")
async def what_save_took_get_returns(trial: Trial) -> None:
    """What `save` took, `get` and both lists return, equal in every field and type.

    That includes microseconds, the instant of any offset (in UTC), Unicode as written, nested
    metadata in which True, 1 and 1.0 stay three values, an explicit None, integers to ±2^63, NUL
    and newlines in text, and a prompt of 1 MiB. Columns that truncate, drivers that normalise and
    serialisers that coerce each lose one of them.
    """
    async with trial.open() as storage:
        store = storage.sessions
        saved = sessions(trial.random)
        for one in saved:
            await store.save(one)
            trial.same(one, await store.get(one.id), f"get({one.id!r}) after save")
        await _expect_listed(trial, store, saved, "after all saves")
        for one in saved:
            trial.same(one, await store.get(one.id), f"get({one.id!r}) after all saves")
        by_channel = {one.id: one for one in await store.list_by_channel(ChannelId("channel"))}
        for one in saved:
            trial.same(one, by_channel.get(one.id), f"session {one.id!r} in list_by_channel")


_RICH: dict[str, Any] = {
    "channel": "first",
    "state": SessionState.PAUSED,
    "system_prompt": "the first prompt",
    "model": "the first model",
    "history_limit": 99,
    "created_at": moment(seconds=7),
    "last_activity": moment(seconds=9),
    "message_count": 42,
    "metadata": {"old": 1, "both": {"old": 1, "list": [1, 2, 3]}},
}
_PLAIN: dict[str, Any] = {
    "channel": "second",
    "state": SessionState.ACTIVE,
    "system_prompt": "",
    "model": None,
    "history_limit": 0,
    "created_at": EPOCH,
    "last_activity": moment(-1),
    "message_count": 0,
    "metadata": {"both": {"new": 2, "list": []}},
}


def _versions() -> Iterator[Session]:
    """A rich session, then with each field made plain in turn and back, then plain in all."""
    yield session("s", **_RICH)
    for name, plain in _PLAIN.items():
        changed = {**_RICH, name: plain}
        yield session("s", **changed)
        yield session("s", **_RICH)
    yield session("s", **_PLAIN)
    yield session("s", **_PLAIN)
    # Equal to each other by `==`, and yet three values; then what is empty, which is not nothing.
    alike: tuple[dict[str, Any], ...] = ({"k": 1}, {"k": True}, {"k": 1.0}, {})
    for metadata in alike:
        yield session("s", metadata=metadata, model="")
    for before in SessionState:
        for after in SessionState:
            yield session("s", state=before)
            yield session("s", state=after)
    yield session("s", **_RICH)


@law("SES-03")
async def save_replaces_the_whole_session(trial: Trial) -> None:
    """`save` replaces the whole session: nothing of the earlier version survives.

    The store stamps nothing of its own either: an earlier `last_activity`, a lower
    `message_count`, another `created_at` are taken as they are, and reading changes none of them.
    An upsert that merges metadata, skips None, or keeps the newer timestamp breaks this.
    """
    async with trial.open() as storage:
        store = storage.sessions
        other = session("other", **_RICH)
        await store.save(other)
        for version in _versions():
            await store.save(version)
            trial.same(version, await store.get(version.id), "get after save replaced a version")
            await _expect_listed(trial, store, [version, other], "after save replaced a version")
            for _ in range(2):
                trial.same(version, await store.get(version.id), "get again, after reading")
        for channel in ("first", "second"):
            came = await store.list_by_channel(ChannelId(channel))
            expected = ["other", "s"] if channel == "first" else []
            _expect_ids(trial, expected, [one.id for one in came], f"channel {channel!r}")


def _deface(metadata: Any) -> None:
    """Change an object in every way that its owner can."""
    metadata["added"] = "later"
    metadata["nested"]["deep"]["changed"] = "later"
    metadata["list"].append("later")
    metadata["list"][0]["changed"] = "later"
    metadata["list"][0]["a"][0]["b"]["c"][0]["changed"] = "later"
    del metadata["doomed"]


def _defaceable() -> dict[str, Any]:
    inner = {"changed": "no", "a": [{"b": {"c": [{"changed": "no"}]}}]}
    return {"nested": {"deep": {"changed": "no"}}, "list": [inner], "doomed": 1}


async def _reads(store: SessionStore, id: SessionId) -> list[tuple[str, Session | None]]:
    listed = [one for one in await store.list(10, 0) if one.id == id]
    by_channel = [one for one in await store.list_by_channel(ChannelId("c")) if one.id == id]
    first = listed[0] if listed else None
    return [
        ("get", await store.get(id)),
        ("list", first),
        ("list_by_channel", by_channel[0] if by_channel else None),
    ]


@law("SES-04")
async def later_changes_by_the_caller_are_not_stored(trial: Trial) -> None:
    """What a caller does later to an object it saved or was given changes nothing that is stored.

    A store that keeps or hands out its own object lets a caller change the database by adding a
    key to a dict, without any save.
    """
    async with trial.open() as storage:
        store = storage.sessions
        for version in ("first", "second"):
            mine = session("s", "c", system_prompt=version, metadata=_defaceable())
            as_saved = session("s", "c", system_prompt=version, metadata=_defaceable())
            await store.save(mine)
            trial.note("the caller changes the metadata of the session that it saved")
            _deface(mine.metadata)
            for method, came in await _reads(store, mine.id):
                trial.same(as_saved, came, f"{method}, after the saved object was changed")
            for index, (method, _) in enumerate(await _reads(store, mine.id)):
                await _deface_read(trial, store, index, method, as_saved)


async def _deface_read(
    trial: Trial, store: SessionStore, index: int, method: str, as_saved: Session
) -> None:
    given = (await _reads(store, as_saved.id))[index][1]
    answers = await store.list(10, 0), await store.list_by_channel(ChannelId("c"))
    trial.note(f"the caller changes what {method} gave it, and empties the lists it was given")
    if given is not None:
        _deface(given.metadata)
    for answer in answers:
        if isinstance(answer, list):
            answer.clear()
    for again, came in await _reads(store, as_saved.id):
        trial.same(as_saved, came, f"{again}, after what {method} returned was changed")


@law("SES-05")
async def delete_removes_that_session_alone(trial: Trial) -> None:
    """`delete` removes the session from `get`, `list` and `list_by_channel`, and nothing else.

    Deleting an absent id is no error, and a deleted id can be saved anew. An index that is not
    cleaned, a tombstone that outlives a new save, a prefix or a pattern that deletes too much show
    here.
    """
    async with trial.open() as storage:
        store = storage.sessions
        ids = ("a", "ab", "abc", "a:b", "A", "b", "_", "%", "a%", "*", "zz")
        left = [session(id, "c", last_activity=moment(i // 3)) for i, id in enumerate(ids)]
        await _save_all(store, left)
        await store.delete(SessionId("never saved"))
        await store.delete(SessionId("c"))
        await _expect_kept(trial, store, left, "after deleting absent ids, one a channel's name")
        for id in ("a", "_", "%", "zz", "b"):
            await store.delete(SessionId(id))
            left = [one for one in left if one.id != id]
            trial.same(None, await store.get(SessionId(id)), f"get({id!r}) after its delete")
            await _expect_kept(trial, store, left, f"after deleting {id!r}")
            await store.delete(SessionId(id))
            await _expect_kept(trial, store, left, f"after deleting {id!r} again")
        anew = session("a", "c", system_prompt="anew", created_at=moment(seconds=5))
        await store.save(anew)
        trial.same(anew, await store.get(anew.id), "a deleted id, saved anew")
        await _expect_kept(trial, store, [*left, anew], "after saving a deleted id anew")
        await _expect_no_ghost(trial, store)


async def _expect_no_ghost(trial: Trial, store: SessionStore) -> None:
    """Delete a session and save it anew with everything different."""
    for before, after in ((_RICH, _PLAIN), (_PLAIN, _RICH)):
        old, new = session("ghost", **before), session("ghost", **after)
        await store.save(old)
        await store.delete(old.id)
        for channel in ("first", "second"):
            came = await store.list_by_channel(ChannelId(channel))
            trial.same([], came, f"channel {channel!r}, after its only session was deleted")
        await store.save(new)
        trial.same(new, await store.get(new.id), "a deleted session, saved anew")
        listed = [one for one in await store.list(1000, 0) if one.id == new.id]
        trial.same([new], listed, "a deleted session, saved anew, in the list")
        came = await store.list_by_channel(old.channel)
        trial.same([], came, "the channel of a deleted session that was saved anew in another")
        came = await store.list_by_channel(new.channel)
        trial.same([new], came, "the channel of a deleted session, saved anew")
        await store.delete(new.id)


async def _expect_kept(
    trial: Trial, store: SessionStore, kept: Sequence[Session], what: str
) -> None:
    await _expect_listed(trial, store, kept, what)
    by_channel = await store.list_by_channel(ChannelId("c"))
    expected = sorted(one.id for one in kept)
    _expect_ids(trial, expected, sorted(one.id for one in by_channel), f"list_by_channel {what}")
    for one in kept:
        trial.same(one, await store.get(one.id), f"get({one.id!r}) {what}")


# In code-point order. UTF-16 order swaps the last two; case folding, collation, numeric sorting and
# ignored punctuation each move others.
_TIED = (
    "\t", " a", "!", "-b", "10", "9", "A", "B", "Z", "_", "a", "a b", "a-b", "a_b", "ab", "b", "ba",
    "z", "~", "s" * 64 + "a", "s" * 64 + "b", "s" * 900 + "a", "s" * 900 + "c", "f", "\u00c4",
    "e\u0301", "\u00e9", "\uff21", "\uffff", "\U00010000", "\U0001f642",
)  # fmt: skip
_INSTANTS = (
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(9000, 1, 1, 0, 0, 0, 2, tzinfo=UTC),
    datetime(9000, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2400, 1, 1, tzinfo=UTC),
    datetime(2300, 1, 1, tzinfo=UTC),
    moment(seconds=10**7),
    moment(1_000_000),
    moment(999_999),
    moment(100_000),
    moment(2_000),
    moment(1_999),
    moment(1_001),
    moment(1_000),
    moment(2),
    moment(1),
    EPOCH,
    moment(-1),
    datetime(1999, 12, 31, tzinfo=UTC),
    datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(1600, 1, 1, tzinfo=UTC),
    datetime(1500, 1, 1, tzinfo=UTC),
    datetime(1000, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
)


@law("SES-06")
async def list_is_ordered_by_latest_activity(trial: Trial) -> None:
    """`list` is ordered by `last_activity`, newest first, equal instants by id in code-point order.

    Saving again moves a session. Order by insertion, by creation, by text of the timestamp, by
    milliseconds, by a collation or by UTF-16 units all agree with this most of the time.
    """
    async with trial.open() as storage:
        store = storage.sessions
        states = list(SessionState)
        # Nothing else follows the order that is asked for, so that nothing else can stand in.
        many = [
            session(id, f"c{-i % 7}", state=states[-i % 4], created_at=moment(i * 5 % 11))
            for i, id in enumerate(sorted(_TIED))
        ]
        many += [
            session(f"instant {i:02}", last_activity=at, created_at=moment(-i), message_count=i)
            for i, at in enumerate(reversed(_INSTANTS))
        ]
        trial.random.shuffle(many)
        await _save_all(store, many)
        await _expect_order(trial, store, many, "after the saves")
        for place, at in ((0, moment(seconds=10**8)), (-1, moment(-(10**15))), (3, moment(1))):
            moved = _newest_first(many)[place].model_copy(update={"last_activity": at})
            many = [*(one for one in many if one.id != moved.id), moved]
            await store.save(moved)
            await _expect_order(trial, store, many, f"after {moved.id!r} was saved again")


async def _expect_order(
    trial: Trial, store: SessionStore, many: Sequence[Session], what: str
) -> None:
    expected = [one.id for one in _newest_first(many)]
    came = await store.list(len(many), 0)
    _expect_ids(trial, expected, [one.id for one in came], f"list {what}")
    first = await store.list(limit=1, offset=0)
    _expect_ids(trial, expected[:1], [one.id for one in first], f"list(limit=1) {what}")


async def _pages(store: SessionStore, size: int) -> list[str]:
    ids: list[str] = []
    while page := await store.list(limit=size, offset=len(ids)):
        ids += [one.id for one in page]
        if len(page) < size:
            break
    return ids


@law("SES-07")
async def pages_make_up_the_whole_list(trial: Trial) -> None:
    """For every page size the pages put together are the whole list: nothing twice, nothing missed.

    Ties and thousands of sessions are included. A sort that leaves ties to chance, an offset
    counted in pages, and a cap on the page size lose sessions between two pages.
    """
    async with trial.open() as storage:
        store = storage.sessions
        many = [session(f"s{i * 7 % 29}", last_activity=moment(i % 4)) for i in range(29)]
        await _save_all(store, many)
        whole = [one.id for one in _newest_first(many)]
        for size in range(1, len(many) + 2):
            _expect_ids(trial, whole, await _pages(store, size), f"pages of {size}")
        for offset in range(len(many) + 1):
            for limit in (1, 2, 5, 100):
                came = [one.id for one in await store.list(limit=limit, offset=offset)]
                what = f"list(limit={limit}, offset={offset})"
                _expect_ids(trial, whole[offset : offset + limit], came, what)
        more = [session(f"t{i * 997 % 2003}", last_activity=moment(i // 60)) for i in range(2003)]
        trial.random.shuffle(more)
        await _save_all(store, more)
        whole = [one.id for one in _newest_first([*many, *more])]
        for size in (700, 1000, len(whole) - 1, len(whole), sys.maxsize):
            _expect_ids(trial, whole, await _pages(store, size), f"pages of {size}")
    if trial.backend.claims("durable"):
        async with trial.open() as storage:
            for one in trial.random.sample(more, 30):
                found = await storage.sessions.get(one.id)
                trial.same(one, found, "one of thousands, after reopening")
            _expect_ids(trial, whole, await _pages(storage.sessions, 700), "pages after reopening")


@law("SES-08")
async def limits_and_offsets_at_their_edges(trial: Trial) -> None:
    """Limit 0 is empty, an offset past the end is empty, `sys.maxsize` works for both.

    A negative one is `ValueError`: in SQL it would mean "no limit", in a slice "from the end".
    Whatever has `__index__` is a limit, for numbers come from libraries as well.
    """
    async with trial.open() as storage:
        store = storage.sessions
        for filled in (False, True):
            many = [session(f"s{i}", last_activity=moment(-i)) for i in range(5 if filled else 0)]
            await _save_all(store, many)
            whole = [one.id for one in many]
            for limit, offset in (
                (0, 0), (0, 3), (0, 99), (1, 0), (1, 4), (1, 5), (2, 4), (9, 6), (9, 0), (2, 10**6),
                (sys.maxsize, 0), (sys.maxsize, 2), (sys.maxsize, 5), (1, sys.maxsize),
                (0, sys.maxsize), (sys.maxsize, sys.maxsize), (2**31, 2**31), (2**31, 1),
                (2**32, 0), (2**32, 1), (1, 2**32), (2**32 + 1, 0), (2**63 - 1, 1),
            ):  # fmt: skip
                came = [one.id for one in await store.list(limit, offset)]
                expected = whole[offset:][:limit]
                _expect_ids(trial, expected, came, f"list(limit={limit}, offset={offset})")
            counted: Any = await store.list(*cast("Any", (Count(2), Count(1))))
            counts = "list of what has `__index__`, 2 and 1"
            _expect_ids(trial, whole[1:3], [one.id for one in counted], counts)
            for limit, offset in ((-1, 0), (1, -1), (-1, -1), (-sys.maxsize, 0), (0, -1), (-1, 9)):
                what = f"list(limit={limit}, offset={offset})"
                await trial.refused(ValueError, store.list(limit=limit, offset=offset), what)
            await _expect_listed(trial, store, many, "after the refusals")


@law("SES-09")
async def list_by_channel_is_exact_and_complete(trial: Trial) -> None:
    """`list_by_channel` gives every session of exactly that channel, in `list` order.

    There is no cap, no prefix, no wildcard and no case folding; saving a session under another
    channel moves it. Key scans take prefixes for matches, LIKE takes patterns, and a default limit
    hides the oldest sessions.
    """
    async with trial.open() as storage:
        store = storage.sessions
        channels = [*IDS, "telegram\n", "telegram", "Telegram", "x" * 256 + "y", "x" * 256 + "z"]
        trial.random.shuffle(channels)
        ids = sorted(_TIED)
        many = [
            session(f"{ids[(i + n) % len(ids)]}.{i}", channel, last_activity=_near(i, n))
            for i, channel in enumerate(channels)
            for n in range(1 + (i < 20))
        ]
        many += [session("c", "a:b"), session("b:c", "a"), session("s", "telegrams")]
        await _save_all(store, many)
        for channel in (*channels, "a:b", "telegrams", "unknown", "tele", "s", "\u00c9\u00c9"):
            await _expect_channel(trial, store, many, channel)
        moved = many[0].model_copy(update={"channel": ChannelId("tele%")})
        many[0] = moved
        await store.save(moved)
        for channel in (channels[0], "tele%"):
            await _expect_channel(trial, store, many, channel)
        newest = moved.model_copy(update={"last_activity": moment(seconds=1)})
        many[0] = newest
        await store.save(newest)
        await _expect_channel(trial, store, many, "tele%")
        await store.delete(moved.id)
        del many[0]
        for channel in (channels[0], "tele%"):
            await _expect_channel(trial, store, many, channel)
        instants = [moment(i) for i in range(3)] + list(_INSTANTS)
        crowd = [session(id, "crowd") for id in ids]
        crowd += [session(f"{id}.", "crowd", last_activity=instants[-1]) for id in ids]
        crowd += [session(f"t{i * 7 % 1031}", "crowd", last_activity=instants[i % len(instants)],
                          created_at=moment(i)) for i in range(1031)]  # fmt: skip
        await _save_all(store, crowd)
        many = [one for one in many if one.id not in {new.id for new in crowd}]
        await _expect_channel(trial, store, crowd, "crowd")
        await _expect_channel(trial, store, many, "tele%")


def _near(i: int, n: int) -> datetime:
    return moment(n * (i % 3))


async def _expect_channel(
    trial: Trial, store: SessionStore, many: Sequence[Session], channel: str
) -> None:
    expected = _newest_first([one for one in many if one.channel == channel])
    came = await store.list_by_channel(ChannelId(channel))
    what = f"list_by_channel({channel[:20]!r})"
    _expect_ids(trial, [one.id for one in expected], [one.id for one in came], what)
    trial.same(expected, came, what)


@law("SES-10")
async def hostile_ids_are_distinct_and_work(trial: Trial) -> None:
    """Hostile ids are all distinct and all work.

    Prefixes of each other, separators, quotes, SQL and glob wildcards, path traversal, ids that
    differ only in case, in NFC and NFD form or in outer white space, emoji, 1 KiB: an id is data,
    and a key or a file name made of it must keep every one apart.
    """
    async with trial.open() as storage:
        store = storage.sessions
        ids = list(IDS)
        trial.random.shuffle(ids)
        saved = [session(id, "c", message_count=i) for i, id in enumerate(ids)]
        # The shortest goes for certain: as a prefix it would take the most along.
        doomed = [one for one in saved if one.id == "a"]
        doomed += [one for one in saved if one.id != "a"][: len(saved) // 3]
        kept = [one for one in saved if one not in doomed]
        for one in saved:
            absent = await store.get(one.id)
            trial.same(None, absent, f"get({one.id[:40]!r}), before it was saved")
            await store.save(one)
        await _expect_kept(trial, store, saved, "after saving hostile ids")
        left = {one.id for one in saved}
        for one in doomed:
            await store.delete(one.id)
            left.remove(one.id)
            came = [there.id for there in await store.list(len(saved), 0)]
            _expect_ids(trial, sorted(left), sorted(came), f"after deleting {one.id[:40]!r}")
        await _expect_kept(trial, store, kept, "after deleting hostile ids")


@law("SES-11")
async def bad_ids_are_refused(trial: Trial) -> None:
    """Empty, NUL or surrogate ids are `ValueError` in every method; the store stays usable.

    So are such channels, in `save` too: what is saved there could be listed by nobody. A NUL ends
    the text in C libraries, a lone surrogate fails deep inside a driver with the
    connection in an unknown state, and an empty id means "all" to a prefix scan.
    """
    async with trial.open() as storage:
        store = storage.sessions
        here = session("a", "c")
        await store.save(here)
        for bad in BAD_IDS:
            id, shown = SessionId(bad), ascii(bad)
            await trial.refused(ValueError, store.get(id), f"get({shown})")
            await trial.refused(ValueError, store.delete(id), f"delete({shown})")
            # model_copy does not validate: this is how a bad id gets past the model.
            save = store.save(here.model_copy(update={"id": id}))
            await trial.refused(ValueError, save, f"save of a session with the id {shown}")
            by_channel = store.list_by_channel(ChannelId(bad))
            await trial.refused(ValueError, by_channel, f"list_by_channel({shown})")
            for known in ("a", "new"):
                elsewhere = session(known, "c").model_copy(update={"channel": ChannelId(bad)})
                save = store.save(elsewhere)
                await trial.refused(ValueError, save, f"save of a session in channel {shown}")
            await _expect_kept(trial, store, [here], f"after the id {shown} was refused")
        after = session("after", "c")
        await store.save(after)
        await _expect_kept(trial, store, [here, after], "a save after the refusals")


def _holding(value: Any) -> tuple[dict[str, Any], ...]:
    return {"bad": value}, {"in": {"a": [1, {"deep": value}]}}


@law("SES-12")
async def what_cannot_be_stored_is_refused_whole(trial: Trial) -> None:
    """A value that cannot be stored is `SerializationError`, and the earlier version stays.

    A NaN that becomes null, an object that becomes its repr, a set that becomes a list: what is
    stored would not be what was saved. And a delete before a failed insert leaves nothing at all.
    """
    async with trial.open() as storage:
        store = storage.sessions
        earlier = session("earlier", "c", metadata=json_samples())
        other = session("other", "c", last_activity=moment(5))
        await _save_all(store, [earlier, other])
        for what, value in UNSTORABLE:
            for id in ("earlier", "new"):
                for metadata in _holding(value):
                    bad = session(id, "d", system_prompt="another", last_activity=moment(9))
                    bad.metadata.update(metadata)
                    await trial.refused(SerializationError, store.save(bad), f"save of {what}")
            await _expect_kept(trial, store, [earlier, other], f"after {what} was refused")
            came = [one.id for one in await store.list(9, 0)]
            _expect_ids(trial, ["other", "earlier"], came, f"the list, after {what} was refused")
            moved = await store.list_by_channel(ChannelId("d"))
            trial.same([], moved, f"the channel of a session refused for {what}")
        for limit in LARGE:
            bad = session("earlier", "c")
            bad.metadata["large"] = limit.value
            await store.save(earlier)
            try:
                await store.save(bad)
            except SerializationError:
                trial.holds(not limit.must, f"save of {limit.what}", "to be kept", "a refusal")
                bad = earlier
            trial.same(bad, await store.get(bad.id), f"{limit.what}, kept whole or refused")
        larger = _Larger(**dict(earlier), more="a field of the application's own")
        await store.save(earlier)
        what = "save of a session of a subclass that has a field more"
        await trial.refused(SerializationError, store.save(larger), what)
        trial.same(earlier, await store.get(earlier.id), f"after {what}")
        await store.delete(other.id)
        await _surrogates_are_whole_or_refused(trial, store, earlier)


class _Larger(Session, frozen=True):
    """A session with something that no store knows."""

    more: str


async def _surrogates_are_whole_or_refused(
    trial: Trial, store: SessionStore, earlier: Session
) -> None:
    """Text with a lone surrogate is no Unicode, yet some encodings keep it: both are honest."""
    bad = session("earlier", "c", system_prompt="a\ud800b", metadata={"k": ["\udfff"]})
    try:
        await store.save(bad)
    except SerializationError:
        await _expect_kept(trial, store, [earlier], "after a lone surrogate was refused")
    else:
        trial.same(bad, await store.get(bad.id), "a session with a lone surrogate in its prompt")
