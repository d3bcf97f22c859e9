"""`clawdesk-storage report`, as its users call it."""

import argparse
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clawdesk_storage.commands.report import add
from clawdesk_storage.conformance import laws
from tests.pages.samples import failing, law, report
from tests.programs import CLAWDESK_STORAGE


class Done(NamedTuple):
    """What came of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Give a function that runs the command in the folder."""
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers().add_parser)
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Done:
        given = parser.parse_args(["report", *arguments])
        status = given.run(given)
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    return run


def _whole(backend: str) -> dict[str, Any]:
    """A report on every law of this version."""
    results = [
        {"id": one.id, "port": one.port, "statement": one.statement, "outcome": "passed",
         "seconds": 0.01, "detail": ""}
        for one in laws()
    ]  # fmt: skip
    return report(backend) | {"laws": results}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with reports, good ones and bad ones."""
    later = report("later", law("TIM-01"), versions={"clawdesk-storage": "9.0"})
    narrowed = report("narrowed", conforms=False, narrowed=True)
    some = report("some", law("SES-01"))
    odd = failing() | {"laws": [law("CNV-03", "perhaps")]}
    named: dict[str, Any] = {
        "a": _whole("mine"), "b": _whole("mine"), "other": _whole("other"), "later": later,
        "narrowed": narrowed, "some": some, "odd": odd, "bench": {"date": "", "workloads": []},
    }  # fmt: skip
    for name, value in named.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    (tmp_path / "page.html").write_text("<!doctype html>")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    return tmp_path


def test_a_page_is_written(folder: Path) -> None:
    """Nothing is printed then."""
    done = subprocess.run(
        [*CLAWDESK_STORAGE, "report", "a.json", "other.json", "--html", "matrix.html"],
        capture_output=True, text=True, cwd=folder, timeout=60, check=False, env=os.environ,
    )  # fmt: skip
    page = (folder / "matrix.html").read_text(encoding="utf-8")
    assert ((0, "", ""), True) == (
        (done.returncode, done.stdout, done.stderr), page.startswith("<!doctype html>"),
    )  # fmt: skip


def _words(done: Done) -> list[list[str]]:
    return [re.split("  +", line.strip()) for line in done.out.splitlines()]


def test_without_a_page_the_counts_are_printed(run: Callable[..., Done]) -> None:
    """Backends across, ports down, the verdict last."""
    head, first, *_, last = _words(run("a.json", "other.json"))
    assert [
        ["mine", "other"], ["SessionStore", "12/12", "12/12"], ["verdict", "conforms", "conforms"]
    ] == [head, first, last]  # fmt: skip


def test_two_reports_on_one_backend_are_told_apart_by_their_files(
    run: Callable[..., Done],
) -> None:
    """Before and after a change, say."""
    head = _words(run("a.json", "b.json", "other.json"))[0]
    assert ["mine (a.json)", "mine (b.json)", "other"] == head


def test_a_report_of_a_later_version_is_shown(run: Callable[..., Done]) -> None:
    """With the laws that this version does not know."""
    done = run("a.json", "later.json", "--html", "-")
    assert (0, True, True) == (done.status, "TIM-01" in done.out, "not in this report" in done.out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.json"], "cannot read nothing.json: No such file or directory"),
        (["."], "cannot read .: Is a directory"),
        (["page.html"], "page.html is not JSON (Expecting value: line 1 column 1 (char 0)); make"),
        (["binary"], "binary is not JSON ("),
        (["bench.json"], "bench.json is no report (backend: Field required); make it again with: "),
        (["odd.json"], "odd.json is no report (laws.0.outcome: Input should be 'passed', "),
        (["narrowed.json"], "narrowed.json comes from a run of only some of the laws"),
        (
            ["some.json"],
            "some.json comes from a run of only some of the laws, without SES-02; make",
        ),
        (["a.json", "a.json"], "a.json is named 2 times"),
        (["a.json", "--html", "a.json"], "a.json is one of the reports; name another file"),
        (["a.json", "--html", "no/such/folder"], "cannot write no/such/folder"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_exits_with_2(
    folder: Path, run: Callable[..., Done], arguments: list[str], words: str
) -> None:
    """One sentence names the file and says what to do, and nothing is written."""
    before = {file: file.read_bytes() for file in folder.iterdir()}
    done = run(*arguments)
    after = {file: file.read_bytes() for file in folder.iterdir()}
    assert (2, "", True, before) == (done.status, done.out, words in done.err, after)
