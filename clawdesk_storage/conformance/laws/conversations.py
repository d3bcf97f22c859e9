"""What a `ConversationStore` promises."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from clawdesk_storage.conformance.circumstances.clock import clock_at
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import BAD_IDS, IDS, UNSTORABLE
from clawdesk_storage.conformance.material.samples import (
    EPOCH,
    Count,
    message,
    messages,
    moment,
    session,
)
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import Message, Role, SessionId, SessionState
from clawdesk_storage.ports import ConversationStore

_ALL = sys.maxsize
_S = SessionId("s")


async def _append_all(store: ConversationStore, id: str, many: Sequence[Message]) -> None:
    for one in many:
        await store.append_message(SessionId(id), one)


async def _expect_history(
    trial: Trial, store: ConversationStore, id: str, expected: Sequence[Message], what: str
) -> None:
    """Expect these messages in this order, telling a wrong order from a wrong message."""
    came = await store.get_messages(SessionId(id), limit=_ALL)
    contents = [one.content[:40] for one in expected]
    trial.same(contents, [one.content[:40] for one in came], f"{what}, by content")
    trial.same(list(expected), list(came), what)


@law("CNV-01")
async def an_unknown_session_has_no_messages(trial: Trial) -> None:
    """An unknown session has no messages, whatever other sessions have.

    It is an empty sequence, not None and not an error; and asking does not begin a conversation.
    """
    async with trial.open() as storage:
        store = storage.conversations
        for limit in (0, 1, 20, _ALL):
            came = await store.get_messages(SessionId("unknown"), limit)
            trial.same([], came, f"get_messages of an unknown session, limit={limit}")
        here = [message("one"), message("two")]
        await _append_all(store, "here", here)
        for absent in ("her", "here ", "Here", "her_", "%", "here:1", "*"):
            await _expect_history(trial, store, absent, [], f"the messages of {absent!r}")
        await _expect_history(trial, store, "here", here, "the session that has messages")


_FAR = (
    datetime(9999, 12, 31, tzinfo=UTC),
    datetime(2262, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
)


@law("CNV-02")
async def messages_come_in_the_order_of_their_appends(trial: Trial) -> None:
    """Messages come back in the order of their appends, whatever their timestamps say.

    Nor does the machine's clock matter, which stands still and is set back. Clocks differ between
    machines, too; an answer must follow its question all the same.
    """
    count = 60
    shuffled = list(range(count))
    trial.random.shuffle(shuffled)
    clocks = {
        "equal": [EPOCH] * count,
        "increasing": [moment(i) for i in range(count)],
        "decreasing": [moment(-i) for i in range(count)],
        "shuffled": [moment(i) for i in shuffled],
        "far": [_FAR[i % len(_FAR)] for i in range(count)],
    }
    roles = list(Role)
    async with trial.open() as storage:
        store = storage.conversations
        for clock, stamps in clocks.items():
            many = [
                # Neither content, role, model nor token count follows the order of the appends.
                message(f"{shuffled[i]:02}", roles[i * 3 % 5], timestamp=at, token_count=count - i,
                        tool_call_id=f"call {shuffled[i] // 4}")
                for i, at in enumerate(stamps)
            ]  # fmt: skip
            await _append_all(store, clock, many)
            await _expect_history(trial, store, clock, many, f"with {clock} timestamps")
            last = await store.get_messages(SessionId(clock), limit=7)
            trial.same(many[-7:], last, f"the last 7 with {clock} timestamps")
        many = list[Message]()
        for hour in (9, 9, 8, 23, 7, 7, 0):
            with clock_at(hour):
                for _ in range(2):
                    many.append(message(f"{shuffled[len(many)]:02}"))
                    await store.append_message(SessionId("clock"), many[-1])
        await _expect_history(trial, store, "clock", many, "while the machine's clock was set back")


@law("CNV-03")
async def the_limit_keeps_the_last_messages(trial: Trial) -> None:
    """`get_messages(limit=n)` is the last n, oldest first: `all[-n:]` for every n.

    0 is empty, a negative limit is `ValueError`, `sys.maxsize` is all. A model that is given the
    oldest messages instead of the latest answers a question of last week.
    """
    async with trial.open() as storage:
        store = storage.conversations
        many: list[Message] = []
        for _ in range(34):
            limits = {
                0,
                1,
                2,
                3,
                len(many) - 1,
                len(many),
                len(many) + 1,
                2**31,
                2**32,
                2**63 - 1,
                _ALL,
            }
            if len(many) in (10, 33):
                limits |= set(range(len(many) + 3))
            for limit in sorted(limits - {-1}):
                expected = many[max(0, len(many) - limit) :]
                came = await store.get_messages(_S, limit=limit)
                contents = [one.content for one in came]
                what = f"the last {limit} of {len(many)}"
                trial.same([one.content for one in expected], contents, what)
            many.append(message(f"m{len(many)}", timestamp=moment(-len(many) % 5)))
            await store.append_message(_S, many[-1])
        await store.append_message(SessionId("cleared"), many[0])
        await store.clear(SessionId("cleared"))
        count: Any = Count(3)
        came = await store.get_messages(_S, limit=count)
        trial.same(many[-3:], came, "the last 3, by what has `__index__`")
        for id in ("s", "unknown", "cleared"):
            for limit in (-1, -2, -100, -sys.maxsize):
                refused = store.get_messages(SessionId(id), limit=limit)
                await trial.refused(ValueError, refused, f"get_messages({id!r}, limit={limit})")
        await _expect_history(trial, store, "s", many, "after the refusals")


@law("CNV-04")
async def every_field_of_a_message_survives(trial: Trial) -> None:
    """Every field and type of a message survives: text, role, instant, counts, ids, metadata.

    Tool calls are matched with their results by id, None is not "", 0 tokens are not None, and
    metadata keeps True, 1 and 1.0 apart.
    """
    async with trial.open() as storage:
        store = storage.conversations
        many = messages(trial.random)
        for index, one in enumerate(many):
            await store.append_message(_S, one)
            last = await store.get_messages(_S, limit=1)
            trial.same([one], last, f"message {index}, read back at once")
        trial.same(many, await store.get_messages(_S, limit=_ALL), "all messages, read at the end")


@law("CNV-05")
async def equal_messages_are_kept_each_time(trial: Trial) -> None:
    """Equal messages are kept as often as they were appended.

    A user who says "yes" twice has said it twice; a key made of the content, the timestamp or both,
    or an id that is looked for in the metadata, keeps one.
    """
    async with trial.open() as storage:
        store = storage.conversations
        yes, no = message("yes"), message("no")
        pattern = [yes, yes, no, yes, no, no, yes, yes, yes]
        await _append_all(store, "s", pattern)
        await _append_all(store, "s", [one.model_copy(deep=True) for one in pattern])
        await _append_all(store, "other", [yes, yes])
        await _expect_history(trial, store, "s", pattern * 2, "equal messages")
        await _expect_history(trial, store, "other", [yes, yes], "the same in another session")
        named = [message(text, metadata={"id": "one", "message_id": 1}) for text in ("a", "b", "a")]
        await _append_all(store, "named", [*named, *named])
        await _expect_history(trial, store, "named", [*named, *named], "of equal ids in metadata")
        for role in Role:
            for number, metadata in enumerate(({}, {"key": "value"})):
                one = message("", role, tool_call_id="c", tool_name="f", metadata=metadata)
                other = message("other", role, tool_call_id="c", tool_name="f", metadata=metadata)
                same = [one, one, other, one, other, other]
                id = f"{role}.{number}"
                await _append_all(store, id, same)
                await _expect_history(trial, store, id, same, f"equal messages of role {role}")


def _said(id: str, number: int) -> str:
    """A message that tells whose it is: its session's id, shortened, and its length."""
    return f"{number} of {id!a:.14} ({len(id)} characters, id {IDS.index(id)})"


@law("CNV-06")
async def sessions_do_not_mix(trial: Trial) -> None:
    """Sessions do not mix, hostile ids and interleaved appends included.

    A conversation's key is made of a session's id and a position; where the id may contain the
    separator, one session's messages turn up in another's.
    """
    async with trial.open() as storage:
        store = storage.conversations
        ids = list(IDS)
        trial.random.shuffle(ids)
        # The shortest is among those cleared: as a prefix it would take the most along.
        ids.sort(key=lambda id: id != "a")
        rounds = 3
        for number in range(rounds):
            for id in ids:
                await store.append_message(SessionId(id), message(_said(id, number)))
        for id in ids:
            expected = [message(_said(id, number)) for number in range(rounds)]
            await _expect_history(trial, store, id, expected, f"the messages of {id[:40]!r}")
            last = await store.get_messages(SessionId(id), limit=1)
            trial.same(expected[-1:], last, f"the last message of {id[:40]!r}")
        half = len(ids) // 2
        for id in ids[:half]:
            await store.clear(SessionId(id))
        for place, id in enumerate(ids):
            kept = range(rounds if place >= half else 0)
            expected = [message(_said(id, number)) for number in kept]
            what = f"the messages of {id[:40]!r}, after others were cleared"
            await _expect_history(trial, store, id, expected, what)


@law("CNV-07")
async def clear_empties_that_session_alone(trial: Trial) -> None:
    """`clear` empties that session alone, an absent one too; later appends start anew.

    Nothing cleared comes back: not from a cache, not when positions are given out again, not after
    a second clear.
    """
    async with trial.open() as storage:
        store = storage.conversations
        others = {id: [message(id), message("2")] for id in ("a", "abc", "ab:1", "AB", "a_", "%")}
        for id, many in others.items():
            await _append_all(store, id, many)
        await store.clear(SessionId("never seen"))
        for number in range(3):
            what = f"clear number {number + 1}"
            many = [message(f"{number}-{i}", timestamp=moment(-i)) for i in range(12 - 4 * number)]
            await _append_all(store, "ab", many)
            await _expect_history(trial, store, "ab", many, f"appended before {what}")
            for _ in range(2):
                await store.clear(SessionId("ab"))
                await _expect_history(trial, store, "ab", [], f"after {what}")
                trial.same([], await store.get_messages(SessionId("ab"), 1), f"after {what}")
        late = [message("late"), message("later")]
        for end in (1, 2):
            await store.append_message(SessionId("ab"), late[end - 1])
            await _expect_history(trial, store, "ab", late[:end], "appended after the clears")
        for id, many in others.items():
            await _expect_history(trial, store, id, many, f"the messages of {id!r}, not cleared")
        await _expect_long_clear(trial, storage)
        await store.clear(SessionId("a_"))
        await store.clear(SessionId("%"))
        await _expect_history(trial, store, "abc", others["abc"], "after clearing 'a_' and '%'")


async def _expect_long_clear(trial: Trial, storage: Opened) -> None:
    """Clear more messages than any batch holds, of every role and from every time."""
    store, id, roles = storage.conversations, SessionId("long"), list(Role)
    many = [
        message(f"{i}", roles[i % len(roles)], timestamp=_FAR[i % len(_FAR)]) for i in range(1_203)
    ]
    await _append_many(storage, id, many)
    await store.clear(id)
    await _expect_history(trial, store, id, [], "a long conversation, cleared")
    anew = [message("new"), message("newer")]
    await _append_all(store, id, anew)
    await _expect_history(trial, store, id, anew, "a long conversation, cleared and begun anew")


def _defaceable() -> dict[str, Any]:
    inner = {"changed": "no", "a": [{"b": {"c": [{"changed": "no"}]}}]}
    return {"nested": {"deep": {"changed": "no"}}, "list": [inner], "doomed": 1}


def _deface(metadata: Any) -> None:
    metadata["added"] = "later"
    metadata["nested"]["deep"]["changed"] = "later"
    metadata["list"][0]["changed"] = "later"
    metadata["list"][0]["a"][0]["b"]["c"][0]["changed"] = "later"
    metadata["list"].append("later")
    del metadata["doomed"]


@law("CNV-08")
async def later_changes_by_the_caller_do_not_reach_history(trial: Trial) -> None:
    """What a caller does later to a message it appended or was given changes nothing stored.

    Nor does changing the list that it was given: a store that hands out its own list lets a caller
    who trims the prompt trim the history.
    """
    async with trial.open() as storage:
        store = storage.conversations
        count = 120
        mine = [message(f"m{i}", metadata=_defaceable()) for i in range(count)]
        as_appended = [message(f"m{i}", metadata=_defaceable()) for i in range(count)]
        for end, one in enumerate(mine, 1):
            await store.append_message(_S, one)
            trial.note("the caller changes the metadata of the message that it appended")
            _deface(one.metadata)
            if end not in (1, 2, count):
                continue
            what = "after the appended message was changed"
            await _expect_history(trial, store, "s", as_appended[:end], what)
        for limit in (_ALL, _ALL, count, 2, 1, 1):
            given = await store.get_messages(_S, limit=limit)
            trial.note(f"the caller changes the messages and the list that limit={limit} gave it")
            for one in given:
                _deface(one.metadata)
            if isinstance(given, list):
                given.reverse()
                given.pop()
            what = f"after what limit={limit} returned was changed"
            await _expect_history(trial, store, "s", as_appended, what)
        await store.append_message(_S, mine[0])
        trial.same(mine[:1], await store.get_messages(_S, 1), "the changed message, appended again")


@law("CNV-09")
async def conversations_need_no_session(trial: Trial) -> None:
    """The ports are independent: appending needs no saved session.

    Deleting a session leaves its messages until `clear`; saving, clearing and appending leave the
    other port as it was. A foreign key, a cascade or a counter kept by the store breaks this.
    """
    async with trial.open() as storage:
        store = storage.conversations
        many = [message("before any session"), message("two")]
        await _append_all(store, "s", many)
        await _expect_history(trial, store, "s", many, "appended without a session")
        if "sessions" not in storage.raw:
            return
        saved = session("s", "c", message_count=7, history_limit=2)
        trial.same(None, await storage.sessions.get(_S), "the session, never saved")
        trial.same([], await storage.sessions.list(10, 0), "the sessions, none saved")
        await storage.sessions.save(saved)
        await _expect_history(trial, store, "s", many, "after the session was saved")
        many.append(message("three"))
        await store.append_message(_S, many[-1])
        trial.same(saved, await storage.sessions.get(_S), "the session, after an append")
        await storage.sessions.delete(_S)
        await _expect_history(trial, store, "s", many, "after the session was deleted")
        await storage.sessions.save(saved)
        await _expect_history(trial, store, "s", many, "after the session was saved again")
        await _expect_states_apart(trial, storage)
        await storage.sessions.delete(SessionId("t"))
        await store.clear(_S)
        await _expect_history(trial, store, "s", [], "after clear")
        trial.same(saved, await storage.sessions.get(_S), "the session, after clear")
        trial.same([saved], await storage.sessions.list(10, 0), "the sessions, after clear")


async def _expect_states_apart(trial: Trial, storage: Opened) -> None:
    """A session's state is the application's: no store keeps or drops messages for it."""
    store, id = storage.conversations, SessionId("t")
    many: list[Message] = []
    for state in SessionState:
        saved = session("t", "c", state=state, history_limit=1)
        await storage.sessions.save(saved)
        many.append(message(f"while {state}"))
        await store.append_message(id, many[-1])
        await _expect_history(trial, store, "t", many, f"appended while the session is {state}")
        trial.same(saved, await storage.sessions.get(id), f"the {state} session, after an append")
        await storage.sessions.delete(id)
        await storage.sessions.delete(id)
        await _expect_history(trial, store, "t", many, f"after a {state} session was deleted")


@law("CNV-10")
async def a_long_history_is_complete_and_in_order(trial: Trial) -> None:
    """A long history of 10,000 messages is complete and in order, and its last few are exact.

    Keys that count in text put 10 before 9, pages have an end, and caps keep silent.
    """
    async with trial.open() as storage:
        store = storage.conversations
        many = [message(f"m{i}", timestamp=moment(i * 7919 % 101)) for i in range(10_000)]
        await _append_many(storage, _S, many)
        contents = [one.content for one in many]
        for limit in (_ALL, 5_001, 1_001, 257, 100, 1):
            came = await store.get_messages(_S, limit=limit)
            trial.same(contents[-limit:], [one.content for one in came], f"the last {limit}")
        trial.same(many[-20:], await store.get_messages(_S, limit=20), "the last 20, whole")
        await store.append_message(_S, message("one more"))
        came = await store.get_messages(_S, limit=2)
        trial.same([many[-1], message("one more")], came, "the last 2, after one more")
        whole = [one.content for one in await store.get_messages(_S, limit=_ALL)]
        trial.same([*contents, "one more"], whole, "all messages, after one more")
    if trial.backend.claims("durable"):
        async with trial.open() as storage:
            came = await storage.conversations.get_messages(_S, limit=_ALL)
            reopened = [one.content for one in came]
            trial.same([*contents, "one more"], reopened, "all messages, after reopening")


async def _append_many(storage: Opened, id: SessionId, many: Sequence[Message]) -> None:
    """Append many messages, most of them in batches where the storage has them."""
    store: Any = storage.conversations
    batched = storage.offers("MessageBatches")
    singly = 1_100 if batched else len(many)
    await _append_all(store, id, many[:singly])
    for start in range(singly, len(many), 200):
        await store.append_messages(id, many[start : start + 199])
        await _append_all(store, id, many[start + 199 : start + 200])


def _holding(value: Any) -> tuple[dict[str, Any], ...]:
    return {"bad": value}, {"in": {"a": [1, {"deep": value}]}}


@law("CNV-11")
async def a_message_that_cannot_be_stored_is_refused(trial: Trial) -> None:
    """A message that cannot be stored is `SerializationError`; nothing is stored.

    The next append works and stands where the refused one would have: a position taken before the
    failure leaves a gap, and a transaction left open swallows what follows.
    """
    async with trial.open() as storage:
        store = storage.conversations
        many: list[Message] = []
        for what, value in UNSTORABLE:
            for metadata in _holding(value):
                bad = message("bad")
                bad.metadata.update(metadata)
                append = store.append_message(_S, bad)
                await trial.refused(SerializationError, append, f"append of {what}")
                await _expect_history(trial, store, "s", many, f"after {what} was refused")
            many.append(message(f"after {what}"))
            await store.append_message(_S, many[-1])
            await _expect_history(trial, store, "s", many, f"an append after {what} was refused")
        surrogate = message("a\ud800b")
        try:
            await store.append_message(_S, surrogate)
            many.append(surrogate)  # an encoding that keeps a lone surrogate is honest too
        except SerializationError:
            trial.note("a lone surrogate was refused")
        await _expect_history(trial, store, "s", many, "after a message with a lone surrogate")


@law("CNV-12")
async def bad_session_ids_are_refused(trial: Trial) -> None:
    """Empty, NUL or surrogate ids are `ValueError` in every method; the store stays usable.

    A NUL ends the text in C libraries, a lone surrogate fails deep inside a driver, and an empty
    id means "all" to a prefix scan: `clear("")` would clear everything.
    """
    async with trial.open() as storage:
        store = storage.conversations
        here = [message("one"), message("two")]
        await _append_all(store, "a", here)
        for bad in BAD_IDS:
            id, shown = SessionId(bad), ascii(bad)
            await trial.refused(ValueError, store.get_messages(id, 9), f"get_messages({shown})")
            append = store.append_message(id, message("x"))
            await trial.refused(ValueError, append, f"append_message({shown})")
            await trial.refused(ValueError, store.clear(id), f"clear({shown})")
            await _expect_history(trial, store, "a", here, f"after the id {shown} was refused")
        here.append(message("three"))
        await store.append_message(SessionId("a"), here[-1])
        await _expect_history(trial, store, "a", here, "an append after the refusals")
