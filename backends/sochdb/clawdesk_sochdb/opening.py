"""The storage by its URL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from clawdesk_storage import location_of

from clawdesk_sochdb.storage import SochDBStorage, open_storage

__all__ = ["from_url"]


def from_url(url: str) -> AbstractAsyncContextManager[SochDBStorage]:
    """Return the storage in the directory that `url` names, to be opened by `async with`.

    Args:
        url: `sochdb:data` is relative, and `sochdb:///var/lib/gateway` absolute.

    Raises:
        ValueError: It names no directory, or an option, of which there are none.
    """
    return open_storage(location_of(url))
