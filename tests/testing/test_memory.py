"""The in-memory stores: the executable reference, and what an application tests with."""

import pytest

from clawdesk_storage import ConnectionFailedError, Message, Role, SessionId, Storage
from clawdesk_storage.conformance.pytest import StorageConformance
from clawdesk_storage.testing import MemoryStorage

_S = SessionId("s")


class TestMemory(StorageConformance):
    """The reference keeps every law that needs no disk."""

    backend = "memory"


def test_the_stores_are_a_storage() -> None:
    """An application that takes a `Storage` takes them."""
    assert isinstance(MemoryStorage(), Storage)


async def test_a_storage_works_without_being_opened() -> None:
    """A test needs one line to have one."""
    storage = MemoryStorage()
    said = Message(role=Role.USER, content="hello")
    await storage.conversations.append_message(_S, said)
    assert [said] == await storage.conversations.get_messages(_S, limit=10)


async def test_a_storage_is_closed_at_the_end_of_its_block() -> None:
    """As with every backend, what is used too late is found."""
    async with MemoryStorage() as storage:
        pass
    with pytest.raises(ConnectionFailedError, match="the storage has been closed"):
        await storage.config.get_config()


async def test_two_storages_share_nothing() -> None:
    """One test does not see what another wrote."""
    first, second = MemoryStorage(), MemoryStorage()
    await first.conversations.append_message(_S, Message(role=Role.USER, content="hello"))
    assert [] == await second.conversations.get_messages(_S, limit=10)
