"""What the four stores of one location share."""

from __future__ import annotations

from pathlib import Path

from clawdesk_storage import ConnectionFailedError

__all__ = ["Engine"]


class Engine:
    """What the four stores share: your connection, your files, your driver's client.

    Two things belong around every use of a driver. A call that blocks goes into a thread, with
    `await asyncio.to_thread(...)`. What the driver raises becomes one of the four errors, with
    `translate_errors` from `clawdesk_storage`.

    Args:
        location: The directory whose data these are. The same directory is the same data.
    """

    def __init__(self, location: Path) -> None:
        self.location = location
        self._closed = False

    def check_open(self) -> None:
        """Raise `ConnectionFailedError` once the storage has been closed."""
        if self._closed:
            raise ConnectionFailedError("the storage has been closed")

    async def close(self) -> None:
        """Refuse every later call, and let go of what was opened."""
        self._closed = True
