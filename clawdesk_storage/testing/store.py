"""What the stores in memory have in common."""

from __future__ import annotations

from clawdesk_storage.errors import ConnectionFailedError

__all__ = ["Store"]


class Store:
    """One that can be closed."""

    _closed = False

    def close(self) -> None:
        """Make every later call raise `ConnectionFailedError`."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")
