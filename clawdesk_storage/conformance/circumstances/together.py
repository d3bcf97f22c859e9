"""Several calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

__all__ = ["together"]


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """Await all calls at once and return their results in order.

    The first failure is raised once all have ended, so that none goes on behind a law's back.
    """
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes
