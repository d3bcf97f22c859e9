"""One run: a process, its children, and the server and the schemas that they share.

The first process names the run in its environment, which its children inherit. Whichever of them
needs the server first starts a keeper: a process that brings the server up, waits for the first
process to end, however it ends, and tidies up.
"""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from clawdesk_storage import ConnectionFailedError

__all__ = ["GIVEN", "directory", "dsn"]

GIVEN = "CLAWDESK_POSTGRES_DSN"
"""The variable that names a server to use instead of starting one."""

_RUN = "CLAWDESK_POSTGRES_RUN"
_PATIENCE_SECONDS = 30.0


def directory() -> Path:
    """Return what this run's processes share; the first to ask names it for its children too.

    It lies in the system's directory for temporary files, and need not exist yet.
    """
    if _RUN not in os.environ:
        name = f"clawdesk-postgres-{os.getpid()}-{secrets.token_hex(4)}"
        os.environ[_RUN] = str(Path(tempfile.gettempdir()).resolve() / name)
        atexit.register(_end, Path(os.environ[_RUN]), os.getpid())
    return Path(os.environ[_RUN])


def dsn(schema: str) -> str:
    """Return the DSN of this run's server, and note `schema` to be dropped at the end.

    Blocks for a second or two where the server has to be started.

    Raises:
        ConnectionFailedError: The server does not start.
    """
    place = directory()
    (place / "schemas").mkdir(parents=True, exist_ok=True)
    (place / "schemas" / schema).touch()
    with _locked(place / "lock"):
        if not (place / "dsn").exists():
            _start_keeper(place)
        return (place / "dsn").read_text()


@contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    # Not on Windows; but only verification locks, and `connect` must be importable there.
    import fcntl  # noqa: PLC0415

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start_keeper(place: Path) -> None:
    root = place.name.split("-")[2]
    command = [sys.executable, "-m", "clawdesk_postgres.keeper", str(place), root]
    log = place / "log"
    with log.open("ab") as output:
        # A session of its own: an interrupt from the terminal must not end it before us.
        keeper = subprocess.run(  # noqa: S603
            command, check=False, stdout=output, stderr=output, start_new_session=True
        )
    if keeper.returncode:
        raise ConnectionFailedError(f"no PostgreSQL server could be started: {log.read_text()}")


def _end(place: Path, root: int) -> None:
    """Have the keeper tidy up, and wait for that; a forked child leaves it to its parent."""
    if os.getpid() != root:
        return
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((place / "keeper").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while place.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
