"""The pages of the documentation as projects: their titled blocks are files, the rest is run.

A block with a title is a file of that name; a later one of the same name replaces it. A `console`
block is a session: the commands that stand after `$ `, and what they print. A line `…` stands for
lines left out, and `…` within a line for the rest of it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DOCS", "Block", "Command", "Session", "blocks", "sessions"]

DOCS: Final = Path(__file__).parents[2] / "docs"

_FENCE: Final = re.compile(
    r"^```(?P<language>\w+)(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_TITLE: Final = re.compile(r'title="([^"]+)"')
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)

_PROGRAMS: Final = {
    "clawdesk-storage": (
        "-c",
        "import sys; from clawdesk_storage.cli import main; sys.exit(main())",
    ),
    "pytest": ("-m", "pytest", "-p", "no:cacheprovider"),
    "python": (),
}
"""The commands that are run; what installs something or walks through folders is not."""

_MEMORY: Final = "/dev/shm"
"""Where fsync costs nothing: what it is for cannot be tested anyway."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    text: str
    section: str


@dataclass(frozen=True)
class Command:
    """A command of a session, with the lines that it is said to print."""

    words: Sequence[str]
    printed: Sequence[str]


@dataclass(frozen=True)
class Session:
    """A `console` block, with the files that the reader has by then."""

    name: str
    files: Sequence[Block]
    block: Block

    def __str__(self) -> str:
        return self.name

    def run(self, folder: Path) -> Iterator[tuple[Command, str]]:
        """Write the files into `folder`, run each command there, and yield what it prints."""
        for file in self.files:
            place = folder / file.title
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text, encoding="utf-8")
        _install(folder)
        for command in _commands(self.block.text):
            yield command, _printed(command.words, folder)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [_block(found, text) for found in _FENCE.finditer(text)]


def _block(found: re.Match[str], text: str) -> Block:
    title = _TITLE.search(found["info"])
    headings = _HEADING.findall(text, 0, found.start())
    section = headings[-1] if headings else ""
    return Block(found["language"], title[1] if title else "", found["text"], section)


def sessions(page: Path) -> Iterator[Session]:
    """Yield the sessions of a page in which something is to be run."""
    files: list[Block] = []
    for block in blocks(page):
        if block.title:
            files.append(block)
        elif block.language == "console" and any(_commands(block.text)):
            name = f"{page.relative_to(DOCS).with_suffix('')}: {block.section}"
            yield Session(name, tuple(files), block)


def _commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *printed = part.splitlines()
        words = shlex.split(command)
        if words[0] in _PROGRAMS and words[1:3] not in (["-m", "pip"], ["-m", "venv"]):
            yield Command(words, printed)


def _printed(words: Sequence[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    if os.access(_MEMORY, os.W_OK):
        environment["TMPDIR"] = _MEMORY
    done = subprocess.run(
        [sys.executable, *_PROGRAMS[words[0]], *words[1:]],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        check=False,
    )
    return done.stdout.decode()


def _install(folder: Path) -> None:
    """Do what `pip install -e .` does, as far as entry points go."""
    project = folder / "pyproject.toml"
    if not project.exists():
        return
    named = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    installed = folder / f"{named['name'].replace('-', '_')}-{named['version']}.dist-info"
    installed.mkdir(exist_ok=True)
    lines = [f"Name: {named['name']}", f"Version: {named['version']}", ""]
    (installed / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines]))
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named_in.items())
        for group, named_in in named.get("entry-points", {}).items()
    ]
    (installed / "entry_points.txt").write_text("\n".join(points))
