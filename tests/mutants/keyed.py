"""A dict that takes different keys for the same, as a collation, a file system or a hash does."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Keyed", "cut", "hashed", "normalised"]

_Key = TypeVar("_Key", bound=str)
_Value = TypeVar("_Value")


class Keyed(dict[_Key, _Value]):
    """A dict whose keys are the same if `alike` makes the same of them.

    As with a collation, the spelling that was stored first is the one that is kept.
    """

    def __init__(self, alike: Callable[[str], str]) -> None:
        super().__init__()
        self._alike = alike
        self._spelled: dict[str, _Key] = {}

    def _stored(self, key: _Key) -> _Key:
        return self._spelled.get(self._alike(key), key)

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(self._spelled.setdefault(self._alike(key), key), value)

    def __getitem__(self, key: _Key) -> _Value:
        return super().__getitem__(self._stored(key))

    def get(self, key: _Key, default: Any = None) -> Any:
        return super().get(self._stored(key), default)

    def setdefault(self, key: _Key, default: Any = None) -> Any:
        return super().setdefault(self._spelled.setdefault(self._alike(key), key), default)

    def pop(self, key: _Key, default: Any = None) -> Any:
        stored = self._stored(key)
        self._spelled.pop(self._alike(key), None)
        return super().pop(stored, default)


def normalised(id: str) -> str:
    """Make composed and decomposed characters the same, as some file systems do."""
    return unicodedata.normalize("NFC", id)


def cut(id: str) -> str:
    """Keep what fits into VARCHAR(255)."""
    return id[:255]


def hashed(id: str) -> str:
    """Make a short key, as who wants keys of fixed length does."""
    return f"{zlib.crc32(id.encode()):08x}"
