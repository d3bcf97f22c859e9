"""One attempt at one law: fresh locations, seeded randomness, and a record of the calls."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, NoReturn, cast

from clawdesk_storage.abilities import HistoryEntry, RevisedConfig, RevisedSession, VectorEntry
from clawdesk_storage.conformance.ability import Offer, Standing, offer_of
from clawdesk_storage.conformance.backend import Backend, BackendError
from clawdesk_storage.conformance.running.pace import Pace
from clawdesk_storage.conformance.running.untouched import Untouched, copied, touched
from clawdesk_storage.conformance.telling.difference import brief, difference
from clawdesk_storage.conformance.telling.frames import cause_of
from clawdesk_storage.errors import StorageError
from clawdesk_storage.models import AppConfig, Message, Session, VectorResult
from clawdesk_storage.ports import ConfigStore, ConversationStore, SessionStore, VectorStore

__all__ = [
    "PORT_NAMES", "SECRET", "Calls", "Inconclusive", "LawViolation", "NotOffered", "Opened",
    "Trial",
]  # fmt: skip

PORT_NAMES = ("sessions", "conversations", "config", "vectors")

_KNOWN = (StorageError, ValueError, asyncio.CancelledError)
"""What calls may raise by the contract."""

SECRET: Final = "s3cret"  # noqa: S105  (nobody's password)
"""Stands in what is stored, and in no key: no error may quote it to who did not say it."""

_RAISED_BY: Final = "_clawdesk_raised_by"

_CALLS_SHOWN = 12
_MOST_SHOWN = 300


class LawViolation(Exception):
    """A store broke a law. The message says what was expected and what came.

    Args:
        message: What the reader is told.
        cause: What other laws that fail by the same fault have in common with it, or nothing.
    """

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class NotOffered(Exception):
    """The law needs a port or an ability that the storage does not have."""


class Inconclusive(Exception):
    """The law could not decide, which is not a pass."""


@dataclass
class _Call:
    text: str
    arguments: tuple[object, ...]
    keywords: dict[str, object]
    outcome: str = " … has not returned"
    result: object = None

    def __str__(self) -> str:
        given = [brief(value) for value in self.arguments]
        given += [f"{name}={brief(value)}" for name, value in self.keywords.items()]
        shown = f" -> {brief(self.result)}" if self.outcome == "returned" else self.outcome
        return f"{self.text}({', '.join(given)}){shown}"


class Calls:
    """The latest calls of an attempt, for the report of its failure."""

    def __init__(self) -> None:
        self._latest: deque[_Call | str] = deque(maxlen=_CALLS_SHOWN)
        self.returned: Untouched = Untouched()
        self.pace: Pace = Pace()
        self.fault: str = ""
        """What laws have in common in which a call raised what no contract knows, or nothing."""
        self._count = 0

    def begin(self, text: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> _Call:
        """Record that a call is being made."""
        call = _Call(text, arguments, keywords)
        self.note(call)
        return call

    def note(self, entry: _Call | str) -> None:
        """Record something that happens between the calls."""
        self._count += 1
        self._latest.append(entry)

    def blame(self, error: BaseException) -> None:
        """Remember the first error that no contract knows: it may be why the law fails."""
        if isinstance(error, LawViolation):
            self.fault = self.fault or error.cause
        elif not isinstance(error, _KNOWN):
            self.fault = self.fault or cause_of(error)

    def settle(self) -> None:
        """Raise `LawViolation` if what a call returned has changed since; then forget it."""
        lines = self.returned.settle()
        if lines:
            raise LawViolation("\n  ".join(lines))

    def freeze(self) -> None:
        """Write down what the arguments and results are now, before they are changed."""
        self.settle()
        frozen = [str(entry) for entry in self._latest]
        self._latest.clear()
        self._latest.extend(frozen)

    def __str__(self) -> str:
        earlier = self._count - len(self._latest)
        lines = [f"… {earlier} earlier"] if earlier else []
        return "\n".join([*lines, *map(str, self._latest)])


class _Recorded:
    """A store whose calls are recorded and whose answers are looked at for their kind."""

    def __init__(self, name: str, store: object, calls: Calls) -> None:
        self._name = name
        self._store = store
        self._calls = calls

    def __getattr__(self, method: str) -> Callable[..., Awaitable[object]]:
        async def recorded(*arguments: object, **keywords: object) -> object:
            call = self._calls.begin(f"{self._name}.{method}", arguments, keywords)
            copy = copied((arguments, keywords))
            try:
                with self._calls.pace.call():
                    bound = getattr(self._store, method)
                    result = await _awaitable(call, bound(*arguments, **keywords))
            except asyncio.CancelledError:
                call.outcome = " … had not returned when it was cancelled"
                raise
            except BaseException as error:
                call.outcome = f" raised {type(error).__name__}: {brief(str(error))}"
                self._calls.blame(error)
                _expect_own(call, error)
                _expect_discreet(call.text, error, copy)
                raise
            call.outcome, call.result = "returned", result
            changed = touched((arguments, keywords), copy)
            if changed:
                raise LawViolation("\n  ".join([f"{call.text} changed its arguments", *changed]))
            self._calls.returned.keep(call.text, result)
            _expect_kind(f"{self._name}.{method}", result)
            return result

        return recorded


def _expect_own(call: _Call, error: BaseException) -> None:
    """Expect an exception that no other call has raised: each caller adds to its own traceback."""
    first = getattr(error, "__dict__", {}).setdefault(_RAISED_BY, call)
    if first is not call:
        fault = f"{call.text} raised the exception object that {first.text} had raised"
        raise LawViolation(f"{fault}: {error!r:.300}", "an exception object for several calls")


def _expect_discreet(text: str, error: BaseException, arguments: bytes | None) -> None:
    """Expect an error that quotes nothing of a record to a caller that did not pass it."""
    quoted = SECRET in str(error)
    if quoted and arguments is not None and SECRET.encode() not in arguments:
        raise LawViolation(
            f"{text} raised an error that quotes a record\n  came      {error!r:.300}"
        )


_SEQUENCES: Mapping[str, type] = {
    "sessions.list": Session,
    "sessions.list_by_channel": Session,
    "conversations.get_messages": Message,
    "conversations.get_before": HistoryEntry,
    "conversations.get_after": HistoryEntry,
    "vectors.search": VectorResult,
    "vectors.search_where": VectorResult,
    "vectors.entries": VectorEntry,
    "sessions.ids": str,
    "conversations.ids": str,
}
_VALUES: Mapping[str, tuple[type, ...]] = {
    "sessions.get": (Session, type(None)),
    "sessions.get_revision": (RevisedSession, type(None)),
    "sessions.save_if": (str,),
    "config.get_config": (AppConfig,),
    "config.get_config_revision": (RevisedConfig,),
    "config.save_config_if": (str,),
    "conversations.append_after": (int,),
    "vectors.get": (VectorEntry, type(None)),
    "sessions.count": (int,),
    "conversations.count": (int,),
    "vectors.count": (int,),
}


def _expect_kind(method: str, result: Any) -> None:
    if method in _SEQUENCES:
        item = _SEQUENCES[method]
        if not isinstance(result, Sequence) or isinstance(result, (str, bytes)):
            _wrong_kind(method, f"a sequence of {item.__name__}", brief(result), result)
        for index, one in enumerate(cast("Sequence[object]", result)):
            if not isinstance(one, item):
                _wrong_kind(method, f"a sequence of {item.__name__}", f"item {index}", one)
    elif not isinstance(result, _VALUES.get(method, type(None))):
        kinds = " or ".join(one.__name__ for one in _VALUES.get(method, (type(None),)))
        _wrong_kind(method, kinds.replace("NoneType", "None"), brief(result), result)


def _wrong_kind(method: str, expected: str, what: str, came: object) -> NoReturn:
    raise LawViolation(
        f"what {method} returned\n  expected  {expected}\n"
        f"  came      {what} of type {type(came).__name__}",
        f"{method} returned a {type(came).__name__}",
    )


def _awaitable(call: _Call, pending: object) -> Awaitable[object]:
    if inspect.isawaitable(pending):
        return pending
    fault = f"{call.text} is not async"
    raise LawViolation(f"{fault}: it returned {brief(pending)} at once", fault)


class Opened:
    """A storage that is open, as a law sees it."""

    def __init__(self, storage: object, calls: Calls) -> None:
        named: dict[str, Any] = {name: getattr(storage, name, None) for name in PORT_NAMES}
        self.raw: dict[str, Any] = {name: one for name, one in named.items() if one is not None}
        """The stores that the storage has, by the name of the attribute."""
        self._calls = calls

    def offer(self, ability: str) -> Offer:
        """Return how the ability of that name stands in this storage."""
        return offer_of(ability, self.raw)

    def offers(self, ability: str) -> bool:
        """Whether the ability of that name is offered, and not by half."""
        return self.offer(ability).standing is Standing.OFFERED

    def _store(self, name: str) -> Any:
        if name not in self.raw:
            raise NotOffered(f"the storage offers no `{name}`")
        return _Recorded(name, self.raw[name], self._calls)

    @property
    def sessions(self) -> SessionStore:
        """The session store; without one the law is not offered."""
        return cast("SessionStore", self._store("sessions"))

    @property
    def conversations(self) -> ConversationStore:
        """The conversation store; without one the law is not offered."""
        return cast("ConversationStore", self._store("conversations"))

    @property
    def config(self) -> ConfigStore:
        """The configuration store; without one the law is not offered."""
        return cast("ConfigStore", self._store("config"))

    @property
    def vectors(self) -> VectorStore:
        """The vector store; without one the law is not offered."""
        return cast("VectorStore", self._store("vectors"))


class Trial:
    """What a law has to work with.

    Args:
        backend: The implementation under test.
        directory: An empty directory; the locations are made in it.
        name: What locations are called: unlike those of every other attempt anywhere, because a
            server keeps them side by side.
        seed: Where the randomness starts.
        ability: The ability without which there is nothing to try.
    """

    def __init__(
        self, backend: Backend, directory: Path, name: str, seed: str, ability: str | None = None
    ) -> None:
        self.backend = backend
        self._ability = ability
        self.random: Random = Random(seed)  # noqa: S311
        self.calls: Calls = Calls()
        self._directory = directory
        self._name = name

    def location(self, number: int = 0, form: str = "{name}") -> Path:
        """Return this attempt's location of that number; the directory exists.

        Args:
            number: Which one.
            form: What its path is made like; `{name}` stands for a name that nobody else has.
        """
        location = self._directory / form.format(name=f"{self._name}_{number}")
        location.mkdir(exist_ok=True, parents=True)
        return location

    @asynccontextmanager
    async def open(self, number: int = 0, form: str = "{name}") -> AsyncGenerator[Opened]:
        """Open the attempt's location of that number: empty at first, then as it was left."""
        manager = entered(self.backend, self.location(number, form))
        self.calls.note(f"open_storage(location {number})")
        with self.calls.pace.call():
            storage = await manager.__aenter__()
        try:
            opened = Opened(storage, self.calls)
            if self._ability:
                _expect_offered(opened, self._ability)
            yield opened
        finally:
            # The storage is always told of a clean end: it must not swallow what a law raises.
            self.calls.note(f"close(location {number})")
            with self.calls.pace.call():
                await manager.__aexit__(None, None, None)

    def note(self, text: str) -> None:
        """Record what a law is about to do between its calls, to arguments or results perhaps."""
        self.calls.freeze()
        self.calls.note(text)

    def same(self, expected: object, came: object, what: str) -> None:
        """Raise `LawViolation` unless the two are the same in every field and type."""
        lines = difference(expected, came)
        if lines:
            self.violated(what, brief(expected), brief(came), lines)

    def holds(self, condition: bool, what: str, expected: str, came: object) -> None:
        """Raise `LawViolation` unless `condition` is true."""
        if not condition:
            self.violated(what, expected, brief(came))

    def violated(
        self, what: str, expected: str, came: str, differences: Sequence[str] = ()
    ) -> NoReturn:
        """Raise `LawViolation` with the parts of a good bug report."""
        lines = [what, f"  expected  {_cut(expected)}", f"  came      {_cut(came)}"]
        lines += [f"  differs   {line}" for line in differences]
        raise LawViolation("\n".join(lines))

    async def refused(self, kind: type[Exception], call: Awaitable[object], what: str) -> None:
        """Raise `LawViolation` unless awaiting `call` raises `kind`."""
        try:
            result = await call
        except kind:
            return
        except (LawViolation, NotOffered):
            raise
        except Exception as error:
            came = f"{type(error).__name__}: {brief(str(error))}"
            raise LawViolation(
                f"{what}\n  expected  {kind.__name__}\n  came      {came}"
            ) from error
        self.violated(what, kind.__name__, f"no error, and {brief(result)}")


def _expect_offered(storage: Opened, ability: str) -> None:
    offer = storage.offer(ability)
    if offer.standing is Standing.NOT_OFFERED:
        raise NotOffered(f"the storage does not offer {ability}")
    if offer.standing is Standing.HALF:
        raise LawViolation(offer.told(ability))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN or "\n" in text else f"{text[:_MOST_SHOWN]} …"


def entered(backend: Backend, location: Path) -> Any:
    """Call a backend's open function and return its async context manager, not yet entered.

    Raises:
        BackendError: It returned something else.
    """
    manager: object = backend.open(location)
    if hasattr(type(manager), "__aenter__") and hasattr(type(manager), "__aexit__"):
        return manager
    if inspect.iscoroutine(manager):
        manager.close()
    raise BackendError(
        f"the open function returned a {type(manager).__name__}, and should return an async "
        "context manager: decorate an async generator with contextlib.asynccontextmanager"
    )
