"""Programs that tests start."""

import sys

__all__ = ["CLAWDESK_STORAGE"]

# What a shell runs in the background is told to ignore Ctrl-C, and so are its children.
_CODE = """\
import signal
from clawdesk_storage.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
raise SystemExit(main())
"""

CLAWDESK_STORAGE = [sys.executable, "-c", _CODE]
"""The command `clawdesk-storage`, which ends at Ctrl-C wherever the tests run."""
