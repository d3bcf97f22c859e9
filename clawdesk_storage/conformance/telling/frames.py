"""What a failing store's author needs to see of a traceback: the frames of the store."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import traceback
from asyncio import AbstractEventLoop
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

__all__ = ["cause_of", "shortened", "waiting_at"]

_CHAINS, _TRIES = 3, 5
_SHOWN = 6
"""How many frames are shown of each end of a traceback."""

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")

_OURS = str(Path(__file__).parents[1])
_STANDARD = sysconfig.get_path("stdlib")
_INSTALLED = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}


def shortened(error: BaseException) -> str:
    """Return the error and the frames that it came through, from the store's own code on.

    The suite's frames and the standard library's are left out; a driver's stay only where there is
    nothing else.
    """
    lines = [f"{type(error).__name__}: {error}".rstrip(": ")]
    lines += _ends(_frames(traceback.extract_tb(error.__traceback__)))
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        lines += [f"  of which {line}" for one in group.exceptions for line in [shortened(one)]]
    if error.__cause__ is not None:
        cause = error.__cause__
        lines.append(f"  caused by {type(cause).__name__}: {cause}")
    return "\n".join(lines)


def _ends(frames: list[str]) -> list[str]:
    """The first and the last of many frames, such as those of a recursion without end."""
    left_out = len(frames) - 2 * _SHOWN
    if left_out <= 0:
        return frames
    return [*frames[:_SHOWN], f"  … {left_out} frames", *frames[-_SHOWN:]]


def cause_of(error: BaseException) -> str:
    """Return what tells this error from others: its type and where in the store it was raised."""
    frames = _frames(traceback.extract_tb(error.__traceback__))
    place = frames[-1].splitlines()[0].strip() if frames else str(error)
    return f"{type(error).__name__} {place}"


def waiting_at(thread: int | None, loop: AbstractEventLoop | None) -> tuple[str, str]:
    """Return where code waits in the store, as lines for a reader and as the last place alone.

    Code that blocks its thread waits where the thread is; else each task of the loop waits at the
    end of its chain of awaits.

    Args:
        thread: The thread's identifier, or None if it has not started.
        loop: The loop that the thread runs, or None.
    """
    frame = sys._current_frames().get(thread or 0)  # pyright: ignore[reportPrivateUsage]
    chains = [_frames(traceback.extract_stack(frame))] if frame else []
    if not any(chains) and loop is not None:
        chains = [_frames(_awaits(task.get_coro())) for task in _tasks_of(loop)]
    found = list({chain[-1]: chain for chain in chains if chain}.values())
    if not found:
        return " outside of the store's own code", ""
    lines = [line for chain in found[:_CHAINS] for line in ("in", *chain)]
    return " " + "\n".join(lines).replace("\nin\n", "\nand in\n"), found[0][-1]


def _tasks_of(loop: AbstractEventLoop) -> list[asyncio.Task[Any]]:
    for _ in range(_TRIES):
        with suppress(RuntimeError):  # the loop's thread has changed the set meanwhile
            return sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return []


def _awaits(awaited: Any) -> list[traceback.FrameSummary]:
    """The frames of a coroutine that waits, outermost first."""
    frames: list[traceback.FrameSummary] = []
    while awaited is not None:
        frame = next((one for name in _FRAMES if (one := getattr(awaited, name, None))), None)
        if frame is None:
            break
        frames.extend(traceback.StackSummary.extract([(frame, frame.f_lineno)]))
        inner = next((one for name in _AWAITS if (one := getattr(awaited, name, None))), None)
        if frame.f_code.co_name in ("__aenter__", "__aexit__"):
            # A context manager made of a generator shows nothing; its generator does.
            inner = getattr(frame.f_locals.get("self"), "gen", inner)
        awaited = inner
    return frames


def _frames(frames: Iterable[traceback.FrameSummary]) -> list[str]:
    theirs = [one for one in frames if not _is_in(one, _OURS) and not _is_standard(one)]
    own = [one for one in theirs if not any(_is_in(one, place) for place in _INSTALLED)]
    return [f"  {one.filename}:{one.lineno} in {one.name}\n    {one.line}" for one in own or theirs]


def _is_in(frame: traceback.FrameSummary, folder: str) -> bool:
    return Path(frame.filename).is_relative_to(folder)


def _is_standard(frame: traceback.FrameSummary) -> bool:
    if frame.filename.startswith("<"):
        return True
    return _is_in(frame, _STANDARD) and not any(_is_in(frame, place) for place in _INSTALLED)
