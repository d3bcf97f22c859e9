"""What the stores in memory have in common."""

from __future__ import annotations

from clawdesk_storage.errors import ConnectionFailedError

__all__ = ["Store"]


class Store:
    """One that can be closed, and that numbers its writes."""

    _closed = False
    _given = 0

    def close(self) -> None:
        """Make every later call raise `ConnectionFailedError`."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")

    def _next(self) -> int:
        """Return a number that was never given before."""
        self._given += 1
        return self._given
