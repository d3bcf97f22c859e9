"""A sound storage that is a log, replayed on opening: the base for mutants of durability.

Every change is a line, appended to a file before it is acknowledged; a line that a crash has cut
short is cut off on opening. What is read stands in memory, in the in-memory stores. A location has
one handle at a time.
"""

from __future__ import annotations

import base64
import inspect
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeAlias

from typing_extensions import override

from clawdesk_storage import AppConfig, JsonValue, Message, Session, SessionId, Vector, unit_vector
from clawdesk_storage.conformance import Backend
from clawdesk_storage.testing import (
    MemoryConfigStore,
    MemoryConversationStore,
    MemorySessionStore,
    MemoryStorage,
    MemoryVectorStore,
)
from tests.mutants.mutant import MUTANTS, Mutant, without_abilities

__all__ = [
    "Line",
    "Log",
    "LoggedConfigStore",
    "LoggedConversationStore",
    "LoggedSessionStore",
    "LoggedStorage",
    "LoggedVectorStore",
    "backend",
    "logged_mutant",
]

Line: TypeAlias = tuple[str, str, tuple[Any, ...]]
"""A port, one of its methods, and the arguments."""


class Log:
    """The file. What is written outlives the process as soon as the system has it."""

    def __init__(self, location: Path) -> None:
        self.path = location / "log"

    def open(self) -> Sequence[Line]:
        """Open the file to append to it, and return the whole lines that it has."""
        self.path.touch()
        lines = self.path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        os.truncate(self.path, sum(map(len, whole)))
        self._file = self.path.open("ab", buffering=0)
        return [pickle.loads(base64.b64decode(line)) for line in whole]

    def write(self, port: str, method: str, *arguments: Any) -> None:
        """Append a line."""
        line: Line = port, method, arguments
        self._file.write(base64.b64encode(pickle.dumps(line)) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class LoggedSessionStore(MemorySessionStore):
    """A `SessionStore` whose changes are logged."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    @override
    async def save(self, session: Session, /) -> None:
        await super().save(session)
        self.log.write("sessions", "save", session)

    @override
    async def delete(self, id: SessionId, /) -> None:
        await super().delete(id)
        self.log.write("sessions", "delete", id)


class LoggedConversationStore(MemoryConversationStore):
    """A `ConversationStore` whose changes are logged."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    @override
    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        await super().append_message(session_id, message)
        self.log.write("conversations", "append_message", session_id, message)

    @override
    async def clear(self, session_id: SessionId, /) -> None:
        await super().clear(session_id)
        self.log.write("conversations", "clear", session_id)


class LoggedConfigStore(MemoryConfigStore):
    """A `ConfigStore` whose changes are logged."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        self.log.write("config", "save_config", config)


class LoggedVectorStore(MemoryVectorStore):
    """A `VectorStore` whose changes are logged."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    @override
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        await super().upsert(id, vector, metadata)
        self.log.write("vectors", "upsert", id, unit_vector(vector), metadata)

    @override
    async def delete(self, id: str, /) -> None:
        await super().delete(id)
        self.log.write("vectors", "delete", id)


class LoggedStorage(MemoryStorage):
    """The four stores, as a `Storage` that is opened by entering it."""

    # By port, so that a mutant replaces one of them.
    kinds: ClassVar[dict[str, Any]] = {
        "sessions": LoggedSessionStore,
        "conversations": LoggedConversationStore,
        "config": LoggedConfigStore,
        "vectors": LoggedVectorStore,
    }

    with_abilities: ClassVar[bool] = False

    def __init__(self, location: Path) -> None:
        super().__init__()
        self.log = Log(location)
        for port, kind in self.kinds.items():
            setattr(self, port, kind(self.log))
        if not self.with_abilities:  # those of the stores in memory are not logged
            without_abilities(self)

    @override
    async def __aenter__(self) -> Self:
        for port, method, arguments in self.replayed(self.log.open()):
            store = getattr(self, port)
            # The in-memory store's own method: what is replayed is not logged again.
            in_memory = next(kind for kind in type(store).__mro__ if "testing" in kind.__module__)
            await getattr(in_memory, method)(store, *arguments)
        return self

    @override
    async def __aexit__(self, *error: object) -> None:
        for port in self.kinds:
            getattr(self, port).close()
        self.log.close()

    def replayed(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Return what is to be replayed of the lines in the file."""
        return lines


backend: Final = Backend(LoggedStorage, shared=False)


def logged_mutant(*laws: str) -> Callable[[type[Any]], type[LoggedStorage]]:
    """Register what is decorated as a mutant: a subclass of one of these stores or the storage.

    Args:
        laws: The numbers of all the laws that must catch it.
    """

    def registered(broken: type[Any]) -> type[LoggedStorage]:
        storage = broken if issubclass(broken, LoggedStorage) else _with_one_replaced(broken)
        family = broken.__module__.rpartition(".")[2]
        flaw = " ".join((inspect.getdoc(broken) or "").split())
        claims = replace(backend, open=storage)
        MUTANTS.append(Mutant(family, broken.__name__, flaw, tuple(sorted(laws)), claims))
        return storage

    return registered


def _with_one_replaced(store: type[Any]) -> type[LoggedStorage]:
    kinds = {
        port: store if issubclass(store, kind) else kind
        for port, kind in LoggedStorage.kinds.items()
    }
    named = {"__module__": store.__module__, "__qualname__": store.__qualname__, "kinds": kinds}
    return type(store.__name__, (LoggedStorage,), named)
