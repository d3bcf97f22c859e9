"""A chat gateway in one file, on the storage that its command line names by a URL.

    python examples/gateway.py sqlite:data

It knows the four ports and no backend: whatever passes the conformance suite will do. Where a store
has the ability, a turn is stored at once, two programs on one session count all that was said, and
forgetting is one call. Its agent stands in for a model, and needs no network.
"""

import argparse
import asyncio
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from zlib import crc32

from clawdesk_storage import (
    ChannelId,
    Equals,
    JsonValue,
    Message,
    MessageBatches,
    Role,
    Session,
    SessionId,
    SessionRevisions,
    Storage,
    StorageError,
    VectorFilters,
    VectorResult,
    check_limit,
    open_storage,
    update,
)

CHANNEL = ChannelId("terminal")
DIMENSION, SIMILAR = 256, 0.3
HELP = """\
/new NAME    begin a session
/open NAME   go back to a session
/sessions    list the sessions, the latest first
/history     show what the agent sees of this session
/forget      forget what was said in this session
/model NAME  have this session answered by another model
/limit N     let the agent see N messages of each session begun from now on
Everything else is said to the agent."""


def embed(text: str) -> list[float]:
    """Return a vector of shape `(DIMENSION,)` that counts the words of `text`."""
    vector = [0.0] * DIMENSION
    for word in re.findall(r"\w+", text.lower()) or [text]:
        vector[crc32(word.encode()) % DIMENSION] += 1
    return vector


def agent(text: str, history: Sequence[Message], memories: Sequence[VectorResult]) -> str:
    """Answer a remark, given the session's latest messages and the most similar remark ever."""
    if any(text == message.content for message in history):
        return "You said that a moment ago."
    similar = [memory.metadata for memory in memories if memory.score > SIMILAR]
    match similar:
        case [{"text": remark}]:
            return f"That reminds me of: {remark}"
        case _:
            return f"Noted: {text}"


class Gateway:
    """One user's chat: the current session, and a method for each command."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.session: Session
        self.commands = {
            "/new": self._new,
            "/open": self._open,
            "/sessions": self._sessions,
            "/history": self._history,
            "/forget": self._forget,
            "/model": self._model,
            "/limit": self._limit,
        }

    async def start(self) -> str:
        """Go back to the latest session, or begin the first."""
        latest = await self.storage.sessions.list_by_channel(CHANNEL)
        return await (self._open(latest[0].id) if latest else self._new("main"))

    async def answer(self, line: str) -> str:
        """Return what a line of input is answered with."""
        command, _, rest = line.partition(" ")
        if command in self.commands:
            return await self.commands[command](rest.strip())
        return HELP if command.startswith("/") else await self._chat(line)

    async def _chat(self, text: str) -> str:
        session, conversations = self.session, self.storage.conversations
        history = await conversations.get_messages(session.id, limit=session.history_limit)
        answer = agent(text, history, await self.storage.vectors.search(embed(text), top_k=1))
        said = Message(role=Role.USER, content=text)
        answered = Message(role=Role.ASSISTANT, content=answer, model=session.model)
        await self._append(said, answered)
        # Counted first, for the count is the key: of two programs each gets one of its own.
        await self._save(said=2)
        memory: JsonValue = {"session": session.id, "text": text}
        key = f"{self.session.message_count - 2}:{session.id}"
        await self.storage.vectors.upsert(key, embed(text), metadata=memory)
        return f"{session.model}: {answer}"

    async def _append(self, *turn: Message) -> None:
        conversations = self.storage.conversations
        if isinstance(conversations, MessageBatches):
            await conversations.append_messages(self.session.id, turn)
            return
        for message in turn:
            await conversations.append_message(self.session.id, message)

    async def _new(self, name: str) -> str:
        if await self.storage.sessions.get(SessionId(name)):
            raise ValueError(f"there is a session {name} already")
        config = await self.storage.config.get_config()
        session = Session(
            id=SessionId(name),
            channel=CHANNEL,
            model=config.agents.default_model,
            history_limit=config.session.history_limit,
        )
        await self.storage.sessions.save(session)
        return await self._open(name)

    async def _open(self, name: str) -> str:
        session = await self.storage.sessions.get(SessionId(name))
        if session is None:
            raise ValueError(f"there is no session {name}")
        self.session = session
        return f"session {name}, answered by {session.model}"

    async def _sessions(self, _: str) -> str:
        sessions = await self.storage.sessions.list_by_channel(CHANNEL)
        return "\n".join(f"{one.id}: {one.message_count} messages" for one in sessions)

    async def _history(self, _: str) -> str:
        limit = self.session.history_limit
        messages = await self.storage.conversations.get_messages(self.session.id, limit)
        return "\n".join(f"{one.model or 'you'}: {one.content}" for one in messages)

    async def _forget(self, _: str) -> str:
        await self.storage.conversations.clear(self.session.id)
        await self._forget_memories()
        await self._save(said=-self.session.message_count)
        return "forgotten"

    async def _forget_memories(self) -> None:
        vectors = self.storage.vectors
        if isinstance(vectors, VectorFilters):
            await vectors.delete_where(Equals("session", self.session.id))
            return
        for number in range(0, self.session.message_count, 2):
            await vectors.delete(f"{number}:{self.session.id}")

    async def _model(self, model: str) -> str:
        await self._save(model=model)
        return f"session {self.session.id}, answered by {model}"

    async def _limit(self, number: str) -> str:
        limit = check_limit(int(number))
        config = await self.storage.config.get_config()
        section = config.session.model_copy(update={"history_limit": limit})
        await self.storage.config.save_config(config.model_copy(update={"session": section}))
        return f"sessions begun from now on: {limit} messages"

    async def _save(self, said: int = 0, **changes: object) -> None:
        def changed(session: Session | None) -> Session:
            session = session or self.session
            count = session.message_count + said
            now = {"last_activity": datetime.now(UTC), "message_count": count}
            return session.model_copy(update={**now, **changes})

        sessions = self.storage.sessions
        if isinstance(sessions, SessionRevisions):
            self.session = (await update(sessions, self.session.id, changed)).session
            return
        self.session = changed(self.session)
        await sessions.save(self.session)


def lines() -> Iterator[str]:
    """Yield what is typed or piped in, line by line."""
    with suppress(EOFError):
        while True:
            yield input("> " if sys.stdin.isatty() else "").strip()


async def run(url: str) -> None:
    """Open the storage, and answer until the input ends."""
    # Nothing else runs on this event loop, so that waiting for input may block it; Ctrl-C ends it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    async with open_storage(url) as storage:
        gateway = Gateway(storage)
        print(await gateway.start())
        for line in filter(None, lines()):
            try:
                print(await gateway.answer(line))
            except (StorageError, ValueError) as error:
                print("error:", " ".join(str(error).split()))


def main() -> int:
    """Run the program and return its exit status."""
    parser = argparse.ArgumentParser(description="Chat, on any storage backend.")
    parser.add_argument("url", help="where the data are, such as sqlite:data or memory:")
    try:
        asyncio.run(run(parser.parse_args().url))
    except (StorageError, ValueError, ImportError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
