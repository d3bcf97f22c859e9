"""What goes wrong in the thread, as each caller is told."""

from __future__ import annotations

from copy import copy

from clawdesk_storage import StorageError, StorageIOError, translate_errors

__all__ = ["own_error"]


def own_error(error: BaseException) -> StorageError | ValueError:
    """Return a new exception for one of the callers of what failed with `error`."""
    stripped = _stripped(error)
    if isinstance(error, StorageError | ValueError):
        own = copy(error)
        own.__cause__ = error.__cause__
        return own
    try:
        with translate_errors({Exception: _told}):
            if isinstance(stripped, Exception):
                raise stripped
    except StorageError as translated:
        _stripped(translated)
        return translated
    # What would end the thread, or what a future does not take.
    broken = StorageIOError(f"the call was broken off: {type(error).__name__}")
    broken.__cause__ = stripped
    return broken


def _told(error: Exception) -> StorageError:
    return StorageIOError(str(error) or type(error).__name__)


def _stripped(error: BaseException) -> BaseException:
    """Return `error` without the frames it came through, in which other callers' values stand."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen.__context__ = None
        seen = seen.__cause__
    return error
