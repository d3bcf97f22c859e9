"""What came of a run, and its renderings for programs: JSON, JUnit, a badge, a page."""

from __future__ import annotations

import html
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any
from xml.etree import ElementTree as ET

from clawdesk_storage.conformance.backend import Backend
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.static import StaticCheck

__all__ = ["CLAIMS", "LawResult", "Outcome", "Report", "versions_of"]

CLAIMS = ("durable", "shared", "outage", "corruption")


class Outcome(StrEnum):
    """What came of one law."""

    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"
    NOT_CLAIMED = "not claimed"
    NOT_OFFERED = "not offered"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class LawResult:
    """What came of one law; `detail` says why, and is empty where it passed."""

    law: Law
    outcome: Outcome
    seconds: float
    detail: str


@dataclass(frozen=True)
class Report:
    """What came of a run.

    Args:
        name: What the backend was called.
        backend: The backend, with its claims and waivers.
        results: A result for each law that was chosen, in their order.
        static: What the static check found; None where it was left out on purpose.
        versions: The version of each distribution that took part.
        narrowed: Whether only some of the laws were chosen: then nothing is said of the whole.
    """

    name: str
    backend: Backend
    results: Sequence[LawResult]
    static: StaticCheck | None
    versions: Mapping[str, str]
    narrowed: bool

    @property
    def passed(self) -> bool:
        """Whether everything that was run passed, or failed as a waiver says."""
        bad = (Outcome.FAILED, Outcome.INCONCLUSIVE)
        laws_passed = not any(result.outcome in bad for result in self.results)
        return laws_passed and (self.static is None or self.static.passed)

    @property
    def conforms(self) -> bool:
        """Whether every law of every port offered and of every claim made ran and passed."""
        return self.passed and not self.narrowed

    def count(self, outcome: Outcome) -> int:
        """Return how many laws had that outcome."""
        return sum(result.outcome is outcome for result in self.results)

    def claims(self) -> dict[str, bool | float]:
        """Return what the backend claims."""
        made: dict[str, bool | float] = {claim: self.backend.claims(claim) for claim in CLAIMS}
        return {**made, "recall": self.backend.recall}

    def verdict(self) -> str:
        """Return the whole in one sentence."""
        if self.narrowed:
            found = "passed" if self.passed else "did not pass"
            return (
                f"{self.name}: the {len(self.results)} laws chosen {found}; this run was narrowed "
                "and says nothing of the whole"
            )
        if not self.conforms:
            return f"{self.name} does not conform: {', '.join(self._faults())}"
        waived = self.count(Outcome.WAIVED)
        but = [f"{waived} waived"] if waived else []
        but += ["its types were not checked"] if self.static is None else []
        return f"{self.name} conforms" + (f", but: {', '.join(but)}" if but else "")

    def _faults(self) -> list[str]:
        bad = (Outcome.FAILED, Outcome.INCONCLUSIVE)
        faults = [f"{n} {outcome}" for outcome in bad if (n := self.count(outcome))]
        if self.static is not None and not self.static.passed:
            faults.append("its types were not checked" if self.static.problem else "its types")
        return faults

    def to_json(self) -> dict[str, Any]:
        """Return the report in the form that other programs read."""
        return {
            "backend": self.name,
            "conforms": self.conforms,
            "versions": dict(self.versions),
            "claims": self.claims(),
            "laws": [_law_json(result) for result in self.results],
            "static": None if self.static is None else _static_json(self.static),
        }

    def to_badge(self) -> dict[str, Any]:
        """Return what badge services read (the endpoint schema, version 1)."""
        passed, ran = self.count(Outcome.PASSED), self._ran()
        word = "conforms" if self.conforms else "laws" if self.passed else "fails"
        color = "brightgreen" if self.conforms else "blue" if self.passed else "red"
        message = f"{word} {passed}/{ran}"
        return {"schemaVersion": 1, "label": "storage", "message": message, "color": color}

    def _ran(self) -> int:
        idle = (Outcome.NOT_CLAIMED, Outcome.NOT_OFFERED)
        return sum(result.outcome not in idle for result in self.results)

    def to_junit(self) -> str:
        """Return the report as JUnit XML, a test case for each law."""
        bad = self.count(Outcome.FAILED) + self.count(Outcome.INCONCLUSIVE)
        broken = self.static is not None and not self.static.passed
        idle = len(self.results) - bad - self.count(Outcome.PASSED)
        seconds = sum(result.seconds for result in self.results)
        suite = ET.Element(
            "testsuite",
            name=_printable(self.name),
            tests=str(len(self.results) + (self.static is not None)),
            failures=str(bad + broken),
            errors="0",
            skipped=str(idle),
            time=f"{seconds:.3f}",
        )
        for result in self.results:
            _add_case(suite, result)
        if self.static is not None:
            case = ET.SubElement(suite, "testcase", classname="Static", name="types", time="0")
            if broken:
                said = "\n".join(_static_json(self.static)["errors"])
                ET.SubElement(case, "failure", message="types").text = _printable(said)
        suites = ET.Element("testsuites")
        suites.append(suite)
        return ET.tostring(suites, encoding="unicode", xml_declaration=True)

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        rows = "\n".join(map(_row, self.results))
        static = "" if self.static is None else _static_html(self.static)
        claims = ", ".join(f"{name}: {_word(made)}" for name, made in self.claims().items())
        used = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return _PAGE.format(
            title=html.escape(f"{self.name}: storage conformance"),
            verdict=html.escape(self.verdict()),
            claims=html.escape(claims),
            versions=html.escape(used),
            rows=rows,
            static=static,
        )


def versions_of(backend: Backend) -> dict[str, str]:
    """Return the versions of Python and of the distributions that take part in a run."""
    package = backend.open.__module__.partition(".")[0]
    distributions = packages_distributions().get(package, [])
    names = dict.fromkeys(["clawdesk-storage", "pydantic", *distributions])
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def _law_json(result: LawResult) -> dict[str, Any]:
    return {
        "id": result.law.id,
        "port": result.law.port,
        "statement": result.law.statement,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 4),
        "detail": result.detail,
    }


def _static_json(static: StaticCheck) -> dict[str, Any]:
    errors = [f"not checked: {static.problem}"] if static.problem else list(static.errors)
    return {"checker": static.checker, "version": static.version, "errors": errors}


def _add_case(suite: ET.Element, result: LawResult) -> None:
    law = result.law
    case = ET.SubElement(
        suite, "testcase", classname=law.port, name=str(law), time=f"{result.seconds:.3f}"
    )
    if result.outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE):
        failure = ET.SubElement(case, "failure", message=result.outcome.value)
        failure.text = _printable(result.detail)
    elif result.outcome is not Outcome.PASSED:
        said = _printable(f"{result.outcome}: {result.detail}")
        ET.SubElement(case, "skipped", message=said)


def _printable(text: str) -> str:
    """XML has no way at all to write most control characters and surrogates."""
    return "".join(one if one in "\n\t" or one.isprintable() else ascii(one)[1:-1] for one in text)


def _word(made: float) -> str:
    return {True: "yes", False: "no"}[made] if isinstance(made, bool) else f"{made:g}"


def _row(result: LawResult) -> str:
    law = result.law
    said = html.escape(_printable(result.detail))
    detail = f"<details><summary>why</summary><pre>{said}</pre></details>" if said else ""
    return (
        f'<tr class="{result.outcome.value.replace(" ", "-")}"><th scope="row">{law.id}</th>'
        f"<td>{html.escape(law.statement)}{detail}</td><td>{html.escape(law.port)}</td>"
        f"<td>{result.outcome.value}</td></tr>"
    )


def _static_html(static: StaticCheck) -> str:
    errors = _static_json(static)["errors"]
    listed = "".join(f"<li><pre>{html.escape(_printable(error))}</pre></li>" for error in errors)
    found = f"<ul>{listed}</ul>" if errors else "<p>no errors</p>"
    return f"<h2>Types ({html.escape(static.checker)} {html.escape(static.version)})</h2>{found}"


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --good: light-dark(#14632b, #7ee2a0);
  --bad: light-dark(#a1121f, #ff9ca3); --idle: light-dark(#555, #aaa); }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 64rem; margin: auto; padding: 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .5rem;
  border-top: 1px solid #8886; }}
th {{ white-space: nowrap; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.passed td:last-child {{ color: var(--good); }}
.failed td:last-child, .inconclusive td:last-child {{ color: var(--bad); font-weight: bold; }}
.not-claimed td:last-child, .not-offered td:last-child,
.waived td:last-child {{ color: var(--idle); }}
</style>
<h1>{title}</h1>
<p><strong>{verdict}</strong></p>
<p>Claims: {claims}</p>
<p>Versions: {versions}</p>
<table>
<thead><tr><th scope="col">law</th><th scope="col">statement</th><th scope="col">about</th>
<th scope="col">outcome</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{static}
</html>
"""
