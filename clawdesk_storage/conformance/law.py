"""A law: its number, what it says, the claim it needs, and the coroutine that tries it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from clawdesk_storage.conformance.trial import Trial

__all__ = ["PORTS", "Law", "law"]

PORTS: Final = {
    "SES": "SessionStore",
    "CNV": "ConversationStore",
    "CFG": "ConfigStore",
    "VEC": "VectorStore",
    "STO": "Storage",
    "BAT": "MessageBatches",
    "PAG": "MessagePages",
    "GRD": "MessageGuards",
    "REV": "Revisions",
    "VBA": "VectorBatches",
    "FIL": "VectorFilters",
    "CTS": "Contents",
    "CON": "Concurrency",
    "DUR": "Durability",
    "SHR": "Sharing",
    "OUT": "Outage",
    "COR": "Corruption",
}
"""For each family of laws what it is about."""


@dataclass(frozen=True)
class Law:
    """One promise of the contract, and the way to find out whether it is kept."""

    id: str
    title: str
    statement: str
    """What holds, in a sentence or two."""
    reason: str
    """Why it matters and what breaks it: the rest of the docstring."""
    claim: str | None
    """The claim that it needs."""
    ability: str | None
    """The ability that it is about."""
    attempt: Callable[[Trial], Awaitable[None]]
    shuffled: bool
    """Whether it runs on a loop that lets tasks switch in every order."""

    @property
    def port(self) -> str:
        """What the law is about: the name of a port, or of the family."""
        return PORTS[self.id[:3]]

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


def law(
    id: str, *, claim: str | None = None, ability: str | None = None, shuffled: bool = False
) -> Callable[[Callable[[Trial], Awaitable[None]]], Law]:
    """Make a law of a coroutine function: its name is the title, its docstring the statement.

    Args:
        id: The law's number, such as `SES-07`.
        claim: The claim that a backend must make for the law to apply.
        ability: The ability that the storage must offer for the law to apply, by its Protocol's
            name.
        shuffled: Whether it runs on a loop that lets tasks switch in every order.
    """

    def made(attempt: Callable[[Trial], Awaitable[None]]) -> Law:
        title = attempt.__name__.replace("_", " ")
        # `python -OO` strips docstrings; the title still says what the law is about.
        statement, _, reason = (inspect.getdoc(attempt) or title).partition("\n\n")
        said = " ".join(statement.split())
        return Law(id, title, said, reason.strip(), claim, ability, attempt, shuffled)

    return made
