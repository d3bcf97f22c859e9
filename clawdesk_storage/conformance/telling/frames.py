"""What a failing store's author needs to see of a traceback: the frames of the store."""

from __future__ import annotations

import sys
import sysconfig
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import cast

__all__ = ["shortened", "stack_of"]

_OURS = str(Path(__file__).parents[1])
_STANDARD = sysconfig.get_path("stdlib")
_INSTALLED = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}


def shortened(error: BaseException) -> str:
    """Return the error and the frames that it came through, from the store's own code on.

    The suite's frames and the standard library's are left out; a driver's stay only where there is
    nothing else.
    """
    lines = [f"{type(error).__name__}: {error}".rstrip(": ")]
    lines += _frames(traceback.extract_tb(error.__traceback__))
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        lines += [f"  of which {line}" for one in group.exceptions for line in [shortened(one)]]
    if error.__cause__ is not None:
        cause = error.__cause__
        lines.append(f"  caused by {type(cause).__name__}: {cause}")
    return "\n".join(lines)


def stack_of(thread: threading.Thread) -> str:
    """Return where a thread is in the store's code, or nothing if it is not."""
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
    frames = _frames(traceback.extract_stack(frame)) if frame else []
    return "\n".join(["; it was at", *frames]) if frames else ""


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
