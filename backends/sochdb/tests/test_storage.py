"""Calls that are cancelled, overtaken by a close, or cut off by a kill."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clawdesk_storage import (
    ConnectionFailedError,
    Message,
    NotFoundError,
    Role,
    SerializationError,
    SessionId,
    StorageIOError,
)

from clawdesk_sochdb import SochDBStorage, open_storage
from clawdesk_sochdb.backend import backend

CONVERSATION = SessionId("one")

WRITER = """
import asyncio, os, sys
from pathlib import Path
from clawdesk_sochdb import open_storage
from clawdesk_storage import Message, Role, SessionId

async def main():
    async with open_storage(Path(sys.argv[1])) as storage:
        for number in range(1_000_000):
            message = Message(role=Role.USER, content=f"{number} " + "x" * int(sys.argv[2]))
            await storage.conversations.append_message(SessionId("one"), message)
            os.write(1, b".")

asyncio.run(main())
"""

LEAVER = """
import asyncio, sys
from pathlib import Path
from clawdesk_sochdb import open_storage
from clawdesk_storage import Message, Role, SessionId

async def main():
    storage = await open_storage(Path(sys.argv[1])).__aenter__()
    appends = [
        asyncio.create_task(
            storage.conversations.append_message(
                SessionId("one"), Message(role=Role.USER, content=str(number))
            )
        )
        for number in range(100)
    ]
    await appends[0]
    sys.exit()

asyncio.run(main())
"""


CLOSER = """
import asyncio, sys
from pathlib import Path
from clawdesk_sochdb import open_storage
from clawdesk_storage import Message, Role, SessionId

async def main():
    for number in range(10):
        async with open_storage(Path(sys.argv[1])) as storage:
            message = Message(role=Role.USER, content="in flight")
            appends = [
                asyncio.create_task(
                    storage.conversations.append_message(SessionId(str(task)), message)
                )
                for task in range(20)
            ]
            await appends[0]
        await asyncio.gather(*appends)

asyncio.run(main())
"""


async def append(storage: SochDBStorage, content: str) -> None:
    """Append a message to the one conversation."""
    message = Message(role=Role.USER, content=content)
    await storage.conversations.append_message(CONVERSATION, message)


async def contents(storage: SochDBStorage) -> list[str]:
    """Return what the messages of the one conversation say."""
    messages = await storage.conversations.get_messages(CONVERSATION, limit=sys.maxsize)
    return [message.content for message in messages]


@pytest.mark.parametrize("steps", range(6))
async def test_cancelled_append_is_whole_or_absent(tmp_path: Path, steps: int) -> None:
    """Wherever a cancellation falls, the conversation goes on without a gap."""
    async with open_storage(tmp_path) as storage:
        await append(storage, "before")
        task = asyncio.create_task(append(storage, "cancelled"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await append(storage, "after")
        assert await contents(storage) in (["before", "after"], ["before", "cancelled", "after"])


async def test_cancelled_opening_keeps_no_lock(tmp_path: Path) -> None:
    """A location whose opening was cancelled can be opened."""
    task = asyncio.create_task(open_storage(tmp_path).__aenter__())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with open_storage(tmp_path) as storage:
        assert await contents(storage) == []


async def test_appends_asked_for_together_share_a_commit(tmp_path: Path) -> None:
    """Many tasks wait for the disk together: their log holds fewer commits than one task's."""
    size: dict[str, int] = {}
    for name, together in (("together", True), ("apart", False)):
        async with open_storage(tmp_path / name) as storage:
            if together:
                await asyncio.gather(*(append(storage, "content") for _ in range(50)))
            else:
                for _ in range(50):
                    await append(storage, "content")
        size[name] = (tmp_path / name / "sochdb" / "wal.log").stat().st_size
    assert size["together"] < size["apart"]


async def test_refused_write_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    """Of writes that are committed together each is answered for itself."""
    async with open_storage(tmp_path) as storage:
        await storage.vectors.upsert("first", [1.0, 0.0], metadata=None)
        answers = await asyncio.gather(
            storage.vectors.upsert("before", [0.0, 1.0], metadata=None),
            storage.vectors.upsert("refused", [1.0, 0.0, 0.0], metadata=None),
            storage.vectors.upsert("after", [0.6, 0.8], metadata=None),
            return_exceptions=True,
        )
        found = {hit.id for hit in await storage.vectors.search([1.0, 0.0], top_k=10)}
    assert ([type(one) for one in answers], found) == (
        [type(None), ValueError, type(None)],
        {"first", "before", "after"},
    )


async def test_calls_in_flight_outlive_the_close(tmp_path: Path) -> None:
    """Calls made before the storage is closed finish, and what they stored is there."""
    async with open_storage(tmp_path) as storage:
        appends = [asyncio.create_task(append(storage, str(number))) for number in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*appends)
    async with open_storage(tmp_path) as storage:
        assert [str(number) for number in range(50)] == await contents(storage)


async def test_close_waits_for_every_kind_of_call(tmp_path: Path) -> None:
    """Reads, writes and searches in flight are answered before the engine is closed under them."""
    async with open_storage(tmp_path) as storage:
        await storage.vectors.upsert("a", [1.0, 0.0], metadata=None)
        calls = [
            asyncio.create_task(call)
            for number in range(50)
            for call in (
                append(storage, str(number)),
                storage.sessions.list(10, 0),
                storage.vectors.search([1.0, 0.0], top_k=1),
            )
        ]
        await asyncio.sleep(0)
    assert [None] * len(calls) == [call.done() and call.exception() for call in calls]


async def test_process_ends_after_an_overtaken_close(tmp_path: Path) -> None:
    """A process that closes again and again while calls are in flight neither crashes nor hangs."""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CLOSER, str(tmp_path)], timeout=60, check=False
    )
    assert done.returncode == 0


async def test_killed_writer_locks_nobody_out(tmp_path: Path) -> None:
    """The engine's concurrent mode, whose lock a killed writer keeps for ever, is not used."""
    async with open_storage(tmp_path) as storage:
        await append(storage, "one")
        files = os.listdir(tmp_path / "sochdb")
    assert ("wal.log" in files, ".mvcc_metadata" in files) == (True, False)


async def test_calls_after_the_close_are_refused(tmp_path: Path) -> None:
    """A call that starts after the close raises, whatever its arguments."""
    async with open_storage(tmp_path) as storage:
        pass
    with pytest.raises(ConnectionFailedError, match="closed"):
        await storage.conversations.get_messages(SessionId(""), limit=-1)


async def test_second_handle_is_refused(tmp_path: Path) -> None:
    """While a storage is open another handle on it is `ConnectionFailedError`."""
    async with open_storage(tmp_path):
        with pytest.raises(ConnectionFailedError, match="another handle has it"):
            await open_storage(tmp_path).__aenter__()


@pytest.mark.parametrize("obstacle", ["", "sochdb"])
async def test_file_in_the_way_is_named(tmp_path: Path, obstacle: str) -> None:
    """A file where a directory has to be is `StorageIOError`, not a handle that is in the way."""
    location = tmp_path / "data"
    (location / obstacle).parent.mkdir(exist_ok=True)
    (location / obstacle).write_text("a file")
    with pytest.raises(StorageIOError, match=r"data"):
        await open_storage(location).__aenter__()


async def test_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """What the operating system refuses is `StorageIOError` and names the file."""
    (tmp_path / "sochdb" / "wal.log").mkdir(parents=True)
    with pytest.raises(StorageIOError, match=r"wal\.log"):
        await open_storage(tmp_path).__aenter__()


async def test_removed_log_is_not_written_to(tmp_path: Path) -> None:
    """Nothing is acknowledged once the location is gone: nobody could open it again."""
    async with open_storage(tmp_path / "data") as storage:
        await append(storage, "before")
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        with pytest.raises(NotFoundError, match=r"wal\.log was removed while open"):
            await append(storage, "after")


async def test_replaced_log_is_not_written_to(tmp_path: Path) -> None:
    """Nothing is acknowledged in a log that another one has taken the place of."""
    log = tmp_path / "sochdb" / "wal.log"
    async with open_storage(tmp_path) as storage:
        await append(storage, "before")
        (tmp_path / "other").write_bytes(log.read_bytes())
        (tmp_path / "other").replace(log)
        with pytest.raises(NotFoundError, match="was replaced by another file"):
            await append(storage, "after")


async def test_long_ids_work(tmp_path: Path) -> None:
    """An id can be longer than a length of two bytes can say, after reopening too."""
    id = SessionId("x" * 70_000)
    async with open_storage(tmp_path) as storage:
        await storage.conversations.append_message(id, Message(role=Role.USER, content="a"))
    async with open_storage(tmp_path) as storage:
        found = await storage.conversations.get_messages(id, limit=10)
    assert ["a"] == [message.content for message in found]


def written_until_killed(location: Path, size: int) -> int:
    """Kill a process that appends messages; return how many were acknowledged to it."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(location), str(size)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        dots = writer.stdout.read(5)
        writer.kill()
        return len(dots + writer.stdout.read())


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_killed_process_loses_nothing_acknowledged(tmp_path: Path, size: int) -> None:
    """Kill after kill, all that was acknowledged is there, in order, and goes on from there."""
    expected = 0
    for _ in range(3):
        acknowledged = await asyncio.to_thread(written_until_killed, tmp_path, size)
        async with open_storage(tmp_path) as storage:
            found = [content.partition(" ")[0] for content in await contents(storage)]
        # The message in flight may be there without having been acknowledged.
        assert len(found) - expected - acknowledged in (0, 1)
        assert [str(number) for number in range(len(found) - expected)] == found[expected:]
        expected = len(found)


def test_exit_with_calls_in_flight_is_clean(tmp_path: Path) -> None:
    """A process that ends without closing, calls under way, ends without a crash."""
    done = subprocess.run([sys.executable, "-c", LEAVER, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 0


async def test_damaged_count_is_not_overwritten(tmp_path: Path) -> None:
    """An append to a damaged conversation raises and leaves the damage to be seen."""
    async with open_storage(tmp_path) as storage:
        await append(storage, "first")
    assert backend.corrupt is not None
    await backend.corrupt(tmp_path, "conversations")
    async with open_storage(tmp_path) as storage:
        for call in (append(storage, "second"), contents(storage)):
            with pytest.raises(SerializationError, match="'one'"):
                await call


async def test_damaged_conversation_can_be_cleared(tmp_path: Path) -> None:
    """After a clear the conversation starts anew, whatever was damaged in it."""
    async with open_storage(tmp_path) as storage:
        await append(storage, "first")
    assert backend.corrupt is not None
    await backend.corrupt(tmp_path, "conversations")
    async with open_storage(tmp_path) as storage:
        await storage.conversations.clear(CONVERSATION)
        await append(storage, "second")
        found = await contents(storage)
    assert found == ["second"]
