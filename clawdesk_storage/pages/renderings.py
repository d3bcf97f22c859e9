"""A run's report for other programs: JUnit XML, a badge, a page."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from clawdesk_storage.conformance import LawResult, Outcome, Report
from clawdesk_storage.conformance.running.static import StaticCheck
from clawdesk_storage.conformance.telling.report import BAD, IDLE
from clawdesk_storage.pages.matrix import matrix_page
from clawdesk_storage.pages.text import printable

__all__ = ["badge", "html", "junit"]


def badge(report: Report) -> dict[str, Any]:
    """Return what badge services read (the endpoint schema, version 1)."""
    word = "conforms" if report.conforms else "laws" if report.passed else "fails"
    color = "brightgreen" if report.conforms else "blue" if report.passed else "red"
    message = f"{word} {report.count(Outcome.PASSED)}/{report.ran()}"
    return {"schemaVersion": 1, "label": "storage", "message": message, "color": color}


def html(report: Report) -> str:
    """Return the report as one self-contained page."""
    return matrix_page([report.to_json()], made=report.date)


def junit(report: Report) -> str:
    """Return the report as JUnit XML, a test case for each law."""
    suites = ET.Element("testsuites", _counts(report))
    suite = ET.SubElement(suites, "testsuite", suites.attrib, name=printable(report.name))
    suite.set("skipped", str(sum(map(report.count, (*IDLE, Outcome.WAIVED)))))
    for result in report.results:
        _add_law(suite, result)
    for half in report.halves:
        case = _case(suite, "Abilities", half.partition(" ")[0], 0)
        ET.SubElement(case, "failure", type="half", message=printable(half))
    if report.static is not None:
        _add_types(suite, report.static)
    # Its declaration names the encoding in which the text is to be written.
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written.decode()


def _counts(report: Report) -> dict[str, str]:
    bad = sum(map(report.count, BAD))
    broken = report.static is not None and not report.static.passed
    halves = len(report.halves)
    seconds = sum(result.seconds for result in report.results)
    return {
        "tests": str(len(report.results) + halves + (report.static is not None)),
        "failures": str(bad + halves + broken),
        "errors": "0",
        "time": f"{seconds:.3f}",
    }


def _add_law(suite: ET.Element, result: LawResult) -> None:
    law, said = result.law, printable(result.detail)
    case = _case(suite, law.port, str(law), result.seconds)
    if result.outcome in BAD:
        message = f"{result.outcome}: {printable(result.happened).partition(chr(10) * 2)[0]}"
        ET.SubElement(case, "failure", type=result.outcome, message=message).text = said
    elif result.outcome is not Outcome.PASSED:
        ET.SubElement(case, "skipped", message=f"{result.outcome}: {said}")


def _add_types(suite: ET.Element, static: StaticCheck) -> None:
    case = _case(suite, "Static", "types", 0)
    if not static.passed:
        problem = [f"not checked: {static.problem}"] if static.problem else static.errors
        message = "the types do not satisfy the ports"
        failure = ET.SubElement(case, "failure", type="types", message=message)
        failure.text = printable("\n".join(problem))


def _case(suite: ET.Element, about: str, name: str, seconds: float) -> ET.Element:
    # CI systems tell cases of several suites apart by the class, whose package is up to the dot.
    classname = f"{suite.get('name')}.{about}"
    return ET.SubElement(suite, "testcase", classname=classname, name=name, time=f"{seconds:.3f}")
