"""What a run measures, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clawdesk_storage.bench.operation import CONCURRENCIES, Port, chosen
from clawdesk_storage.bench.sizes import sizes

__all__ = ["Budget", "Group", "plan"]

_ITEMS_PER_SECOND = 5_000
_MOST_CLEARED = 10_000


@dataclass(frozen=True)
class Budget:
    """How long things may take.

    Args:
        rounds: How often each operation is measured.
        round_seconds: Seconds of a round.
        cell_seconds: Seconds after which no further round begins.
        call_seconds: Seconds that many calls at once may take, judged by one at a time; where they
            would take longer they are left out.
        fill_seconds: Seconds in which a size must be reached; otherwise it is left out.
    """

    rounds: int = 5
    round_seconds: float = 0.1
    cell_seconds: float = 3.0
    call_seconds: float = 10.0
    fill_seconds: float = 90.0


@dataclass(frozen=True)
class Group:
    """What is measured on one port at one size, which is filled once.

    Args:
        attribute: The port as an attribute of the storage.
        port: The port.
        size: How much is stored.
        tests: Operations, each with how many calls are under way at once.
    """

    attribute: str
    port: Port
    size: int
    tests: Sequence[tuple[str, int]]

    def filling(self) -> float:
        """Guess the seconds that filling takes."""
        return self.size / _ITEMS_PER_SECOND + 0.5

    def seconds(self, budget: Budget) -> float:
        """Guess the seconds that the group takes for one target."""
        return self.filling() + len(self.tests) * budget.rounds * budget.round_seconds


def plan(prefixes: Sequence[str], scale: float) -> Sequence[Group]:
    """Return the groups, from small to large for each port.

    Args:
        prefixes: Which operations; none selects all.
        scale: What the largest sizes are multiplied by.

    Raises:
        BackendError: One of the prefixes fits no operation.
    """
    return [
        Group(attribute, port, size, _tests(port, size))
        for attribute, port in chosen(prefixes).items()
        for size in sizes(attribute, scale)
    ]


def _tests(port: Port, size: int) -> Sequence[tuple[str, int]]:
    return [
        (operation, concurrency)
        for operation in port.operations
        for concurrency in CONCURRENCIES
        if concurrency <= _most_at_once(operation, size)
    ]


def _most_at_once(operation: str, size: int) -> int:
    if operation.startswith("upsert_many"):
        return 1  # as whoever fills a store does
    # Each clears a conversation of that length, and all must be filled before.
    return max(1, _MOST_CLEARED // size) if operation == "clear" else max(CONCURRENCIES)
