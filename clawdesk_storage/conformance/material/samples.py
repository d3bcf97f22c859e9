"""Sessions, messages and configurations that a store must give back as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, cast

from pydantic import ValidationError

from clawdesk_storage.conformance.material.hostile import TEXTS, json_samples
from clawdesk_storage.models import (
    AppConfig,
    ChannelId,
    Message,
    Role,
    Session,
    SessionId,
    SessionState,
)

__all__ = [
    "EPOCH",
    "Count",
    "changed_configs",
    "full_config",
    "message",
    "messages",
    "moment",
    "session",
    "sessions",
    "worded_config",
]

EPOCH = datetime(2024, 5, 17, 9, 30, tzinfo=UTC)
"""An ordinary moment from which the laws count."""

_LARGEST = 2**63 - 1

_MOMENTS = (
    EPOCH,
    datetime(2024, 5, 17, 9, 30, 0, 1, tzinfo=UTC),
    datetime(2024, 5, 17, 9, 30, 0, 999_999, tzinfo=UTC),
    datetime(2024, 5, 17, 9, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(2024, 5, 17, 1, 30, 0, 100_000, tzinfo=timezone(-timedelta(hours=9, minutes=30))),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(77, 7, 7, 7, 7, 7, 7, tzinfo=UTC),
    datetime(1000, 6, 1, tzinfo=UTC),
    datetime(1500, 6, 1, tzinfo=UTC),
    datetime(1900, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(2262, 4, 12, tzinfo=UTC),
    datetime(2300, 1, 1, tzinfo=UTC),
    datetime(9000, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)


# Names of models and tools, and ids of calls: columns are often made for short ones.
_NAMES = (*TEXTS[:-1], *(f"{'x' * length}{end}" for length in (64, 255, 1000) for end in "yz"))


class Count:
    """A number that is no `int`, as a limit may be: all that it has is `__index__`."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __index__(self) -> int:
        return self._number

    def __repr__(self) -> str:
        return f"Count({self._number})"


def moment(microseconds: int = 0, *, seconds: int = 0) -> datetime:
    """Return the moment so long after `EPOCH`."""
    return EPOCH + timedelta(seconds=seconds, microseconds=microseconds)


def session(id: str, channel: str = "channel", **fields: Any) -> Session:
    """Return a session with fixed timestamps, so that it can be made again."""
    given: dict[str, Any] = {"created_at": EPOCH, "last_activity": EPOCH, **fields}
    return Session(id=SessionId(id), channel=ChannelId(channel), **given)


def message(content: str, role: Role = Role.USER, **fields: Any) -> Message:
    """Return a message with a fixed timestamp, so that it can be made again."""
    given: dict[str, Any] = {"timestamp": EPOCH, **fields}
    return Message(role=role, content=content, **given)


def sessions(random: Random) -> list[Session]:
    """Return sessions that together try every field with every value known to be lost."""
    made = [
        session("prompt", system_prompt="é" * (1 << 19)),
        session("long prompt", system_prompt="x" * (1 << 20)),
        session("keys", metadata={f"key {i}": i for i in range(300)}),
        session("numbers", metadata={"kinds": [True, 1, 1.0], "k": "x" * 70_000}),
        session("metadata", metadata=json_samples()),
        session("rich", state=SessionState.IDLE, system_prompt="kind", model="m", history_limit=7,
                created_at=_MOMENTS[1], last_activity=_MOMENTS[2], message_count=3,
                metadata={"k": [1, {"n": None}]}),
        session("plain"),
        session("backwards", created_at=_MOMENTS[-1], last_activity=_MOMENTS[7]),
    ]  # fmt: skip
    made += [session(f"state {state}", state=state) for state in SessionState]
    made += [session(f"text {i}", system_prompt=text) for i, text in enumerate(TEXTS)]
    made += [session(f"model {i}", model=text) for i, text in enumerate(_NAMES)]
    made += [
        session(f"count {n}", history_limit=n, message_count=_LARGEST - n)
        for n in (0, 1, 50, 2**31, 2**53 + 1, _LARGEST)
    ]
    made += [
        session(f"moment {i}", created_at=at, last_activity=_MOMENTS[-1 - i])
        for i, at in enumerate(_MOMENTS)
    ]
    made += [_random_session(f"random {i}", random) for i in range(20)]
    return made


def messages(random: Random) -> list[Message]:
    """Return messages that together try every field with every value known to be lost."""
    made = [
        message("é" * (1 << 19)),
        message("x" * (1 << 20)),
        message("metadata", metadata=json_samples()),
        message("call", Role.TOOL, tool_call_id="call-1", tool_name="search", model="m"),
        message("result", Role.TOOL_RESULT, tool_call_id="call-1", tool_name="search",
                token_count=12, metadata={"k": [1, {"n": None}]}),
        message("plain"),
    ]  # fmt: skip
    made += [message(f"role {role}", role) for role in Role]
    made += [message(text) for text in TEXTS]
    for text in _NAMES:
        made.append(message("model", model=text))
        made.append(message("tool call", tool_call_id=text))
        made.append(message("tool", tool_name=text))
    made += [message("tokens", token_count=n) for n in (0, 1, 2**31, 2**53 + 1, _LARGEST)]
    made += [message("moment", timestamp=at) for at in _MOMENTS]
    made += [_random_message(random) for _ in range(20)]
    return made


def _random_session(id: str, random: Random) -> Session:
    return session(
        id,
        "channel",
        state=random.choice(list(SessionState)),
        system_prompt=_random_text(random),
        model=random.choice([None, "", _random_text(random)]),
        history_limit=random.randrange(2**63),
        created_at=_random_moment(random),
        last_activity=_random_moment(random),
        message_count=random.randrange(2**63),
        metadata=_random_object(random),
    )


def _random_message(random: Random) -> Message:
    return message(
        _random_text(random),
        random.choice(list(Role)),
        timestamp=_random_moment(random),
        model=random.choice([None, _random_text(random)]),
        token_count=random.choice([None, random.randrange(2**63)]),
        tool_call_id=random.choice([None, _random_text(random)]),
        tool_name=random.choice([None, _random_text(random)]),
        metadata=_random_object(random),
    )


def _random_moment(random: Random) -> datetime:
    offset = timezone(timedelta(minutes=random.randrange(-23 * 60, 23 * 60)))
    return moment(random.randrange(-(10**16), 10**16)).astimezone(offset)


def _random_text(random: Random) -> str:
    points = [random.choice((0x20, 0x2FF, 0xD7FF, 0x10FFFF)) for _ in range(random.randrange(30))]
    characters = (chr(random.randrange(point + 1)) for point in points)
    return "".join(c for c in characters if not "\ud800" <= c <= "\udfff")


def _random_object(random: Random, depth: int = 3) -> dict[str, Any]:
    return {
        _random_text(random): _random_json(random, depth) for _ in range(random.randrange(1, 5))
    }


def _random_json(random: Random, depth: int) -> Any:
    leaves = [None, True, False, random.randrange(-(2**63), 2**63), random.uniform(-1e9, 1e9)]
    branches: list[Any] = [_random_text(random), *leaves]
    if depth:
        branches.append([_random_json(random, depth - 1) for _ in range(random.randrange(4))])
        branches.append(_random_object(random, depth - 1))
    return random.choice(branches)


def full_config() -> AppConfig:
    """Return a configuration in which nothing is at its default, with keys of the future."""
    tree = AppConfig().model_dump()
    for path in _leaves(tree):
        _set(tree, path, next(_alternatives(path)))
    _add_unknown_keys(tree)
    tree["samples"] = json_samples()
    return AppConfig.model_validate(tree)


def worded_config(text: str) -> AppConfig:
    """Return a configuration that says `text` wherever a text may stand, keys included."""
    tree = AppConfig().model_dump()
    for path in _leaves(tree):
        for value in (text, [text, "b", text]):
            try:
                _config_with(path, value)
            except ValidationError:
                continue
            _set(tree, path, value)
            break
    tree[f"future.{text}"] = {text: [text, {text: text}]}
    return AppConfig.model_validate(tree)


def changed_configs() -> Iterator[tuple[str, AppConfig]]:
    """Yield every configuration with one field changed from its default, and what was changed."""
    for path in _leaves(AppConfig().model_dump()):
        for value in _alternatives(path):
            yield f"{'.'.join(path)} = {value!r}", _config_with(path, value)


# The first that a field takes stands for its kind; None is tried wherever it is not the default.
_CANDIDATES: tuple[Any, ...] = (
    "***** otherwise \N{SNOWMAN}",
    True,
    False,
    2**53 + 1,
    [-1001234567890, 2, 2, 1],
    ["b", "a", "b", ""],
    None,
    "",
    0,
    [],
)


def _alternatives(path: Sequence[str]) -> Iterator[Any]:
    default = _at(AppConfig().model_dump(), path)
    for value in _CANDIDATES:
        if type(value) is not type(default) or value != default:
            try:
                _config_with(path, value)
            except ValidationError:
                continue
            yield value


def _config_with(path: Sequence[str], value: object) -> AppConfig:
    tree = AppConfig().model_dump()
    _set(tree, path, value)
    return AppConfig.model_validate(tree, strict=True)


def _leaves(tree: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from ([name, *rest] for rest in _leaves(cast("dict[str, Any]", value)))
        else:
            yield [name]


def _at(tree: Any, path: Sequence[str]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _set(tree: Any, path: Sequence[str], value: object) -> None:
    _at(tree, path[:-1])[path[-1]] = value


def _add_unknown_keys(tree: dict[str, Any]) -> None:
    for section in [*tree.values()]:
        if isinstance(section, dict):
            _add_unknown_keys(cast("dict[str, Any]", section))
    tree["of_a_later_version"] = {"a": [1, True, 1.0, None, {}, {"b": "\u00e9 e\u0301"}]}
    tree["explicitly_none"] = None
    tree["empty_section"] = {}
