"""How much is stored when an operation is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["sizes"]

_RANGES: Mapping[str, tuple[int, int]] = {
    "sessions": (100, 10_000),
    "conversations": (100, 100_000),
    "vectors": (1_000, 100_000),
}
_FEWEST = 3
_SMALLEST, _LEAST_LARGEST = 100, 1_000


def sizes(port: str, scale: float) -> Sequence[int]:
    """Return growing sizes for a port: one for each power of ten, and three at least.

    None is below 100, because a page of fewer items costs less whatever the store does.

    Args:
        port: The attribute's name, such as `"sessions"`.
        scale: What the largest size is multiplied by.
    """
    if port not in _RANGES:
        return [1]
    smallest, largest = _RANGES[port]
    largest = max(_LEAST_LARGEST, round(largest * scale))
    smallest = max(_SMALLEST, min(smallest, largest // 10))
    steps = max(_FEWEST, len(str(largest // smallest))) - 1
    return [round(smallest * (largest / smallest) ** (step / steps)) for step in range(steps + 1)]
