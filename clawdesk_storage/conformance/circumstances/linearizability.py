"""Histories of overlapping operations, and whether one at a time explains them.

A history is linearizable when every operation can be given one instant between its invocation and
its return, such that the operations, done one after the other at these instants, answer what they
answered. An operation that failed or was cancelled in flight may have taken effect at any time
after its invocation, even after its client gave up, or never.

The check is the search of Wing and Gong, which tries the operations that may come next and
backtracks, with the improvements of Lowe: it remembers each pair of the operations that have taken
effect and the state they led to, so that no pair is looked at twice, and lets an operation take
effect just in time, when the return of one that is still missing demands it.

- J. M. Wing and C. Gong, Testing and Verifying Concurrent Objects, Journal of Parallel and
  Distributed Computing 17 (1993).
- G. Lowe, Testing for Linearizability, Concurrency and Computation: Practice and Experience 29(4)
  (2017).

        recorder = Recorder()
        await recorder.record("task 1", Call("append", "a"), store.append_message(id, message))
        ...
        history, specification = recorder.history(), conversation(limit=50)
        if check(history, specification).answer is Answer.NOT_LINEARIZABLE:
            print(timeline(reduce(history, specification)))
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from itertools import count, pairwise
from math import inf
from typing import Any, Final, TypeAlias, TypeGuard, TypeVar

__all__ = [
    "SESSION",
    "UNKNOWN",
    "VECTOR",
    "Answer",
    "Call",
    "Operation",
    "Recorder",
    "Specification",
    "Unknown",
    "Verdict",
    "check",
    "configuration",
    "conversation",
    "reduce",
    "timeline",
]

T = TypeVar("T")


class Unknown(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
"""The result of an operation that is pending, was cancelled, or failed in flight."""


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """What a client asked: the method's short name and its arguments, hashable ones."""

    name: str
    arguments: tuple[Hashable, ...]

    def __init__(self, name: str, *arguments: Hashable) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "arguments", arguments)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one client.

    Args:
        client: Who called, one lane of the timeline. Its operations do not overlap each other.
        call: What was asked.
        invoked: The logical instant of the invocation.
        returned: The logical instant at which the client went on, or None if it still waits.
        result: What the call answered, or `UNKNOWN`.
    """

    client: str
    call: Call
    invoked: int
    returned: int | None = None
    result: object = UNKNOWN

    def __str__(self) -> str:
        # None is what writes answer, too, and then it says nothing.
        hidden = self.result is UNKNOWN or (self.result is None and self.call.arguments)
        return str(self.call) if hidden else f"{self.call} -> {self.result!r}"


History: TypeAlias = Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Specification:
    """What a correct object does when one operation follows the other.

    Args:
        initial: The state at first, hashable.
        step: Gives for a state and a call the next state and the answer; raises `ValueError` for a
            call it does not know.
        reads: The names of the calls that change nothing, and answer one written value, a tuple of
            them, or what is empty: None or `()`. Every argument of another call is written.
        clue: Gives for a history a test of a state and a call: false where the history's reads rule
            out that the call takes effect in that state. It spares the search detours.
    """

    initial: Hashable
    step: Callable[[Any, Call], tuple[Hashable, object]]
    reads: frozenset[str]
    clue: Callable[[History], Callable[[Any, Call], bool]] = lambda history: (
        lambda state, call: True
    )


def _register(write: str, reads: set[str], initial: Hashable = None) -> Specification:
    def step(state: Hashable, call: Call) -> tuple[Hashable, object]:
        match call.name, call.arguments:
            case name, ():
                if name in reads:
                    return state, state
                if name == "delete":
                    return None, None
            case name, (value,) if name == write:
                return value, None
            case _:
                pass
        raise ValueError(f"{call} is none of {write}(value), delete(), {'(), '.join(reads)}()")

    return Specification(initial, step, frozenset(reads))


SESSION: Final = _register("save", {"get", "list"})
"""One session: `save(value)`, `delete()`, and `get()` or `list()`, which answer the value or None.

`list` is any listing, looked at for this one session.
"""

VECTOR: Final = _register("upsert", {"search"})
"""One entry: `upsert(value)`, `delete()`, and `search()`, which answers the value or None."""


def configuration(default: Hashable) -> Specification:
    """Return the specification of the configuration: `save(value)` and `get()`.

    Args:
        default: What `get()` answers before anything was saved.
    """
    return _register("save", {"get"}, default)


def conversation(limit: int) -> Specification:
    """Return the specification of a conversation: `append(message)`, `clear()`, and `get(limit)`.

    Args:
        limit: The largest limit of any `get`, which answers a tuple of so many last messages. The
            order of older ones is not looked at, which makes long histories decidable.
    """

    def step(state: tuple[Hashable, ...], call: Call) -> tuple[Hashable, object]:
        match call.name, call.arguments:
            case "append", (message,):
                return _last(limit, (*state, message)), None
            case "get", (int() as asked,) if asked <= limit:
                return state, _last(asked, state)
            case "clear", ():
                return (), None
            case _:
                raise ValueError(f"{call} is none of append(message), get(up to {limit}), clear()")

    return Specification((), step, frozenset({"get"}), _predecessors)


def _predecessors(history: History) -> Callable[[tuple[Hashable, ...], Call], bool]:
    """A message that was appended once goes after the one that every read shows before it."""
    written = Counter(op.call.arguments for op in history if op.call.name == "append")
    before: defaultdict[tuple[Hashable, ...], set[tuple[Hashable, ...]]] = defaultdict(set)
    for operation in history:
        if _is_tuple(operation.result):
            for earlier, later in pairwise(operation.result):
                before[later,].add((earlier,))
            if (len(operation.result),) < operation.call.arguments:
                before[operation.result[:1]].add(())

    def may_follow(state: tuple[Hashable, ...], call: Call) -> bool:
        alone = call.name == "append" and written[call.arguments] == 1
        seen = before.get(call.arguments) if alone else None
        return not seen or seen == {state[-1:]}

    return may_follow


def _last(limit: int, messages: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    return messages[max(0, len(messages) - limit) :]


class Recorder:
    """Records the operations of many tasks on one object, each instant a tick of one counter."""

    def __init__(self) -> None:
        self._ticks = count()
        self._operations: list[Operation] = []

    async def record(
        self,
        client: str,
        call: Call,
        pending: Awaitable[T],
        view: Callable[[T], object] = lambda value: value,
    ) -> T:
        """Await `pending` and record it as one operation, of unknown result if it raises.

        Args:
            client: Who calls.
            call: What `pending` is, in the words of the specification.
            pending: The call itself, such as a coroutine that has not begun.
            view: Turns its answer into the specification's words.

        Returns:
            What `pending` answered.
        """
        number = len(self._operations)
        self._operations.append(Operation(client, call, next(self._ticks)))
        result: object = UNKNOWN
        try:
            answer = await pending
            result = view(answer)
        finally:
            ended = replace(self._operations[number], returned=next(self._ticks), result=result)
            self._operations[number] = ended
        return answer

    def history(self) -> History:
        """Return the operations so far in the order of their invocations, pending ones included."""
        return tuple(self._operations)


class Answer(StrEnum):
    """What a check found out. Inconclusive is not a pass."""

    LINEARIZABLE = "linearizable"
    NOT_LINEARIZABLE = "not linearizable"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and for a linearizable history the operations in an order that explains it.

    An operation of unknown result is in `witness` where that order has it take effect.
    """

    answer: Answer
    witness: tuple[Operation, ...] = ()


def check(history: History, specification: Specification, *, budget: int = 50_000) -> Verdict:
    """Decide whether `history` is linearizable.

    Two operations of which one returns at the very instant the other is invoked overlap.

    Args:
        history: The operations in any order.
        specification: What a correct object does.
        budget: After how many pairs of operations done and state the answer is inconclusive.

    Raises:
        ValueError: The history is not well-formed, or holds a call that `specification` does not
            know.
    """
    _check_form(history, specification)
    return _Search([_Span.of(operation) for operation in history], specification).run(budget)


def _check_form(history: History, specification: Specification) -> None:
    lanes: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in sorted(history, key=lambda operation: operation.invoked):
        specification.step(specification.initial, operation.call)
        lanes[operation.client].append(operation)
        if operation.returned is None and operation.result is not UNKNOWN:
            raise ValueError(f"{operation} has a result, and has not returned")
        if operation.returned is not None and operation.returned < operation.invoked:
            raise ValueError(f"{operation} returned before it was invoked")
    for lane in lanes.values():
        for earlier, later in pairwise(lane):
            if earlier.returned is None or later.invoked < earlier.returned:
                raise ValueError(f"{later.client} called {later} while {earlier} was running")


@dataclass(frozen=True, slots=True)
class _Span:
    """An operation as the search sees it: when it may take effect, and whether it has to."""

    operation: Operation
    end: float
    required: bool

    @staticmethod
    def of(operation: Operation) -> _Span:
        unknown = operation.result is UNKNOWN
        end = inf if unknown or operation.returned is None else operation.returned
        return _Span(operation, end, required=not unknown)

    def waived(self) -> _Span:
        """The same operation, free not to take effect and with any result."""
        return _Span(self.operation, self.end, required=False)


_Point: TypeAlias = tuple[int, Hashable]
"""The operations that have taken effect, a bit for each, and the state they led to."""


class _Search:
    """The search itself, depth first, with the way back kept in a list."""

    def __init__(self, spans: Sequence[_Span], specification: Specification) -> None:
        self._specification = specification
        required = [span.operation for span in spans if span.required]
        needed = [
            span
            for span in spans
            if span.required or _explains(span.operation.call, required, specification)
        ]
        self._spans = sorted(needed, key=lambda span: span.operation.invoked)
        self._possible = specification.clue([span.operation for span in self._spans])
        self._required = sum(1 << i for i, span in enumerate(self._spans) if span.required)

    def run(self, budget: int) -> Verdict:
        seen: set[_Point] = set()
        order: list[int] = []
        path: list[tuple[_Point, Iterator[tuple[int, _Point]]]] = []
        initial = self._specification.initial
        path.append(((0, initial), self._successors(0, initial)))
        while path:
            (done, _), choices = path[-1]
            if done & self._required == self._required:
                operations = tuple(self._spans[i].operation for i in order)
                return Verdict(Answer.LINEARIZABLE, operations)
            following = next((choice for choice in choices if choice[1] not in seen), None)
            if following is None:
                path.pop()
                del order[-1:]
                continue
            if len(seen) >= budget:
                return Verdict(Answer.INCONCLUSIVE)
            chosen, successor = following
            seen.add(successor)
            order.append(chosen)
            path.append((successor, self._successors(*successor)))
        return Verdict(Answer.NOT_LINEARIZABLE)

    def _successors(self, done: int, state: Hashable) -> Iterator[tuple[int, _Point]]:
        possible: list[tuple[int, _Point]] = []
        for i in self._candidates(done):
            span = self._spans[i]
            call = span.operation.call
            if not self._possible(state, call):
                continue
            following, result = self._specification.step(state, call)
            if span.required and result != span.operation.result:
                continue
            successor = i, (done | 1 << i, following)
            if call.name in self._specification.reads:
                # Whatever else may come: a read that fits already can as well be now as later.
                return iter([successor])
            possible.append(successor)
        return iter(possible)

    def _candidates(self, done: int) -> Sequence[int]:
        """The operations that may be next, the one that has to return first in front."""
        horizon = inf
        latest = self._spans[done.bit_length() - 1].operation.invoked if done else -inf
        found: list[int] = []
        # Below the lowest missing bit everything is done.
        for i in range((~done & (done + 1)).bit_length() - 1, len(self._spans)):
            span = self._spans[i]
            if done >> i & 1:
                continue
            if span.operation.invoked > horizon:
                break
            if span.required:
                horizon = min(horizon, span.end)
            elif span.end < latest:
                continue  # It ended before something that is done began.
            found.append(i)
        return sorted(found, key=lambda i: (self._spans[i].end, i))


def reduce(history: History, specification: Specification, *, budget: int = 20_000) -> History:
    """Return the operations of a history that is not linearizable without which it might be.

    What is left is not linearizable on its own, and is so because the whole is: an operation goes
    only if the rest cannot be explained even by letting it take effect or not, as the search likes,
    and if nobody still shown saw what it wrote. (Dropping any operation while the check fails would
    end at a single read of a value that nobody wrote.)

    Args:
        history: A history for which `check` answers not linearizable; another comes back whole.
        specification: What a correct object does.
        budget: That of each single check; one that is inconclusive keeps the operations in doubt.
    """
    _check_form(history, specification)
    return _Reduction(history, specification, budget).run()


class _Reduction:
    def __init__(self, history: History, specification: Specification, budget: int) -> None:
        self._specification = specification
        self._budget = budget
        self._kept = sorted(history, key=lambda operation: operation.invoked)
        self._waived: list[_Span] = []

    def run(self) -> History:
        size = len(self._kept)
        while size:
            before = self._kept
            for start in range(0, len(before), size):
                self._drop(before[start : start + size])
            if size > 1 or self._kept == before:
                size //= 2
        return tuple(self._kept)

    def _drop(self, dropped: History) -> None:
        kept = [operation for operation in self._kept if operation not in dropped]
        reads = self._specification.reads
        if any(_is_seen(op.call, kept, reads) for op in dropped if op.call.name not in reads):
            return
        waived = [_Span.of(operation).waived() for operation in dropped]
        spans = [*map(_Span.of, kept), *self._waived, *waived]
        verdict = _Search(spans, self._specification).run(self._budget)
        if verdict.answer is Answer.NOT_LINEARIZABLE:
            self._kept = kept
            self._waived += waived


def _explains(call: Call, history: History, specification: Specification) -> bool:
    """Tell whether a call that may be left out can explain anything in `history`.

    A read cannot, nor a value that nobody saw. A deletion can, whoever saw the gap it left.
    """
    if call.name in specification.reads:
        return False
    return not call.arguments or _is_seen(call, history, specification.reads)


def _is_seen(write: Call, history: History, reads: frozenset[str]) -> bool:
    """Tell whether a read shows what `write` wrote: for the last deletion that is nothing."""
    results = [op.result for op in history if op.call.name in reads]
    if not write.arguments:
        deletions = (op for op in history if op.call.name not in reads and not op.call.arguments)
        return not any(deletions) and (None in results or () in results)
    return any(_holds(result, argument) for result in results for argument in write.arguments)


def _holds(result: object, value: object) -> bool:
    return result == value or (_is_tuple(result) and value in result)


def _is_tuple(result: object) -> TypeGuard[tuple[Hashable, ...]]:
    return isinstance(result, tuple)


def timeline(history: History) -> str:
    """Draw the operations over one axis, a line for each client.

    A bar begins at the invocation and ends at the return; one that ends in `?` has no known result
    and may have taken effect at any time after it began, or never.
    """
    columns = _columns(history)
    clients = dict.fromkeys(operation.client for operation in history)
    margin = max(map(len, clients), default=0) + 2
    lines = [_lane(client, margin, history, columns) for client in clients]
    return "\n".join(lines)


def _columns(history: History) -> dict[tuple[int, int], int]:
    """For the beginning (0) and the end (1) of each operation the column that leaves it room."""
    edges: list[tuple[float, int, int]] = []
    for i, operation in enumerate(history):
        end = inf if operation.returned is None else operation.returned
        edges += [(operation.invoked, 0, i), (end, 1, i)]
    columns: dict[tuple[int, int], int] = {}
    column = -2
    for _, side, i in sorted(edges):
        column += 2
        if side:
            column = max(column, columns[i, 0] + len(_label(history[i])) - 1)
        columns[i, side] = column
    return columns


def _label(operation: Operation) -> str:
    return f"|--{operation}--|"


def _lane(client: str, margin: int, history: History, columns: dict[tuple[int, int], int]) -> str:
    line = client.ljust(margin)
    for i, operation in enumerate(history):
        if operation.client == client:
            end = "?" if operation.result is UNKNOWN else "|"
            width = columns[i, 1] - columns[i, 0]
            line = line.ljust(margin + columns[i, 0])
            line += _label(operation)[:-1].ljust(width, "-") + end
    return line
