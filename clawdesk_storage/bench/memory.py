"""How much memory this process has held at most."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["forget_peak", "peak"]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FORGET = "5"


def forget_peak() -> None:
    """Let the peak begin anew, where the system can: on Linux."""
    with suppress(OSError):
        _CLEAR.write_text(_FORGET)


def peak() -> int:
    """Return the most bytes that were resident since `forget_peak`, or since the start."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
