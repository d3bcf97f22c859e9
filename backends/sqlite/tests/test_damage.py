"""A bit that flips anywhere in the file gives no wrong answer, but for what the README names."""

import random
from pathlib import Path
from typing import Any

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    Message,
    Role,
    Session,
    SessionId,
    StorageError,
)

from clawdesk_sqlite import SQLiteStorage, open_storage

FLIPS = 300


async def fill(storage: SQLiteStorage) -> None:
    """Some of everything, on more than one page of each tree."""
    for number in range(60):
        id = SessionId(f"session-{number}")
        await storage.sessions.save(Session(id=id, channel=ChannelId(f"c{number % 3}")))
    for number in range(120):
        message = Message(role=Role.USER, content=f"message {number} " * 20)
        await storage.conversations.append_message(SessionId(f"h{number % 6}"), message)
    await storage.config.save_config(AppConfig.model_validate({"gateway": {"port": 4711}}))
    for number in range(60):
        await storage.vectors.upsert(f"v{number}", [1, number], metadata={"n": number})


async def answers(storage: SQLiteStorage) -> list[Any]:
    """What is asked, and for each question the answer, or None where it was refused."""
    questions = [
        *(lambda n=n: storage.sessions.get(SessionId(f"session-{n}")) for n in range(0, 60, 7)),
        *(lambda n=n: storage.sessions.list_by_channel(ChannelId(f"c{n}")) for n in range(3)),
        lambda: storage.sessions.list(1000, 0),
        *(
            lambda n=n, limit=limit: storage.conversations.get_messages(
                SessionId(f"h{n}"), limit=limit
            )
            for n in range(6)
            for limit in (5, 100)
        ),
        storage.config.get_config,
        lambda: storage.vectors.search([1, 5], top_k=100),
    ]
    found: list[Any] = []
    for question in questions:
        try:
            found.append(("answer", await question()))
        except StorageError:
            found.append(None)
    return found


async def test_a_flipped_bit_is_no_wrong_answer(location: Path, path: Path) -> None:
    """It is an error of the contract, or what it hit was not asked for."""
    async with open_storage(location) as storage:
        await fill(storage)
        right = await answers(storage)
    whole = path.read_bytes()
    places = random.Random(15)
    wrong: list[tuple[int, int]] = []
    for _ in range(FLIPS):
        place = places.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            async with open_storage(location) as storage:
                found = await answers(storage)
        except StorageError:
            continue
        finally:
            for rest in location.iterdir():
                rest.unlink()
        wrong += [
            (place, number)
            for number, (one, other) in enumerate(zip(found, right, strict=True))
            if one is not None and one != other
        ]
    assert [] == wrong
