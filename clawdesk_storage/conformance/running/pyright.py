"""Pyright, which is asked: modules with a question to a line, and what it complains about.

One question is there to be complained about, so that silence never means that pyright saw nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

__all__ = ["CANARY", "Answers", "CannotRunError", "Question", "Script", "answered"]

_TIMEOUT: Final = 60.0
_REMEDY: Final = 'install it with: pip install "clawdesk-storage[conformance]"'


class CannotRunError(Exception):
    """Pyright gave no answer; the message says why."""


class Question(NamedTuple):
    """What a line asks: of which kind it is, and what it is about."""

    asks: str
    form: str = ""
    store: str = ""
    method: str = ""


Answers: TypeAlias = Mapping[Question, str]

CANARY = Question("are errors reported, and is the package seen?")


class Script:
    """A module in the making, and the question that each of its lines asks."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.questions: dict[int, Question] = {}

    @property
    def text(self) -> str:
        """The module's text."""
        return "\n".join(self._lines) + "\n"

    def write(self, text: str) -> None:
        """Add lines that ask nothing."""
        self._lines += text.splitlines()

    def ask(self, line: str, *question: str) -> None:
        """Add a line that asks a question."""
        self.questions[len(self._lines)] = Question(*question)
        self._lines.append(line)


async def answered(
    scripts: Mapping[str, Script], roots: Sequence[str], parent: Path | None
) -> tuple[str, Mapping[str, Answers]]:
    """Run pyright over scripts; return its version, and the complaints of each by its name.

    Args:
        scripts: The modules by the names of their files.
        roots: The folders in which modules are found.
        parent: Where a temporary directory is made; None is the system's place.

    Raises:
        CannotRunError: It gave no answer.
    """
    if not scripts:
        return "", {}
    with tempfile.TemporaryDirectory(
        prefix="clawdesk-storage-", ignore_cleanup_errors=True, dir=parent
    ) as at:
        try:
            process = _started(_laid_out(at, scripts, roots))
        except OSError as error:
            raise CannotRunError(f"pyright could not be started ({error}); {_REMEDY}") from error
        try:
            async with asyncio.timeout(_TIMEOUT):
                output, complaint = await asyncio.to_thread(process.communicate)
        except TimeoutError as error:
            message = f"pyright gave no answer within {_TIMEOUT:g} s; try again on an idle machine"
            raise CannotRunError(message) from error
        finally:
            if process.poll() is None:
                _kill(process)
    if not output.strip():
        raise CannotRunError(_reason(complaint.decode(errors="replace")))
    return _read(output, scripts)


def _laid_out(at: str, scripts: Mapping[str, Script], roots: Sequence[str]) -> Path:
    """Write the modules, and an environment that holds what the running interpreter can import.

    Pyright puts its own stubs of the standard library before such an environment, and needs to
    start no interpreter to look into it.
    """
    folder = Path(at).resolve()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    settings = {
        "include": [*scripts],
        "typeCheckingMode": "standard",
        "pythonVersion": version,
        "pythonPlatform": {"darwin": "Darwin", "win32": "Windows"}.get(sys.platform, "Linux"),
        "venvPath": str(folder),
        "venv": "virtual-environment",
    }
    library = "Lib" if sys.platform == "win32" else f"lib/python{version}"
    packages = folder / "virtual-environment" / library / "site-packages"
    packages.mkdir(parents=True)
    (packages / "backend.pth").write_text("\n".join([*roots, ""]), encoding="utf-8")
    for name, script in scripts.items():
        (folder / name).write_text(script.text, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _started(folder: Path) -> subprocess.Popen[bytes]:
    # Not by asyncio, which waits without end for a process whose start was cancelled.
    return subprocess.Popen(
        [sys.executable, "-m", "pyright", "--outputjson", "--project", "pyrightconfig.json"],
        cwd=folder,
        env={**os.environ, "LC_ALL": "en", "VSCODE_NLS_CONFIG": ""},  # its messages are read below
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:  # the interpreter waits for node, which would outlive it
            os.killpg(process.pid, signal.SIGKILL)


def _reason(complaint: str) -> str:
    if "No module named pyright" in complaint:
        return f"pyright is not installed; {_REMEDY}"
    last = (complaint.strip().splitlines() or ["it said nothing"])[-1]
    return f"pyright failed ({last}); {_REMEDY}"


def _read(
    output: bytes, scripts: Mapping[str, Script]
) -> tuple[str, Mapping[str, dict[Question, str]]]:
    answers: dict[str, dict[Question, str]] = {name: {} for name in scripts}
    try:
        report = json.loads(output)
        version = str(report["version"])
        for item in report["generalDiagnostics"]:
            name, line = Path(item["file"]).name, int(item["range"]["start"]["line"])
            if item["severity"] == "error" and name in scripts:
                question = scripts[name].questions.get(line)
                if question is not None:
                    answers[name].setdefault(question, str(item["message"]))
    except (ValueError, KeyError, TypeError) as error:
        said = output.decode(errors="replace").strip().splitlines()[0][:200]
        raise CannotRunError(f"pyright's answer makes no sense ({said}); {_REMEDY}") from error
    if not all(CANARY in one for one in answers.values()):
        raise CannotRunError("pyright cannot find the modules of clawdesk_storage; " + _REMEDY)
    return version, answers
