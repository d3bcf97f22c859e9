"""The pytest binding, in every configuration of a consumer."""

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

_CONFIGURATIONS = {
    "strict": ["-o", "asyncio_mode=strict"],
    "auto": ["-o", "asyncio_mode=auto"],
    "anyio": ["-p", "anyio"],
    "no async plugin": ["-p", "no:asyncio", "-p", "no:anyio"],
    "xdist": ["-n", "2"],
}


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a test file, and the broken backends importable in it."""
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    return pytester


def _outcomes(pytester: pytest.Pytester, text: str, *options: str) -> dict[str, int]:
    pytester.makepyfile(text)
    return pytester.runpytest_subprocess(*options).parseoutcomes()


@pytest.mark.parametrize("name", _CONFIGURATIONS)
def test_a_good_backend_passes(run: pytest.Pytester, name: str) -> None:
    """Each law is one test, run once."""
    outcomes = _outcomes(run, _GOOD, *_CONFIGURATIONS[name], *_SOME)
    assert {"passed": 10, "deselected": outcomes.get("deselected", 0)} == {
        "passed": outcomes.get("passed", 0), "deselected": outcomes.get("deselected", 0),
    }  # fmt: skip
    assert 0 == outcomes.get("failed", 0)


@pytest.mark.parametrize("name", _CONFIGURATIONS)
def test_a_bad_backend_fails(run: pytest.Pytester, name: str) -> None:
    """The laws that it breaks fail, and only those."""
    outcomes = _outcomes(run, _BAD, *_CONFIGURATIONS[name], *_SOME)
    assert (outcomes["failed"], outcomes["passed"]) == (5, 5)


@pytest.mark.parametrize(("text", "failed"), [(_GOOD, 0), (_BAD, 5)], ids=["good", "bad"])
def test_optimised_python_changes_nothing(run: pytest.Pytester, text: str, failed: int) -> None:
    """`python -O` removes every assert; the suite has none."""
    file = run.makepyfile(text)
    done = subprocess.run(
        [sys.executable, "-O", "-m", "pytest", str(file), *_SOME, "-q"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (failed, bool(failed)) == (done.stdout.count("FAILED"), done.returncode == 1)


def test_the_whole_suite_in_a_ports_order(run: pytest.Pytester) -> None:
    """The ids carry number and title, the ports follow each other, and the types are checked."""
    run.makepyfile(_GOOD)
    lines = run.runpytest_subprocess("--collect-only", "-q", *_CONFIGURATIONS["strict"]).outlines
    ids = [line.rpartition("::")[2] for line in lines if "::" in line]
    assert "test_law[SES-07 pages make up the whole list]" in ids
    families = [one[9:12] for one in ids if one.startswith("test_law")]
    assert ["SES", "CNV", "CFG", "VEC", "STO"] == list(dict.fromkeys(families))[:5]
    assert [one for one in ids if "[" not in one] == ["test_types", "test_backend"]


def test_the_types_are_checked(run: pytest.Pytester) -> None:
    """Pyright runs as one test."""
    assert 1 == _outcomes(run, _GOOD, "-k", "test_types")["passed"]


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
    result = run.runpytest_subprocess("-k", "test_types")
    result.stdout.fnmatch_lines(["*save_config*"])
    assert 1 == result.parseoutcomes()["failed"]


def test_a_port_not_offered_is_skipped_with_the_reason(run: pytest.Pytester) -> None:
    """A skip says what was not there."""
    text = _GOOD.replace("clawdesk_storage.testing import open_storage", "tests.conformance.broken "
                         "import open_sessions_only as open_storage")  # fmt: skip
    run.makepyfile(text)
    result = run.runpytest_subprocess("-k", "SES-01 or CNV-01 or VEC-01", "-rs")
    result.stdout.fnmatch_lines(["SKIPPED*not offered: the storage offers no `conversations`*"])
    assert (result.parseoutcomes()["passed"], result.parseoutcomes()["skipped"]) == (1, 2)


@pytest.mark.parametrize("name", ["open_nothing", "open_fails", "open_coroutine"])
def test_a_backend_that_offers_nothing_fails(run: pytest.Pytester, name: str) -> None:
    """A run in which everything is skipped is not green."""
    text = f"""
        from clawdesk_storage.conformance.pytest import StorageConformance
        from tests.conformance.broken import {name}

        class TestIt(StorageConformance):
            backend = {name}
    """
    assert 1 == _outcomes(run, text, "-k", "test_backend")["failed"]


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


@pytest.mark.parametrize("name", ["test_law", "test_types", "test_backend"])
def test_a_law_cannot_be_replaced(run: pytest.Pytester, name: str) -> None:
    """A subclass that would run fewer laws is an error of the collection."""
    run.makepyfile(_GOOD + f"        {name} = None\n")
    result = run.runpytest_subprocess()
    result.stdout.fnmatch_lines([f"*TypeError: TestMemory replaces {name}, which runs the laws*"])
    assert 1 == result.parseoutcomes()["errors"]


def test_a_class_without_a_backend_says_so(run: pytest.Pytester) -> None:
    """The three lines are two when one is forgotten."""
    text = """
        from clawdesk_storage.conformance.pytest import StorageConformance

        class TestForgotten(StorageConformance):
            pass
    """
    run.makepyfile(text)
    result = run.runpytest_subprocess("-k", "SES-01")
    result.stdout.fnmatch_lines(["*TestForgotten does not say its `backend`*"])


@pytest.mark.parametrize(
    "backend", ["open_storage", "'memory'", "'clawdesk_storage.testing:open_storage'"]
)
def test_a_backend_can_be_named_in_every_way(run: pytest.Pytester, backend: str) -> None:
    """An open function in a class stays a function."""
    text = _GOOD.replace("Backend(open_storage, durable=False, shared=False)", backend)
    assert 1 == _outcomes(run, text, "-k", "SES-01")["passed"]


def test_a_failure_reads_like_the_command_lines(run: pytest.Pytester) -> None:
    """No traceback of the suite stands before the report."""
    run.makepyfile(_BAD)
    result = run.runpytest_subprocess("-k", "CNV-03")
    result.stdout.fnmatch_lines(
        ["failed: CNV-03 *", "the last 1 of 2", "  expected  *", "  came *", "the latest calls*"]
    )
    assert "trial.py" not in result.stdout.str()


_QUOTING = """
    from tests.conformance import broken
    from clawdesk_storage.conformance import Backend
    from clawdesk_storage.conformance.pytest import StorageConformance

    class Quoting(broken.MemorySessionStore):
        async def get(self, id, /):
            raise RuntimeError("cannot encode \\ud800")

    class TestQuoting(StorageConformance):
        backend = Backend(broken.opener(Quoting), durable=False, shared=False)
"""


def test_an_error_that_cannot_be_encoded_is_a_failure_under_xdist(run: pytest.Pytester) -> None:
    """A worker that could not send the failure would end, and the law with it."""
    run.makepyfile(_QUOTING)
    result = run.runpytest_subprocess("-n", "1", "-k", "SES-01 or SES-08")
    assert (1, 1) == (result.ret, result.parseoutcomes().get("failed"))
    assert "cannot encode \\ud800" in result.stdout.str()


@pytest.mark.parametrize("scope", ["class", "session"])
def test_the_backend_may_be_a_fixture(run: pytest.Pytester, scope: str) -> None:
    """The address of a server is known when it has been started, once for all laws."""
    text = f"""
        import pytest
        from clawdesk_storage.conformance import Backend
        from clawdesk_storage.conformance.pytest import StorageConformance
        from clawdesk_storage.testing import open_storage

        class TestMemory(StorageConformance):
            @pytest.fixture(scope="{scope}")
            def backend(self):
                print("started", file=open("starts", "a"))
                yield Backend(open_storage, durable=False, shared=False)
    """
    assert 5 == _outcomes(run, text, "-k", "CFG")["passed"]
    assert "started\n" == (run.path / "starts").read_text()


def test_a_mistyped_target_fails_once(run: pytest.Pytester) -> None:
    """Not once for each law."""
    text = """
        from clawdesk_storage.conformance.pytest import StorageConformance

        class TestIt(StorageConformance):
            backend = "memry"
    """
    run.makepyfile(text)
    result = run.runpytest_subprocess("-k", "CFG")
    assert {"errors": 1} == result.parseoutcomes()
    assert "did you mean 'memory'?" in result.stdout.str()
