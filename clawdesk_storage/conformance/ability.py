"""Which abilities the stores of a storage offer, and which they offer by half."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from clawdesk_storage import abilities

__all__ = ["ABILITIES", "Ability", "Offer", "Standing", "offer_of"]


class Standing(StrEnum):
    """Whether an ability is there."""

    OFFERED = "offered"
    NOT_OFFERED = "not offered"
    HALF = "half"


@dataclass(frozen=True)
class Ability:
    """One Protocol beyond the ports.

    Args:
        protocol: The Protocol.
        ports: The attributes of a storage whose stores may have it.
    """

    protocol: type
    ports: Sequence[str]

    @property
    def methods(self) -> Sequence[str]:
        """Return the names of its methods."""
        stubs = vars(self.protocol).items()
        return [name for name, stub in stubs if inspect.iscoroutinefunction(stub)]


ABILITIES: Final[Mapping[str, Ability]] = {
    protocol.__name__: Ability(protocol, ports)
    for protocol, ports in (
        (abilities.SessionRevisions, ("sessions",)),
        (abilities.MessageBatches, ("conversations",)),
        (abilities.MessagePages, ("conversations",)),
        (abilities.MessageGuards, ("conversations",)),
        (abilities.Contents, ("sessions", "conversations")),
        (abilities.ConfigRevisions, ("config",)),
        (abilities.VectorBatches, ("vectors",)),
        (abilities.VectorFilters, ("vectors",)),
        (abilities.VectorContents, ("vectors",)),
    )
}
"""Every ability by its name."""


@dataclass(frozen=True)
class Offer:
    """How one ability stands in a storage.

    Args:
        ports: The attributes whose stores have all of its methods.
        missing: For each attribute whose store has some of them only, the others.
    """

    ports: Sequence[str] = ()
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @property
    def standing(self) -> Standing:
        """Whether it is offered; one that any store has by half is had by half."""
        if self.missing:
            return Standing.HALF
        return Standing.OFFERED if self.ports else Standing.NOT_OFFERED

    def told(self, ability: str) -> str:
        """Say what is missing from an ability that is offered by half."""
        lacking = [f"{port}.{one}" for port, names in self.missing.items() for one in names]
        return (
            f"{ability} is offered by half: {', '.join(lacking)} is missing; define it, or set "
            "the other methods to None"
        )


def offer_of(name: str, stores: Mapping[str, object]) -> Offer:
    """Return how the ability called `name` stands in these stores.

    A method that is None is left out on purpose; one that a class has inherited from the Protocol
    itself does nothing, and is missing from a store that otherwise seems to have the ability.

    Args:
        name: The Protocol's name.
        stores: The stores of a storage, by attribute.
    """
    ability = ABILITIES[name]
    ports: list[str] = []
    missing: dict[str, Sequence[str]] = {}
    for port in ability.ports:
        if port not in stores:
            continue
        found = {one: _found(stores[port], one) for one in ability.methods}
        lacking = [
            one
            for one in found
            if found[one] in (None, inspect.getattr_static(ability.protocol, one))
        ]
        if not lacking:
            ports.append(port)
        elif any(method is not None for method in found.values()):
            missing[port] = lacking
    return Offer(ports, missing)


def _found(store: object, method: str) -> object:
    """What is written on the store or its class; what `__getattr__` makes up is not there."""
    return inspect.getattr_static(store, method, None)
