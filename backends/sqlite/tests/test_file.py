"""What happens where the file is not as it should be."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from clawdesk_storage import (
    AppConfig,
    Message,
    NotFoundError,
    Role,
    SerializationError,
    SessionId,
    StorageIOError,
)

from clawdesk_sqlite import SQLiteStorage, open_storage
from clawdesk_sqlite.file import execute
from clawdesk_sqlite.schema import APPLICATION

A = SessionId("a")

OPEN = """
import asyncio, os, sys
from pathlib import Path
from clawdesk_sqlite import open_storage
from clawdesk_storage import Message, Role, SessionId, StorageIOError

async def main(location):
    async with open_storage(location) as storage:
        for number in range(20):
            message = Message(role=Role.USER, content=str(number))
            await storage.conversations.append_message(SessionId("a"), message)
"""

CREATE = OPEN + "asyncio.run(main(Path(sys.argv[1])))"

OPEN_UNPRIVILEGED = (
    OPEN
    + """
import concurrent.futures.thread  # now: nobody may not be allowed to read the library
if os.geteuid() == 0:
    os.setuid(65534)
try:
    asyncio.run(main(Path(sys.argv[1])))
except StorageIOError as error:
    print(type(error.__cause__).__name__)
"""
)


def message(content: str) -> Message:
    """A message that says `content`."""
    return Message(role=Role.USER, content=content)


def database(path: Path, *statements: str) -> None:
    """Make a database at `path` that this backend did not make."""
    path.parent.mkdir()
    connection = apsw.Connection(str(path))
    for statement in statements:
        execute(connection, statement)
    connection.close()


@contextmanager
def files_limited_to(size: int) -> Generator[None, None, None]:
    """Let the system refuse to make any file larger than `size` bytes, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def refusal(location: Path) -> Exception:
    """Return what opening `location` raises."""
    with pytest.raises((SerializationError, StorageIOError)) as caught:
        async with open_storage(location):
            pass
    return caught.value


async def test_a_newer_version_is_refused(location: Path, path: Path) -> None:
    """A file of a later schema is refused by name, with what to do."""
    ours = f"PRAGMA application_id = {APPLICATION}"
    database(path, "CREATE TABLE sessions (id)", ours, "PRAGMA user_version = 99")
    error = await refusal(location)
    assert (SerializationError, True) == (type(error), "upgrade clawdesk-sqlite" in str(error))


async def test_another_programs_database_is_refused(location: Path, path: Path) -> None:
    """A database with tables and no version is not taken over."""
    database(path, "CREATE TABLE theirs (id)")
    error = await refusal(location)
    assert (SerializationError, True) == (type(error), "another program" in str(error))


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 99", "CREATE TABLE theirs (id)"])
async def test_a_refused_database_stays_as_it_was(
    statement: str, location: Path, path: Path
) -> None:
    """Not a byte of a file changes that is not ours, and nothing is left beside it."""
    database(path, statement)
    before = path.read_bytes()
    await refusal(location)
    assert ([path], before) == (list(location.iterdir()), path.read_bytes())


async def test_what_is_no_database_is_refused(location: Path, path: Path) -> None:
    """Any other file is refused with the driver's error as the cause."""
    location.mkdir()
    path.write_bytes(b"notes, not tables\n" * 100)
    error = await refusal(location)
    assert (SerializationError, apsw.NotADBError) == (type(error), type(error.__cause__))


async def test_what_is_no_database_stays_as_it_was(location: Path, path: Path) -> None:
    """Any other file is left alone."""
    location.mkdir()
    path.write_bytes(b"notes, not tables\n" * 100)
    await refusal(location)
    assert b"notes, not tables\n" * 100 == path.read_bytes()


async def test_a_location_that_is_a_file_is_refused(location: Path) -> None:
    """Where no directory can be, the system's own error is the cause."""
    location.write_text("a file")
    error = await refusal(location)
    assert (StorageIOError, FileExistsError) == (type(error), type(error.__cause__))


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Whoever may not create the file gets a `StorageIOError` with the error as its cause."""
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    command = [sys.executable, "-c", OPEN_UNPRIVILEGED, str(tmp_path)]
    assert (
        "PermissionError\n"
        == subprocess.run(command, check=False, capture_output=True, text=True).stdout
    )


async def test_a_full_disk_is_an_io_error(storage: SQLiteStorage) -> None:
    """A write that finds no room says so."""
    with files_limited_to(64 * 1024), pytest.raises(StorageIOError) as caught:
        await storage.conversations.append_message(A, message("x" * 1_000_000))
    assert isinstance(caught.value.__cause__, apsw.Error)


async def test_a_full_disk_loses_nothing(storage: SQLiteStorage) -> None:
    """What was acknowledged stays, what was refused is not there, and room makes it work again."""
    await storage.conversations.append_message(A, message("before"))
    with files_limited_to(64 * 1024), pytest.raises(StorageIOError):
        await storage.conversations.append_message(A, message("x" * 1_000_000))
    await storage.conversations.append_message(A, message("after"))
    found = await storage.conversations.get_messages(A, limit=10)
    assert ["before", "after"] == [one.content for one in found]


async def test_writing_to_a_removed_file_is_refused(storage: SQLiteStorage, path: Path) -> None:
    """Nothing is acknowledged into a file that nobody can open again."""
    path.unlink()
    with pytest.raises(NotFoundError):
        await storage.config.save_config(AppConfig())


async def test_reading_a_removed_file_is_refused(storage: SQLiteStorage, path: Path) -> None:
    """A file that is gone does not look like an empty store."""
    path.unlink()
    with pytest.raises(NotFoundError):
        await storage.config.get_config()


async def test_a_missing_table_is_not_found(storage: SQLiteStorage, path: Path) -> None:
    """What the storage itself needs, and somebody dropped, is `NotFoundError`."""
    connection = apsw.Connection(str(path))
    execute(connection, "DROP TABLE config")
    connection.close()
    with pytest.raises(NotFoundError):
        await storage.config.get_config()


async def test_a_file_that_many_handles_create(location: Path) -> None:
    """Whoever comes first makes the tables; all the others find them."""

    async def create(number: int) -> None:
        async with open_storage(location) as storage:
            await storage.conversations.append_message(A, message(str(number)))

    await asyncio.gather(*(create(number) for number in range(8)))
    async with open_storage(location) as storage:
        assert 8 == len(await storage.conversations.get_messages(A, limit=100))


async def test_a_file_that_several_processes_create(location: Path) -> None:
    """Processes that start together on an absent file all open it and lose nothing."""
    command = [sys.executable, "-c", CREATE, str(location)]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [0, 0, 0, 0] == [child.wait() for child in children]
    async with open_storage(location) as storage:
        assert 80 == len(await storage.conversations.get_messages(A, limit=100))
