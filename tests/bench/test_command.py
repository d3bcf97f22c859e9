"""The command, as its users call it: in a process of its own."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clawdesk_storage.cli import main
from tests.programs import CLAWDESK_STORAGE

ROOT = Path(__file__).parents[2]
STORES = "tests.bench.stores"


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLAWDESK_STORAGE, "bench", "--scale", "0.01", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def _run(*arguments: str) -> tuple[int, str, str]:
    process = _start(*arguments)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, out, err


@dataclass
class Done:
    """A run that has ended."""

    status: int
    out: str
    err: str
    report: dict[str, Any]


NAMES = ["memory", f"{STORES}:open_sound"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A run of two targets; the second is compared with the first."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    ended = _run(*NAMES, "--only", "save_config", "--json", str(file))
    return Done(*ended, json.loads(file.read_text()))


def test_a_run_prints_a_line_for_each_figure(done: Done) -> None:
    """Two targets at three concurrencies; nothing else goes to standard error."""
    assert (0, "", 6, 3) == (
        done.status, done.err, done.out.count("loop stood still"), done.out.count("x memory)"),
    )  # fmt: skip


def test_the_report_tells_what_was_run(done: Done) -> None:
    """Who reads the figures can repeat them."""
    told = done.report
    assert (NAMES, True, 0, 0.01) == (
        [target["name"] for target in told["targets"]], told["finished"], told["seed"],
        told["scale"],
    )  # fmt: skip


def test_the_report_has_the_form_that_pages_read(done: Done) -> None:
    """These keys and no others, in each part."""
    workload = done.report["workloads"][0]
    assert (_KEYS, _WORKLOAD) == ([*done.report], [*workload])
    assert (["median", "low", "high"], ["p50", "p95", "p99", "max"]) == (
        [*workload["throughput"]], [*workload["latency"]],
    )  # fmt: skip


_KEYS = ["date", "seed", "scale", "finished", "machine", "targets", "workloads", "growth"]
_WORKLOAD = [
    "target", "port", "operation", "size", "unit", "concurrency", "rounds", "operations",
    "throughput", "latency", "peak_memory", "loop_stall", "recall", "error",
]  # fmt: skip


def test_a_failed_operation_exits_with_1() -> None:
    """The failure is a line like the others."""
    status, out, err = _run(f"{STORES}:open_dying", "--only", "get_config")
    assert (1, "", True) == (status, err, "FAILED: its process ended" in out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "there is no backend named 'nothing'"),
        (["no_such_module:x"], "the module 'no_such_module' cannot be imported"),
        ([f"{STORES}:BLOCKED"], "is no backend"),
        ([f"{STORES}:open_never"], "cannot be opened: StorageIOError"),
        (["memory", "--only", "x"], "there is no operation 'x'"),
        (["memory", "--scale", "0"], "'0' is not a number from 0.01 to 100"),
        (["memory", "--scale", "nan"], "'nan' is not a number from 0.01 to 100"),
        (["memory", "--seed", "-1"], "'-1' is not a whole number from 0"),
        (["memory", "--json", "no/such/folder/x.json"], "cannot write no/such/folder/x.json"),
        (["memory", "--html", "."], "cannot write ."),
        ([], "the following arguments are required: TARGET"),
    ],
)
def test_what_cannot_be_measured_exits_with_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence that says why, and nothing else."""
    try:
        status: object = main(["bench", *arguments])
    except SystemExit as exit:  # the options are at fault
        status = exit.code
    out, err = capsys.readouterr()
    assert (2, "", True) == (status, out, words in err)


def test_an_interrupted_run_prints_what_is_finished(tmp_path: Path) -> None:
    """And writes it, and leaves no process behind."""
    file = tmp_path / "bench.json"
    process = _start("memory", f"{STORES}:open_sound", "--only", "config", "--json", str(file))
    assert process.stdout
    first = process.stdout.readline()
    children = _children(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    report: dict[str, Any] = json.loads(file.read_text())
    assert (130, True, True, "clawdesk-storage: interrupted\n") == (
        process.returncode, first.startswith("ConfigStore."), "interrupted" in out, err,
    )  # fmt: skip
    assert (False, True) == (report["finished"], 0 < len(report["workloads"]) < 12)
    assert (2, []) == (len(children), _alive(children))


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in listed.split()]


def _alive(processes: list[int]) -> list[int]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [one for one in processes if Path(f"/proc/{one}").exists()]
        if not left:
            return []
        time.sleep(0.05)
    return processes


def test_a_killed_run_leaves_no_process_behind() -> None:
    """The targets' processes notice that nobody talks to them any more."""
    process = _start("memory", "--only", "config")
    assert process.stdout
    process.stdout.readline()
    children = _children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert (1, []) == (len(children), _alive(children))
