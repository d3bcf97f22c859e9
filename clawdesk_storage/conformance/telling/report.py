"""What came of a run: data, which the commands have rendered elsewhere."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any, Self

from clawdesk_storage.conformance.ability import Offer, Standing
from clawdesk_storage.conformance.backend import Backend
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.running.static import StaticCheck

__all__ = ["BAD", "CLAIMS", "IDLE", "LawResult", "Outcome", "Report", "versions_of"]

CLAIMS = ("durable", "shared", "outage", "corruption")


class Outcome(StrEnum):
    """What came of one law."""

    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"
    NOT_CLAIMED = "not claimed"
    NOT_OFFERED = "not offered"
    INCONCLUSIVE = "inconclusive"


BAD = (Outcome.FAILED, Outcome.INCONCLUSIVE)
"""What keeps a backend from conforming."""

IDLE = (Outcome.NOT_CLAIMED, Outcome.NOT_OFFERED)
"""What is left out."""


@dataclass(frozen=True)
class LawResult:
    """What came of one law.

    Args:
        law: The law.
        outcome: What came of it.
        seconds: How long it took.
        detail: Why, and nothing where it passed.
        cause: What laws have in common that fail by the same fault of the store, or nothing.
        hung: Whether the law was waited for in vain; the cause is the place then.
        stuck: Whether the law runs on, since it could not be cancelled.
    """

    law: Law
    outcome: Outcome
    seconds: float
    detail: str
    cause: str = ""
    hung: bool = False
    stuck: bool = False

    @property
    def happened(self) -> str:
        """What happened: the detail without the sentence that the law states."""
        return self.detail.removeprefix(f"{self.law.id} {self.law.statement}").strip()


@dataclass(frozen=True)
class Report:
    """What came of a run.

    Args:
        name: What the backend was called.
        unclaimed: For each claim the reason why it is not made, or None where it is.
        recall: The share of the true nearest neighbours that the backend promises to find.
        results: A result for each law that was chosen, in their order.
        static: What the static check found; None where it was left out on purpose.
        versions: The version of each distribution that took part.
        narrowed: Whether only some of the laws were chosen: then nothing is said of the whole.
        abilities: How each ability stands; none where the storage could not be opened.
        date: When the run was made.
    """

    name: str
    unclaimed: Mapping[str, str | None]
    recall: float
    results: Sequence[LawResult]
    static: StaticCheck | None
    versions: Mapping[str, str]
    narrowed: bool
    abilities: Mapping[str, Offer] = field(default_factory=dict[str, Offer])
    date: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(
        cls,
        name: str,
        backend: Backend,
        results: Sequence[LawResult],
        static: StaticCheck | None = None,
        *,
        narrowed: bool,
        abilities: Mapping[str, Offer] | None = None,
    ) -> Self:
        """Return the report on a backend that was tried in this process."""
        unclaimed = {claim: backend.unclaimed(claim) for claim in CLAIMS}
        versions = versions_of(backend)
        return cls(
            name, unclaimed, backend.recall, tuple(results), static, versions, narrowed,
            abilities or {},
        )  # fmt: skip

    @property
    def halves(self) -> Sequence[str]:
        """What is missing from each ability that is offered by half, in a sentence each."""
        offers = self.abilities.items()
        return [one.told(name) for name, one in offers if one.standing is Standing.HALF]

    @property
    def passed(self) -> bool:
        """Whether everything that was run passed, or failed as a waiver says."""
        laws_passed = not any(result.outcome in BAD for result in self.results)
        return laws_passed and not self.halves and (self.static is None or self.static.passed)

    @property
    def conforms(self) -> bool:
        """Whether every law of every port offered and of every claim made ran and passed."""
        return self.passed and not self.narrowed

    def count(self, outcome: Outcome) -> int:
        """Return how many laws had that outcome."""
        return sum(result.outcome is outcome for result in self.results)

    def claims(self) -> dict[str, bool | float]:
        """Return what the backend claims."""
        made: dict[str, bool | float] = {one: why is None for one, why in self.unclaimed.items()}
        return {**made, "recall": self.recall}

    def broken(self, claim: str) -> Sequence[str]:
        """Return the numbers of the laws of a claim that keep it from being ticked."""
        return [one.law.id for one in self.results if one.law.claim == claim and one.outcome in BAD]

    def verdict(self) -> str:
        """Return the whole in one sentence."""
        if self.narrowed:
            bad, ran = sum(map(self.count, BAD)), self.ran()
            found = "passed" if self.passed else "did not pass"
            tried = "law that was" if ran == 1 else f"{ran} laws that were"
            found = f"the {tried} tried {found}"
            if bad and ran > 1:
                found = f"{bad} of the {ran} laws that were tried did not pass"
            return f"{self.name}: {found}; this run was narrowed and says nothing of the whole"
        if not self.conforms:
            return f"{self.name} does not conform: {', '.join(self._faults())}"
        waived = self.count(Outcome.WAIVED)
        but = [f"{waived} waived"] if waived else []
        but += ["its types were not checked"] if self.static is None else []
        return f"{self.name} conforms" + (f", but: {', '.join(but)}" if but else "")

    def _faults(self) -> list[str]:
        faults = [f"{n} {outcome}" for outcome in BAD if (n := self.count(outcome))]
        faults += [f"{len(self.halves)} abilities by half"] if self.halves else []
        if self.static is not None and not self.static.passed:
            faults.append("its types were not checked" if self.static.problem else "its types")
        return faults

    def to_json(self) -> dict[str, Any]:
        """Return the report in the form that other programs read."""
        return {
            "backend": self.name,
            "conforms": self.conforms,
            "narrowed": self.narrowed,
            "date": self.date.isoformat(timespec="seconds"),
            "versions": dict(self.versions),
            "claims": self.claims(),
            "abilities": {name: one.standing.value for name, one in self.abilities.items()},
            "laws": [_law_json(result) for result in self.results],
            "static": None if self.static is None else _static_json(self.static),
        }

    def ran(self) -> int:
        """Return how many laws were run."""
        return sum(result.outcome not in IDLE for result in self.results)


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
