"""What a store must leave as it is: the arguments of its callers, and what it has returned."""

from __future__ import annotations

import pickle
from typing import Any, Final

from clawdesk_storage.conformance.telling.difference import brief, difference

__all__ = ["Untouched", "copied", "touched"]

_MOST_KEPT: Final = 3_000
_LARGEST: Final = 50_000
"""Bytes: a larger answer is not kept, for there are smaller ones of its kind."""


def copied(value: object) -> bytes | None:
    """Return what tells later whether the value is still the same; None if nothing does."""
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001  (laws pass on what can be neither stored nor pickled)
        return None


def touched(value: object, copy: bytes | None) -> list[str]:
    """Say how a value has changed since it was copied; nothing if it has not."""
    now = None if copy is None else copied(value)
    if copy is None or now is None or now == copy:
        return []
    was: Any = pickle.loads(copy)  # noqa: S301  (our own copy)
    return [f"{brief(was)} has become {brief(value)}", *difference(was, value)]


class Untouched:
    """What a storage has returned, with copies."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, object, bytes]] = []

    def keep(self, what: str, result: object) -> None:
        """Keep a copy of what a call has returned."""
        if result is None or len(self._kept) >= _MOST_KEPT:
            return
        copy = copied(result)
        if copy is not None and len(copy) <= _LARGEST:
            self._kept.append((what, result, copy))

    def settle(self) -> list[str]:
        """Say what has changed since it was returned, if anything has; then keep nothing more."""
        kept, self._kept = self._kept, []
        for what, result, copy in kept:
            lines = touched(result, copy)
            if lines:
                return [f"what {what} returned has changed since", *lines]
        return []
