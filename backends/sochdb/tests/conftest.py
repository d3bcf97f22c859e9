"""Where the laws put their locations."""

import shutil
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ENOUGH = 1024**3


@pytest.fixture(autouse=True)
def in_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the conformance suite work in a file system in memory, where there is one.

    The engine waits for the disk at each of tens of thousands of commits, and no law cuts the
    power, so that nothing but the wait is lost. The tests of kills and torn logs stay on the disk.
    """
    if request.path.name != "test_conformance.py" or not MEMORY.is_dir():
        return
    if shutil.disk_usage(MEMORY).free > ENOUGH:
        monkeypatch.setattr(tempfile, "tempdir", str(MEMORY))
