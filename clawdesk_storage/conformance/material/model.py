"""The model: every operation that there is, and every way of reading.

A part is about one port, or one ability of it. Its domain is small on purpose: few ids that
resemble each other, and few values, make calls meet. An ability joins the sequences of every
circumstance by a part of its own, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from sys import maxsize
from typing import Any, Final, TypeAlias

from clawdesk_storage.conformance.material.operation import Operation
from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.models import AppConfig, Message, Session, VectorResult

__all__ = ["IDS", "PARTS", "Part", "parts_of"]

Draw: TypeAlias = Callable[[Random, Sequence[str]], Operation]
"""Draws an operation on one of these ids."""


@dataclass(frozen=True)
class Part:
    """What can be done to a store, and how it can be read."""

    port: str
    changes: Sequence[Draw]
    reads: Callable[[Sequence[str]], Iterator[Operation]]
    """For the ids that there may be, every way of reading, in as few calls as show it."""
    refusals: Sequence[Draw] = ()
    """Draw what must be refused, and leave everything as it is."""
    single: bool = False
    """Whether there is one thing only: tasks cannot keep apart."""
    ability: type | None = None
    """The Protocol of the ability that it is about, or None for the port itself."""

    def draw(self, random: Random, ids: Sequence[str]) -> Operation:
        """Draw an operation of any kind, on one of these ids."""
        chance = random.random()
        if self.refusals and chance < 0.08:
            return random.choice(self.refusals)(random, ids)
        if chance < 0.3:
            return random.choice(list(self.reads(ids)))
        return random.choice(self.changes)(random, ids)

    def mixed(self, random: Random) -> Part:
        """Return a part whose changes are drawn in other proportions, some perhaps not at all."""
        return replace(self, changes=random.choices(self.changes, k=len(self.changes)))


def parts_of(stores: Mapping[str, object]) -> list[Part]:
    """Return the parts that a storage with these stores has, by the names of the ports."""
    there = [part for part in PARTS if part.port in stores]
    return [one for one in there if not one.ability or isinstance(stores[one.port], one.ability)]


IDS: Final = ("a", "b", "ab", "a:b", "A")
"""Ids that resemble each other."""

_CHANNELS: Final = ("c", "c2", "C")
_JSON: Final[tuple[Any, ...]] = (None, 0, 1, True, 1.0, "", "x", [], {}, {"k": [1, None]})
_BAD: Final[Any] = {"bad": {1, 2}}
"""No JSON value: it cannot be stored."""


def _about(port: str, method: str, *arguments: Any, of: str = "") -> Operation:
    return Operation(port, method, arguments, of)


def _on_id(port: str, method: str, random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    return _about(port, method, id, of=id)


# Sessions


def _session(random: Random, ids: Sequence[str]) -> Session:
    mark = random.randrange(1000)
    return session(
        random.choice(ids),
        random.choice(_CHANNELS),
        system_prompt=f"prompt {mark}",
        last_activity=moment(seconds=random.randint(-2, 2)),
        message_count=mark,
        metadata={"data": random.choice(_JSON), "mark": mark},
    )


def _save(random: Random, ids: Sequence[str]) -> Operation:
    one = _session(random, ids)
    return _about("sessions", "save", one, of=one.id)


def _save_badly(random: Random, ids: Sequence[str]) -> Operation:
    update = random.choice([{"metadata": _BAD}, {"channel": ""}, {"id": "\0"}])
    one = _session(random, ids).model_copy(update=update)
    return _about("sessions", "save", one, of=one.id)


def _list_badly(random: Random, ids: Sequence[str]) -> Operation:
    return _about("sessions", "list", *random.choice([(-1, 0), (1, -1)]))


def _read_sessions(ids: Sequence[str]) -> Iterator[Operation]:
    for id in (*ids, "never saved"):
        yield _about("sessions", "get", id, of=id)
    yield _about("sessions", "list", maxsize, 0)
    yield from (_about("sessions", "list", 2, offset) for offset in range(0, len(ids) + 2, 2))
    yield from (_about("sessions", "list", *page) for page in ((0, 0), (1, 1), (3, 1), (100, 2)))
    for channel in (*_CHANNELS, "never saved"):
        yield _about("sessions", "list_by_channel", channel)


# Conversations


def _message(random: Random) -> Message:
    content = random.choice(("", "x", f"m{random.randrange(1000)}", f"m{random.randrange(1000)}"))
    at = moment(seconds=random.randint(-2, 2))
    return message(content, timestamp=at, metadata={"data": random.choice(_JSON)})


def _append(random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    return _about("conversations", "append_message", id, _message(random), of=id)


def _append_badly(random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    one = _message(random).model_copy(update={"metadata": _BAD})
    return _about("conversations", "append_message", id, one, of=id)


def _get_badly(random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    return _about("conversations", "get_messages", *random.choice([(id, -1), ("", 1)]), of=id)


def _read_messages(ids: Sequence[str]) -> Iterator[Operation]:
    for id in (*ids, "never appended"):
        for limit in (maxsize, 2, 1, 0) if id in ids[:2] else (maxsize, 2):
            yield _about("conversations", "get_messages", id, limit, of=id)


# Configuration


def _config(random: Random) -> AppConfig:
    security = {"allowed_commands": random.choice([[], ["a"], ["b", "a"]])}
    gateway = {"port": random.randint(1, 999)}
    return AppConfig.model_validate(
        {"gateway": gateway, "security": security, "future": random.choice(_JSON)}
    )


def _configure(random: Random, ids: Sequence[str]) -> Operation:
    return _about("config", "save_config", _config(random))


def _configure_badly(random: Random, ids: Sequence[str]) -> Operation:
    return _about("config", "save_config", _config(random).model_copy(update={"future": _BAD}))


def _read_config(ids: Sequence[str]) -> Iterator[Operation]:
    yield _about("config", "get_config")


# Vectors

# Their cosines with the queries are far apart, or equal to the last bit in any order of summation:
# what the reference puts in order by rounding would prove nothing.
_VECTORS: Final = ([1, 0], [0, 1], [-1, 0], [3, 4], [4, 3], [-3, 4])
_QUERIES: Final = ([1, 0], [0, 1], [-1, 0])


def rounded(results: Sequence[VectorResult]) -> Sequence[VectorResult]:
    """The view of results in which scores are rounded: they are promised to within 1e-4 only."""
    return [one.model_copy(update={"score": round(one.score, 3) + 0.0}) for one in results]


def _upsert(random: Random, ids: Sequence[str]) -> Operation:
    id, mark = random.choice(ids), random.randrange(1000)
    metadata = random.choice((random.choice(_JSON), {"mark": mark}))
    return _about("vectors", "upsert", id, random.choice(_VECTORS), metadata, of=id)


def _upsert_badly(random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    bad = random.choice([([1, 0], _BAD), ([0, 0], None), ([], None)])
    return _about("vectors", "upsert", id, *bad, of=id)


def _search(query: list[int], top_k: int) -> Operation:
    return Operation("vectors", "search", (query, top_k), view=rounded, nearest=True)


def _search_badly(random: Random, ids: Sequence[str]) -> Operation:
    return _search(*random.choice([([1, 0], -1), ([0, 0], 1), ([1, 0, 0], 1)]))


def _read_vectors(ids: Sequence[str]) -> Iterator[Operation]:
    for query in _QUERIES:
        yield from (_search(query, top_k) for top_k in (maxsize, 3, 1))
    yield _search([1, 0], 0)


PARTS: Final[tuple[Part, ...]] = (
    Part(
        "sessions",
        (_save, _save, _save, partial(_on_id, "sessions", "delete")),
        _read_sessions,
        (_save_badly, _list_badly, lambda random, ids: _about("sessions", "get", "")),
    ),
    Part(
        "conversations",
        (_append, _append, _append, _append, partial(_on_id, "conversations", "clear")),
        _read_messages,
        (_append_badly, _get_badly),
    ),
    Part("config", (_configure,), _read_config, (_configure_badly,), single=True),
    Part(
        "vectors",
        (_upsert, _upsert, _upsert, partial(_on_id, "vectors", "delete")),
        _read_vectors,
        (_upsert_badly, _search_badly),
    ),
)
