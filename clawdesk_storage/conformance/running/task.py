"""What a worker is asked to do, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from clawdesk_storage.conformance.ability import Offer
from clawdesk_storage.conformance.running.static import StaticCheck

__all__ = ["Alive", "Begun", "Ended", "Loaded", "Opening", "Refused", "Said", "Task"]


@dataclass(frozen=True)
class Task:
    """What a worker does.

    Args:
        target: The backend's name.
        laws: The numbers of the laws to try, in order.
        probed: The claims that are not made and for which that was looked into already.
        hung: Places at which the store has hung.
        seed: Where the randomness starts.
        timeout: Seconds that a law may wait without any call returning.
        static: Whether to check the types.
        directory: Where temporary directories are made.
    """

    target: str
    laws: Sequence[str]
    probed: Sequence[str | None]
    hung: Sequence[str]
    seed: int
    timeout: float
    static: bool
    directory: str


@dataclass(frozen=True)
class Refused:
    """Nothing can be run, for this reason."""

    reason: str


@dataclass(frozen=True)
class Loaded:
    """The backend was loaded, and claims this."""

    unclaimed: Mapping[str, str | None]
    recall: float
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Opening:
    """What came of opening the storage: the abilities that it offers, or why it could not be."""

    abilities: Mapping[str, Offer]
    problem: str = ""


@dataclass(frozen=True)
class Begun:
    """A law is being tried."""

    law: str
    waiver: str | None


@dataclass(frozen=True)
class Ended:
    """What came of a law: the fields of a `LawResult`, with the law's number for the law."""

    law: str
    outcome: str
    seconds: float
    detail: str
    cause: str
    hung: bool
    stuck: bool


@dataclass(frozen=True)
class Alive:
    """The interpreter still runs."""


Said: TypeAlias = Refused | Loaded | Opening | Begun | Ended | StaticCheck | Alive
