"""Killed while it writes, again and again, it loses nothing that it was told was done.

    CLAWDESK_KILLS=50 python -m pytest tests/test_kills.py

makes as many rounds; each is at least 200 acknowledged writes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from clawdesk_storage import SessionId

from clawdesk_sqlite import open_storage

ROUNDS = int(os.environ.get("CLAWDESK_KILLS", "5"))
ACKNOWLEDGED = 200

WRITER = """
import asyncio, json, random, sys
from pathlib import Path
from clawdesk_sqlite import open_storage
from clawdesk_storage import ChannelId, Message, Role, Session, SessionId

chance = random.Random(int(sys.argv[2]))

async def work(storage, task):
    id = SessionId(f"t{task}")
    for number in range(10**6):
        kind = chance.choice(["append"] * 6 + ["save", "save", "delete", "clear"])
        text = f"{sys.argv[2]}-{number}"
        print(json.dumps(["begin", task, kind, text]), flush=True)
        if kind == "append":
            await storage.conversations.append_message(id, Message(role=Role.USER, content=text))
        elif kind == "save":
            await storage.sessions.save(Session(id=id, channel=ChannelId("c"), system_prompt=text))
        elif kind == "delete":
            await storage.sessions.delete(id)
        else:
            await storage.conversations.clear(id)
        print(json.dumps(["end", task, kind, text]), flush=True)

async def main():
    async with open_storage(Path(sys.argv[1])) as storage:
        await asyncio.gather(*(work(storage, task) for task in range(8)))

asyncio.run(main())
"""


class Expected:
    """What may be there: the state after what was acknowledged, or after the one in flight too."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.prompt: str | None = None
        self.begun: tuple[str, str] | None = None

    def after(self, begun: tuple[str, str] | None) -> tuple[list[str], str | None]:
        """The history and the session's prompt after a write."""
        match begun:
            case ("append", text):
                return [*self.history, text], self.prompt
            case ("clear", _):
                return [], self.prompt
            case ("save", text):
                return self.history, text
            case ("delete", _):
                return self.history, None
            case _:
                return self.history, self.prompt

    def end(self) -> None:
        """What was begun is acknowledged."""
        self.history, self.prompt = self.after(self.begun)
        self.begun = None


async def test_nothing_acknowledged_is_lost_to_kills(location: Path) -> None:
    """Appends, clears, replacements and deletions, by eight tasks at once."""
    tasks = [Expected() for _ in range(8)]
    for number in range(ROUNDS):
        command = [sys.executable, "-c", WRITER, str(location), str(number)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        acknowledged = 0
        for line in child.stdout:
            told, task, kind, text = json.loads(line)
            if told == "begin":
                tasks[task].begun = kind, text
            else:
                tasks[int(task)].end()
                acknowledged += 1
                if acknowledged == ACKNOWLEDGED + number:
                    child.kill()
        child.wait()
        child.stdout.close()
        async with open_storage(location) as storage:
            for task, expected in enumerate(tasks):
                id = SessionId(f"t{task}")
                messages = await storage.conversations.get_messages(id, limit=10**6)
                session = await storage.sessions.get(id)
                found = [one.content for one in messages], session and session.system_prompt
                assert found in (expected.after(None), expected.after(expected.begun))
                expected.history, expected.prompt = found
                expected.begun = None
