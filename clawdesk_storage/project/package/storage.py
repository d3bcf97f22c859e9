"""The four stores together, and how to open them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from .config import Config
from .conversations import Conversations
from .engine import Engine
from .sessions import Sessions
from .vectors import Vectors

__all__ = ["Stores", "open_storage"]


class Stores:
    """The four stores of one location. Leave out those that you do not offer."""

    def __init__(self, engine: Engine) -> None:
        self.sessions: Sessions = Sessions(engine)
        self.conversations: Conversations = Conversations(engine)
        self.config: Config = Config(engine)
        self.vectors: Vectors = Vectors(engine)


@asynccontextmanager
async def open_storage(location: Path) -> AsyncGenerator[Stores, None]:
    """Open the storage in a directory, and close it after the block.

    Args:
        location: The directory. The same directory is the same data, another shares nothing.
    """
    engine = Engine(location)
    try:
        yield Stores(engine)
    finally:
        await engine.close()
