"""A mutant: a broken backend, its flaw in a line, and the laws that must catch it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeVar

from clawdesk_storage.conformance import Backend
from clawdesk_storage.conformance.ability import ABILITIES
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryStorage,
    MemoryVectorStore,
)

__all__ = ["MUTANTS", "Mutant", "mutant", "without_abilities"]

OpenStorage = Callable[[Path], AbstractAsyncContextManager[object]]

_Broken = TypeVar("_Broken", bound=Callable[..., Any])

_ATTRIBUTES: Final = {
    MemorySessionStore: "sessions",
    MemoryConversationStore: "conversations",
    MemoryConfigStore: "config",
    MemoryVectorStore: "vectors",
}


@dataclass(frozen=True)
class Mutant:
    """A broken backend."""

    family: str
    name: str
    flaw: str
    """How such stores really break, in a line."""
    laws: tuple[str, ...]
    """Every law that must catch it, and no other may."""
    backend: Backend

    def __str__(self) -> str:
        return f"{self.family}.{self.name}"


MUTANTS: Final[list[Mutant]] = []
"""Every mutant of the modules that were imported; the package imports them all."""


def mutant(*laws: str) -> Callable[[_Broken], _Broken]:
    """Register what is decorated as a mutant: its docstring is the flaw, its module the family.

    Args:
        laws: The numbers of all the laws that must catch it.

    Returns:
        A decorator of a subclass of one of the in-memory stores, which stands in a storage that is
        otherwise sound, or of an open function. Both are returned as they are.
    """

    def registered(broken: _Broken) -> _Broken:
        family = broken.__module__.rpartition(".")[2]
        flaw = " ".join((inspect.getdoc(broken) or "").split())
        backend = Backend(_opening(broken), durable=False, shared=False)
        MUTANTS.append(Mutant(family, broken.__name__, flaw, tuple(sorted(laws)), backend))
        return broken

    return registered


def _opening(broken: Callable[..., Any]) -> OpenStorage:
    lineage = getattr(broken, "__mro__", ())
    for port, attribute in _ATTRIBUTES.items():
        if port in lineage:
            about_abilities = broken.__module__.endswith(".abilities")
            return _with_one_replaced(attribute, broken, about_abilities)
    return broken


def without_abilities(storage: MemoryStorage) -> MemoryStorage:
    """Return a storage after leaving out all of its abilities: then only the ports have laws."""
    for ability in ABILITIES.values():
        for port, method in product(ability.ports, ability.methods):
            setattr(getattr(storage, port), method, None)
    return storage


def _with_one_replaced(attribute: str, store: Callable[[], object], abilities: bool) -> OpenStorage:
    def open_storage(location: Path) -> MemoryStorage:
        storage = MemoryStorage()
        setattr(storage, attribute, store())
        return storage if abilities else without_abilities(storage)

    return open_storage
