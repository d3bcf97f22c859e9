"""Revisions: a random token for every save, so that none comes back."""

from __future__ import annotations

__all__ = ["REVISION", "as_text"]

REVISION = "coalesce(revision::text, 'first')"
"""The token in SQL; a row that version 1 has written gets its own with the next save."""


def as_text(revision: str) -> str:
    """Return a token as the server takes it: one that is no token of ours is stale like others."""
    return revision if revision.isascii() and "\0" not in revision else ""
