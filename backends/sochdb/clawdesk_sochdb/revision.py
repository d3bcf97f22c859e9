"""What tells one save from every other: 128 random bits before the record."""

from __future__ import annotations

import secrets

__all__ = ["record_of", "revise", "revision_of"]

_SIZE = 16


def revise(record: bytes) -> bytes:
    """Return a record with a revision that no other save has, nor ever had."""
    return secrets.token_bytes(_SIZE) + record


def revision_of(revised: bytes) -> str:
    """Return the revision's token."""
    return revised[:_SIZE].hex()


def record_of(revised: bytes) -> bytes:
    """Return the record without its revision."""
    return revised[_SIZE:]
