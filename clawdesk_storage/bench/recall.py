"""Which share of the true nearest neighbours a store finds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clawdesk_storage.bench.data import Data
from clawdesk_storage.bench.load import TOP_K

__all__ = ["SEARCHES", "recall"]

SEARCHES = 20
"""How many searches the share is taken of."""


def recall(found: Sequence[Sequence[int]], size: int, seed: int) -> float:
    """Return the share of the nearest vectors that are among those found.

    Args:
        found: For each of the first searches the numbers of the vectors that came.
        size: How many are stored.
        seed: Where the data's randomness starts.
    """
    true = _nearest(size, seed)
    shared = sum(len(nearest & set(one)) for nearest, one in zip(true, found, strict=True))
    return shared / sum(map(len, true))


@lru_cache(maxsize=8)
def _nearest(size: int, seed: int) -> Sequence[set[int]]:
    """The numbers of the nearest vectors, found by comparing with all of them."""
    data = Data(seed)
    queries = data.queries[:SEARCHES].astype(np.float64)
    scores: NDArray[Any] = np.concatenate([queries @ block.T for block in data.blocks(size)], 1)
    order = np.argsort(-scores, axis=1)[:, :TOP_K]
    return [set(row) for row in order.tolist()]
