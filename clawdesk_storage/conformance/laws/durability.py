"""What a durable storage promises: that what is acknowledged stays."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawdesk_storage.conformance.circumstances.exploring import explore
from clawdesk_storage.conformance.circumstances.reopening import Reopening
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.numbered import NumberedCalls, angle, config, version
from clawdesk_storage.conformance.running.process import in_process
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.models import SessionId

_ALL = 10**6
_S = SessionId("s")


@law("DUR-01", claim="durable")
async def a_location_reopened_is_as_it_was_left(trial: Trial) -> None:
    """Reopening the same location finds everything, order and dimension included.

    What was deleted, cleared or replaced stays so, and what is written after reopening follows what
    was there before: a counter that starts anew puts new messages among the old.
    """
    await explore(trial, Reopening(), runs=15, length=80, every=20)


_TASKS, _ROUNDS = 3, 4


@law("DUR-02", claim="durable")
async def a_killed_process_loses_nothing_acknowledged(trial: Trial) -> None:
    """A process killed with SIGKILL in the middle of writing loses nothing it was told was done.

    What was in flight is there whole or not at all, and the storage opens again by itself. A child
    process writes to all ports with several tasks and reports each call that has returned; it is
    killed at varying moments, in its first opening too. Acknowledging before the write, a buffer
    that is flushed on a timer, and a file rewritten in place fail.
    """
    async with in_process(trial.backend, trial.location()) as process:
        await process.reach(1)
        await asyncio.sleep(trial.random.random() * 0.05)
    known = _Known()
    for number in range(_ROUNDS):
        answers = await _written_until_killed(trial, 1000 * number)
        async with trial.open() as storage:
            known.learn(answers, 1000 * number)
            await known.expect(trial, storage)
            await known.settle(storage)


async def _written_until_killed(trial: Trial, first: int) -> list[list[Any]]:
    """Let a child write for a while, kill it, and return what it was told was done."""
    async with trial.open() as storage:
        ports = list(storage.raw)
    async with in_process(trial.backend, trial.location()) as process:
        await process.opened()
        for task in range(_TASKS):
            process.send("write", ports, task, first)
        await process.reach(2 + trial.random.choice((1, 3, 20, 100)))
        await asyncio.sleep(trial.random.random() * 0.02)
        answers = await process.kill()
    trial.note(
        f"a child process wrote from {first} on, and was killed after {len(answers)} answers"
    )
    for answer in answers:
        trial.holds(answer[0] != "failed", "a call in the child process", "no error", answer)
    return [answer for answer in answers if answer[0] == "done"]


@dataclass
class _Known:
    """What must be there: what was acknowledged, or was there when it was last looked at."""

    appended: list[str] = field(default_factory=list[str])
    saved: dict[str, int] = field(default_factory=dict[str, int])
    configured: int | None = None
    upserted: dict[str, int] = field(default_factory=dict[str, int])
    first: int = 0
    """The first number of the latest round, which may have been in flight at its end."""

    def learn(self, answers: Sequence[Sequence[Any]], first: int) -> None:
        self.first = first
        for _, _, call, arguments, _ in answers:
            if call == "append":
                self.appended.append(arguments[1])
            elif call == "save":
                self.saved[arguments[0]] = arguments[1]
            elif call == "configure":
                self.configured = arguments[0]
            else:
                self.upserted[arguments[0]] = arguments[1]

    def _may_be(self, last: int) -> tuple[int, ...]:
        return last, last + 1, self.first

    async def expect(self, trial: Trial, storage: Opened) -> None:
        if "conversations" in storage.raw:
            came = await storage.conversations.get_messages(SessionId("shared"), _ALL)
            for task in range(_TASKS):
                _expect_appended(trial, task, self.appended, [one.content for one in came])
        if "sessions" in storage.raw:
            await self._expect_saved(trial, storage)
        if "config" in storage.raw and self.configured is not None:
            one = await storage.config.get_config()
            allowed = [config(number) for number in self._may_be(self.configured)]
            what = f"the configuration, last acknowledged as number {self.configured}"
            trial.holds(one in allowed, what, "that version or the next, whole", one)
        if "vectors" in storage.raw:
            await _expect_upserted(trial, storage, self.upserted)

    async def _expect_saved(self, trial: Trial, storage: Opened) -> None:
        for id, last in self.saved.items():
            one = await storage.sessions.get(SessionId(id))
            allowed = [version(id, number) for number in self._may_be(last)]
            what = f"session {id}, last acknowledged as number {last}"
            trial.holds(one in allowed, what, "that version or the next, whole", one)

    async def settle(self, storage: Opened) -> None:
        """What was in flight and is there must stay from now on."""
        calls = NumberedCalls(storage)
        if "conversations" in storage.raw:
            self.appended = await calls.messages("shared")
        if "sessions" in storage.raw:
            there = {f"s{task}": await calls.get(f"s{task}") for task in range(_TASKS)}
            self.saved = {id: number for id, number in there.items() if number is not None}
        if "config" in storage.raw:
            self.configured = await calls.configured()
        if "vectors" in storage.raw:
            self.upserted = await calls.found()


def _expect_appended(trial: Trial, task: int, appended: Sequence[str], came: Sequence[str]) -> None:
    def own(contents: Sequence[str]) -> list[str]:
        return [content for content in contents if content.startswith(f"{task}.")]

    expected, there = own(appended), own(came)
    what = f"the messages of task {task}, beside the ones acknowledged"
    trial.same(expected, there[: len(expected)], what)
    in_flight = there[len(expected) :]
    trial.holds(len(in_flight) <= 1, f"{what}, what was in flight", "one at most", in_flight)


async def _expect_upserted(trial: Trial, storage: Opened, upserted: Mapping[str, int]) -> None:
    found = await storage.vectors.search(angle(0), top_k=_ALL)
    there = {one.id: one.metadata for one in found}
    trial.same(len(there), len(found), "how many vectors are found, each once")
    missing = [id for id in upserted if id not in there]
    trial.same([], missing, "the vectors that were acknowledged and are not found")
    wrong = [id for id, number in there.items() if id.partition(".")[2] != str(number)]
    trial.same([], wrong, "the vectors found with the metadata of another")
