"""The in-memory stores by their URL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from clawdesk_storage.ports import Storage
from clawdesk_storage.testing.memory import MemoryStorage

__all__ = ["from_url"]


def from_url(url: str) -> AbstractAsyncContextManager[Storage]:
    """Return a new, empty storage for `memory:`, which has neither a place nor options.

    Raises:
        ValueError: Something follows the colon.
    """
    if url.partition(":")[2]:
        raise ValueError("what is in memory has no location and no options: type memory: alone")
    return MemoryStorage()
