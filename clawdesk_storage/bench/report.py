"""What came of a run, and the form in which programs read it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clawdesk_storage.bench.cell import Cell, Measures
from clawdesk_storage.bench.growth import Growth

__all__ = ["Report", "Target"]


@dataclass
class Target:
    """A backend that is measured, and what is not measured of it, with the reasons."""

    name: str
    versions: Mapping[str, str]
    left_out: list[str] = field(default_factory=list[str])


@dataclass
class Report:
    """What came of a run, as far as it is.

    Args:
        seed: Where the data's randomness starts.
        scale: What the largest sizes were multiplied by.
        targets: The backends.
        cells: What was measured, in that order.
        finished: Whether the run came to its end.
        date: When it began.
    """

    seed: int
    scale: float
    targets: Sequence[Target]
    cells: list[Cell] = field(default_factory=list[Cell])
    finished: bool = False
    date: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def failed(self) -> bool:
        """Whether an operation failed."""
        return any(isinstance(cell.outcome, str) for cell in self.cells)

    def growth(self) -> dict[tuple[str, str, str], Growth]:
        """Return how each operation's cost grows, by target, port and operation.

        The cost is the median time of a call with a single caller: with many, a queue would be
        measured too, and a mean would tell more of what else the machine did.
        """
        costs: dict[tuple[str, str, str], dict[int, float]] = {}
        for cell in self.cells:
            if cell.concurrency == 1 and isinstance(cell.outcome, Measures):
                sizes = costs.setdefault((cell.target, cell.port, cell.operation), {})
                sizes[cell.size] = cell.outcome.latency.p50
        grown = {key: Growth.of(sizes) for key, sizes in costs.items()}
        return {key: growth for key, growth in grown.items() if growth is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the report in the form that other programs read: seconds, bytes, per second."""
        return {
            "date": self.date.isoformat(timespec="seconds"),
            "seed": self.seed,
            "scale": self.scale,
            "finished": self.finished,
            "machine": {
                "python": platform.python_version(),
                "system": f"{platform.system()} {platform.machine()}",
                "cores": os.cpu_count(),
            },
            "targets": [vars(target) for target in self.targets],
            "workloads": [cell.to_json() for cell in self.cells],
            "growth": [
                {"target": target, "port": port, "operation": operation, **vars(growth)}
                for (target, port, operation), growth in self.growth().items()
            ],
        }
