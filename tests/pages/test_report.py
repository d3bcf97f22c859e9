"""Reports as they were written down: what is read, and what is refused."""

import json
import re
from typing import Any

import pytest

from clawdesk_storage.pages.report import ReportError, parse
from tests.pages.samples import HOSTILE, failing, law, mixed, report


def _parsed(value: Any) -> Any:
    return parse(json.dumps(value).encode())


def test_what_the_suite_writes_is_read() -> None:
    """Every outcome, claims, types."""
    assert [False, True] == [_parsed(one).conforms for one in (failing(), report())]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no report (Input should be"),
        (b"{}", "no report (backend: Field required)"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "no report"),
    ],
    ids=["nothing", "bytes", "deep", "a list", "an object", "deep objects"],
)
def test_what_is_no_report_is_refused(data: bytes, words: str) -> None:
    """The error says what is missing."""
    with pytest.raises(ReportError, match=re.escape(words)):
        parse(data)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"conforms": "yes"}, "conforms: Input should be a valid boolean"),
        ({"backend": ""}, "backend: String should have at least 1 character"),
        ({"laws": []}, "laws: List should have at least 1 item"),
        ({"laws": [law("SES-01", "perhaps")]}, "laws.0.outcome: Input should be 'passed', "),
        ({"laws": [law("SES-01"), law("SES-01")]}, "SES-01 is in it 2 times"),
        ({"laws": [law("SES-01") | {"seconds": float("nan")}]}, "laws.0.seconds: "),
        ({"laws": [law("SES-01", "failed")]}, "it says that the backend conforms, and: 1 failed"),
        ({"versions": {"python": 3}}, "versions.python: Input should be a valid string"),
        ({"claims": None}, "claims: Input should be"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_contradicts_the_form_or_itself_is_refused(
    changed: dict[str, Any], words: str
) -> None:
    """The error names the place."""
    with pytest.raises(ReportError) as caught:
        _parsed(report() | changed)
    assert words in str(caught.value)


def test_a_law_of_a_later_version_is_read() -> None:
    """Its outcome is known, and that is what counts."""
    assert "TIM-01" in [one.id for one in _parsed(report("sqlite", law("TIM-01"))).laws]


def test_what_cannot_be_shown_is_escaped_on_reading() -> None:
    """Nothing that is read can break a page, or lie in it."""
    (found,) = [one for one in _parsed(failing(HOSTILE)).laws if one.detail]
    escapes = r"<script>alert(1)</script> & \x00 \ud800 \u202egnp.exe \u2028 \x1b[31m </details>"
    assert escapes == found.detail


def test_every_outcome_is_told_in_the_verdict() -> None:
    """In a few words."""
    verdicts = [_parsed(one).verdict() for one in mixed()]
    assert [
        "conforms",
        "does not conform: 1 failed",
        "does not conform: 1 inconclusive, its types",
        "conforms, but: its types were not checked",
    ] == verdicts


def test_a_run_of_some_laws_gives_no_verdict_on_the_whole() -> None:
    """It does not say that it conforms, and nothing is wrong with it either."""
    narrowed = _parsed(report(conforms=False, narrowed=True))
    assert (True, True) == (narrowed.narrowed, "says nothing of the whole" in narrowed.verdict())
