"""A call of each method of each port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from clawdesk_storage.conformance.material.samples import message, session
from clawdesk_storage.conformance.trial import Opened
from clawdesk_storage.models import AppConfig, ChannelId, SessionId
from clawdesk_storage.ports import ConfigStore, ConversationStore, SessionStore, VectorStore

__all__ = ["every_call"]

_Calls: TypeAlias = Mapping[str, Callable[[], Awaitable[object]]]

_WRITES = {
    "sessions.save", "sessions.delete", "conversations.append_message", "conversations.clear",
    "config.save_config", "vectors.upsert", "vectors.delete",
}  # fmt: skip
_S = SessionId("a session")


def every_call(storage: Opened, *, reads_only: bool = False) -> _Calls:
    """Return a call of each method of each port that is offered, by its name.

    Args:
        storage: The open storage.
        reads_only: Whether to leave out what changes something.
    """
    calls: dict[str, _Calls] = {}
    if "sessions" in storage.raw:
        calls["sessions"] = _session_calls(storage.sessions)
    if "conversations" in storage.raw:
        calls["conversations"] = _conversation_calls(storage.conversations)
    if "config" in storage.raw:
        calls["config"] = _config_calls(storage.config)
    if "vectors" in storage.raw:
        calls["vectors"] = _vector_calls(storage.vectors)
    every = {f"{name}.{one}": call for name, of in calls.items() for one, call in of.items()}
    return {name: call for name, call in every.items() if not (reads_only and name in _WRITES)}


def _session_calls(store: SessionStore) -> _Calls:
    return {
        "get": lambda: store.get(_S),
        "save": lambda: store.save(session(_S, "c")),
        "delete": lambda: store.delete(_S),
        "list": lambda: store.list(10, 0),
        "list_by_channel": lambda: store.list_by_channel(ChannelId("c")),
    }


def _conversation_calls(store: ConversationStore) -> _Calls:
    return {
        "get_messages": lambda: store.get_messages(_S, limit=10),
        "append_message": lambda: store.append_message(_S, message("m")),
        "clear": lambda: store.clear(_S),
    }


def _config_calls(store: ConfigStore) -> _Calls:
    return {"get_config": store.get_config, "save_config": lambda: store.save_config(AppConfig())}


def _vector_calls(store: VectorStore) -> _Calls:
    return {
        "upsert": lambda: store.upsert("v", [1.0, 0.0, 0.0], metadata=None),
        "search": lambda: store.search([1.0, 0.0, 0.0], top_k=5),
        "delete": lambda: store.delete("v"),
    }
