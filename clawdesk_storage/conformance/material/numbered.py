"""Values in which every field tells a number, and calls that write and read them."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

from clawdesk_storage.conformance.material.operation import Operation, packed, unpacked
from clawdesk_storage.conformance.material.samples import message, session
from clawdesk_storage.models import AppConfig, Session, SessionId

__all__ = ["IDS", "NumberedCalls", "angle", "config", "version"]

_ALL = 10**6

IDS = 24
"""How many sessions or vectors of one name are written; the next replaces the first."""

_PAUSE = 0.001
"""Between slow writes, in seconds."""


def version(id: str, number: int) -> Session:
    """Return the session of that id in which every field tells the number."""
    return session(
        id,
        f"channel {number}",
        system_prompt=f"prompt {number}" * 50,
        message_count=number,
        metadata={"number": number},
    )


def config(number: int) -> AppConfig:
    """Return a configuration in which every section tells the number."""
    sections = {name: {"mark": number} for name in AppConfig.model_fields}
    return AppConfig.model_validate({**sections, "mark": number})


def angle(number: int) -> list[float]:
    """Return a vector whose direction tells the number."""
    return [1.0, number / 100, 0.0]


class NumberedCalls:
    """Calls on the four stores by short names; all arguments and results are JSON."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    async def perform(self, operation: str) -> str:
        """Carry out an operation, and return its answer; both are packed."""
        return packed(await cast("Operation", unpacked(operation)).on(self._storage))

    async def move(self, folder: str) -> None:
        """Make another folder the one that relative paths begin in."""
        os.chdir(folder)

    async def save(self, id: str, number: int) -> None:
        """Save the session of that number."""
        await self._storage.sessions.save(version(id, number))

    async def get(self, id: str) -> int | None:
        """Return the number of a session, or None."""
        one = await self._storage.sessions.get(SessionId(id))
        return None if one is None else one.message_count

    async def append(self, id: str, content: str) -> None:
        """Append a message."""
        await self._storage.conversations.append_message(SessionId(id), message(content))

    async def clear(self, id: str) -> None:
        """Clear a conversation."""
        await self._storage.conversations.clear(SessionId(id))

    async def messages(self, id: str) -> list[str]:
        """Return the contents of all messages."""
        came = await self._storage.conversations.get_messages(SessionId(id), limit=_ALL)
        return [one.content for one in came]

    async def configure(self, number: int) -> None:
        """Save the configuration of that number."""
        await self._storage.config.save_config(config(number))

    async def configured(self) -> int | None:
        """Return the number of the configuration."""
        mark: int | None = (await self._storage.config.get_config()).model_dump().get("mark")
        return mark

    async def upsert(self, id: str, number: int) -> None:
        """Store the vector of that number."""
        await self._storage.vectors.upsert(id, angle(number), metadata=number)

    async def forget(self, id: str) -> None:
        """Delete a vector."""
        await self._storage.vectors.delete(id)

    async def listed(self) -> dict[str, int]:
        """Return the numbers of all sessions by their ids."""
        came = await self._storage.sessions.list(limit=_ALL, offset=0)
        return {one.id: one.message_count for one in came}

    async def write(self, port: str, name: str, number: int) -> None:
        """Write something of that name and number to a port; ids are used again after a while."""
        if port == "conversations":
            await self.append("both", f"{name}.{number}")
        elif port == "sessions":
            await self.save(f"{name}.{number % IDS}", number)
        elif port == "vectors":
            await self.upsert(f"{name}.{number % IDS}", number)
        else:
            await self.configure(number)

    async def write_slowly(self, port: str, name: str, count: int) -> None:
        """Write so often to a port, with pauses."""
        for number in range(count):
            await self.write(port, name, number)
            await asyncio.sleep(_PAUSE)

    async def found(self) -> dict[str, Any]:
        """Return the numbers of all vectors by their ids."""
        came = await self._storage.vectors.search(angle(0), top_k=_ALL)
        return {one.id: one.metadata for one in came}
