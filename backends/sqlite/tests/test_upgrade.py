"""A file of version 1 becomes one of version 2, or stays as it is."""

from pathlib import Path
from typing import Any
from zlib import crc32

import apsw
import numpy as np
import pytest
from clawdesk_storage import (
    AppConfig,
    ChannelId,
    Equals,
    JsonValue,
    Message,
    Role,
    SerializationError,
    Session,
    SessionId,
    VectorResult,
    encode,
)

from clawdesk_sqlite import open_storage, upgrade
from clawdesk_sqlite.file import execute

# As version 1 wrote them, to the letter.
VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    channel TEXT NOT NULL,
    last_activity INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_activity ON sessions (last_activity DESC, id);
CREATE INDEX sessions_by_channel ON sessions (channel, last_activity DESC, id);

CREATE TABLE messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_session ON messages (session);

CREATE TABLE config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE vectors (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    unit BLOB NOT NULL,
    unit_checksum INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE vector_space (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    dimension INTEGER NOT NULL,
    deletions INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;
"""
USER = Equals("user", "ada")
A, B = SessionId("a"), SessionId("b")
SESSIONS = [
    Session(id=SessionId(f"s{n}"), channel=ChannelId(f"c{n % 2}"), metadata={"n": n})
    for n in range(5)
]
MESSAGES = [Message(role=Role.USER, content=f"m{n}") for n in range(10)]
CONFIG = AppConfig.model_validate({"gateway": {"port": 4711}, "unknown": [1]})


def sealed(value: Any) -> tuple[bytes, int]:
    """A record and its checksum, as version 1 had them."""
    record = encode(value)
    return record, crc32(record)


def make(path: Path) -> None:
    """A file of version 1 with every kind of record; the message of `damaged` is damaged."""
    path.parent.mkdir()
    connection = apsw.Connection(str(path))
    execute(connection, VERSION_1)
    for session in SESSIONS:
        moment = round(session.last_activity.timestamp() * 1_000_000)
        row = session.id, session.channel, moment, *sealed(session)
        execute(connection, "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", *row)
    append = "INSERT INTO messages (session, record, checksum) VALUES (?, ?, ?)"
    for number, message in enumerate(MESSAGES):
        execute(connection, append, "ab"[number % 2], *sealed(message))
    execute(connection, append, "damaged", b"{}", 0)
    execute(connection, append, "cleared", *sealed(MESSAGES[0]))
    execute(connection, "DELETE FROM messages WHERE session = 'cleared'")
    execute(connection, "INSERT INTO config VALUES (1, ?, ?)", *sealed(CONFIG))
    execute(connection, "INSERT INTO vector_space VALUES (1, 2, 1)")
    upsert = "INSERT OR REPLACE INTO vectors (id, unit, unit_checksum, record, checksum) VALUES"
    metadata: JsonValue = {"user": "ada"}
    for id, vector in (("x", [1, 0]), ("y", [0, 1]), ("gone", [0, 1]), ("x", [0, -1])):
        unit = np.array(vector, "<f4").tobytes()
        execute(connection, upsert + " (?, ?, ?, ?, ?)", id, unit, crc32(unit), *sealed(metadata))
    execute(connection, "DELETE FROM vectors WHERE id = 'gone'")
    connection.close()


async def test_every_record_is_there_afterwards(location: Path, path: Path) -> None:
    """In its order, and equal."""
    make(path)
    async with open_storage(location) as storage:
        vectors = await storage.vectors.search([0, 1], top_k=9)
        found = (
            sorted(await storage.sessions.list(99, 0), key=lambda session: session.id),
            len(await storage.sessions.list_by_channel(ChannelId("c0"))),
            await storage.conversations.get_messages(A, limit=99),
            await storage.conversations.get_messages(B, limit=99),
            await storage.config.get_config(),
            [result.id for result in vectors],
        )
    assert (SESSIONS, 3, MESSAGES[::2], MESSAGES[1::2], CONFIG, ["y", "x"]) == found


async def test_what_was_damaged_stays_damaged(location: Path, path: Path) -> None:
    """Neither mended nor lost."""
    make(path)
    async with open_storage(location) as storage:
        with pytest.raises(SerializationError, match="damaged"):
            await storage.conversations.get_messages(SessionId("damaged"), limit=9)


async def test_abilities_hold_for_what_was_there(location: Path, path: Path) -> None:
    """Positions go on beyond what was cleared, filters see the metadata, the rest is counted."""
    make(path)
    async with open_storage(location) as storage:
        position = await storage.conversations.append_after(SessionId("new"), None, MESSAGES[:1])
        results = await storage.vectors.search_where([0, 1], USER, top_k=1)
        counts = (
            await storage.sessions.count(),
            await storage.conversations.count(),
            await storage.vectors.count(),
        )
    expected = [VectorResult(id="y", score=1.0, metadata={"user": "ada"})]
    assert (13, expected, (5, 4, 2)) == (position, results, counts)


async def test_it_is_opened_again(location: Path, path: Path) -> None:
    """The upgrade is made once."""
    make(path)
    for _ in range(2):
        async with open_storage(location) as storage:
            assert CONFIG == await storage.config.get_config()


@pytest.mark.parametrize("step", ["_sessions", "_messages", "_config", "_vectors"])
async def test_an_upgrade_that_fails_changes_nothing(
    step: str, location: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it fails, the file is byte for byte what it was, and can be upgraded later."""
    make(path)
    before = path.read_bytes()
    work = vars(upgrade)[step]

    def fail(connection: apsw.Connection) -> None:
        work(connection)
        raise OSError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, step, fail)
        with pytest.raises(Exception, match="in the middle"):
            async with open_storage(location):
                pass
    after = path.read_bytes()
    async with open_storage(location) as storage:
        assert (True, CONFIG) == (before == after, await storage.config.get_config())
