"""What is measured: operations of the ports and of the abilities, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clawdesk_storage.conformance import BackendError
from clawdesk_storage.conformance.trial import Opened

__all__ = ["CONCURRENCIES", "PORTS", "Port", "chosen", "offered"]

CONCURRENCIES = (1, 16, 64)
"""How many calls are under way at once."""


@dataclass(frozen=True)
class Port:
    """A port, what its size counts, and its operations in the order in which they are measured."""

    name: str
    unit: str
    operations: Sequence[str]

    def narrowed(self, prefixes: Sequence[str]) -> Port:
        """Return the port with those operations that one of the prefixes selects."""
        kept = [one for one in self.operations if any(self._fits(one, fix) for fix in prefixes)]
        return Port(self.name, self.unit, kept)

    def _fits(self, operation: str, prefix: str) -> bool:
        names = (operation, f"{self.name}.{operation}")
        return any(name.casefold().startswith(prefix.casefold()) for name in names)


PORTS: Mapping[str, Port] = {
    "sessions": Port(
        "SessionStore",
        "sessions",
        (
            *("get", "save", "list (first page)", "list (deep page)"),
            *("update (own session)", "update (shared session)"),
        ),
    ),
    "conversations": Port(
        "ConversationStore",
        "messages",
        (
            *("get_messages (last 20)", "append_message", "get_before (any depth)"),
            *("append_messages (10)", "append_messages (100)", "clear"),
        ),
    ),
    "config": Port("ConfigStore", "configurations", ("get_config", "save_config")),
    "vectors": Port(
        "VectorStore",
        "vectors",
        (
            *("search", "search_where (10 %)", "search_where (1 %)", "search_where (0.01 %)"),
            *("upsert", "upsert_many (1,000)"),
        ),
    ),
}
"""The ports by the name of the attribute."""

_NEEDED: Mapping[str, str] = {
    "update": "SessionRevisions",
    "get_before": "MessagePages",
    "append_messages": "MessageBatches",
    "search_where": "VectorFilters",
    "upsert_many": "VectorBatches",
}


def offered(storage: Opened) -> Mapping[str, Sequence[str]]:
    """Return the operations of each port that is offered: its own, and those of its abilities."""
    lacking = {method for method, ability in _NEEDED.items() if not storage.offers(ability)}
    return {
        attribute: [one for one in PORTS[attribute].operations if one.split()[0] not in lacking]
        for attribute in storage.raw
    }


def chosen(prefixes: Sequence[str]) -> Mapping[str, Port]:
    """Return the ports with the operations that begin so, or with all.

    Args:
        prefixes: Beginnings such as `"search"`, `"SessionStore"` or `"SessionStore.list"`, in
            whatever case; none selects all.

    Raises:
        BackendError: One of them fits no operation.
    """
    for prefix in prefixes:
        if not prefix or not any(port.narrowed([prefix]).operations for port in PORTS.values()):
            known = ", ".join(
                f"{port.name}.{one}" for port in PORTS.values() for one in port.operations
            )
            raise BackendError(f"there is no operation {prefix!r}; there are: {known}")
    if not prefixes:
        return PORTS
    narrowed = {name: port.narrowed(prefixes) for name, port in PORTS.items()}
    return {name: port for name, port in narrowed.items() if port.operations}
