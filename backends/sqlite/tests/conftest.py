"""What the tests of this backend share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawdesk_sqlite import SQLiteStorage, open_storage


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "store"


@pytest.fixture
def path(location: Path) -> Path:
    """Where the storage at `location` keeps its file."""
    return location / "clawdesk.sqlite3"


@pytest.fixture
async def storage(location: Path) -> AsyncIterator[SQLiteStorage]:
    """An open, empty storage at `location`."""
    async with open_storage(location) as storage:
        yield storage
