"""What counts as a call that has returned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from clawdesk_storage.conformance import Backend, Outcome, verify
from tests.mutants.filed import FiledStorage

SILENCE = 4.0


@asynccontextmanager
async def open_slowly(location: Path) -> AsyncGenerator[FiledStorage]:
    await asyncio.sleep(0.05)
    async with FiledStorage(location) as storage:
        yield storage


async def test_calls_in_another_process_count() -> None:
    """A law that lets one work for longer than a silence may last does not hang."""
    backend = Backend(open_slowly)
    report = await verify(backend, select=["DUR-02"], static=False, timeout=SILENCE)
    (result,) = (one for one in report.results if one.law.id == "DUR-02")
    assert (Outcome.PASSED, True) == (result.outcome, result.seconds > SILENCE), result.detail
