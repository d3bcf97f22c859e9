"""The pytest binding, in every configuration of a consumer."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

_GOOD = """
    from clawdesk_storage.conformance import Backend
    from clawdesk_storage.conformance.pytest import StorageConformance
    from clawdesk_storage.testing import open_storage

    class TestMemory(StorageConformance):
        backend = Backend(open_storage, durable=False, shared=False)
"""
_BAD = """
    from clawdesk_storage.conformance import Backend
    from clawdesk_storage.conformance.pytest import StorageConformance
    from tests.conformance.broken import open_oldest_first

    class TestOldestFirst(StorageConformance):
        backend = Backend(open_oldest_first, durable=False, shared=False)
"""
_ROOT = Path(__file__).parents[2]

_SOME = ("-k", "CNV-0 or STO-04")
_BROKEN = {"TestOldestFirst"}

_CONFIGURATIONS = {
    "strict": ["-o", "asyncio_mode=strict"],
    "auto": ["-o", "asyncio_mode=auto"],
    "anyio": ["-p", "anyio"],
    "no async plugin": ["-p", "no:asyncio", "-p", "no:anyio"],
}


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a test file, and the broken backends importable in it."""
    for name in ("clawdesk_storage.conformance.pytest", "tests.conformance.broken"):
        importlib.import_module(name)  # so that no run inside this process loads it anew
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def _outcomes(pytester: pytest.Pytester, text: str, *options: str) -> dict[str, int]:
    pytester.makepyfile(text)
    return pytester.runpytest_inprocess(*options).parseoutcomes()


def _failed(out: str) -> list[str]:
    return re.findall(r"^FAILED \S+::(\w+)::test_law\[(\S+)", out, re.MULTILINE)


@pytest.mark.parametrize("name", _CONFIGURATIONS)
def test_a_good_backend_passes_and_a_bad_one_fails(run: pytest.Pytester, name: str) -> None:
    """Each law is one test, run once; those that a backend breaks fail, and only those."""
    run.makepyfile(test_good=_GOOD, test_bad=_BAD)
    result = run.runpytest_subprocess(*_CONFIGURATIONS[name], *_SOME, "-rf")
    outcomes = result.parseoutcomes()
    assert (15, 5, 0) == (outcomes["passed"], outcomes["failed"], outcomes.get("errors", 0))
    assert _BROKEN == {test for test, _ in _failed(result.stdout.str())}


def test_optimised_python_changes_nothing(run: pytest.Pytester) -> None:
    """`python -O` removes every assert; the suite has none."""
    run.makepyfile(test_good=_GOOD, test_bad=_BAD)
    done = subprocess.run(
        [sys.executable, "-O", "-m", "pytest", *_SOME, "-q"],
        capture_output=True, text=True, check=False, cwd=run.path,
    )  # fmt: skip
    assert (1, _BROKEN, 5) == (
        done.returncode, {test for test, _ in _failed(done.stdout)}, len(_failed(done.stdout)),
    )  # fmt: skip


def test_the_whole_suite_in_a_ports_order(run: pytest.Pytester) -> None:
    """The ids carry number and title, the ports follow each other, and the types are checked."""
    run.makepyfile(_GOOD)
    lines = run.runpytest_inprocess("--collect-only", "-q", *_CONFIGURATIONS["strict"]).outlines
    ids = [line.rpartition("::")[2] for line in lines if "::" in line]
    assert "test_law[SES-07 pages make up the whole list]" in ids
    families = [one[9:12] for one in ids if one.startswith("test_law")]
    assert ["SES", "CNV", "CFG", "VEC", "STO"] == list(dict.fromkeys(families))[:5]
    assert [one for one in ids if "[" not in one] == ["test_types", "test_backend"]


def test_wrong_types_fail(run: pytest.Pytester) -> None:
    """A store that lacks a method does not pass for having nothing else wrong."""
    text = """
        from contextlib import asynccontextmanager
        from clawdesk_storage.conformance.pytest import StorageConformance

        class Config:
            async def get_config(self) -> int: return 1

        class Storage:
            def __init__(self) -> None: self.config = Config()

        @asynccontextmanager
        async def open_storage(location): yield Storage()

        class TestIt(StorageConformance):
            backend = open_storage
    """
    run.makepyfile(text)
    result = run.runpytest_inprocess("-k", "test_types")
    result.stdout.fnmatch_lines(["*save_config*"])
    assert 1 == result.parseoutcomes()["failed"]


def test_a_port_not_offered_is_skipped_with_the_reason(run: pytest.Pytester) -> None:
    """A skip says what was not there."""
    text = _GOOD.replace("clawdesk_storage.testing import open_storage", "tests.conformance.broken "
                         "import open_sessions_only as open_storage")  # fmt: skip
    run.makepyfile(text)
    result = run.runpytest_inprocess("-k", "SES-01 or CNV-01 or VEC-01", "-rs")
    result.stdout.fnmatch_lines(["SKIPPED*not offered: the storage offers no `conversations`*"])
    assert (result.parseoutcomes()["passed"], result.parseoutcomes()["skipped"]) == (1, 2)


def test_a_backend_that_offers_nothing_fails(run: pytest.Pytester) -> None:
    """A run in which everything is skipped is not green."""
    text = """
        from clawdesk_storage.conformance.pytest import StorageConformance
        from tests.conformance.broken import NAME

        class TestIt(StorageConformance):
            backend = NAME
    """
    names = ("open_nothing", "open_fails", "open_coroutine")
    run.makepyfile(**{f"test_{name}": text.replace("NAME", name) for name in names})
    assert 3 == run.runpytest_inprocess("-k", "test_backend").parseoutcomes()["failed"]


def test_waivers_are_strict(run: pytest.Pytester) -> None:
    """A waived law that fails is expected to; one that passes is a failure."""
    text = """
        from clawdesk_storage.conformance.pytest import StorageConformance
        from tests.conformance import broken

        class TestWaived(StorageConformance):
            backend = broken.waived

        class TestNeedlessly(StorageConformance):
            backend = broken.needlessly_waived
    """
    outcomes = _outcomes(run, text, "-k", "SES-08 or SES-07")
    assert {one: outcomes.get(one, 0) for one in ("xfailed", "failed", "passed")} == {
        "xfailed": 1,
        "failed": 1,
        "passed": 2,
    }


def test_a_law_cannot_be_replaced(run: pytest.Pytester) -> None:
    """A subclass that would run fewer laws is an error of the collection."""
    names = ("test_law", "test_types", "test_backend")
    run.makepyfile(**{f"{name}s": _GOOD + f"        {name} = None\n" for name in names})
    result = run.runpytest_inprocess(
        "--continue-on-collection-errors", *(f"{n}s.py" for n in names)
    )
    for name in names:
        result.stdout.fnmatch_lines_random(
            [f"*TypeError: TestMemory replaces {name}, which runs the laws*"]
        )
    assert 3 == result.parseoutcomes()["errors"]


def test_a_class_without_a_backend_says_so(run: pytest.Pytester) -> None:
    """The three lines are two when one is forgotten."""
    text = """
        from clawdesk_storage.conformance.pytest import StorageConformance

        class TestForgotten(StorageConformance):
            pass
    """
    run.makepyfile(text)
    result = run.runpytest_inprocess("-k", "SES-01")
    result.stdout.fnmatch_lines(["*TestForgotten does not say its `backend`*"])


def test_a_backend_can_be_named_in_every_way(run: pytest.Pytester) -> None:
    """An open function in a class stays a function."""
    names = ("open_storage", "'memory'", "'clawdesk_storage.testing:open_storage'")
    given = "Backend(open_storage, durable=False, shared=False)"
    run.makepyfile(**{f"test_{n}": _GOOD.replace(given, name) for n, name in enumerate(names)})
    assert 3 == run.runpytest_inprocess("-k", "SES-01").parseoutcomes()["passed"]


def test_a_failure_reads_like_the_command_lines(run: pytest.Pytester) -> None:
    """No traceback of the suite stands before the report."""
    run.makepyfile(_BAD)
    result = run.runpytest_inprocess("-k", "CNV-03")
    result.stdout.fnmatch_lines(
        ["failed: CNV-03 *", "the last 1 of 2", "  expected  *", "  came *", "the latest calls*"]
    )
    assert "trial.py" not in result.stdout.str()


_QUOTING = """
    from types import SimpleNamespace
    from contextlib import asynccontextmanager
    from clawdesk_storage.conformance import Backend
    from clawdesk_storage.conformance.pytest import StorageConformance
    from clawdesk_storage.testing import MemoryConversationStore

    class Quoting(MemoryConversationStore):
        async def get_messages(self, session_id, /, limit):
            raise RuntimeError("cannot encode \\ud800")

    @asynccontextmanager
    async def open_storage(location):
        yield SimpleNamespace(conversations=Quoting())

    class TestQuoting(StorageConformance):
        backend = Backend(open_storage, durable=False, shared=False)
"""


def test_workers_lose_no_failure(run: pytest.Pytester) -> None:
    """Under xdist a worker ends by an error that cannot be sent, and its law would be lost."""
    run.makepyfile(test_good=_GOOD, test_bad=_BAD, test_quoting=_QUOTING)
    result = run.runpytest_subprocess("-n", "2", *_SOME, "-rf")
    failed = _failed(result.stdout.str())
    assert (1, 30) == (result.ret, result.parseoutcomes()["passed"] + len(failed))
    assert 5 == len([test for test, _ in failed if test in _BROKEN])
    assert ("TestQuoting", "CNV-01") in failed
    assert "cannot encode \\ud800" in result.stdout.str()


def test_the_backend_may_be_a_fixture(run: pytest.Pytester) -> None:
    """The address of a server is known when it has been started, once for all laws."""
    text = """
        import pytest
        from clawdesk_storage.conformance import Backend
        from clawdesk_storage.conformance.pytest import StorageConformance
        from clawdesk_storage.testing import open_storage

        class TestMemory(StorageConformance):
            @pytest.fixture(scope="SCOPE")
            def backend(self):
                print("SCOPE", file=open("starts", "a"))
                yield Backend(open_storage, durable=False, shared=False)
    """
    scopes = ("class", "session")
    run.makepyfile(**{f"test_{scope}": text.replace("SCOPE", scope) for scope in scopes})
    assert 10 == run.runpytest_inprocess("-k", "CFG").parseoutcomes()["passed"]
    assert "class\nsession\n" == (run.path / "starts").read_text()


def test_a_mistyped_target_fails_once(run: pytest.Pytester) -> None:
    """Not once for each law."""
    text = """
        from clawdesk_storage.conformance.pytest import StorageConformance

        class TestIt(StorageConformance):
            backend = "memry"
    """
    run.makepyfile(text)
    result = run.runpytest_inprocess("-k", "CFG")
    assert {"errors": 1} == result.parseoutcomes()
    assert "did you mean 'memory'?" in result.stdout.str()
