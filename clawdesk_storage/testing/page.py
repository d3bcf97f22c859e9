"""A page of ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from clawdesk_storage.arguments import check_id, check_limit

__all__ = ["page_of"]

_Id = TypeVar("_Id", bound=str)


def page_of(ids: Iterable[_Id], after: _Id | None, limit: int) -> Sequence[_Id]:
    """Return the first `limit` of the ids beyond `after`, in code-point order."""
    limit = check_limit(limit)
    if after is None:
        return sorted(ids)[:limit]
    check_id(after, "after")
    return sorted(id for id in ids if id > after)[:limit]
