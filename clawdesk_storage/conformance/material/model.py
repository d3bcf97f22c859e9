"""The model: every operation that there is, and every way of reading.

A part is about one port, or one ability of it. Its domain is small on purpose: few ids that
resemble each other, and few values, make calls meet. An ability joins the part of its port in
every circumstance by a part of its own, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from sys import maxsize
from typing import Any, Final, TypeAlias

from clawdesk_storage.abilities import (
    ConfigRevisions,
    Contents,
    MessageBatches,
    MessageGuards,
    MessagePages,
    SessionRevisions,
    VectorBatches,
    VectorContents,
    VectorEntry,
    VectorFilters,
)
from clawdesk_storage.conformance.ability import offer_of
from clawdesk_storage.conformance.material.abilities import (
    append_guarded,
    configuration_in,
    delete_revised,
    entries_in,
    entry_in,
    messages_in,
    save_config_revised,
    save_revised,
    session_in,
    take_back,
    upsert_refused,
)
from clawdesk_storage.conformance.material.operation import Operation
from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.conformance.trial import SECRET
from clawdesk_storage.models import AppConfig, Message, Session, VectorResult
from clawdesk_storage.where import Compares, Contains, Equals, Exists, Not, Where

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
    habit: int | None = None
    """Chooses the few ways of reading that are drawn: a stale answer is one that was given before.

    None lets all be drawn.
    """
    single: bool = False
    """Whether there is one thing only: tasks cannot keep apart."""
    abilities: Sequence[type] = ()
    """The Protocols of the abilities that it needs; none for the port itself."""

    def joined(self, other: Part) -> Part:
        """Return a part with what both have."""

        def reads(ids: Sequence[str]) -> Iterator[Operation]:
            yield from self.reads(ids)
            yield from other.reads(ids)

        changes = (*self.changes, *other.changes)
        return replace(
            self, changes=changes, reads=reads, refusals=(*self.refusals, *other.refusals)
        )

    def draw(self, random: Random, ids: Sequence[str]) -> Operation:
        """Draw an operation of any kind, on one of these ids."""
        chance = random.random()
        if self.refusals and chance < 0.08:
            return random.choice(self.refusals)(random, ids)
        if chance < 0.35:
            reads = list(self.reads(ids))
            if self.habit is not None:
                reads = Random(self.habit).sample(reads, min(2, len(reads)))  # noqa: S311
            return random.choice(reads)
        return random.choice(self.changes)(random, ids)

    def mixed(self, random: Random) -> Part:
        """Return a part of which a choice is drawn, of the changes in other proportions."""
        changes = random.choices(self.changes, k=len(self.changes))
        return replace(self, changes=changes, habit=random.randrange(1000))


def parts_of(stores: Mapping[str, object]) -> list[Part]:
    """Return the parts that a storage with these stores has, by the names of the ports."""
    parts: dict[str, Part] = {}
    for part in PARTS:
        offers = [offer_of(one.__name__, stores) for one in part.abilities]
        if part.port not in stores or not all(part.port in one.ports for one in offers):
            continue
        parts[part.port] = parts[part.port].joined(part) if part.abilities else part
    return list(parts.values())


IDS: Final = ("a", "b", "ab", "a:b", "A", "é", "e\u0301", "a\u2028")
"""Ids that resemble each other, or are often cut or cleaned."""

_CHANNELS: Final = ("c", "c2", "C")
_JSON: Final[tuple[Any, ...]] = (None, 0, 1, True, 1.0, "", SECRET, [], {}, {"k": [1, None]})
_LINES: Final = "\u2028line\x85\r\nline\r\x0b"
"""A text that is cut into lines in many ways."""

_MOMENTS: Final = (-2_000_000, -1, 0, 1, 999, 2_000_000)
"""Microseconds, so that some moments are equal and some hardly differ."""

_BAD: Final[Any] = {"bad": {1, 2}}
"""No JSON value: it cannot be stored."""


def _about(port: str, method: str, *arguments: Any, of: str = "") -> Operation:
    return Operation(port, method, arguments, of)


def _on_id(port: str, method: str, random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    return _about(port, method, id, of=id)


# Sessions


def _session(random: Random, ids: Sequence[str]) -> Session:
    id, mark = random.choice(ids), random.randrange(1000)
    if mark < 150:
        return session(id, _CHANNELS[0])  # an earlier one is saved again
    return session(
        id,
        random.choice(_CHANNELS),
        system_prompt=f"{SECRET} {mark}",
        last_activity=moment(random.choice(_MOMENTS)),
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
    marked = f"{SECRET} {random.randrange(1000)}"
    content = random.choice(("", _LINES, marked, marked))
    at = moment(random.choice(_MOMENTS))
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
    gateway = {"port": random.randint(1, 4)}  # few, so that earlier ones are saved again
    future = {"future": random.choice((*_JSON[:3], SECRET)), "later": SECRET}
    kept = random.sample(list(future), random.randint(0, 2))
    return AppConfig.model_validate(
        {"gateway": gateway, "security": security, **{name: future[name] for name in kept}}
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
    if random.random() < 0.5:  # of another dimension, too: which of the two is told is free
        return Operation("vectors", "", (id, [1, 0, 0], _BAD), id, run=upsert_refused)
    return _about("vectors", "upsert", id, *bad, of=id)


def _search(query: list[int], top_k: int) -> Operation:
    return Operation("vectors", "search", (query, top_k), view=rounded, nearest=True)


def _search_badly(random: Random, ids: Sequence[str]) -> Operation:
    return _search(*random.choice([([1, 0], -1), ([0, 0], 1), ([1, 0, 0], 1)]))


def _read_vectors(ids: Sequence[str]) -> Iterator[Operation]:
    for query in _QUERIES:
        yield from (_search(query, top_k) for top_k in (maxsize, 3, 1))
    yield _search([1, 0], 0)
    yield _search([1, 0, 0], 1)


# The abilities


def _on_id_by(port: str, run: Callable[..., Any], random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    return Operation(port, "", (id,), id, run=run)


def _save_revised(random: Random, ids: Sequence[str]) -> Operation:
    one = _session(random, ids)
    return Operation("sessions", "", (one,), one.id, run=save_revised)


def _read_revisions(ids: Sequence[str]) -> Iterator[Operation]:
    for id in ids:
        yield Operation("sessions", "get_revision", (id,), id, view=session_in)


def _read_contents(port: str, ids: Sequence[str]) -> Iterator[Operation]:
    yield _about(port, "count")
    yield _about(port, "ids", None, maxsize)
    yield from (_about(port, "ids", id, 2) for id in ids[:1])


def _batch(random: Random) -> list[Message]:
    return [_message(random) for _ in range(random.choice((0, 1, 2, 3)))]


def _append_batch(random: Random, ids: Sequence[str]) -> Operation:
    id = random.choice(ids)
    return _about("conversations", "append_messages", id, _batch(random), of=id)


def _append_bad_batch(random: Random, ids: Sequence[str]) -> Operation:
    id, batch = random.choice(ids), _batch(random)
    bad = _message(random).model_copy(update={"metadata": _BAD})
    batch.insert(random.randint(0, len(batch)), bad)
    return _about("conversations", "append_messages", id, batch, of=id)


def _append_guarded(random: Random, ids: Sequence[str]) -> Operation:
    id, batch = random.choice(ids), [_message(random), *_batch(random)]
    return Operation("conversations", "", (id, batch), id, run=append_guarded)


def _read_pages(ids: Sequence[str]) -> Iterator[Operation]:
    for id in ids:
        for method, limit in (("get_before", 2), ("get_after", 2), ("get_after", maxsize)):
            arguments = id, None, limit
            yield Operation("conversations", method, arguments, id, view=messages_in)


def _configure_revised(random: Random, ids: Sequence[str]) -> Operation:
    return Operation("config", "", (_config(random),), run=save_config_revised)


def _read_config_revision(ids: Sequence[str]) -> Iterator[Operation]:
    yield Operation("config", "get_config_revision", view=configuration_in)


def _entry(random: Random, ids: Sequence[str]) -> VectorEntry:
    id = random.choice(ids)
    marked: Any = {"mark": random.randrange(3), "of": id}
    metadata = random.choice((random.choice(_JSON), marked, marked))
    return VectorEntry(id, random.choice(_VECTORS), metadata)


def _upsert_many(random: Random, ids: Sequence[str]) -> Operation:
    entries = [_entry(random, ids) for _ in range(random.choice((0, 1, 2, 4)))]
    return _about("vectors", "upsert_many", entries)


def _upsert_many_badly(random: Random, ids: Sequence[str]) -> Operation:
    entries = [_entry(random, ids) for _ in range(2)]
    bad = random.choice([([1, 0], _BAD), ([0, 0], None), ([1, 0, 0], None)])
    entries.insert(random.randint(0, 2), VectorEntry(random.choice(ids), *bad))
    return _about("vectors", "upsert_many", entries)


def _delete_many(random: Random, ids: Sequence[str]) -> Operation:
    return _about("vectors", "delete_many", random.choices(ids, k=random.choice((0, 1, 2))))


_FILTERS: Final[tuple[Where, ...]] = (
    Equals("mark", 1), Exists("mark"), Not(Exists("mark")), Equals("k", None), Contains("k", 1),
    Compares("mark", ">", 1),
)  # fmt: skip


def _delete_where(random: Random, ids: Sequence[str]) -> Operation:
    # It is about one id, as the other changes are: tasks must be able to keep apart.
    id = random.choice(ids)
    return _about("vectors", "delete_where", Equals("of", id), of=id)


def _read_filtered(ids: Sequence[str]) -> Iterator[Operation]:
    for filter in _FILTERS:
        arguments = [1, 0], filter, maxsize
        yield Operation("vectors", "search_where", arguments, view=rounded, nearest=True)
    arguments = [0, 1], _FILTERS[2], 2
    yield Operation("vectors", "search_where", arguments, view=rounded, nearest=True)


def _read_entries(ids: Sequence[str]) -> Iterator[Operation]:
    for id in ids:
        yield Operation("vectors", "get", (id,), id, view=entry_in)
    yield _about("vectors", "count")
    yield Operation("vectors", "entries", (None, maxsize), view=entries_in)
    yield from (Operation("vectors", "entries", (id, 2), view=entries_in) for id in ids[:1])


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
    Part(
        "sessions",
        (_save_revised, partial(_on_id_by, "sessions", delete_revised)),
        _read_revisions,
        abilities=(SessionRevisions,),
    ),
    Part("sessions", (), partial(_read_contents, "sessions"), abilities=(Contents,)),
    Part(
        "conversations",
        (_append_batch, _append_batch),
        lambda ids: iter(()),
        (_append_bad_batch,),
        abilities=(MessageBatches,),
    ),
    Part("conversations", (), _read_pages, abilities=(MessagePages,)),
    Part(
        "conversations",
        (_append_guarded, partial(_on_id_by, "conversations", take_back)),
        lambda ids: iter(()),
        abilities=(MessagePages, MessageGuards),
    ),
    Part("conversations", (), partial(_read_contents, "conversations"), abilities=(Contents,)),
    Part("config", (_configure_revised,), _read_config_revision, abilities=(ConfigRevisions,)),
    Part(
        "vectors",
        (_upsert_many, _upsert_many, _delete_many),
        lambda ids: iter(()),
        (_upsert_many_badly,),
        abilities=(VectorBatches,),
    ),
    Part("vectors", (_delete_where,), _read_filtered, abilities=(VectorFilters,)),
    Part("vectors", (), _read_entries, abilities=(VectorContents,)),
)
