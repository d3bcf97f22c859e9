"""What `verify` writes for other programs: JUnit XML, a badge, a page."""

import re
from xml.etree import ElementTree as ET

import pytest

from clawdesk_storage.conformance import Backend, LawResult, Outcome, Report, laws
from clawdesk_storage.conformance.running.static import StaticCheck
from clawdesk_storage.pages.renderings import badge, html, junit
from clawdesk_storage.testing import open_storage
from tests.pages.samples import HOSTILE

_CHECKED = StaticCheck("pyright", "1.1.414", (), None)
_WRONG = StaticCheck("pyright", "1.1.414", ("store.py:7: SessionStore.get is not async",), None)


def _report(
    *outcomes: Outcome,
    detail: str = "",
    name: str = "mine:open_storage",
    static: StaticCheck | None = _CHECKED,
    narrowed: bool = False,
) -> Report:
    results = [
        LawResult(law, outcome, 61.5, detail)
        for law, outcome in zip(laws(), outcomes, strict=False)
    ]
    return Report.of(name, Backend(open_storage), results, static, narrowed=narrowed)


def _suite(report: Report) -> ET.Element:
    return ET.fromstring(junit(report).encode())[0]


def test_junit_counts_what_it_lists() -> None:
    """Parsers trust one or the other."""
    suite = _suite(_report(*Outcome, static=_WRONG))
    counted = {key: int(suite.get(key, "")) for key in ("tests", "failures", "errors", "skipped")}
    listed = {key: len(suite.findall(f".//{key}")) for key in ("testcase", "failure", "skipped")}
    assert ({"tests": 7, "failures": 3, "errors": 0, "skipped": 3}, [7, 3, 3]) == (
        counted, list(listed.values()),
    )  # fmt: skip


def test_junit_has_the_attributes_that_parsers_ask_for() -> None:
    """GitLab tells cases apart by class and name, Jenkins groups by what stands before the dot."""
    case = _suite(_report(Outcome.PASSED))[0]
    assert {
        "classname": "mine:open_storage.SessionStore",
        "name": "SES-01 a session never saved is none",
        "time": "61.500",
    } == case.attrib


def test_junit_times_are_plain_seconds() -> None:
    """Neither exponents nor separators, however long or short a run is."""
    root = ET.fromstring(junit(_report(*[Outcome.PASSED] * 60)).encode())
    times = [time for one in root.iter() if (time := one.get("time")) is not None]
    assert [] == [time for time in times if not re.fullmatch(r"\d+\.\d{3}", time)]


def test_a_junit_failure_says_which_promise_was_broken() -> None:
    """CI systems show the message first, and the text when it is opened."""
    failure = _suite(_report(Outcome.FAILED, detail="expected 1, came 2"))[0][0]
    message = "failed: expected 1, came 2"
    assert ({"type": "failed", "message": message}, "expected 1, came 2") == (
        failure.attrib, failure.text,
    )  # fmt: skip


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.WAIVED])
def test_hostile_text_leaves_the_junit_well_formed(outcome: Outcome) -> None:
    """XML cannot hold most controls, and a strict parser refuses the whole file."""
    static = StaticCheck("pyright", "1", (HOSTILE,), None)
    suite = _suite(_report(outcome, detail=HOSTILE, name=HOSTILE, static=static))
    said = suite[0][0].text or suite[0][0].get("message") or ""
    assert r"\x00 \ud800 \u202egnp.exe \u2028 \x1b[31m" in said


def test_junit_names_the_encoding_in_which_it_is_written() -> None:
    """Whatever the locale says."""
    assert junit(_report(Outcome.PASSED)).startswith("<?xml version='1.0' encoding='utf-8'?>")


@pytest.mark.parametrize(
    ("report", "message", "color"),
    [
        (_report(Outcome.PASSED, Outcome.NOT_CLAIMED), "conforms 1/1", "brightgreen"),
        (_report(Outcome.PASSED, Outcome.FAILED), "fails 1/2", "red"),
        (_report(Outcome.PASSED, Outcome.INCONCLUSIVE), "fails 1/2", "red"),
        (_report(Outcome.PASSED, static=_WRONG), "fails 1/1", "red"),
        (_report(Outcome.PASSED, narrowed=True), "laws 1/1", "blue"),
    ],
    ids=["conforms", "failed", "inconclusive", "types", "narrowed"],
)
def test_the_badge_is_what_badge_services_read(report: Report, message: str, color: str) -> None:
    """Version 1 of the endpoint schema, and no key that it does not know."""
    assert {
        "schemaVersion": 1, "label": "storage", "message": message, "color": color,
    } == badge(report)  # fmt: skip


@pytest.mark.parametrize("narrowed", [True, False])
def test_the_page_of_a_report_says_what_the_terminal_says(narrowed: bool) -> None:
    """A narrowed run gives no verdict on the whole."""
    page = html(_report(Outcome.PASSED, narrowed=narrowed))
    assert narrowed == ("says nothing of the whole" in page)


def test_types_that_could_not_be_checked_are_on_the_page() -> None:
    """With the reason."""
    static = StaticCheck("pyright", "", (), "node is not installed")
    page = html(_report(Outcome.PASSED, static=static))
    assert "not checked: node is not installed" in page
