"""A conformance report as it was written down, read strictly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clawdesk_storage.pages.text import printable_throughout

__all__ = ["BAD", "IDLE", "Law", "Outcome", "Report", "ReportError", "checked", "parse"]

Outcome: TypeAlias = Literal[
    "passed", "failed", "inconclusive", "waived", "not claimed", "not offered"
]

BAD: Final = ("failed", "inconclusive")
"""What keeps a backend from conforming."""

IDLE: Final = ("not claimed", "not offered")
"""What was not run."""


class ReportError(ValueError):
    """What was given is no report; the message completes `FILE is …`."""


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Claims(_Part):
    """What a backend claims."""

    durable: bool
    shared: bool
    outage: bool
    corruption: bool
    recall: float = Field(gt=0, le=1)


class Law(_Part):
    """What came of one law."""

    id: Annotated[str, Field(min_length=1)]
    port: Annotated[str, Field(min_length=1)]
    statement: str
    outcome: Outcome
    seconds: float = Field(ge=0)
    detail: str


class Static(_Part):
    """What a type checker said."""

    checker: str
    version: str
    errors: list[str]


class Report(_Part):
    """What came of one run of the suite.

    Keys that this version does not know are left aside, and laws that it does not know are kept: a
    later version may have more of both. An outcome that it does not know is refused, since nobody
    could say what it means for the verdict.
    """

    backend: Annotated[str, Field(min_length=1)]
    conforms: bool
    narrowed: bool
    date: str
    versions: dict[str, str]
    claims: Claims
    abilities: dict[str, Literal["offered", "not offered", "half"]] = Field(default_factory=dict)
    laws: Annotated[list[Law], Field(min_length=1)]
    static: Static | None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        (number, times), *_ = Counter(law.id for law in self.laws).most_common(1)
        if times > 1:
            raise ValueError(f"{number} is in it {times} times")
        if self.conforms and self.faults:
            raise ValueError(f"it says that the backend conforms, and: {', '.join(self.faults)}")
        return self

    @property
    def faults(self) -> Sequence[str]:
        """What keeps the backend from conforming, in a few words each."""
        faults = [f"{n} {outcome}" for outcome in BAD if (n := self.count(outcome))]
        faults += ["an ability by half"] if "half" in self.abilities.values() else []
        return [*faults, "its types"] if self.static and self.static.errors else faults

    @property
    def ran(self) -> int:
        """How many laws were run."""
        return sum(law.outcome not in IDLE for law in self.laws)

    def count(self, outcome: str) -> int:
        """Return how many laws had that outcome."""
        return sum(law.outcome == outcome for law in self.laws)

    def worst(self) -> Sequence[str]:
        """Return the numbers of the laws that keep the backend from conforming."""
        return [law.id for law in self.laws if law.outcome in BAD]

    def verdict(self) -> str:
        """Return what came of the run in a few words, without the backend's name."""
        if self.faults:
            return f"does not conform: {', '.join(self.faults)}"
        if self.narrowed:
            return "passed what was tried: a run narrowed by --law says nothing of the whole"
        waived = self.count("waived")
        but = [f"{waived} waived"] if waived else []
        but += ["its types were not checked"] if self.static is None else []
        return "conforms" + (f", but: {', '.join(but)}" if but else "")


def parse(data: bytes) -> Report:
    """Return the report that a file holds.

    Args:
        data: The file's content.

    Raises:
        ReportError: It is not JSON, or no report.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"not JSON ({error})") from error
    return checked(value)


def checked(value: object) -> Report:
    """Return the report that a JSON value is.

    Raises:
        ReportError: It is none.
    """
    try:
        return Report.model_validate(printable_throughout(value))
    except ValidationError as error:
        raise ReportError(f"no report ({_first(error)})") from error
    except RecursionError as error:
        raise ReportError("no report (it is nested too deeply)") from error


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, found["loc"]))
    return f"{place}: {found['msg']}" if place else found["msg"].removeprefix("Value error, ")
