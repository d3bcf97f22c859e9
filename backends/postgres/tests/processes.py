"""Python in other processes, for tests of what several of them do together."""

from __future__ import annotations

import asyncio
import sys

__all__ = ["run_all"]


async def run_all(source: str, arguments: list[list[str]]) -> list[str]:
    """Run `source` in one process for each list of arguments, at once.

    Returns:
        What each printed.
    """
    return await asyncio.gather(*(_run(source, each) for each in arguments))


async def _run(source: str, arguments: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the process {arguments} ended with {process.returncode}")
    return output.decode()
