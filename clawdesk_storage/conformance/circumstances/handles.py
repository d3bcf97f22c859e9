"""Other handles: several on one location, in this process or in others, each step through one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.material.operation import Operation, packed, unpacked
from clawdesk_storage.conformance.running.process import Process, in_process
from clawdesk_storage.conformance.trial import Opened, Trial

__all__ = ["OtherHandles", "OtherProcesses", "Remote"]


class OtherHandles:
    """A `Circumstance` with three handles; two are opened at once, and one at its first use."""

    _names: Mapping[str, str] = {
        "": "storage",
        "through the second handle": "second",
        "through the third handle": "third",
    }

    def __init__(self) -> None:
        self.places: Sequence[str] = tuple(self._names)
        self._latest = ""

    def place(self, random: Random) -> str:
        """See `Circumstance.place`."""
        # Several steps through one, behind the back of the others.
        if random.random() < 0.4:
            self._latest = random.choice(self.places)
        return self._latest

    @asynccontextmanager
    async def open(self, trial: Trial, number: int) -> AsyncGenerator[_Handles]:
        """See `Circumstance.open`."""
        async with AsyncExitStack() as stack:
            handles = _Handles(stack, trial, number)
            at_once = list(self._names)[:2]
            opened = await together(*(handles.opened() for _ in at_once))
            handles.open_ones.update(zip(at_once, opened, strict=True))
            yield handles

    def lines(self, place: str, earlier: Sequence[str]) -> Sequence[str]:
        """See `Circumstance.lines`."""
        if place == earlier[-1]:
            return ()
        opening = f"{self._names[place]} = await stack.enter_async_context(open_here(location))"
        return (
            f"# {place or 'through the first handle'}",
            *([] if place in earlier else [opening]),
        )

    def handle(self, place: str) -> str:
        """See `Circumstance.handle`."""
        return self._names[place]


class _Handles:
    """The handles that are open, by their places."""

    def __init__(self, stack: AsyncExitStack, trial: Trial, number: int) -> None:
        self._stack, self._trial, self._number = stack, trial, number
        self.open_ones = dict[str, Any]()

    async def opened(self) -> Opened:
        return await self._stack.enter_async_context(self._trial.open(self._number))

    async def at(self, place: str) -> Any:
        if place not in self.open_ones:
            self.open_ones[place] = await self.opened()
        return self.open_ones[place]


class OtherProcesses(OtherHandles):
    """A `Circumstance` with a handle here and one in each of two processes, opened at once."""

    _names: Mapping[str, str] = {
        "": "storage",
        "through the other process": "other",
        "through the third process": "third",
    }

    @asynccontextmanager
    async def open(self, trial: Trial, number: int) -> AsyncGenerator[_Handles]:
        """See `Circumstance.open`."""
        location = trial.location(number)
        async with AsyncExitStack() as stack:
            _, *others = self._names
            running = await together(
                *(stack.enter_async_context(in_process(trial.backend, location)) for _ in others)
            )
            handles = _Handles(stack, trial, number)
            await together(*(process.opened() for process in running))
            handles.open_ones[""] = await handles.opened()
            handles.open_ones.update(zip(others, map(Remote, running), strict=True))
            yield handles


class Remote:
    """The storage of another process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def perform(self, operation: Operation) -> Any:
        """Carry out an operation there, and return its answer."""
        return unpacked(await self._process.call("perform", packed(operation)))
