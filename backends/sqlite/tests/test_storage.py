"""Opening, closing, and sharing the file."""

import asyncio
from pathlib import Path

import apsw
import pytest
from clawdesk_storage import (
    AppConfig,
    ChannelId,
    ConnectionFailedError,
    Message,
    Role,
    SerializationError,
    Session,
    SessionId,
    Storage,
)

from clawdesk_sqlite import SQLiteStorage, open_storage
from clawdesk_sqlite.backend import corrupt
from clawdesk_sqlite.file import execute

A = SessionId("a")
HELLO = Message(role=Role.USER, content="hello, hello, hello")


def test_it_is_a_storage(storage: SQLiteStorage) -> None:
    """The type checker and `isinstance` agree that it has the four ports."""
    typed: Storage = storage
    assert isinstance(typed, Storage)


async def test_calls_in_flight_finish_when_it_closes(location: Path) -> None:
    """Neither side hangs: what was under way is done, or refused as closed."""
    async with open_storage(location) as storage:
        calls = [
            asyncio.ensure_future(call)
            for _ in range(50)
            for call in (
                storage.conversations.append_message(A, HELLO),
                storage.conversations.get_messages(A, limit=5),
                storage.vectors.search([1, 0], top_k=1),
            )
        ]
        await asyncio.sleep(0)
    results = await asyncio.gather(*calls, return_exceptions=True)
    errors = [type(result) for result in results if isinstance(result, BaseException)]
    assert [] == [kind for kind in errors if kind is not ConnectionFailedError]


async def test_what_was_acknowledged_while_closing_is_there(location: Path) -> None:
    """A call that returned without an error has taken place."""
    async with open_storage(location) as storage:
        appends = [
            asyncio.ensure_future(storage.conversations.append_message(A, HELLO)) for _ in range(50)
        ]
        await asyncio.sleep(0)
    results = await asyncio.gather(*appends, return_exceptions=True)
    async with open_storage(location) as storage:
        found = await storage.conversations.get_messages(A, limit=100)
    assert results.count(None) == len(found)


async def test_a_closed_storage_leaves_one_file(location: Path, path: Path) -> None:
    """The log is merged into it: the file alone is a backup."""
    async with open_storage(location) as storage:
        await storage.conversations.append_message(A, HELLO)
    assert [path] == list(location.iterdir())


async def test_a_cancelled_block_closes_the_storage(location: Path) -> None:
    """Whoever is cancelled inside the block leaves nothing open."""

    async def use() -> None:
        async with open_storage(location) as storage:
            await storage.conversations.append_message(A, HELLO)
            opened.set_result(storage)
            await asyncio.Event().wait()

    opened: asyncio.Future[SQLiteStorage] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(use())
    storage = await opened
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(ConnectionFailedError):
        await storage.config.get_config()


async def test_reads_do_not_wait_for_a_writer(storage: SQLiteStorage, path: Path) -> None:
    """Another process in the middle of a transaction does not hold up a reader."""
    await storage.conversations.append_message(A, HELLO)
    other = apsw.Connection(str(path))
    execute(other, "BEGIN IMMEDIATE")
    execute(other, "DELETE FROM messages")
    found = await storage.conversations.get_messages(A, limit=1)
    other.close()
    assert [HELLO] == found


async def test_acknowledged_means_on_disk(storage: SQLiteStorage, path: Path) -> None:
    """The file has a write-ahead log, and what is acknowledged is in it or in the file."""
    await storage.conversations.append_message(A, HELLO)
    other = apsw.Connection(str(path))
    mode = execute(other, "PRAGMA journal_mode")
    other.close()
    assert [("wal",)] == mode


@pytest.mark.parametrize("port", ["sessions", "conversations", "config"])
async def test_a_changed_bit_is_damage(port: str, location: Path) -> None:
    """Even where what is left can be read as JSON."""
    async with open_storage(location) as storage:
        await storage.sessions.save(Session(id=A, channel=ChannelId("c"), system_prompt="x" * 999))
        await storage.conversations.append_message(A, HELLO)
        await storage.config.save_config(AppConfig())
    await corrupt(location, port)
    async with open_storage(location) as storage:
        read = {
            "sessions": lambda: storage.sessions.list(10, 0),
            "conversations": lambda: storage.conversations.get_messages(A, limit=10),
            "config": storage.config.get_config,
        }
        with pytest.raises(SerializationError, match="checksum"):
            await read[port]()


async def test_a_backup_made_while_open_can_be_opened(
    storage: SQLiteStorage, path: Path, tmp_path: Path
) -> None:
    """`VACUUM INTO` gives a file that is a storage by itself."""
    await storage.conversations.append_message(A, HELLO)
    copy = tmp_path / "copy"
    copy.mkdir()
    other = apsw.Connection(str(path))
    execute(other, "VACUUM INTO ?", str(copy / path.name))
    other.close()
    async with open_storage(copy) as restored:
        assert [HELLO] == await restored.conversations.get_messages(A, limit=10)
