"""Text that came from a store, made fit to be shown."""

from __future__ import annotations

from typing import Any, cast

__all__ = ["printable", "printable_throughout"]


def printable(text: str) -> str:
    """Return a text with escapes for what cannot be seen: controls, surrogates, bidi marks.

    XML has no way at all to write most of them, and a page that obeys them lies about the rest.
    """
    return "".join(one if one in "\n\t" or one.isprintable() else ascii(one)[1:-1] for one in text)


def printable_throughout(value: object) -> Any:
    """Return a JSON value with every text in it printable, keys too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [printable_throughout(one) for one in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {printable(key): printable_throughout(one) for key, one in members.items()}
    return value
