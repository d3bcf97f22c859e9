"""Sequences of calls on a store: generated, made, and written down as a script.

A domain is small on purpose: few ids that resemble each other and few values make calls meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from hypothesis import strategies as st
from pydantic import BaseModel

from clawdesk_storage.conformance.material.samples import message, moment, session
from clawdesk_storage.models import AppConfig, Message, Session, VectorResult

__all__ = ["STEPS", "Step", "answer", "script"]

_FIXED = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """One call of a method."""

    method: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return f"await store.{self.method}({', '.join(map(_source, self.arguments))})"


def _source(value: object) -> str:
    """The value as Python text that can be pasted."""
    if isinstance(value, BaseModel):
        dumped = value.model_dump_json(exclude_defaults=True)
        return f"{type(value).__name__}.model_validate_json({dumped!r})"
    return repr(value)


Steps: TypeAlias = st.SearchStrategy[Step]

_IDS = st.sampled_from(("a", "b", "ab", "a:b", "A"))
_CHANNELS = st.sampled_from(("c", "c2", "C"))
_COUNTS = st.sampled_from((0, 1, 2, 3, 5, 100))
_JSON: st.SearchStrategy[Any] = st.sampled_from(
    (None, 0, 1, True, 1.0, "", "x", [], {}, {"k": [1, None]})
)


def _step(method: str, *arguments: st.SearchStrategy[Any]) -> Steps:
    return st.builds(lambda *given: Step(method, given), *arguments)


def _session(id: str, channel: str, second: int, count: int, data: Any) -> Session:
    at = moment(seconds=second)
    return session(id, channel, last_activity=at, message_count=count, metadata={"data": data})


_SESSIONS = st.builds(_session, _IDS, _CHANNELS, st.integers(-2, 2), st.integers(0, 3), _JSON)


def _message(content: str, second: int, data: Any) -> Message:
    return message(content, timestamp=moment(seconds=second), metadata={"data": data})


_MESSAGES = st.builds(_message, st.sampled_from(("", "x", "y")), st.integers(-2, 2), _JSON)


def _config(port: int, commands: Sequence[str], future: Any) -> AppConfig:
    security = {"allowed_commands": list(commands)}
    return AppConfig.model_validate(
        {"gateway": {"port": port}, "security": security, "future": future}
    )


_CONFIGS = st.builds(_config, st.integers(1, 3), st.sampled_from(((), ("a",), ("b", "a"))), _JSON)

# Their cosines with the queries are far apart, or equal to the last bit in any order of summation:
# what the reference puts in order by rounding would prove nothing.
_VECTORS = st.sampled_from(((1, 0), (0, 1), (-1, 0), (3, 4), (4, 3), (-3, 4)))
_QUERIES = st.sampled_from(((1, 0), (0, 1), (-1, 0)))

STEPS: Mapping[str, Steps] = {
    "sessions": st.one_of(
        _step("save", _SESSIONS),
        _step("save", _SESSIONS),
        _step("get", _IDS),
        _step("delete", _IDS),
        _step("list", _COUNTS, _COUNTS),
        _step("list_by_channel", _CHANNELS),
    ),
    "conversations": st.one_of(
        _step("append_message", _IDS, _MESSAGES),
        _step("append_message", _IDS, _MESSAGES),
        _step("get_messages", _IDS, _COUNTS),
        _step("clear", _IDS),
    ),
    "config": st.one_of(_step("save_config", _CONFIGS), _step("get_config")),
    "vectors": st.one_of(
        _step("upsert", _IDS, _VECTORS, _JSON),
        _step("upsert", _IDS, _VECTORS, _JSON),
        _step("search", _QUERIES, _COUNTS),
        _step("delete", _IDS),
    ),
}
"""For each port a strategy for one step."""


async def answer(store: Any, step: Step) -> object:
    """Make the call and return its answer, or the class of what it raised.

    Scores are rounded, because they are promised to within 1e-4 only.
    """
    try:
        came: Any = await getattr(store, step.method)(*step.arguments)
    except ValueError:
        return ValueError
    if step.method != "search":
        return came
    return [_rounded(one) for one in came]


def _rounded(result: VectorResult) -> VectorResult:
    return result.model_copy(update={"score": round(result.score, 3) + 0.0})


def script(port: str, steps: Sequence[Step], factory: Callable[..., object], came: str) -> str:
    """Return a program that repeats the steps on a fresh location and prints the last answer."""
    module = factory.__module__
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    *before, last = (f"        {step}" for step in steps)
    return "\n".join(
        [
            "import asyncio",
            "from pathlib import Path",
            "from tempfile import mkdtemp",
            "from clawdesk_storage import *",
            f"from {module} import {name}",
            "",
            "async def main():",
            f"    async with {name}(Path(mkdtemp())) as storage:",
            f"        store = storage.{port}",
            *before,
            f"        print({last.strip()})  # {came}",
            "",
            "asyncio.run(main())",
        ]
    )
