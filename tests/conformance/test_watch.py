"""A run that no store can forge, end or outlive."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from clawdesk_storage.conformance.running.descent import descendants
from tests.programs import CLAWDESK_STORAGE

_STORE = """
import asyncio, functools, os, signal, sys, time
from contextlib import asynccontextmanager
from clawdesk_storage.testing import MemorySessionStore

class Only:
    def __init__(self, sessions): self.sessions = sessions

class Sessions(MemorySessionStore):
    async def get(self, id, /):
        found = await super().get(id)
        {body}
        return found

@asynccontextmanager
async def open_storage(location):
    {opening}
    sessions = Sessions()
    sessions.law = location.name[:6]
    yield Only(sessions)
    sessions.close()
"""


def _verify(
    folder: Path, body: str = "pass", *options: str, opening: str = "pass"
) -> tuple[int, str, dict[str, dict[str, str]]]:
    (folder / "mine.py").write_text(_STORE.format(body=body, opening=opening))
    (folder / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(
        [*CLAWDESK_STORAGE, "verify", "mine:open_storage", "--no-static", "--json", "out.json",
         *(options or ("--law", "SES-01", "--law", "SES-08"))],
        capture_output=True, text=True, cwd=folder, check=False, timeout=120,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert [] == list((folder / "tmp").iterdir())
    file = folder / "out.json"
    laws: list[dict[str, str]] = json.loads(file.read_text())["laws"] if file.exists() else []
    return done.returncode, done.stdout + done.stderr, {one["id"]: one for one in laws}


_LAWS = ("--law", "SES-01", "--law", "SES-04", "--law", "SES-05", "--law", "SES-08")

_DYING = """
        if self.law == 'ses_01': os._exit(0)
        if self.law == 'ses_04': os.kill(os.getpid(), signal.SIGSEGV)
        if self.law == 'ses_05': os.kill(os.getpid(), signal.SIGKILL)"""


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What came of laws in whose middle the process ended, each time in another way."""
    status, _, laws = _verify(tmp_path_factory.mktemp("deaths"), _DYING, *_LAWS)
    assert 1 == status
    return laws


@pytest.mark.parametrize(
    ("law", "words"),
    [
        ("SES-01", "the process ended with exit status 0 while the law was tried"),
        ("SES-04", "the process was killed by SIGSEGV"),
        ("SES-05", "the process was killed by SIGKILL"),
    ],
    ids=["exits", "crashes", "is killed"],
)
def test_a_death_costs_the_law_that_was_running(
    deaths: dict[str, dict[str, str]], law: str, words: str
) -> None:
    """It fails, the report says how the process died, and the rest goes on in a new one."""
    assert ("failed", "passed", True) == (
        deaths[law]["outcome"], deaths["SES-08"]["outcome"], words in deaths[law]["detail"],
    )  # fmt: skip


def test_what_a_store_prints_is_kept_apart(tmp_path: Path) -> None:
    """Standard output is the report's alone; a failure shows what was printed meanwhile."""
    body = "print('from the store', flush=True); raise KeyError(id)"
    status, out, laws = _verify(tmp_path, body, "--json", "-", "--law", "SES-01")
    assert (1, {}) == (status, laws)
    report = json.loads(out[: out.rindex("}") + 1])
    assert "printed meanwhile\n  from the store" in report["laws"][0]["detail"]


def test_a_store_may_set_signal_handlers(tmp_path: Path) -> None:
    """Laws run where Python lets it: in the main thread of their process."""
    setting = "signal.signal(signal.SIGUSR1, signal.SIG_IGN)"
    status, _, _ = _verify(tmp_path, opening=setting)
    assert 0 == status


_HANGING = """
        if self.law == 'ses_01':
            await asyncio.Event().wait()
        if self.law == 'ses_04':
            time.sleep(100)
        while self.law == 'ses_05':
            try: await asyncio.sleep(100)
            except asyncio.CancelledError: pass"""


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What came of laws that hung, each in another way."""
    folder = tmp_path_factory.mktemp("hung")
    status, _, laws = _verify(folder, _HANGING, *_LAWS, "--timeout", "1")
    assert 1 == status
    return laws


@pytest.mark.parametrize(
    ("law", "place"),
    [("SES-01", 14), ("SES-04", 16), ("SES-05", 18)],
    ids=["waits", "blocks", "swallows cancellation"],
)
def test_a_law_that_hangs_says_where(hung: dict[str, dict[str, str]], law: str, place: int) -> None:
    """File and line of the store's own code, what had returned before, and what to change."""
    detail = hung[law]["detail"]
    assert "passed" == hung["SES-08"]["outcome"]
    assert f"mine.py:{place} in get\n" in detail
    assert "calls had returned before, the latest after " in detail
    assert "--timeout, which is 1" in detail


def test_a_slow_store_is_not_taken_to_hang(tmp_path: Path) -> None:
    """A law takes as long as it takes, while its calls return."""
    status, _, laws = _verify(
        tmp_path, "await asyncio.sleep(0.2)", "--law", "SES-01", "--timeout", "1"
    )
    assert (0, True) == (status, float(laws["SES-01"]["seconds"]) > 1)


def test_the_rest_waits_briefly_where_many_have_hung(tmp_path: Path) -> None:
    """A lock that is never given back costs the limit a few times, and is told once."""
    _, out, laws = _verify(
        tmp_path, "await asyncio.Event().wait()", "--law", "SES-0", "--timeout", "5"
    )
    hung = [one for one in laws.values() if "no call has returned" in one["detail"]]
    brief = [one for one in hung if float(one["seconds"]) < 5]
    assert (True, 3) == (len(hung) > 4, len(hung) - len(brief))
    assert 1 == out.count("\nno call has returned")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_run(tmp_path: Path, number: signal.Signals) -> None:
    """No process and no directory, however it ends."""
    (tmp_path / "tmp").mkdir()
    mark = "open('pid', 'w').write(str(os.getpid())); await asyncio.sleep(100)"
    (tmp_path / "mine.py").write_text(_STORE.format(body=mark, opening="pass"))
    process = subprocess.Popen(
        [*CLAWDESK_STORAGE, "verify", "mine:open_storage", "--no-static", "--law", "SES-01"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text())
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    _wait_for_end(worker)
    assert ("Traceback" in err, list((tmp_path / "tmp").iterdir())) == (False, [])


def test_what_writes_in_another_process_is_ended_too(tmp_path: Path) -> None:
    """CI ends a run in the middle: neither the process that writes nor what it wrote stays."""
    process = subprocess.Popen(
        [*CLAWDESK_STORAGE, "verify", "sqlite", "--law", "SHR-04", "--law", "DUR-02"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    running = list[int]()
    while not any(_writes(one) for one in running):  # pyright runs beside, in its own session
        time.sleep(0.05)
        running = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    assert 128 + signal.SIGTERM == process.wait(timeout=30)
    for one in running:
        _wait_for_end(one)
    assert [] == list(tmp_path.iterdir())


def _writes(pid: int) -> bool:
    with suppress(OSError):
        return b"running.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _wait_for_end(pid: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} still runs")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_report_that_cannot_be_written_exits_with_2(tmp_path: Path) -> None:
    """One sentence, whatever becomes of the disk while the laws run."""
    status, out, _ = _verify(tmp_path, "pass", "--law", "SES-01", "--junit", "/dev/full")
    assert (2, True) == (status, "cannot write /dev/full: No space left on device" in out)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["laws"], ["verify", "memory", "--law", "CFG-01"]], ids=str)
def test_what_cannot_be_printed_exits_with_2(command: list[str]) -> None:
    """Nobody has seen the verdict."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*CLAWDESK_STORAGE, *command, *(["--no-static"] if "verify" in command else [])],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=300,
        )  # fmt: skip
    words = "clawdesk-storage: cannot write what was to be printed: No space left on device\n"
    assert (2, words) == (done.returncode, done.stderr)


def test_a_reader_that_has_gone_forges_no_verdict(tmp_path: Path) -> None:
    """`verify … | head` in a script that heeds the status of every program in a pipe."""
    (tmp_path / "mine.py").write_text(_STORE.format(body="raise KeyError(id)", opening="pass"))
    process = subprocess.Popen(
        [*CLAWDESK_STORAGE, "verify", "mine:open_storage", "--no-static", "--law", "SES-01"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout
    process.stdout.close()
    assert (2, "") == (process.wait(timeout=300), process.communicate()[1])


def test_the_first_failure_can_end_the_run(tmp_path: Path) -> None:
    """`-x`: what was not tried is not judged."""
    status, out, laws = _verify(tmp_path, "raise KeyError(id)", *_LAWS, "-x")
    assert (1, ["SES-01"], True) == (status, [*laws], "was narrowed" in out)


def test_a_driver_that_is_missing_exits_with_2(tmp_path: Path) -> None:
    """It is not the backend that is broken."""
    status, out, _ = _verify(tmp_path, opening="import no_such_driver")
    assert (2, True) == (status, "not installed: No module named 'no_such_driver'" in out)


def test_laws_that_fail_by_one_cause_are_told_once(tmp_path: Path) -> None:
    """The cause in full, and then the numbers."""
    _, out, _ = _verify(tmp_path, "raise KeyError(id)", *_LAWS)
    assert 1 == out.count("the store raised KeyError")


def test_a_method_that_is_not_async_is_told_once(tmp_path: Path) -> None:
    """One fault in a store is one thing to mend."""
    (tmp_path / "sync.py").write_text(_SYNC)
    done = subprocess.run(
        [*CLAWDESK_STORAGE, "verify", "sync:open_storage", "--no-static", *_LAWS],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (1, 1, True) == (
        done.returncode, done.stdout.count("\nsessions.get is not async: it returned"),
        "by the same cause (sessions.get is not async): SES-04" in done.stdout,
    )  # fmt: skip


_SYNC = _STORE.format(body="pass", opening="pass").replace(
    "    async def get(self, id, /):\n        found = await super().get(id)",
    "    def get(self, id, /):\n        found = None",
)


def test_another_process_opens_what_is_under_test(tmp_path: Path) -> None:
    """A decorator copies the name of what it wraps: a child must not open that instead."""
    (tmp_path / "mine.py").write_text(_OPENERS)
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert [
        "mine:buffered failed",  # it would pass, were what it wraps opened in its place
        "mine:nested passed",
        "mine:opener.open passed",
        "passed",
        "inconclusive another process cannot open what is under test",
        "inconclusive another process cannot open what is under test",
    ] == done.stdout.splitlines(), done.stderr


_OPENERS = """
import asyncio, functools
from contextlib import asynccontextmanager
from clawdesk_storage.conformance import verify
from clawdesk_storage.testing import MemorySessionStore
from clawdesk_sqlite import open_storage

class Only:
    def __init__(self, sessions): self.sessions = sessions

@functools.wraps(open_storage)
@asynccontextmanager
async def buffered(location):
    async with open_storage(location) as storage:
        sessions = MemorySessionStore()
        for one in await storage.sessions.list(10**6, 0): await sessions.save(one)
        yield Only(sessions)
        for one in await sessions.list(10**6, 0): await storage.sessions.save(one)

@functools.wraps(open_storage)
def nested(location):
    (location / "sub").mkdir(exist_ok=True)
    return open_storage(location / "sub")

@asynccontextmanager
async def own(location):
    async with open_storage(location) as storage:
        yield Only(storage.sessions)

class Opener:
    def open(self, location): return open_storage(location)

opener = Opener()

async def tried(target):
    report = await verify(target, select=["DUR-02"], static=False)
    (result,) = report.results
    named = f"{target} " if isinstance(target, str) else ""
    why = result.happened.partition(":")[0] if result.outcome == "inconclusive" else ""
    print(f"{named}{result.outcome.value} {why}".strip())

if __name__ == "__main__":
    for target in ("mine:buffered", "mine:nested", "mine:opener.open", own, nested, opener.open):
        asyncio.run(tried(target))
"""
