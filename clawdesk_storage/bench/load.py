"""What the operations do to a store, and what must be stored before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias

from clawdesk_storage.abilities import VectorEntry
from clawdesk_storage.bench.data import QUERIES, Data, session_id
from clawdesk_storage.models import JsonValue, Session, SessionId
from clawdesk_storage.ports import ConfigStore
from clawdesk_storage.updating import update
from clawdesk_storage.where import Equals

__all__ = ["LOADS", "TOP_K", "Call", "Load", "at_once"]

Call: TypeAlias = Callable[[], Awaitable[object]]

TOP_K = 10
_PAGE = 50
_LAST = 20
_MOST_CALLS = 5_000
_MOST_APPENDS = 2_000
_REFILLED = 10_000
_HOT = 1_000
_FILLERS = 64
_BATCH = 1_000
_APPENDED = {"append_message": 1, "append_messages (10)": 10, "append_messages (100)": 100}
"""How many messages a call of each operation appends."""

_SHARES = {"tenth": 10, "hundredth": 100, "rare": 10_000}
_FILTERED = {
    "search_where (10 %)": "tenth",
    "search_where (1 %)": "hundredth",
    "search_where (0.01 %)": "rare",
}


def _spread(number: int, size: int) -> int:
    """Scatter consecutive numbers over a range."""
    return number * 2_654_435_761 % size


async def at_once(calls: Iterable[Call], concurrency: int) -> None:
    """Make the calls, so many at once.

    Raises:
        Exception: What the first call that failed raised; the others are cancelled.
    """
    queue = iter(calls)

    async def work() -> None:
        for call in queue:
            await call()

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(concurrency):
                tasks.create_task(work())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


class Load:
    """One port's operations on a storage of one size.

    Args:
        data: What is stored.
        size: How much is stored.
    """

    def __init__(self, data: Data, size: int) -> None:
        self.data = data
        self.size = size

    def item(self, number: int) -> Awaitable[object]:
        """Store the item of that number."""
        raise NotImplementedError

    def call(self, operation: str, number: int, concurrency: int) -> Call:
        """Return the call of that number, made ready.

        Args:
            operation: Its name.
            number: Counts the calls of this operation.
            concurrency: How many are under way at once.
        """
        raise NotImplementedError

    async def prepare(self, operation: str, numbers: range, concurrency: int) -> None:
        """Store what the calls of these numbers use up."""

    def most_calls(self, operation: str, concurrency: int) -> int:
        """Return how many calls a round has at most."""
        return _MOST_CALLS

    def once(self, operation: str) -> bool:
        """Tell whether a second round would cost too much preparation."""
        return False

    async def fill(self, seconds: float) -> int:
        """Store items until there are `size`, and return how many there are.

        Args:
            seconds: When to give up.
        """
        deadline, stored = perf_counter() + seconds, 0

        def items() -> Iterable[Call]:
            nonlocal stored
            for number in range(self.size):
                if perf_counter() > deadline:
                    return
                yield partial(self.item, number)
                stored += 1

        await at_once(items(), _FILLERS)
        return stored


class SessionLoad(Load):
    """Sessions, saved again and again; the deep page is the last one."""

    def __init__(self, store: Any, data: Data, size: int) -> None:
        super().__init__(data, size)
        self._store = store

    def item(self, number: int) -> Awaitable[object]:
        """Save a session for the first time."""
        saved: Awaitable[object] = self._store.save(self.data.session(number))
        return saved

    def call(self, operation: str, number: int, concurrency: int) -> Call:
        """See `Load.call`."""
        one = _spread(number, self.size)
        if operation == "get":
            return partial(self._store.get, session_id(one))
        if operation == "save":
            return partial(self._store.save, self.data.session(one, number + 1))
        if operation.startswith("update"):
            return self._update(0 if operation == "update (shared session)" else one)
        deep = operation == "list (deep page)"
        return partial(self._store.list, limit=_PAGE, offset=max(0, self.size - _PAGE) * deep)

    def _update(self, one: int) -> Call:
        """Read, count and save again, as often as another comes in between."""

        def count(session: Session | None) -> Session:
            session = session or self.data.session(one)
            return session.model_copy(update={"message_count": session.message_count + 1})

        return partial(update, self._store, session_id(one), count)


class ConversationLoad(Load):
    """One long conversation.

    A single caller appends to it; many at once append to a conversation each, beside it, as the
    sessions of a gateway do. After as many appends as it was long there is another of the same
    length, so that its length stays what it is said to be, within a factor of two.
    """

    def __init__(self, store: Any, data: Data, size: int) -> None:
        super().__init__(data, size)
        self._store = store
        self._filled = {self._history(0)}
        self._positions: list[int] = []

    def item(self, number: int) -> Awaitable[object]:
        """Append a message to the long conversation."""
        return self._append(self._history(0), number)

    def _append(self, id: SessionId, number: int) -> Awaitable[object]:
        appended: Awaitable[object] = self._store.append_message(id, self.data.message(number))
        return appended

    def _history(self, number: int) -> SessionId:
        return SessionId(f"history-{number}")

    def _used(self, operation: str, number: int, concurrency: int) -> SessionId:
        """The conversation that a call is about."""
        if appended := _APPENDED.get(operation):
            if concurrency > 1:
                return SessionId(f"side-{number % concurrency}")
            return self._history(number * appended // self.size)
        if operation == "clear":
            return self._history(0) if self.once(operation) else SessionId(f"clear-{number}")
        return self._history(0)

    def call(self, operation: str, number: int, concurrency: int) -> Call:
        """See `Load.call`."""
        id = self._used(operation, number, concurrency)
        if operation == "append_message":
            return partial(self._store.append_message, id, self.data.message(number))
        if batch := _APPENDED.get(operation):
            first = number * batch
            messages = [self.data.message(first + step) for step in range(batch)]
            return partial(self._store.append_messages, id, messages)
        if operation == "clear":
            return partial(self._store.clear, id)
        if operation == "get_before (any depth)":
            position = self._positions[_spread(number, len(self._positions))]
            return partial(self._store.get_before, id, position, limit=_PAGE)
        return partial(self._store.get_messages, id, limit=_LAST)

    async def prepare(self, operation: str, numbers: range, concurrency: int) -> None:
        """Fill the conversations that are appended to or cleared, find out where pages begin."""
        if operation == "get_before (any depth)":
            await self._find_positions()
        if operation in _APPENDED and concurrency > 1:
            return
        used = dict.fromkeys(self._used(operation, number, concurrency) for number in numbers)
        for id in used:
            if id not in self._filled:
                appends = (partial(self._append, id, number) for number in range(self.size))
                await at_once(appends, _FILLERS)
                self._filled.add(id)

    async def _find_positions(self) -> None:
        last = self._positions[-1] if self._positions else None
        while entries := await self._store.get_after(self._history(0), last, limit=_BATCH):
            self._positions += [entry.position for entry in entries]
            last = self._positions[-1]

    def most_calls(self, operation: str, concurrency: int) -> int:
        """Return few where each call needs a conversation of its own."""
        if operation == "clear":
            return max(concurrency, _MOST_APPENDS // self.size)
        appended = _APPENDED.get(operation)
        return _MOST_APPENDS // appended if appended else _MOST_CALLS

    def once(self, operation: str) -> bool:
        """Tell whether the operation uses up a conversation too long to be filled again."""
        return operation == "clear" and self.size > _REFILLED


class ConfigLoad(Load):
    """One configuration."""

    def __init__(self, store: ConfigStore, data: Data, size: int) -> None:
        super().__init__(data, size)
        self._store = store

    def item(self, number: int) -> Awaitable[object]:
        """Save the configuration for the first time."""
        return self._store.save_config(self.data.config(number))

    def call(self, operation: str, number: int, concurrency: int) -> Call:
        """See `Load.call`."""
        if operation == "get_config":
            return self._store.get_config
        return partial(self._store.save_config, self.data.config(number))


class VectorLoad(Load):
    """Embeddings with the text that they stand for.

    An upsert stores the same vector again with other metadata, as after a change of a document that
    leaves its sense: then what is nearest stays known.
    """

    def __init__(self, store: Any, data: Data, size: int) -> None:
        super().__init__(data, size)
        self._store = store
        self._hot = [data.vector(number).copy() for number in range(min(_HOT, size))]

    def item(self, number: int) -> Awaitable[object]:
        """Store a vector for the first time."""
        return self._upsert(number, self.data.vector(number), 0)()

    def _upsert(self, number: int, vector: Any, version: int) -> Call:
        metadata = self._metadata(number, version)
        return partial(self._store.upsert, f"vector-{number}", vector, metadata=metadata)

    def _metadata(self, number: int, version: int) -> JsonValue:
        shares: dict[str, JsonValue] = {name: number % one for name, one in _SHARES.items()}
        return {"text": self.data.text(number), "source": number, "version": version, **shares}

    def _upsert_many(self, version: int) -> Call:
        """Store a batch beside what is there; the next one replaces it."""
        entries = [
            VectorEntry(f"batch-{one}", self.data.vector(one), self._metadata(one, version))
            for one in range(_BATCH)
        ]
        return partial(self._store.upsert_many, entries)

    def call(self, operation: str, number: int, concurrency: int) -> Call:
        """See `Load.call`."""
        if operation == "upsert":
            one = number % len(self._hot)
            return self._upsert(one, self._hot[one], number + 1)
        if operation == "upsert_many (1,000)":
            return self._upsert_many(number)
        query = self.data.queries[number % QUERIES]
        if operation in _FILTERED:
            key = _FILTERED[operation]
            where = Equals(key, number % _SHARES[key])
            return partial(self._store.search_where, query, where, top_k=TOP_K)
        return partial(self._store.search, query, top_k=TOP_K)

    async def found(self, searches: int) -> list[list[int]]:
        """Return the numbers of the vectors that the first searches find."""
        results = [
            await self._store.search(query, top_k=TOP_K) for query in self.data.queries[:searches]
        ]
        return [[int(hit.id.removeprefix("vector-")) for hit in hits] for hits in results]


LOADS: Mapping[str, Callable[[Any, Data, int], Load]] = {
    "sessions": SessionLoad,
    "conversations": ConversationLoad,
    "config": ConfigLoad,
    "vectors": VectorLoad,
}
"""The loads by the attribute of the storage that they work on."""
