"""Two servers: a primary and a standby that streams from it, on this machine's sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clawdesk_postgres import server

__all__ = ["Pair", "replicated"]

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Pair:
    """A primary, its standby, and how to reach whichever takes writes."""

    primary: Path
    standby: Path

    @property
    def dsn(self) -> str:
        """The DSN of both."""
        hosts = f"{self.primary / 'data'},{self.standby}"
        return f"postgresql://postgres:@/postgres?host={hosts}&target_session_attrs=read-write"

    async def kill_primary(self) -> None:
        """End it by SIGKILL, for good."""
        await asyncio.to_thread(server.kill, self.primary)

    async def promote(self) -> None:
        """Make a primary of the standby."""
        await asyncio.to_thread(_run, "pg_ctl", "-w", "-D", str(self.standby / "data"), "promote")


@asynccontextmanager
async def replicated(*, synchronous: bool) -> AsyncGenerator[Pair, None]:
    """Start both, and have the primary wait for the standby with each commit, or not."""
    places = [Path(tempfile.mkdtemp(prefix=f"clawdesk-{name}-")) for name in ("first", "second")]
    pair = Pair(*places)
    try:
        dsn = await asyncio.to_thread(server.start, pair.primary)
        await asyncio.to_thread(_start_standby, pair)
        admin = await asyncpg.connect(dsn)
        if synchronous:
            await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            await admin.execute("SELECT pg_reload_conf()")
        expected = "sync" if synchronous else "async"
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while await admin.fetchval("SELECT sync_state FROM pg_stat_replication") != expected:
                await asyncio.sleep(0.05)
        await admin.close()
        yield pair
    finally:
        for place in places:
            server.kill(place)
            shutil.rmtree(place)


def _start_standby(pair: Pair) -> None:
    data, source = pair.standby / "data", pair.primary / "data"
    owner = source.stat()
    os.chown(pair.standby, owner.st_uid, owner.st_gid)
    origin = f"host={source} user=postgres application_name=standby"
    _run("pg_basebackup", "-d", origin, "-D", str(data), "-R", "-X", "stream", "-c", "fast")
    options = f'-h "" -k {pair.standby}'  # the primary's lock is copied, too, and lies in data
    _run("pg_ctl", "-w", "-D", str(data), "-l", str(data / "log"), "-o", options, "start")


def _run(command: str, *arguments: str) -> None:
    program = server.binaries() / command
    user = server.system_user()
    subprocess.run(
        [str(program), *arguments],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
