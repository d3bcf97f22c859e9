"""A pooler in transaction mode, as small as can be: what pgbouncer does to a client, and no more.

It speaks PostgreSQL's protocol only as far as it must. A server connection is a client's for one
transaction; the next transaction goes through the next connection, so that whatever a client leaves
behind in a session is not there any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

__all__ = ["pooled"]

_SOCKET = ".s.PGSQL.5432"
_SERVERS = 3
_VERSION = (3 << 16).to_bytes(4)
_SAID = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter\0\0"
_REFUSAL = b"E" + (len(_SAID) + 4).to_bytes(4) + _SAID
_WORDS = {b"user": b"postgres", b"database": b"postgres", b"client_encoding": b"'utf-8'"}


@asynccontextmanager
async def pooled(dsn: str, place: Path) -> AsyncGenerator[str, None]:
    """Yield the DSN of a pooler, in the directory `place`, before a server on a local socket."""
    (folder,) = parse_qs(urlsplit(dsn).query)["host"]
    servers = [_Server() for _ in range(_SERVERS)]
    for server in servers:
        await server.connect(Path(folder) / _SOCKET)
    turns = cycle(servers)
    tasks: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await _Client(reader, writer, turns).serve(servers[0].greeting)
        writer.close()

    listener = await asyncio.start_unix_server(serve, place / _SOCKET)
    try:
        yield f"postgresql://postgres:@/postgres?host={place}"
    finally:
        listener.close()
        await asyncio.gather(*(task for task in tasks if task is not None))
        for server in servers:
            server.writer.close()


class _Server:
    """A connection to the server, for one client at a time."""

    async def connect(self, socket: Path) -> None:
        """Log in, and keep what the server says to everybody who does."""
        self.free = asyncio.Lock()
        self.reader, self.writer = await asyncio.open_unix_connection(socket)
        words = b"".join(name + b"\0" + value + b"\0" for name, value in _WORDS.items())
        self.writer.write((len(words) + 9).to_bytes(4) + _VERSION + words + b"\0")
        self.greeting = b""
        while not self.greeting.endswith(b"Z\0\0\0\5I"):
            self.greeting += await _message(self.reader)


class _Client:
    """A client, and the server that is its own until the transaction ends."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turns: Iterator[_Server]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._turns = turns
        self._server: _Server | None = None
        self._answering: asyncio.Task[None] | None = None

    async def serve(self, greeting: bytes) -> None:
        """Pass on what the client says, to one server after the other."""
        await self._let_in(greeting)
        while (message := await _message(self._reader))[:1] != b"X":
            if message[:1] == b"P" and message[5:6] != b"\0":
                raise ConnectionError("a named statement: the next server would not know it")
            if self._server is None:
                self._server = next(self._turns)
                await self._server.free.acquire()
                self._answering = asyncio.create_task(self._answer(self._server))
            self._server.writer.write(message)
        if self._answering is not None:
            await self._answering

    async def _let_in(self, greeting: bytes) -> None:
        size = int.from_bytes(await self._reader.readexactly(4))
        body = await self._reader.readexactly(size - 4)
        asked = set(body[4:].rstrip(b"\0").split(b"\0")[::2])
        if body[:4] != _VERSION or asked - _WORDS.keys():
            self._writer.write(_REFUSAL)  # in pgbouncer's words: it cannot promise to keep it
            raise ConnectionError("a startup parameter that is not the pooler's")
        self._writer.write(greeting)

    async def _answer(self, server: _Server) -> None:
        answer = b""
        while answer[:1] != b"Z" or answer[5:] != b"I":
            answer = await _message(server.reader)
            if answer[:1] == b"Z" and answer[5:] == b"I":
                self._server = None
                server.free.release()
            self._writer.write(answer)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
