"""Reports as the bench writes them, made by hand."""

from collections.abc import Iterator
from math import log10
from typing import Any

_OPERATIONS = {
    ("SessionStore", "get", "sessions"): (100, 1_000, 10_000),
    ("SessionStore", "list (deep page)", "sessions"): (100, 1_000, 10_000),
    ("ConversationStore", "append_message", "messages"): (100, 1_000, 10_000, 100_000),
    ("ConfigStore", "get_config", "configurations"): (1,),
    ("VectorStore", "search", "vectors"): (1_000, 10_000, 100_000),
}
_SPEED = {"memory": 3e-6, "sqlite": 9e-5, "postgres": 7e-4}
_SLOPES = {("memory", "search"): 1.0, ("sqlite", "list (deep page)"): 1.6}
_WORDS = {0.0: "flat", 1.0: "linear", 1.6: "worse"}


def _slope(target: str, operation: str) -> float:
    return _SLOPES.get((target, operation), 0.0)


def _workloads(targets: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for (port, operation, unit), sizes in _OPERATIONS.items():
        for size in sizes:
            for concurrency in (1, 16, 64):
                for target in targets:
                    steps = log10(size / sizes[0])
                    cost = _SPEED.get(target, 2e-4) * 10 ** (steps * _slope(target, operation))
                    yield {
                        "target": target, "port": port, "operation": operation, "size": size,
                        "unit": unit, "concurrency": concurrency, **_measured(concurrency, cost),
                        **({"recall": 0.987} if operation == "search" else {}),
                    }  # fmt: skip


def _measured(concurrency: int, cost: float) -> dict[str, Any]:
    """What comes of a workload whose calls take `cost` seconds when they are alone."""
    speed = concurrency**0.4 / cost
    call = concurrency / speed
    return {
        "rounds": 5, "operations": 5000,
        "throughput": {"median": speed, "low": speed * 0.83, "high": speed * 1.12},
        "latency": {"p50": call, "p95": call * 1.9, "p99": call * 4.2, "max": call * 21},
        "peak_memory": 61_000_000, "loop_stall": 0.0012 * concurrency, "recall": None,
        "error": None,
    }  # fmt: skip


def bench(*targets: str, finished: bool = True) -> dict[str, Any]:
    """A report on some targets: memory searches linearly, sqlite lists worse than that."""
    targets = targets or ("sqlite", "memory", "postgres")
    return {
        "date": "2026-11-23T05:00:00+00:00",
        "seed": 0,
        "scale": 1.0,
        "finished": finished,
        "machine": {"python": "3.11.7", "system": "Linux x86_64", "cores": 2},
        "targets": [
            {"name": name, "versions": {f"clawdesk-{name}": "0.1.0"}, "left_out": []}
            for name in targets
        ],
        "workloads": list(_workloads(targets)),
        "growth": [
            {
                "target": target, "port": port, "operation": operation,
                "exponent": _slope(target, operation),
                "verdict": _WORDS[_slope(target, operation)],
            }
            for port, operation, _ in _OPERATIONS if operation != "get_config"
            for target in targets
        ],
    }  # fmt: skip


def failed(workload: dict[str, Any], error: str) -> dict[str, Any]:
    """The same place, where nothing could be measured."""
    kept = ("target", "port", "operation", "size", "unit", "concurrency")
    return {key: value if key in kept else None for key, value in workload.items()} | {
        "error": error
    }
