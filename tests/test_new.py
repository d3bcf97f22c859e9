"""`clawdesk-storage new`: what it writes, and what it refuses to write."""

import ast
import functools
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest

from clawdesk_storage import abilities
from clawdesk_storage.conformance import Backend, laws, verify
from clawdesk_storage.conformance.trial import PORT_NAMES
from clawdesk_storage.testing import MemoryStorage
from tests.mutants.mutant import without_abilities
from tests.programs import CLAWDESK_STORAGE

ROOT = Path(__file__).parents[1]


class Done(NamedTuple):
    """What came of a program."""

    status: int
    out: str
    err: str


def _run(command: Sequence[str], cwd: Path, **environment: str) -> Done:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def _python(*arguments: str, cwd: Path, **environment: str) -> Done:
    return _run([sys.executable, *arguments], cwd, **environment)


def _clawdesk(*arguments: str, cwd: Path, **environment: str) -> Done:
    done = _run([*CLAWDESK_STORAGE, *arguments], cwd, **environment)
    assert "Traceback" not in done.err
    return done


def _new(name: str, folder: Path) -> Path:
    done = _clawdesk("new", name, cwd=folder)
    assert (0, "") == (done.status, done.err)
    return folder / name


def _installed(project: Path, folder: Path) -> Path:
    """Install a project as pip would, from a wheel, into a folder for PYTHONPATH."""
    code = "import sys, hatchling.build as build; build.build_wheel(sys.argv[1])"
    done = _python("-c", code, str(folder), cwd=project)
    assert 0 == done.status, done.err
    (wheel,) = folder.glob("*.whl")
    ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def _verified(project: Path, folder: Path) -> Any:
    """The suite's report on a project, which it finds by the name of its entry point."""
    site = _installed(project, folder)
    done = _clawdesk("verify", project.name, "--json", "-", cwd=folder, PYTHONPATH=str(site))
    return json.loads(done.out)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The suite's report on a project as it is written."""
    folder = tmp_path_factory.mktemp("fresh")
    return _verified(_new("my-backend", folder), folder)


def _outcomes(report: Any) -> dict[str, str]:
    return {law["id"]: law["outcome"] for law in report["laws"]}


# What is still to be done, by a rule.


class Answered(Exception):
    """A correct store has an answer here."""


def _raising(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def answer(*arguments: Any, **keywords: Any) -> None:
        await method(*arguments, **keywords)
        raise Answered

    return answer


def _asked(store: type) -> type:
    methods = {
        name: _raising(method)
        for name, method in vars(store).items()
        if inspect.iscoroutinefunction(method)
    }
    return type(store.__name__, (store,), methods)


@asynccontextmanager
async def open_asked(location: Path) -> AsyncGenerator[MemoryStorage]:
    """Open a storage that refuses what a correct one refuses, and raises what it would answer."""
    async with MemoryStorage() as storage:
        for name in PORT_NAMES:
            store: object = getattr(storage, name)
            setattr(storage, name, _asked(type(store))())
        yield without_abilities(storage)


async def test_exactly_the_laws_that_ask_for_an_answer_fail(report: Any) -> None:
    """A refusal and a store's shape are there from the start; an answer is the author's work."""
    asked = await verify(Backend(open_asked, durable=False, shared=False), static=False)
    assert _outcomes(asked.to_json()) == _outcomes(report)
    assert {"failed", "passed", "not claimed", "not offered"} == {*_outcomes(report).values()}


_OVERLAPPING = ("STO-07", "STO-09")
"""Laws that tell what became of several calls at once."""


def test_each_failure_says_what_to_write_and_which_laws_to_read(report: Any) -> None:
    """The report is a list of what to do; the types are right from the start."""
    failed = [
        law["detail"]
        for law in report["laws"]
        if law["outcome"] == "failed" and law["id"] not in _OVERLAPPING
    ]
    told = re.compile(r"NotImplementedError: .+; see: clawdesk-storage laws [A-Z]{3}-\d\d")
    assert ([], []) == ([one for one in failed if not told.search(one)], report["static"]["errors"])


@pytest.mark.parametrize(
    ("file", "family"),
    [("sessions", "SES"), ("conversations", "CNV"), ("config", "CFG"), ("vectors", "VEC")],
)
def test_every_law_of_a_port_is_named_where_it_is_to_be_kept(
    file: str, family: str, tmp_path: Path
) -> None:
    """Whoever reads all that the methods name has read the port's laws, and none that is not."""
    text = (_new("my-backend", tmp_path) / "my_backend" / f"{file}.py").read_text()
    named = {number for said in re.findall(r"laws( .*)\"", text) for number in said.split()}
    assert {law.id for law in laws(family)} == named


# What an author may write in place of each `raise`, and in the engine.
_LOCATION = "        self.location = location\n"
_ENGINE = """\
        self.sessions: dict[str, bytes] = {}
        self.messages: dict[str, list[bytes]] = {}
        self.config: list[bytes] = []
        self.vectors: dict[str, tuple[Sequence[float], bytes]] = {}
        self.dimensions: set[int] = set()
"""
_BODIES = {
    "Sessions.get": """
        record = self._engine.sessions.get(id)
        return None if record is None else decode(Session, record, key=id)
""",
    "Sessions.save": """
        self._engine.sessions[session.id] = record
""",
    "Sessions.delete": """
        self._engine.sessions.pop(id, None)
""",
    "Sessions.list": """
        records = sorted(self._engine.sessions.items())
        by_id = [decode(Session, record, key=id) for id, record in records]
        whole = sorted(by_id, key=lambda one: one.last_activity, reverse=True)
        return whole[offset:][:limit]
""",
    "Sessions.list_by_channel": """
        whole = await self.list(len(self._engine.sessions), 0)
        return [one for one in whole if one.channel == channel]
""",
    "Conversations.get_messages": """
        whole = self._engine.messages.get(session_id, [])
        last = whole[max(0, len(whole) - limit):]
        return [decode(Message, record, key=session_id) for record in last]
""",
    "Conversations.append_message": """
        self._engine.messages.setdefault(session_id, []).append(record)
""",
    "Conversations.clear": """
        self._engine.messages.pop(session_id, None)
""",
    "Config.get_config": """
        saved = self._engine.config
        return decode(AppConfig, saved[0], key="config") if saved else AppConfig()
""",
    "Config.save_config": """
        self._engine.config[:] = [record]
""",
    "Vectors.upsert": """
        if self._engine.dimensions - {len(unit)}:
            raise ValueError("vectors here have another dimension")
        self._engine.dimensions.add(len(unit))
        self._engine.vectors[id] = unit, record
""",
    "Vectors.search": """
        if self._engine.dimensions - {len(unit)}:
            raise ValueError("vectors here have another dimension")
        found: list[VectorResult] = []
        for id, (other, record) in self._engine.vectors.items():
            score = math.fsum(a * b for a, b in zip(unit, other, strict=True))
            metadata = decode(JsonValue, record, key=id)
            found.append(VectorResult(id=id, score=score, metadata=metadata))
        return sorted(found, key=lambda one: (-one.score, one.id))[:top_k]
""",
    "Vectors.delete": """
        self._engine.vectors.pop(id, None)
""",
}
_IMPORTS = (
    "import math\nfrom collections.abc import Sequence\nfrom clawdesk_storage import decode\n"
)
_FUTURE = "from __future__ import annotations\n"


def _fill(file: Path) -> None:
    """Put an author's lines in place of each `raise NotImplementedError` of a module."""
    text = file.read_text()
    lines = text.splitlines(keepends=True)
    for owner in (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)):
        for method in (node for node in owner.body if isinstance(node, ast.AsyncFunctionDef)):
            last = method.body[-1]
            if isinstance(last, ast.Raise) and last.end_lineno:
                lines[last.lineno - 1] = _BODIES[f"{owner.name}.{method.name}"]
                lines[last.lineno : last.end_lineno] = [""] * (last.end_lineno - last.lineno)
    file.write_text("".join(lines).replace(_FUTURE, _FUTURE + _IMPORTS))


def test_it_conforms_when_nothing_but_the_storing_is_added(tmp_path: Path) -> None:
    """Closing, refusing, encoding and the types are given, and are right."""
    project = _new("my-backend", tmp_path)
    for name in ("sessions", "conversations", "config", "vectors"):
        _fill(project / "my_backend" / f"{name}.py")
    engine = project / "my_backend" / "engine.py"
    text = engine.read_text().replace(_FUTURE, _FUTURE + _IMPORTS)
    engine.write_text(text.replace(_LOCATION, _LOCATION + _ENGINE))
    report = _verified(project, tmp_path)
    assert ({"passed", "not claimed", "not offered"}, True) == (
        {*_outcomes(report).values()},
        report["conforms"],
    )


@pytest.mark.parametrize(
    ("tool", "last"),
    [
        (["pyright", "--pythonpath", sys.executable], "0 errors, 0 warnings, 0 informations"),
        (["ruff", "check", "--no-cache"], "All checks passed!"),
        (["ruff", "format", "--no-cache", "--check"], "10 files already formatted"),
    ],
    ids=["pyright", "ruff check", "ruff format"],
)
def test_tools_find_nothing_in_it(tool: list[str], last: str, tmp_path: Path) -> None:
    """An author begins with a clean project, under the settings that it brings."""
    done = _python("-m", *tool, cwd=_new("my-backend", tmp_path))
    assert (0, last) == (done.status, done.out.strip().splitlines()[-1])


def test_its_own_tests_run_the_laws(report: Any, tmp_path: Path) -> None:
    """The same laws fail and pass as on the command line, and the types are tested too."""
    project = _new("my-backend", tmp_path)
    done = _python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project, PYTHONPATH=str(project)
    )
    failed = set(re.findall(r"FAILED .*test_law\[(\w{3}-\d\d)", done.out))
    outcomes = _outcomes(report).items()
    assert {number for number, outcome in outcomes if outcome == "failed"} == failed
    assert "FAILED tests/test_conformance.py::TestConformance::test_types" not in done.out


_ABILITIES = {
    "sessions": ("Sessions", [abilities.SessionRevisions, abilities.Contents]),
    "conversations": (
        "Conversations",
        [
            abilities.MessageBatches,
            abilities.MessagePages,
            abilities.MessageGuards,
            abilities.Contents,
        ],
    ),
    "config": ("Config", [abilities.ConfigRevisions]),
    "vectors": (
        "Vectors",
        [abilities.VectorBatches, abilities.VectorFilters, abilities.VectorContents],
    ),
}


@pytest.mark.parametrize("file", _ABILITIES)
def test_the_abilities_stand_there_as_comments_with_their_laws(file: str, tmp_path: Path) -> None:
    """Without its marks each is a method with the signature that the ability has."""
    text = (_new("my-backend", tmp_path) / "my_backend" / f"{file}.py").read_text()
    code = re.sub(r"^    # (?=async|    |\))", "    ", text, flags=re.MULTILINE)
    name, offered = _ABILITIES[file]
    namespace: dict[str, Any] = {"__package__": "clawdesk_storage.project.package"}
    exec(compile(code, file, "exec"), namespace)
    for ability in offered:
        assert re.search(rf"# {ability.__name__}, laws [A-Z]{{3}}-\d\d", text)
        for method in (name for name in vars(ability) if not name.startswith("_")):
            wanted = inspect.signature(getattr(ability, method))
            assert wanted == inspect.signature(getattr(namespace[name], method))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("async def get(", "def get(", '"get" is an incompatible type'),
        ("async def delete(", "async def remove(", '"delete" is not present'),
        ("limit: int, offset: int", "limit: int, skip: int", 'mismatch: "offset" versus "skip"'),
        ("-> Session | None", "-> Session | str", '"get" is an incompatible type'),
    ],
)
def test_the_editor_names_a_mistake_at_the_last_line(
    right: str, wrong: str, told: str, tmp_path: Path
) -> None:
    """A missing method, a sync one, another parameter and another type, before anything is run."""
    project = _new("my-backend", tmp_path)
    file = project / "my_backend" / "sessions.py"
    text = file.read_text()
    file.write_text(text.replace(right, wrong, 1))
    done = _python("-m", "pyright", "--pythonpath", sys.executable, cwd=project)
    last = len(text.splitlines())
    assert (1, True) == (done.status, f"sessions.py:{last}:" in done.out), done.out
    assert told in done.out


@pytest.mark.parametrize("name", ["store", "My.Store_2", "my_store"])
def test_the_package_is_called_as_the_project(name: str, tmp_path: Path) -> None:
    """In lower case, with underscores; the backend's name is the project's."""
    project = _new(name, tmp_path)
    site = _installed(project, tmp_path)
    done = _clawdesk(
        "verify", name, "--law", "STO-04", "--no-static", cwd=tmp_path, PYTHONPATH=str(site)
    )
    assert 0 == done.status, done.out
    assert (site / name.lower().replace(".", "_") / "py.typed").exists()


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """Such as one that was cloned or mounted for it."""
    (tmp_path / "store").mkdir()
    assert (_new("store", tmp_path) / "pyproject.toml").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "cannot be the name of a distribution"),
        (".", "cannot be the name of a distribution"),
        ("-", "cannot be the name of a distribution"),
        ("my backend", "cannot be the name of a distribution"),
        ("my-backend-", "cannot be the name of a distribution"),
        ("my-bäckend", "cannot be the name of a distribution"),
        ("my-backend\n", "cannot be the name of a distribution"),
        ("here/my-backend", "right here"),
        ("../my-backend", "right here"),
        ("3-store", "could not be imported as 3_store"),
        ("class", "could not be imported as class"),
        ("Async", "could not be imported as async"),
        ("tests", "has a folder tests for something else"),
        ("json", "would hide the module json of the standard library"),
        ("SQLite3", "would hide the module sqlite3 of the standard library"),
        ("pydantic", "a distribution of that name is installed"),
        ("Typing.Extensions", "a distribution of that name is installed"),
        ("clawdesk-storage", "a distribution of that name is installed"),
        ("pydantic-core-", "cannot be the name of a distribution"),
        ("_pytest", "cannot be the name of a distribution"),
        ("xdist", "would hide the module xdist, which exists"),
        ("memory", "a backend of that name is installed"),
        ("n" * 300, "File name too long"),
        ("full", "the folder full is not empty"),
        ("file", "cannot write the folder file: File exists"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    """One sentence says why, and nothing is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = _clawdesk("new", name, cwd=tmp_path)
    assert (2, "", 1) == (done.status, done.out, done.err.count("\n"))
    assert reason in done.err
    assert before == sorted(tmp_path.rglob("*"))


@pytest.mark.parametrize("there", [True, False])
def test_a_project_that_cannot_be_written_whole_is_not_begun(there: bool, tmp_path: Path) -> None:
    """As on a full disk; an empty folder stays as it was."""
    if there:
        (tmp_path / "store").mkdir()
    limited = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *CLAWDESK_STORAGE]
    done = _run([*limited, "new", "store"], tmp_path)
    assert (2, "clawdesk-storage: cannot write the folder store: File too large\n") == (
        done.status, done.err,
    )  # fmt: skip
    assert ([tmp_path / "store"] if there else []) == list(tmp_path.rglob("*"))


def test_what_it_is_made_of_ships(tmp_path: Path) -> None:
    """The wheel holds every file that a project is made of."""
    _installed(ROOT, tmp_path)
    shipped = (tmp_path / "site" / "clawdesk_storage" / "project").rglob("*.*")
    here = (ROOT / "clawdesk_storage" / "project").rglob("*.*")
    assert {file.name for file in here if file.suffix != ".pyc"} == {file.name for file in shipped}
