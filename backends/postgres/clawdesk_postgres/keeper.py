"""The process that keeps a run's server: `python -m clawdesk_postgres.keeper DIRECTORY PID`.

It returns once the server answers, and leaves a copy of itself behind that waits for the process
PID to end, or to be told so by a signal, and then stops the server or drops the run's schemas.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import asyncpg

from clawdesk_postgres import server
from clawdesk_postgres.run import GIVEN
from clawdesk_postgres.tables import quoted

_POLL_SECONDS = 0.2


def main(place: Path, root: int) -> None:
    """Keep the server of the run in `place` until the process `root` has ended."""
    os.umask(0o077)
    given = os.environ.get(GIVEN)
    dsn = None if given else server.start(place)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if keeper := os.fork():
        if dsn is not None:
            (place / "dsn").write_text(dsn)
        (place / "keeper").write_text(str(keeper))
        os._exit(0)
    try:
        _wait_for_end(root)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if given:
        asyncio.run(_drop(given, [path.name for path in (place / "schemas").iterdir()]))
    else:
        server.kill(place)
    shutil.rmtree(place)


def _wait_for_end(root: int) -> None:
    while True:
        try:
            os.kill(root, 0)
        except ProcessLookupError:
            return
        time.sleep(_POLL_SECONDS)


async def _drop(dsn: str, schemas: list[str]) -> None:
    connection = await asyncpg.connect(dsn)
    for schema in schemas:
        await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
    await connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
