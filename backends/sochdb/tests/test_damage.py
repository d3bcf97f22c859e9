"""What is read is what was asked for, or `SerializationError`."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from clawdesk_storage import (
    AppConfig,
    ChannelId,
    Exists,
    Message,
    Role,
    SerializationError,
    Session,
    SessionId,
)

from clawdesk_sochdb import SochDBStorage, open_storage
from clawdesk_sochdb.backend import backend
from clawdesk_sochdb.engine import get, open_database
from clawdesk_sochdb.keys import HEADS, METADATA, SESSIONS, VECTORS, key_of, message_key

ONE, OTHER = SessionId("one"), SessionId("other")
MESSAGES = [Message(role=Role.USER, content=content) for content in ("a", "b", "c")]
KEYS: Mapping[str, tuple[bytes, bytes]] = {
    "session": (key_of(SESSIONS, OTHER), key_of(SESSIONS, ONE)),
    "message": (message_key(OTHER, 1), message_key(ONE, 1)),
    "message of that conversation": (message_key(ONE, 0), message_key(ONE, 1)),
    "head": (key_of(HEADS, OTHER), key_of(HEADS, ONE)),
    "vector": (key_of(VECTORS, OTHER), key_of(VECTORS, ONE)),
    "metadata": (key_of(METADATA, OTHER), key_of(METADATA, ONE)),
}
READS: Mapping[str, list[Callable[[SochDBStorage], Awaitable[Any]]]] = {
    "session": [
        lambda storage: storage.sessions.get(ONE),
        lambda storage: storage.sessions.get_revision(ONE),
        lambda storage: storage.sessions.list(9, 0),
        lambda storage: storage.sessions.list_by_channel(ChannelId("c")),
        lambda storage: storage.sessions.delete_if(ONE, "revision"),
    ],
    "message": [
        lambda storage: storage.conversations.get_messages(ONE, 9),
        lambda storage: storage.conversations.get_before(ONE, None, 9),
        lambda storage: storage.conversations.get_after(ONE, None, 9),
        lambda storage: storage.conversations.truncate_after(ONE, 1, 2),
    ],
    "head": [
        lambda storage: storage.conversations.get_messages(ONE, 9),
        lambda storage: storage.conversations.append_message(ONE, MESSAGES[0]),
        lambda storage: storage.conversations.append_after(ONE, 2, MESSAGES),
    ],
    "vector": [
        lambda storage: storage.vectors.search([1, 0], 9),
        lambda storage: storage.vectors.search_where([1, 0], Exists("of"), 9),
        lambda storage: storage.vectors.delete_where(Exists("of")),
        lambda storage: storage.vectors.get(ONE),
        lambda storage: storage.vectors.entries(None, 9),
    ],
}


async def fill(storage: SochDBStorage) -> None:
    """Store something of each kind under both ids."""
    for id in (ONE, OTHER):
        await storage.sessions.save(Session(id=id, channel=ChannelId("c")))
        await storage.conversations.append_messages(id, MESSAGES)
        await storage.vectors.upsert(id, [1, 0] if id == ONE else [0, 1], metadata={"of": id})


def misplace(location: Path, source: bytes, target: bytes) -> None:
    """Let the record of one key lie under another."""
    database = open_database(location / "sochdb")
    with database.transaction() as transaction:
        transaction.put(target, get(transaction, source) or b"")
    database.close()
    (location / "seal.json").unlink()


@pytest.mark.parametrize("kind", KEYS)
async def test_record_of_another_key_is_damage(tmp_path: Path, kind: str) -> None:
    """Every way of reading names the key that was asked for, and serves nobody the other's."""
    async with open_storage(tmp_path) as storage:
        await fill(storage)
    misplace(tmp_path, *KEYS[kind])
    reads = READS.get(kind) or READS["vector" if kind == "metadata" else "message"]
    async with open_storage(tmp_path) as storage:
        for read in reads:
            with pytest.raises(SerializationError, match="'one'"):
                await read(storage)


@pytest.mark.parametrize("kind", ["session", "vector", "metadata"])
async def test_storing_anew_mends_it(tmp_path: Path, kind: str) -> None:
    """Neither a save nor an upsert needs what is replaced."""
    async with open_storage(tmp_path) as storage:
        await fill(storage)
    misplace(tmp_path, *KEYS[kind])
    async with open_storage(tmp_path) as storage:
        await fill(storage)
        session = await storage.sessions.get(ONE)
        found = await storage.vectors.search([1, 0], 1)
    assert (ONE, ONE) == (session and session.id, found[0].id)


async def test_cleared_conversation_with_a_damaged_head_gives_no_position_again(
    tmp_path: Path,
) -> None:
    """What it had given cannot be known, so that the next ones begin far beyond."""
    async with open_storage(tmp_path) as storage:
        await fill(storage)
        given = [entry.position for entry in await storage.conversations.get_after(ONE, None, 9)]
    misplace(tmp_path, *KEYS["head"])
    async with open_storage(tmp_path) as storage:
        await storage.conversations.clear(ONE)
        assert max(given) < await storage.conversations.append_after(ONE, None, MESSAGES[:1])


async def test_guarded_save_does_not_overwrite_damage(tmp_path: Path) -> None:
    """The revision of a damaged configuration is not known, neither as one nor as none."""
    async with open_storage(tmp_path) as storage:
        revision = await storage.config.save_config_if(AppConfig(), None)
    assert backend.corrupt is not None
    await backend.corrupt(tmp_path, "config")
    async with open_storage(tmp_path) as storage:
        for stale in (None, revision):
            with pytest.raises(SerializationError, match="'config'"):
                await storage.config.save_config_if(AppConfig(), stale)
        await storage.config.save_config(AppConfig())
        assert AppConfig() == await storage.config.get_config()
