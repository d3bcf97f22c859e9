"""Records of version 1, which `version1/` holds as its code wrote them.

They are sessions `s0` to `s4` on the channels `c0` and `c1`, messages `m0` to `m9` in turn in the
conversations `a` and `b`, a configuration, and the vectors `x` and `y`. A session and a vector
`gone` were deleted, a conversation `cleared` was cleared, and a message and a vector are damaged.
"""

import json
import shutil
from pathlib import Path

import pytest
from clawdesk_storage import Equals, Message, Role, SerializationError, SessionId, StorageIOError

from clawdesk_sochdb import SochDBStorage, log, open_storage
from clawdesk_sochdb.engine import open_database
from clawdesk_sochdb.keys import FORMAT

VERSION_1 = Path(__file__).parent / "version1"
A, B, CLEARED, DAMAGED = map(SessionId, ("a", "b", "cleared", "damaged"))
HELLO = Message(role=Role.USER, content="hello")


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """A location that version 1 closed in order."""
    (tmp_path / "sochdb").mkdir()
    shutil.copy(VERSION_1 / "wal.log", tmp_path / "sochdb")
    shutil.copy(VERSION_1 / "seal.json", tmp_path)
    return tmp_path


async def everything(storage: SochDBStorage) -> tuple[object, ...]:
    """Return what undamaged records say."""
    sessions = await storage.sessions.list(99, 0)
    a = await storage.conversations.get_messages(A, 99)
    b = await storage.conversations.get_messages(B, 99)
    config = (await storage.config.get_config()).model_dump()
    x = await storage.vectors.get("x")
    return (
        [(session.id, session.channel, session.metadata) for session in sessions],
        [message.content for message in (*a, *b)],
        (config["gateway"]["port"], config["unknown"]),
        x and (list(x.vector), x.metadata),
    )


EVERYTHING = (
    [(f"s{n}", f"c{n % 2}", {"n": n}) for n in (4, 3, 2, 1, 0)],
    [f"m{n}" for n in (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)],
    (4711, [1]),
    ([0.0, -1.0], {"user": "ada"}),
)


@pytest.mark.parametrize("killed", [False, True])
async def test_every_record_is_there_afterwards(location: Path, killed: bool) -> None:
    """In its order, and equal, and at the opening after that, whether it was closed or not."""
    if killed:
        (location / "seal.json").unlink()
    for _ in range(2):
        async with open_storage(location) as storage:
            assert EVERYTHING == await everything(storage)


async def test_what_was_damaged_stays_damaged(location: Path) -> None:
    """Neither mended nor lost."""
    async with open_storage(location) as storage:
        with pytest.raises(SerializationError, match="'damaged'"):
            await storage.conversations.get_messages(DAMAGED, 9)
        with pytest.raises(SerializationError, match="'damaged'"):
            await storage.vectors.search([1, 0], 9)


async def test_abilities_hold_for_what_was_there(location: Path) -> None:
    """Positions go on, revisions are there, and filters see the metadata."""
    async with open_storage(location) as storage:
        revised = await storage.sessions.get_revision(SessionId("s0"))
        config = await storage.config.get_config_revision()
        assert revised is not None
        await storage.sessions.save_if(revised.session, revised.revision)
        await storage.config.save_config_if(config.config, config.revision)
        await storage.vectors.delete("damaged")
        newest = (await storage.conversations.get_before(A, None, 1))[0].position
        found = (
            [entry.position for entry in await storage.conversations.get_after(A, 2, 9)],
            await storage.conversations.append_after(A, newest, [HELLO]) > newest,
            await storage.conversations.ids(None, 9),
            await storage.sessions.ids(None, 2),
            [
                one.id
                for one in await storage.vectors.search_where([0, 1], Equals("user", "ada"), 9)
            ],
            await storage.vectors.count(),
        )
    assert ([3, 4], True, [A, B, DAMAGED], ["s0", "s1"], ["y", "x"], 2) == found


async def test_interrupted_upgrade_is_begun_anew(
    location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it fails in the middle, the records stay those of version 1."""
    taken: list[bytes] = []

    def failing(key: bytes, value: bytes) -> bytes:
        taken.append(key)
        if len(taken) == 10:
            raise OSError("no space left")
        return upgraded(key, value)

    upgraded = log.upgraded
    with monkeypatch.context() as patched:
        patched.setattr(log, "upgraded", failing)
        with pytest.raises(StorageIOError, match="no space left"):
            await open_storage(location).__aenter__()
    async with open_storage(location) as storage:
        assert EVERYTHING == await everything(storage)


async def test_closed_log_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """Whoever wrote it finds it as it was, however often another has tried."""
    async with open_storage(tmp_path) as storage:
        await storage.conversations.append_message(A, HELLO)
    seal = tmp_path / "seal.json"
    present = seal.read_text()
    seal.write_text(json.dumps(json.loads(present) | {"format": 3}))
    for _ in range(2):
        with pytest.raises(SerializationError, match="newer version"):
            await open_storage(tmp_path).__aenter__()
    seal.write_text(present)
    async with open_storage(tmp_path) as storage:
        assert [HELLO] == await storage.conversations.get_messages(A, 9)


@pytest.mark.parametrize(
    ("format", "message"), [(b"3", "newer version"), (b"\xff", "damaged record of 'format'")]
)
async def test_log_of_another_format_that_was_not_closed_is_left_alone(
    tmp_path: Path, format: bytes, message: str
) -> None:
    """No record is written anew that nobody here understands."""
    database = open_database(tmp_path / "sochdb")
    for key in (FORMAT, b"s/one"):
        database.put(key, format)
    database.close()
    for _ in range(2):
        with pytest.raises(SerializationError, match=message):
            await open_storage(tmp_path).__aenter__()
    database = open_database(tmp_path / "sochdb")
    assert (format, format) == (database.get(FORMAT), database.get(b"s/one"))
    database.close()
