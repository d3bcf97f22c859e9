"""The examples, run as programs."""

import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCHEMES = sorted(entry_points(group="clawdesk_storage.schemes").names)


def _start(url: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / "gateway.py"), url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(cwd)}, encoding="utf-8",
    )  # fmt: skip


def _chat(url: str, *lines: str, cwd: Path = ROOT) -> list[str]:
    """Say these lines, and return the whole of what was answered."""
    with _start(url, cwd) as process:
        out, err = process.communicate("".join(f"{line}\n" for line in lines), timeout=60)
    assert (0, "") == (process.returncode, err)
    return out.splitlines()


@pytest.fixture(params=SCHEMES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL of each scheme that is installed, where nothing is stored yet."""
    scheme: str = request.param
    if scheme == "memory":
        return "memory:"
    return _served(tmp_path) if scheme == "postgresql" else f"{scheme}:{quote(str(tmp_path))}"


def _served(location: Path) -> str:
    """The URL of a schema on the server that verification uses."""
    schema: str = import_module("clawdesk_postgres.location").schema_of(location)
    dsn: str = import_module("clawdesk_postgres.run").dsn(schema)
    return f"{dsn}{'&' if '?' in dsn else '?'}schema={schema}"


def test_it_remembers_within_a_session_and_across_them(url: str) -> None:
    """The latest messages come from the conversation, the most similar remark from the vectors."""
    told = _chat(
        url,
        "My cat is called Ada.", "I like green tea.", "I like green tea.",
        "/new questions", "What is my cat called?", "I like green tea.",
    )  # fmt: skip
    assert told == [
        "session main, answered by auto",
        "auto: Noted: My cat is called Ada.",
        "auto: Noted: I like green tea.",
        "auto: You said that a moment ago.",
        "session questions, answered by auto",
        "auto: That reminds me of: My cat is called Ada.",
        "auto: That reminds me of: I like green tea.",
    ]


def test_the_configured_limit_holds_for_sessions_begun_later(url: str) -> None:
    """What is beyond it is kept, and not seen."""
    told = _chat(
        url,
        "one", "/limit 2", "two", "/history", "/new short", "three", "four", "three", "/history",
    )  # fmt: skip
    assert told == [
        "session main, answered by auto",
        "auto: Noted: one",
        "sessions begun from now on: 2 messages",
        "auto: Noted: two",
        *("you: one", "auto: Noted: one", "you: two", "auto: Noted: two"),
        "session short, answered by auto",
        "auto: Noted: three",
        "auto: Noted: four",
        "auto: That reminds me of: three",
        *("you: three", "auto: That reminds me of: three"),
    ]


def test_forgetting_is_of_one_session_and_of_all_that_was_said_in_it(url: str) -> None:
    """Neither its messages nor its vectors answer any more; another session's do."""
    told = _chat(
        url,
        "red apples", "/new other", "blue skies", "blue skies again", "/forget", "/history",
        "/sessions", "blue skies", "red apples", "/open main", "/history",
    )  # fmt: skip
    assert told == [
        "session main, answered by auto",
        "auto: Noted: red apples",
        "session other, answered by auto",
        "auto: Noted: blue skies",
        "auto: That reminds me of: blue skies",
        "forgotten",
        "",
        *("other: 0 messages", "main: 2 messages"),
        "auto: Noted: blue skies",
        "auto: That reminds me of: red apples",
        "session main, answered by auto",
        *("you: red apples", "auto: Noted: red apples"),
    ]


def test_two_programs_on_one_session_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """Both have read the session before either writes; the count and the memories are of both."""
    url = f"sqlite:{tmp_path}"
    _chat(url, cwd=tmp_path)
    with _start(url, tmp_path) as one, _start(url, tmp_path) as other:
        for program in (one, other):
            assert program.stdout
            assert "session main, answered by auto\n" == program.stdout.readline()
        one.communicate("red apples\n", timeout=60)
        other.communicate("blue skies\n", timeout=60)
    told = _chat(url, "/sessions", "/new third", "apples, red", "skies, blue", cwd=tmp_path)
    assert told == [
        "session main, answered by auto",
        "main: 4 messages",
        "session third, answered by auto",
        "auto: That reminds me of: red apples",
        "auto: That reminds me of: blue skies",
    ]


def test_what_cannot_be_is_said_in_a_line_and_changes_nothing(url: str) -> None:
    """The chat goes on."""
    told = _chat(
        url,
        "/new", "/new main", "/new a\0b", "/open nowhere", "/limit -1", "/limit x", "", "/sessions",
        "/new ../'; DROP TABLE sessions; -- 🙂", "/sessions",
    )  # fmt: skip
    assert told == [
        "session main, answered by auto",
        "error: id must not be empty",
        "error: there is a session main already",
        r"error: id 'a\x00b' holds a NUL",
        "error: there is no session nowhere",
        "error: limit must not be negative, and is -1",
        "error: invalid literal for int() with base 10: 'x'",
        "main: 0 messages",
        "session ../'; DROP TABLE sessions; -- 🙂, answered by auto",
        *("../'; DROP TABLE sessions; -- 🙂: 0 messages", "main: 0 messages"),
    ]


def test_started_again_it_goes_on_where_the_storage_is_durable(url: str) -> None:
    """Session, model, messages, vectors and configuration are those of the run before."""
    first = ["red apples", "/limit 2", "/new other", "/model new", "blue skies"]
    _chat(url, *first)
    told = _chat(url, "/history", "apples are red", "/new third", "1", "2", "/history")
    remembered = [
        "session other, answered by new",
        *("you: blue skies", "new: Noted: blue skies"),
        "new: That reminds me of: red apples",
        "session third, answered by auto",
        *("auto: Noted: 1", "auto: Noted: 2"),
        *("you: 2", "auto: Noted: 2"),
    ]
    anew = [
        "session main, answered by auto",
        "",
        "auto: Noted: apples are red",
        "session third, answered by auto",
        *("auto: Noted: 1", "auto: Noted: 2"),
        *("you: 1", "auto: Noted: 1", "you: 2", "auto: Noted: 2"),
    ]
    assert (anew if url == "memory:" else remembered) == told


_FAILING = """
import clawdesk_storage as c
from clawdesk_storage.testing import MemoryConversationStore, MemoryStorage

class Failing(MemoryConversationStore):
    append_messages = None

    async def append_message(self, session_id, message, /):
        kind = getattr(c, message.content, None)
        if kind:
            raise kind("two\\nlines")
        await super().append_message(session_id, message)

def from_url(url):
    storage = MemoryStorage()
    storage.conversations = Failing()
    return storage
"""
_METADATA = "Name: failing\nVersion: 1\n"
_ENTRY_POINTS = "[clawdesk_storage.schemes]\nfailing = failing:from_url\n"


def test_each_kind_of_error_is_one_line(tmp_path: Path) -> None:
    """And the chat goes on."""
    (tmp_path / "failing.py").write_text(_FAILING)
    installed = tmp_path / "failing-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(_METADATA)
    (installed / "entry_points.txt").write_text(_ENTRY_POINTS)
    told = _chat(
        "failing:",
        "NotFoundError", "ConnectionFailedError", "SerializationError", "StorageIOError", "hello",
        cwd=tmp_path,
    )  # fmt: skip
    assert told == [
        "session main, answered by auto",
        "error: item not found: two lines",
        "error: storage connection failed: two lines",
        "error: serialization error: two lines",
        "error: storage I/O error: two lines",
        "auto: Noted: hello",
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data", "begins with a scheme and a colon"),
        ("memroy:", "did you mean memory:?"),
        ("nothing://me:hunter2@host/data", "no installed backend opens nothing: URLs"),
        ("memory:data", "type memory: alone"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_line(url: str, reason: str) -> None:
    """The exit status is 2, and no password is shown."""
    with _start(url, ROOT) as process:
        out, err = process.communicate(timeout=60)
    assert (2, "", 1, True) == (process.returncode, out, err.count("\n"), reason in err)
    assert "hunter2" not in err


def test_an_interrupt_ends_it_while_it_waits_for_input() -> None:
    """At once, and without a traceback."""
    with _start("memory:", ROOT) as process:
        assert process.stdout
        assert "session main, answered by auto\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert (130, "") == (process.wait(timeout=20), process.communicate()[1])


def test_the_transcripts_shown_are_what_is_said(tmp_path: Path) -> None:
    """The two runs in examples/README.md, on one directory."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    runs = re.findall(r"gateway\.py sqlite:data\n(.*?)```", text, re.DOTALL)
    assert 2 == len(runs)
    for shown in runs:
        said = re.findall(r"^> (.*)$", shown, re.MULTILINE)
        answered = [line for line in shown.splitlines() if not line.startswith("> ")]
        assert answered == _chat("sqlite:data", *said, cwd=tmp_path)
