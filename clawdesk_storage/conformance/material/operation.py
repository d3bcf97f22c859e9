"""An operation on a storage, as data: made anywhere, sent to another process, written in a script.

What a store gave is an answer: the value that it returned, or what it raised. The answer that is
expected is the reference's, which is asked in the same words.
"""

from __future__ import annotations

import base64
import math
import pickle
from collections.abc import Awaitable, Callable, Coroutine
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from sys import maxsize
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from clawdesk_storage.conformance.telling.difference import brief, difference
from clawdesk_storage.errors import StorageError
from clawdesk_storage.testing import MemoryStorage

__all__ = [
    "Model",
    "Operation",
    "Raised",
    "Recall",
    "as_it_is",
    "packed",
    "raised",
    "told",
    "unpacked",
]

_T = TypeVar("_T")

_READING = ("get", "list", "search", "ids", "count", "entries")
"""How the names of methods begin that change nothing."""

_THE_STORES_OWN = {"_positions", "_revisions", "_revision"}
"""What a reference holds that no two stores have the same."""


def as_it_is(came: Any) -> Any:
    """The view of an answer in which all of it counts."""
    return came


@dataclass(frozen=True)
class Raised:
    """What a call raised."""

    kind: str
    """`ValueError` for each of its kind, else the name of the class."""
    message: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Raised) and self.kind == other.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __repr__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


@dataclass(frozen=True)
class Operation:
    """A call of a method of a port, or a few calls that belong together."""

    port: str
    method: str
    arguments: tuple[Any, ...] = ()
    about: str = ""
    """The id that it is about, or nothing where it is about all of them."""
    run: Callable[..., Coroutine[Any, Any, Any]] | None = None
    """For what is more than one call: takes the store and the arguments; importable by name."""
    view: Callable[[Any], Any] = as_it_is
    """Makes of what a store gave what must be the same everywhere; importable by name."""
    nearest: bool = False
    """Whether it is a search, of which a declared recall gives a share; `top_k` comes last."""

    @property
    def is_read(self) -> bool:
        """Whether it leaves everything as it is, whatever there is."""
        return self.method.startswith(_READING)

    def call(self, storage: Any) -> Awaitable[Any]:
        """Begin the call on a storage."""
        store = getattr(storage, self.port)
        # The arguments are the sequence's own: no store may change what the next one is given.
        arguments = deepcopy(self.arguments)
        if self.run is not None:
            return self.run(store, *arguments)
        made: Awaitable[Any] = getattr(store, self.method)(*arguments)
        return made

    async def on(self, storage: Any) -> Any:
        """Make the call, and return what of its answer counts: a value, or a `Raised`.

        A storage in another process has a method `perform`, which does this there.
        """
        if hasattr(storage, "perform"):
            return await storage.perform(self)
        try:
            return self.view(await self.call(storage))
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            return raised(error)

    def written(self, handle: str) -> str:
        """The call as a line of a script, on the storage of that name."""
        arguments = ", ".join(map(_source, self.arguments))
        if self.run is not None:
            return f"await {self.run.__name__}({handle}.{self.port}, {arguments})"
        return f"await {handle}.{self.port}.{self.method}({arguments})"

    def __str__(self) -> str:
        return self.written("storage").removeprefix("await ")


def raised(error: Exception) -> Raised:
    """Return what is told of an error: its kind, and its message."""
    if isinstance(error, StorageError) or not isinstance(error, ValueError):
        return Raised(type(error).__name__, str(error))
    return Raised("ValueError", str(error))


def packed(value: object) -> str:
    """Return a value as text without spaces or line breaks."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str | bytes) -> Any:
    """Return the value that was packed."""
    return pickle.loads(base64.b64decode(text))  # noqa: S301  (from our own process)


def _source(value: object) -> str:
    """The value as Python text that can be pasted."""
    if not isinstance(value, BaseModel):
        return "sys.maxsize" if value == maxsize and type(value) is int else repr(value)
    odd = {name: one for name, one in value if _is_odd(one)}
    dumped = value.model_dump_json(exclude_defaults=True, exclude=set(odd))
    made = f"{type(value).__name__}.model_validate_json({dumped!r})"
    return f"{made}.model_copy(update={odd!r})" if odd else made


def _is_odd(value: object) -> bool:
    """Tell what is no JSON, and so would not come back from it."""
    if isinstance(value, dict):
        return any(map(_is_odd, cast("dict[str, object]", value).values()))
    return isinstance(value, (set, tuple))


def at_once(call: Coroutine[Any, Any, _T]) -> _T:
    """Return what a coroutine returns that waits for nothing."""
    try:
        call.send(None)
    except StopIteration as ended:
        answer: _T = ended.value
        return answer
    raise RuntimeError("the reference waited for something")


@dataclass
class Recall:
    """How many of the nearest searches have found, beside what the backend declares."""

    share: float = 1.0
    found: int = 0
    wanted: int = 0

    def add(self, other: Recall) -> None:
        """Count what another has counted, too."""
        self.found += other.found
        self.wanted += other.wanted

    @property
    def is_enough(self) -> bool:
        """Whether the share was found, but for three standard deviations."""
        expected = self.share * self.wanted
        return self.found >= expected - 3 * math.sqrt(expected * (1 - self.share))


class Model:
    """The in-memory reference: what a storage that is right answers.

    Args:
        recall: Counts what searches find; a share below 1 lets them leave results out.
    """

    def __init__(self, recall: Recall | None = None) -> None:
        self._reference = MemoryStorage()
        self._recall = recall or Recall()

    def answer(self, operation: Operation) -> Any:
        """Make the call on the reference, and return what counts of its answer."""
        return at_once(operation.on(self._reference))

    def after(self, *operations: Operation) -> Model:
        """Return the model as these operations would leave it."""
        model = Model(self._recall)
        for name, store in vars(self._reference).items():
            setattr(model._reference, name, _copied(store))
        for operation in operations:
            model.answer(operation)
        return model

    def state(self, port: str) -> bytes:
        """Return all that can be seen of what a port holds, in whichever order it came."""
        held = cast("dict[str, Any]", vars(getattr(self._reference, port)))
        seen = [held[name] for name in held if name not in _THE_STORES_OWN]
        return pickle.dumps([_in_order(one) for one in seen])

    def differs(
        self, operation: Operation, came: Any, recall: Recall | None = None
    ) -> list[str] | None:
        """Make the call on the reference; say where `came` is another answer, or None.

        Where less than all is to be found, a search may leave results out, and nothing else. They
        are counted in `recall`, or in the model's own.
        """
        recall = recall or self._recall
        expected = self.answer(operation)
        searched = operation.nearest and isinstance(expected, list) and isinstance(came, list)
        if recall.share < 1 and searched:
            return self._short(operation, expected, came, recall)
        return told(expected, came)

    def _short(
        self, operation: Operation, expected: Any, came: Any, recall: Recall
    ) -> list[str] | None:
        *others, top_k = operation.arguments
        whole = replace(operation, arguments=(*others, maxsize))
        there: list[Any] = self.answer(whole)
        if len(came) > top_k:
            return told(expected, came)
        recall.add(Recall(found=sum(one in came for one in expected), wanted=len(expected)))
        return told([one for one in there if one in came], came)


def _copied(store: Any) -> Any:
    """Copy a reference's store: what its containers hold is never changed in place, but lists."""
    made = copy(store)
    for name, value in cast("dict[str, Any]", vars(store)).items():
        if isinstance(value, dict):
            held = cast("dict[str, Any]", value).items()
            setattr(made, name, {k: [*v] if isinstance(v, list) else v for k, v in held})
    return made


def _in_order(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return sorted(cast("dict[str, Any]", value).items())


def told(expected: Any, came: Any) -> list[str] | None:
    """Say what was expected and what came, or None where they are the same."""
    if isinstance(expected, Raised) or isinstance(came, Raised):
        if expected == came:
            return None
        return [f"  expected  {_shown(expected)}", f"  came      {_shown(came)}"]
    lines = difference(expected, came)
    if not lines:
        return None
    differs = [f"  differs   {line}" for line in lines]
    return [f"  expected  {brief(expected)}", f"  came      {brief(came)}", *differs]


def _shown(answer: Any) -> str:
    return repr(answer) if isinstance(answer, Raised) else brief(answer)
