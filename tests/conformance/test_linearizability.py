"""The check of histories: what it accepts, what it refuses, and what it says about it."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from itertools import permutations, product
from random import Random
from typing import TypeAlias

import pytest

from clawdesk_storage.conformance.circumstances.linearizability import (
    SESSION,
    UNKNOWN,
    VECTOR,
    Answer,
    Call,
    History,
    Operation,
    Recorder,
    Specification,
    check,
    configuration,
    conversation,
    reduce,
    timeline,
)

CONFIGURATION = configuration("default")
CONVERSATION = conversation(limit=9)


def append(client: str, message: str, invoked: int, returned: int) -> Operation:
    """An append that returned."""
    return Operation(client, Call("append", message), invoked, returned, None)


def read(client: str, invoked: int, returned: int, *messages: str) -> Operation:
    """A read of the whole conversation."""
    return Operation(client, Call("get", 9), invoked, returned, messages)


def clear(client: str, invoked: int, returned: int) -> Operation:
    """A clear that returned."""
    return Operation(client, Call("clear"), invoked, returned, None)


def save(client: str, value: str, invoked: int, returned: int) -> Operation:
    """A save that returned."""
    return Operation(client, Call("save", value), invoked, returned, None)


def delete(client: str, invoked: int, returned: int) -> Operation:
    """A deletion that returned."""
    return Operation(client, Call("delete"), invoked, returned, None)


def get(client: str, invoked: int, returned: int, value: str | None) -> Operation:
    """A read of a register."""
    return Operation(client, Call("get"), invoked, returned, value)


Case: TypeAlias = tuple[Specification, History]

LINEARIZABLE: dict[str, Case] = {
    "nothing happened": (SESSION, []),
    "a read before any write": (SESSION, [get("p", 0, 1, None)]),
    "a read that overlaps a write sees the old value": (
        SESSION,
        [save("p", "a", 0, 1), save("p", "b", 2, 5), get("q", 3, 4, "a")],
    ),
    "a read that overlaps a write sees the new value": (
        SESSION,
        [save("p", "a", 0, 1), save("p", "b", 2, 5), get("q", 3, 4, "b")],
    ),
    "two reads see overlapping writes in the order of neither's invocation": (
        SESSION,
        [save("p", "a", 0, 9), save("q", "b", 1, 8), get("r", 2, 3, "b"), get("r", 4, 5, "a")],
    ),
    "a write returns after a read that saw it": (
        CONVERSATION,
        [append("p", "a", 0, 9), read("q", 1, 2, "a"), read("q", 3, 4, "a")],
    ),
    "overlapping appends end up in either order": (
        CONVERSATION,
        [append("p", "a", 0, 3), append("q", "b", 1, 2), read("p", 4, 5, "b", "a")],
    ),
    "equal messages are kept twice": (
        CONVERSATION,
        [append("p", "a", 0, 1), append("p", "a", 2, 3), read("p", 4, 5, "a", "a")],
    ),
    "a limit shows the last messages": (
        CONVERSATION,
        [
            append("p", "a", 0, 1),
            append("p", "b", 2, 3),
            Operation("p", Call("get", 1), 4, 5, ("b",)),
            Operation("p", Call("get", 0), 6, 7, ()),
        ],
    ),
    "a clear overlaps an append that survives": (
        CONVERSATION,
        [append("p", "a", 0, 3), clear("q", 1, 2), read("q", 4, 5, "a")],
    ),
    "the configuration starts with its default": (
        CONFIGURATION,
        [get("p", 0, 1, "default"), save("p", "a", 2, 3), get("p", 4, 5, "a")],
    ),
    "a vector is found, replaced and deleted": (
        VECTOR,
        [
            Operation("p", Call("upsert", "a"), 0, 1, None),
            Operation("p", Call("search"), 2, 3, "a"),
            Operation("p", Call("upsert", "b"), 4, 5, None),
            Operation("p", Call("search"), 6, 7, "b"),
            delete("p", 8, 9),
            Operation("p", Call("search"), 10, 11, None),
        ],
    ),
    "a listing is a read": (
        SESSION,
        [save("p", "a", 0, 1), Operation("p", Call("list"), 2, 3, "a")],
    ),
    "an operation that touches another at one instant overlaps it": (
        SESSION,
        [save("p", "a", 0, 2), get("q", 1, 2, None)],
    ),
    "a cancelled append takes effect after its client went on": (
        CONVERSATION,
        [
            Operation("p", Call("append", "a"), 0, 1),
            read("p", 2, 3),
            read("p", 4, 5, "a"),
        ],
    ),
    "a cancelled append never takes effect": (
        CONVERSATION,
        [Operation("p", Call("append", "a"), 0, 1), append("p", "b", 2, 3), read("p", 4, 5, "b")],
    ),
    "a pending save is seen by some": (
        SESSION,
        [Operation("p", Call("save", "a"), 0), get("q", 1, 2, None), get("q", 3, 4, "a")],
    ),
    "a pending read says nothing": (
        SESSION,
        [save("p", "a", 0, 1), Operation("p", Call("get"), 2)],
    ),
}

NOT_LINEARIZABLE: dict[str, Case] = {
    "stale read": (
        SESSION,
        [save("p", "a", 0, 1), save("p", "b", 2, 3), get("q", 4, 5, "a")],
    ),
    "write not read by its own client": (SESSION, [save("p", "a", 0, 1), get("p", 2, 3, None)]),
    "value that nobody wrote": (SESSION, [save("p", "a", 0, 1), get("p", 2, 3, "b")]),
    "new value and then the old one": (
        SESSION,
        [
            save("p", "a", 0, 1),
            save("p", "b", 2, 9),
            get("q", 3, 4, "b"),
            get("r", 5, 6, "a"),
        ],
    ),
    "two readers see overlapping writes in opposite orders": (
        SESSION,
        [
            save("p", "a", 0, 9),
            save("q", "b", 0, 9),
            get("r", 1, 2, "a"),
            get("r", 3, 8, "b"),
            get("s", 1, 2, "b"),
            get("s", 3, 8, "a"),
        ],
    ),
    "deleted session comes back": (
        SESSION,
        [save("p", "a", 0, 1), delete("p", 2, 3), get("p", 4, 5, None), get("p", 6, 7, "a")],
    ),
    "lost update": (
        CONVERSATION,
        [append("p", "a", 0, 3), append("q", "b", 1, 2), read("p", 4, 5, "b")],
    ),
    "duplicated append": (CONVERSATION, [append("p", "a", 0, 1), read("p", 2, 3, "a", "a")]),
    "a client's appends swapped": (
        CONVERSATION,
        [append("p", "a", 0, 1), append("p", "b", 2, 3), read("q", 4, 5, "b", "a")],
    ),
    "order that changes between reads": (
        CONVERSATION,
        [
            append("p", "a", 0, 3),
            append("q", "b", 1, 2),
            read("p", 4, 5, "a", "b"),
            read("p", 6, 7, "b", "a"),
        ],
    ),
    "first messages instead of the last": (
        CONVERSATION,
        [
            append("p", "a", 0, 1),
            append("p", "b", 2, 3),
            Operation("p", Call("get", 1), 4, 5, ("a",)),
        ],
    ),
    "cleared message comes back": (
        CONVERSATION,
        [append("p", "a", 0, 1), clear("p", 2, 3), read("p", 4, 5, "a")],
    ),
    "configuration back at its default": (
        CONFIGURATION,
        [save("p", "a", 0, 1), get("p", 2, 3, "default")],
    ),
    "deleted vector found": (
        VECTOR,
        [
            Operation("p", Call("upsert", "a"), 0, 1, None),
            delete("p", 2, 3),
            Operation("q", Call("search"), 4, 5, "a"),
        ],
    ),
    "a cancelled append takes effect before it was made": (
        CONVERSATION,
        [read("p", 0, 1, "a"), Operation("p", Call("append", "a"), 2, 3)],
    ),
    "a cancelled append takes effect twice": (
        CONVERSATION,
        [Operation("p", Call("append", "a"), 0, 1), read("p", 2, 3, "a", "a")],
    ),
    "a cancelled append comes and goes": (
        CONVERSATION,
        [Operation("p", Call("append", "a"), 0, 1), read("p", 2, 3, "a"), read("p", 4, 5)],
    ),
}


@pytest.mark.parametrize(
    ("specification", "history"), LINEARIZABLE.values(), ids=list(LINEARIZABLE)
)
def test_accepts(specification: Specification, history: History) -> None:
    """What one operation at a time explains is linearizable."""
    assert check(history, specification).answer is Answer.LINEARIZABLE


@pytest.mark.parametrize(
    ("specification", "history"), NOT_LINEARIZABLE.values(), ids=list(NOT_LINEARIZABLE)
)
def test_refuses(specification: Specification, history: History) -> None:
    """The classic anomalies are not linearizable."""
    assert check(history, specification).answer is Answer.NOT_LINEARIZABLE


@pytest.mark.parametrize(
    ("specification", "history"), LINEARIZABLE.values(), ids=list(LINEARIZABLE)
)
def test_witness_explains_the_history(specification: Specification, history: History) -> None:
    """The witness holds every known operation, in an order that gives the answers that came."""
    witness = check(history, specification).witness
    known = {op for op in history if op.result is not UNKNOWN and op.call.name != "get"}
    assert known <= set(witness)
    assert explains(witness, specification)


def explains(order: Sequence[Operation], specification: Specification) -> bool:
    """Tell whether the operations in this very order answer what they did, in the time they had."""
    state: Hashable = specification.initial
    for number, operation in enumerate(order):
        state, result = specification.step(state, operation.call)
        if operation.result is not UNKNOWN and operation.result != result:
            return False
        if any(is_before(later, operation) for later in order[number + 1 :]):
            return False
    return True


def is_before(one: Operation, other: Operation) -> bool:
    """Tell whether `one` had to take effect before `other` was invoked."""
    return one.result is not UNKNOWN and one.returned is not None and one.returned < other.invoked


def by_brute_force(history: History, specification: Specification) -> bool:
    """Try every order of every choice of the operations that may be left out."""
    known = [operation for operation in history if operation.result is not UNKNOWN]
    unknown = [operation for operation in history if operation.result is UNKNOWN]
    for choice in product([False, True], repeat=len(unknown)):
        chosen = [*known, *(op for op, taken in zip(unknown, choice, strict=True) if taken)]
        if any(explains(order, specification) for order in permutations(chosen)):
            return True
    return False


def overlaps(size: int) -> Iterator[list[tuple[int, int]]]:
    """Every way in which `size` operations may overlap, numbered by their invocations."""

    def extend(open_: frozenset[int], begun: int, events: tuple[int, ...]) -> Iterator[list[int]]:
        if len(events) == 2 * size:
            yield list(events)
        if begun < size:
            yield from extend(open_ | {begun}, begun + 1, (*events, begun))
        for i in sorted(open_):
            yield from extend(open_ - {i}, begun, (*events, i))

    for events in extend(frozenset(), 0, ()):
        last = {i: at for at, i in enumerate(events)}
        yield [(events.index(i), last[i]) for i in range(size)]


def histories(size: int, outcomes: Sequence[tuple[Call, object]]) -> Iterator[History]:
    """Every history of `size` operations with these calls and results."""
    for spans in overlaps(size):
        for chosen in product(outcomes, repeat=size):
            yield [
                Operation(f"task {i}", call, *span, result)
                for i, (span, (call, result)) in enumerate(zip(spans, chosen, strict=True))
            ]


REGISTER_OUTCOMES: list[tuple[Call, object]] = [
    (Call("save", "a"), None),
    (Call("save", "b"), None),
    (Call("save", "b"), UNKNOWN),
    (Call("delete"), None),
    (Call("get"), "a"),
    (Call("get"), "b"),
    (Call("get"), None),
]
CONVERSATION_OUTCOMES: list[tuple[Call, object]] = [
    (Call("append", "a"), None),
    (Call("append", "b"), UNKNOWN),
    (Call("clear"), None),
    (Call("get", 2), ("a",)),
    (Call("get", 2), ("a", "b")),
    (Call("get", 2), ()),
]


@pytest.mark.parametrize(
    ("size", "outcomes", "specification"),
    [
        (2, REGISTER_OUTCOMES, SESSION),
        (3, REGISTER_OUTCOMES, SESSION),
        (4, [REGISTER_OUTCOMES[i] for i in (0, 2, 4, 5)], SESSION),
        (3, CONVERSATION_OUTCOMES, CONVERSATION),
        (4, [CONVERSATION_OUTCOMES[i] for i in (0, 1, 3, 4)], CONVERSATION),
    ],
)
def test_agrees_with_brute_force(
    size: int, outcomes: Sequence[tuple[Call, object]], specification: Specification
) -> None:
    """Over every short history the answer is the one that trying all orders gives."""
    answers = {True: Answer.LINEARIZABLE, False: Answer.NOT_LINEARIZABLE}
    wrong = [
        timeline(history)
        for history in histories(size, outcomes)
        if check(history, specification).answer
        is not answers[by_brute_force(history, specification)]
    ]
    assert not wrong


def simulated(random: Random, clients: int, size: int, *, cancelled: float = 0) -> list[Operation]:
    """A history of a correct conversation: each operation takes effect once while it runs."""
    state: Hashable = ()
    history: list[Operation] = []
    running: dict[int, tuple[int, Call, object]] = {}
    for instant in range(10 * size):
        client = random.randrange(clients)
        if client not in running:
            call = Call("append", instant) if random.random() < 0.5 else Call("get", 5)
            running[client] = instant, call, UNKNOWN
            continue
        invoked, call, result = running[client]
        if result is UNKNOWN and random.random() >= cancelled:
            state, result = CONVERSATION.step(state, call)
            running[client] = invoked, call, result
            continue
        del running[client]
        seen = UNKNOWN if random.random() < cancelled else result
        history.append(Operation(f"task {client}", call, invoked, instant, seen))
        if len(history) == size:
            break
    # Those that still run may have been seen.
    pending = [Operation(f"task {i}", call, at) for i, (at, call, _) in running.items()]
    return sorted([*history, *pending], key=lambda operation: operation.invoked)


def test_accepts_long_histories_of_a_correct_object() -> None:
    """200 overlapping operations of 8 clients are decided within a budget that memory affords."""
    answers = {check(simulated(Random(seed), 8, 200), CONVERSATION).answer for seed in range(10)}
    expected = {Answer.LINEARIZABLE}
    assert expected == answers


def test_accepts_long_histories_with_cancellations() -> None:
    """Operations of unknown result among them leave the check decided."""
    answers = {
        check(simulated(Random(seed), 8, 200, cancelled=0.1), CONVERSATION).answer
        for seed in range(10)
    }
    expected = {Answer.LINEARIZABLE}
    assert expected == answers


def test_refuses_long_histories_with_one_wrong_answer() -> None:
    """One stale read at the end of 200 operations is found, whatever came before."""
    for seed in range(10):
        history = simulated(Random(seed), 8, 200)
        stale = Operation("reader", Call("get", 5), 10_000, 10_001, ())
        assert check([*history, stale], CONVERSATION).answer is Answer.NOT_LINEARIZABLE


def test_budget_gives_no_pass() -> None:
    """A search out of budget is inconclusive."""
    history = simulated(Random(1), 8, 50)
    assert check(history, CONVERSATION, budget=10).answer is Answer.INCONCLUSIVE


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([save("p", "a", 0, 5), get("p", 3, 6, "a")], "while save"),
        ([Operation("p", Call("save", "a"), 0), get("p", 3, 6, "a")], "while save"),
        ([Operation("p", Call("get"), 0, None, "a")], "has not returned"),
        ([get("p", 3, 2, "a")], "before it was invoked"),
        ([Operation("p", Call("append", "a"), 0, 1, None)], r"append\('a'\) is none of"),
    ],
)
def test_refuses_what_is_no_history(history: History, message: str) -> None:
    """A client that does two things at once, or a call unknown to the object, is a mistake."""
    with pytest.raises(ValueError, match=message):
        check(history, SESSION)


def test_unknown_call_on_a_conversation_is_a_mistake() -> None:
    """The conversation names the calls it knows."""
    with pytest.raises(ValueError, match=r"none of append\(message\), get\(up to 9\), clear\(\)"):
        check([Operation("p", Call("save", "a"), 0, 1)], CONVERSATION)


@pytest.mark.parametrize(
    ("specification", "history"), NOT_LINEARIZABLE.values(), ids=list(NOT_LINEARIZABLE)
)
def test_reduced_history_is_still_wrong(specification: Specification, history: History) -> None:
    """What a reduction leaves is not linearizable on its own."""
    reduced = reduce(history, specification)
    assert check(reduced, specification).answer is Answer.NOT_LINEARIZABLE


def test_reduction_leaves_the_violation_alone() -> None:
    """A stale read among 100 operations is reduced to it and one write that it missed."""
    noise = simulated(Random(3), 4, 100)
    history = [
        *noise,
        append("writer", "last", 10_000, 10_001),
        Operation("reader", Call("get", 1), 10_002, 10_003, ()),
    ]
    shown = [operation.call.name for operation in reduce(history, CONVERSATION)]
    expected = ["append", "get"]
    assert expected == shown


def test_reduction_keeps_the_write_that_a_read_saw() -> None:
    """No reduction ends at a read whose value seems to come from nowhere."""
    history = [save("p", "a", 0, 1), save("p", "b", 2, 3), get("q", 4, 5, "b"), get("q", 6, 7, "a")]
    shown = [str(operation) for operation in reduce(history, SESSION)]
    expected = ["save('a')", "save('b')", "get() -> 'a'"]
    assert expected == shown


def test_reduction_keeps_the_deletion_that_a_read_saw() -> None:
    """A session that comes back is shown with the deletion before it."""
    history = [save("p", "a", 0, 1), delete("p", 2, 3), get("p", 4, 5, None), get("p", 6, 7, "a")]
    shown = [str(operation) for operation in reduce(history, SESSION)]
    expected = ["save('a')", "delete() -> None", "get() -> 'a'"]
    assert expected == shown


def test_reduction_keeps_the_clear_that_explains_a_read() -> None:
    """Without the clear the first read would look wrong, and only the second is."""
    history = [
        append("p", "a", 0, 1),
        clear("q", 2, 3),
        append("p", "b", 4, 5),
        read("p", 6, 7, "b"),
        read("q", 8, 9, "b", "a"),
    ]
    shown = [str(operation) for operation in reduce(history, CONVERSATION)]
    expected = ["append('a')", "append('b')", "get(9) -> ('b', 'a')"]
    assert expected == shown


def test_every_reduction_is_right() -> None:
    """Over all short wrong histories the rest is wrong by itself, and no longer than the whole."""
    wrong = [
        history
        for history in histories(3, CONVERSATION_OUTCOMES)
        if check(history, CONVERSATION).answer is Answer.NOT_LINEARIZABLE
    ]
    for history in wrong:
        reduced = reduce(history, CONVERSATION)
        assert set(reduced) <= set(history)
        assert not by_brute_force(reduced, CONVERSATION)


def test_linearizable_history_is_not_reduced() -> None:
    """There is nothing to blame, so nothing goes."""
    history = (save("p", "a", 0, 1), get("p", 2, 3, "a"))
    assert history == reduce(history, SESSION)


def test_timeline_shows_who_overlaps_whom() -> None:
    """One lane for each client; a bar begins and ends where its operation does."""
    history = [
        append("task 1", "a", 0, 2),
        append("task 2", "b", 1, 3),
        read("task 1", 4, 5, "a"),
    ]
    expected = [
        "task 1  |--append('a')--|   |--get(9) -> ('a',)--|",
        "task 2    |--append('b')--|",
    ]
    assert expected == timeline(history).splitlines()


def test_timeline_shows_that_a_read_found_nothing() -> None:
    """None is an answer of a read."""
    history = [save("task 1", "a", 0, 1), get("task 1", 2, 3, None)]
    expected = "task 1  |--save('a')--| |--get() -> None--|"
    assert expected == timeline(history)


def test_timeline_marks_unknown_results() -> None:
    """A cancelled operation ends in a question mark where its client went on."""
    history = [
        Operation("task 1", Call("append", "a"), 0, 2),
        read("task 1", 3, 4),
        Operation("task 2", Call("clear"), 1),
    ]
    expected = [
        "task 1  |--append('a')--? |--get(9) -> ()--|",
        "task 2    |--clear()-------------------------?",
    ]
    assert expected == timeline(history).splitlines()


def test_timeline_of_nothing_is_empty() -> None:
    """No operation, no line."""
    assert not timeline([])


async def answer(value: object, *, after: int = 1) -> object:
    """Answer after so many turns of the event loop."""
    for _ in range(after):
        await asyncio.sleep(0)
    return value


async def fail() -> None:
    """Fail as a store does whose engine is gone."""
    raise ConnectionError


async def test_recorder_orders_overlapping_operations() -> None:
    """Instants count invocations and returns as they happen."""
    recorder = Recorder()
    await asyncio.gather(
        recorder.record("task 1", Call("get"), answer("a", after=2)),
        recorder.record("task 2", Call("get"), answer("b", after=1)),
    )
    assert (get("task 1", 0, 3, "a"), get("task 2", 1, 2, "b")) == recorder.history()


async def test_recorder_answers_what_the_call_answers() -> None:
    """The caller gets the store's own value, the history its view of it."""
    recorder = Recorder()
    answered = await recorder.record("task 1", Call("get"), answer(12), str)
    expected = 12, "12"
    assert expected == (answered, recorder.history()[0].result)


async def test_recorder_does_not_know_the_result_of_a_failure() -> None:
    """What raised may have taken effect."""
    recorder = Recorder()
    with pytest.raises(ConnectionError):
        await recorder.record("task 1", Call("save", "a"), fail())
    assert (Operation("task 1", Call("save", "a"), 0, 1),) == recorder.history()


async def test_recorder_does_not_know_the_result_of_a_cancellation() -> None:
    """What was cancelled may have taken effect, and its client goes on."""
    recorder = Recorder()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await recorder.record("task 1", Call("save", "a"), answer(None, after=1000))
    assert (Operation("task 1", Call("save", "a"), 0, 1),) == recorder.history()


async def test_recorder_shows_what_is_pending() -> None:
    """An operation that still runs is in the history, without an end."""
    recorder = Recorder()
    task = asyncio.create_task(recorder.record("task 1", Call("save", "a"), answer(None)))
    await asyncio.sleep(0)
    history = recorder.history()
    await task
    assert (Operation("task 1", Call("save", "a"), 0),) == history
