"""This backend as the conformance suite knows it."""

from __future__ import annotations

from clawdesk_storage.conformance import Backend

from .storage import open_storage

__all__ = ["backend"]

# A claim that is not made shows in the report, and its laws do not count. Once one holds, take its
# line away: both are claimed unless they are said to be False.
backend: Backend = Backend(
    open_storage,
    durable=False,  # what is acknowledged outlives the process: clawdesk-storage laws DUR
    shared=False,  # two handles see each other's writes at once: clawdesk-storage laws SHR
)
