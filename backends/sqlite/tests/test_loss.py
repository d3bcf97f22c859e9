"""Nothing that was acknowledged is lost, and nothing that was refused comes back."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from clawdesk_storage import (
    ConnectionFailedError,
    Message,
    NotFoundError,
    Role,
    SerializationError,
    SessionId,
    StorageError,
)

from clawdesk_sqlite import SQLiteStorage, open_storage
from clawdesk_sqlite.file import execute

A = SessionId("a")

FAILING_FLUSH = """
import asyncio, os, signal, sys
from pathlib import Path
import apsw
failing = int(sys.argv[2])

class File(apsw.VFSFile):
    def __init__(self, name, flags):
        super().__init__("unix", name, flags)
        self.is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
    def xSync(self, flags):
        global failing
        if self.is_log and armed and failing:
            failing -= 1
            raise apsw.IOError("no flush")
        super().xSync(flags)

class VFS(apsw.VFS):
    def __init__(self):
        super().__init__("failing", "unix", makedefault=True)
    def xOpen(self, name, flags):
        return File(name, flags)

armed = False
vfs = VFS()
from clawdesk_sqlite import open_storage
from clawdesk_storage import Message, Role, SessionId, StorageIOError

async def main(location):
    global armed
    async with open_storage(location) as storage:
        append = storage.conversations.append_message
        await append(SessionId("a"), Message(role=Role.USER, content="kept"))
        armed = True
        refused = [append(SessionId("a"), Message(role=Role.USER, content="no")) for _ in range(3)]
        for error in await asyncio.gather(*refused, return_exceptions=True):
            print(type(error).__name__, "may have taken place" in str(error))
        try:
            await append(SessionId("a"), Message(role=Role.USER, content="next"))
            print("next")
        except StorageIOError:
            print("refused")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(Path(sys.argv[1])))
"""


def message(content: str) -> Message:
    """A message that says `content`."""
    return Message(role=Role.USER, content=content)


async def contents(storage: SQLiteStorage) -> list[str]:
    """What the conversation says."""
    return [one.content for one in await storage.conversations.get_messages(A, limit=10**6)]


def writer_of(storage: SQLiteStorage) -> Any:
    """The thread that writes, with what is private to it."""
    engine: Any = vars(storage.conversations)["_engine"]
    return engine._writer


def in_a_fork(work: Callable[[], Awaitable[str]]) -> str:
    """What `work` returns in a forked process, which runs a loop of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            asyncio.events._set_running_loop(None)
            os.write(writing, asyncio.new_event_loop().run_until_complete(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_process_may_not_open_what_is_open(location: Path) -> None:
    """It would believe that it holds locks which it does not, and lose what it acknowledges."""

    async def work() -> str:
        try:
            async with open_storage(location) as storage:
                await storage.conversations.append_message(A, message("lost"))
        except ConnectionFailedError as error:
            return str("forked" in str(error))
        return "opened"

    async with open_storage(location):
        assert "True" == in_a_fork(work)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_process_may_not_open_it_by_another_name(
    location: Path, path: Path, tmp_path: Path
) -> None:
    """A hard link is the same file."""
    other = tmp_path / "other"

    async def work() -> str:
        try:
            async with open_storage(other):
                return "opened"
        except ConnectionFailedError:
            return "refused"

    async with open_storage(location):
        other.mkdir()
        (other / path.name).hardlink_to(path)
        assert "refused" == in_a_fork(work)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_storage_carried_through_a_fork_is_refused(storage: SQLiteStorage) -> None:
    """Its threads stayed behind: a call would wait for them for ever."""

    async def work() -> str:
        told: list[str] = []
        calls = (
            storage.config.get_config,
            lambda: storage.conversations.append_message(A, message("lost")),
            lambda: storage.vectors.search([1, 0], top_k=1),
        )
        for call in calls:
            try:
                await call()
            except ConnectionFailedError:
                told.append("refused")
        return " ".join(told)

    assert "refused refused refused" == in_a_fork(work)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_fork_changes_nothing_for_the_parent(location: Path) -> None:
    """The child leaves the block too, and closes nothing of the parent's."""

    async def work() -> str:
        await manager.__aexit__(None, None, None)
        return "left"

    manager = open_storage(location)
    storage = await manager.__aenter__()
    await storage.conversations.append_message(A, message("before"))
    left = in_a_fork(work)
    await storage.conversations.append_message(A, message("after"))
    await manager.__aexit__(None, None, None)
    async with open_storage(location) as storage:
        assert ("left", ["before", "after"]) == (left, await contents(storage))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_process_may_open_another_location(
    storage: SQLiteStorage, tmp_path: Path
) -> None:
    """What nobody had open is safe."""

    async def work() -> str:
        async with open_storage(tmp_path / "other") as other:
            await other.conversations.append_message(A, message("hello"))
            return " ".join(await contents(other))

    assert "hello" == in_a_fork(work)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", ""])
@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_without_the_log(
    suffix: str, replaced: bool, location: Path, path: Path
) -> None:
    """Where a part of the file is gone, no write and no read is answered."""
    part = Path(str(path) + suffix)
    async with open_storage(location) as storage:
        await storage.conversations.append_message(A, message("before"))
        content = part.read_bytes()
        part.unlink()
        if replaced:
            part.write_bytes(content)
        with pytest.raises(NotFoundError):
            await storage.conversations.append_message(A, message("lost"))
        with pytest.raises(NotFoundError):
            await contents(storage)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", ""])
async def test_nothing_is_acknowledged_once_a_part_was_cut_short(
    suffix: str, location: Path, path: Path
) -> None:
    """Emptied in place, it is the same file, and what comes after it cannot be found again."""
    async with open_storage(location) as storage:
        for number in range(1200):  # more than a checkpoint, so that the file has its share
            await storage.conversations.append_message(A, message(str(number)))
        os.truncate(str(path) + suffix, 100)
        with pytest.raises(NotFoundError, match="cut short"):
            await storage.conversations.append_message(A, message("lost"))
        with pytest.raises(NotFoundError, match="cut short"):
            await contents(storage)


async def test_what_is_left_of_a_log_is_there(location: Path, path: Path) -> None:
    """Nothing is merged over it, and nothing after the cut was acknowledged."""
    log = Path(str(path) + "-wal")
    async with open_storage(location) as storage:
        await storage.conversations.append_message(A, message("before"))
        size = log.stat().st_size
        await storage.conversations.append_message(A, message("cut"))
        os.truncate(log, size)
        with pytest.raises(NotFoundError):
            await storage.conversations.append_message(A, message("lost"))
    async with open_storage(location) as storage:
        assert ["before"] == await contents(storage)


async def test_a_log_that_begins_anew_is_no_false_alarm(storage: SQLiteStorage, path: Path) -> None:
    """Every checkpoint lets it begin anew, and one that was long shrinks."""
    other = apsw.Connection(str(path))
    for _ in range(3):
        for _ in range(20):
            await storage.conversations.append_message(A, message("x" * 1_000_000))
        execute(other, "PRAGMA wal_checkpoint(TRUNCATE)")
        await storage.conversations.append_message(A, message("x"))
    other.close()
    assert 63 == len(await contents(storage))


async def test_a_file_that_was_vacuumed_is_no_false_alarm(
    storage: SQLiteStorage, path: Path
) -> None:
    """It shrinks, and nothing is missing."""
    await storage.conversations.append_message(A, message("x" * 1_000_000))
    other = apsw.Connection(str(path))
    execute(other, "PRAGMA wal_checkpoint(TRUNCATE)")
    await contents(storage)
    size = path.stat().st_size
    await storage.conversations.clear(A)
    execute(other, "VACUUM")
    execute(other, "PRAGMA wal_checkpoint(TRUNCATE)")
    await storage.conversations.append_message(A, message("after"))
    other.close()
    assert (True, ["after"]) == (path.stat().st_size < size, await contents(storage))


async def test_nothing_is_acknowledged_once_the_directory_was_moved(
    location: Path, path: Path
) -> None:
    """Whoever opens the location would not find it."""
    elsewhere = location.with_name("elsewhere")
    async with open_storage(location) as storage:
        await storage.conversations.append_message(A, message("before"))
        location.rename(elsewhere)
        with pytest.raises(NotFoundError):
            await storage.conversations.append_message(A, message("lost"))
        with pytest.raises(NotFoundError):
            await contents(storage)
    async with open_storage(elsewhere) as storage:
        assert ["before"] == await contents(storage)


@pytest.mark.parametrize("suffixes", [["-wal"], ["-shm"], ["-wal", "-shm"]])
async def test_what_was_acknowledged_before_the_log_was_removed_is_there(
    suffixes: list[str], location: Path, path: Path
) -> None:
    """Closing merges the log that is still open."""
    async with open_storage(location) as storage:
        await storage.conversations.append_message(A, message("before"))
        for suffix in suffixes:
            Path(str(path) + suffix).unlink()
        with pytest.raises(NotFoundError):
            await storage.conversations.append_message(A, message("lost"))
    async with open_storage(location) as storage:
        assert "before" == (await contents(storage))[0]


async def test_a_second_gateway_loses_nothing_to_a_log_that_was_removed(
    location: Path, path: Path
) -> None:
    """Who opens after the removal keeps what it acknowledges, whoever closes last."""
    first = open_storage(location)
    storage = await first.__aenter__()
    await storage.conversations.append_message(A, message("before"))
    for suffix in ("-wal", "-shm"):
        Path(str(path) + suffix).unlink()
    script = Path(location / "second.py")
    script.write_text(SECOND)
    command = [sys.executable, str(script), str(location)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as second:
        assert second.stdout is not None
        assert second.stdin is not None
        second.stdout.readline()
        with pytest.raises(NotFoundError):
            await storage.conversations.append_message(A, message("lost"))
        await first.__aexit__(None, None, None)
        second.stdin.close()
    async with open_storage(location) as storage:
        found = await contents(storage)
    assert [str(number) for number in range(50)] == [one for one in found if one != "before"]


SECOND = """
import asyncio, sys
from pathlib import Path
from clawdesk_sqlite import open_storage
from clawdesk_storage import Message, Role, SessionId

async def main():
    async with open_storage(Path(sys.argv[1])) as storage:
        for number in range(50):
            message = Message(role=Role.USER, content=str(number))
            await storage.conversations.append_message(SessionId("a"), message)
        print("done", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


async def test_anothers_checkpoint_is_no_false_alarm(storage: SQLiteStorage, path: Path) -> None:
    """It may empty the log, which stays the same file."""
    await storage.conversations.append_message(A, message("before"))
    other = [sys.executable, "-c", CHECKPOINT, str(path)]
    subprocess.run(other, check=True)
    await storage.conversations.append_message(A, message("after"))
    assert ["before", "after"] == await contents(storage)


CHECKPOINT = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
connection.close()
"""


@pytest.mark.parametrize(
    ("failures", "told"),
    [(1, ["StorageIOError False"] * 3 + ["next"]), (9, ["StorageIOError True"] * 3 + ["refused"])],
)
async def test_a_refused_write_does_not_come_back(
    failures: int, told: list[str], location: Path
) -> None:
    """Where the flush of a commit fails, it is gone for good, or said that it may have been."""
    command = [sys.executable, "-c", FAILING_FLUSH, str(location), str(failures)]
    child = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (-signal.SIGKILL, told, "") == (
        child.returncode,
        child.stdout.splitlines(),
        child.stderr,
    )
    if failures == 1:
        async with open_storage(location) as storage:
            assert ["kept", "next"] == await contents(storage)


async def test_another_database_of_version_1_is_refused(location: Path, path: Path) -> None:
    """Many programs count their versions; it stays as it was."""
    path.parent.mkdir()
    connection = apsw.Connection(str(path))
    execute(connection, "CREATE TABLE sessions (id); PRAGMA user_version = 1")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SerializationError, match="another program"):
        async with open_storage(location):
            pass
    assert before == path.read_bytes()


async def test_a_call_from_another_loop_does_nothing(storage: SQLiteStorage) -> None:
    """It is refused, and not stored all the same."""

    def elsewhere() -> None:
        asyncio.run(storage.conversations.append_message(A, message("lost")))

    with pytest.raises(ConnectionFailedError, match="another event loop"):
        await asyncio.to_thread(elsewhere)
    assert [] == await contents(storage)


async def test_a_relative_location_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever directory the program changes to."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with open_storage(Path("data")) as storage:
        monkeypatch.chdir(tmp_path / "elsewhere")
        await storage.conversations.append_message(A, message("hello"))
        found = await contents(storage)
    assert (["hello"], True) == (found, (tmp_path / "data" / "clawdesk.sqlite3").exists())


async def test_a_location_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """By name, and before anything is made."""
    with pytest.raises(ValueError, match="not UTF-8"):
        async with open_storage(tmp_path / os.fsdecode(b"caf\xe9")):
            pass
    assert [] == list(tmp_path.iterdir())


async def test_what_is_made_is_private(tmp_path: Path) -> None:
    """Directories and files hold secrets, and are their owner's alone."""
    location = tmp_path / "deep" / "er"
    async with open_storage(location) as storage:
        await storage.conversations.append_message(A, message("hello"))
        made = [location.parent, location, *sorted(location.iterdir())]
        modes = [made.stat().st_mode & 0o777 for made in made]
    assert [0o700, 0o700, 0o600, 0o600, 0o600] == modes


async def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """It is somebody else's decision."""
    tmp_path.chmod(0o755)
    async with open_storage(tmp_path):
        pass
    assert 0o755 == tmp_path.stat().st_mode & 0o777


async def test_nothing_cleared_stays_in_the_file(location: Path, path: Path) -> None:
    """Once the log is merged, the text of a message is nowhere."""
    async with open_storage(location) as storage:
        for number in range(200):
            await storage.conversations.append_message(A, message(f"a-secret-{number}" * 20))
        await storage.conversations.clear(A)
    assert 0 == path.read_bytes().count(b"a-secret")


async def test_the_log_does_not_stay_at_its_peak(storage: SQLiteStorage, path: Path) -> None:
    """A reader that holds up the checkpoints lets it grow; once they succeed it shrinks."""
    log = Path(str(path) + "-wal")
    reader = apsw.Connection(str(path))
    execute(reader, "BEGIN")
    execute(reader, "SELECT count(*) FROM messages")
    for _ in range(16):
        await storage.conversations.append_message(A, message("x" * 1_000_000))
    peak = log.stat().st_size
    execute(reader, "COMMIT")
    for _ in range(3):
        await storage.conversations.append_message(A, message("x"))
    assert (True, True) == (peak > 15_000_000, log.stat().st_size <= 8_388_608)
    reader.close()


async def test_callers_that_fail_together_share_no_exception(
    storage: SQLiteStorage, path: Path
) -> None:
    """Each has its own, which leads to no other caller's message."""
    path.unlink()
    appends = [storage.conversations.append_message(A, message(f"m{n}")) for n in range(100)]
    errors = await asyncio.gather(*appends, return_exceptions=True)
    frames = [frame for error in errors for frame in frames_of(error)]
    assert (100, {"append_message", "write"}) == (len({id(error) for error in errors}), set(frames))


def frames_of(error: object) -> list[str]:
    """The functions that the traceback of an error, and of its causes, leads through."""
    names: list[str] = []
    while isinstance(error, BaseException):
        traceback = error.__traceback__
        while traceback is not None:
            names.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    return names


async def test_the_writer_outlives_whatever_a_write_raises(storage: SQLiteStorage) -> None:
    """Some libraries raise what is no `Exception`; later calls do not hang."""
    writer = writer_of(storage)

    def fail(_: object) -> None:
        raise SystemExit

    with pytest.raises(StorageError):
        await writer.write(fail)
    await asyncio.wait_for(storage.conversations.append_message(A, message("after")), 5)
    assert ["after"] == await contents(storage)


async def test_many_that_are_cancelled_are_skipped(storage: SQLiteStorage) -> None:
    """Nobody is looked for among all that wait, and none of them is stored."""
    appends = [storage.conversations.append_message(A, message("no")) for _ in range(5_000)]
    tasks = [asyncio.ensure_future(append) for append in appends]
    writer = writer_of(storage)
    writer._signalled = True  # nothing begins before all are cancelled
    await asyncio.sleep(0)
    waiting = len(writer._waiting)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    still = len(writer._waiting)
    writer._signalled = False
    await storage.conversations.append_message(A, message("yes"))
    assert (5_000, 5_000, ["yes"]) == (waiting, still, await contents(storage))
