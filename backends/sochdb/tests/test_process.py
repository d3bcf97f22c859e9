"""What the storage does about its process: forks, the working directory, modes of files."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from clawdesk_storage import (
    ConnectionFailedError,
)

from clawdesk_sochdb import open_storage
from clawdesk_sochdb.worker import Worker


async def test_forked_child_is_refused(tmp_path: Path) -> None:
    """A worker that another process opened refuses calls; it does not wait for ever."""
    worker = Worker(tmp_path)
    await worker.open()
    child = os.fork()
    if not child:
        try:
            worker.check_open()
        except ConnectionFailedError:
            os._exit(7)
        os._exit(0)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    await worker.close()
    assert 7 == os.waitstatus_to_exitcode(status)


FORKED = """
import os, sys
from pathlib import Path
from clawdesk_sochdb.records import Records

records = Records(Path(sys.argv[1]))
child = os.fork()
if not child:
    sys.exit(0)  # in good order: what the child has of the parent's is finalized
os.waitpid(child, 0)
try:
    Records(Path(sys.argv[1]))
except Exception as error:
    print(error)
"""


def test_child_that_ends_leaves_the_parents_lock(tmp_path: Path) -> None:
    """Else another process could open the location, and two would write to one log."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "another handle has it" in done.stdout, done.stderr


async def test_working_directory_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative location stays where it was when it was opened."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with open_storage(Path("data")) as storage:
        monkeypatch.chdir(tmp_path / "elsewhere")
        await storage.config.save_config(await storage.config.get_config())
    assert [] == list((tmp_path / "elsewhere").iterdir())


async def test_what_it_makes_is_private(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600, after a reopening too.

    The engine's mark of an orderly close holds no records, and lies in a directory of mode 0700.
    """
    for _ in range(2):
        async with open_storage(tmp_path / "new" / "data") as storage:
            await storage.config.save_config(await storage.config.get_config())
    made = list((tmp_path / "new").rglob("*")) + [tmp_path / "new"]
    modes = {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode))
        for path in made
        if path.name != ".clean_shutdown"
    }
    assert {(True, 0o700), (False, 0o600)} == modes


FULL = """
import asyncio, resource, sys
from pathlib import Path
from clawdesk_sochdb import open_storage

async def main():
    async with open_storage(Path(sys.argv[1])):
        pass

# As on a full disk, no file can grow.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
asyncio.run(main())
"""


async def test_full_disk_is_not_another_handle(tmp_path: Path) -> None:
    """Where nothing can be written, opening says so."""
    async with open_storage(tmp_path) as storage:
        await storage.config.save_config(await storage.config.get_config())
    (tmp_path / "seal.json").unlink()
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True
    )
    assert "StorageIOError" in done.stderr.splitlines()[-1]
