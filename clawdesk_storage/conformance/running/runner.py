"""Runs laws against a backend, each by itself; knows no pytest and no terminal."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from time import perf_counter
from uuid import uuid4

from clawdesk_storage.conformance.ability import ABILITIES, Offer, Standing
from clawdesk_storage.conformance.backend import (
    Backend,
    BackendError,
    BackendLike,
    load,
    suggestion,
)
from clawdesk_storage.conformance.circumstances.interleaving import ShuffledLoop
from clawdesk_storage.conformance.law import PORTS, Law
from clawdesk_storage.conformance.laws import LAWS
from clawdesk_storage.conformance.running.isolation import Hung, Isolated, in_thread
from clawdesk_storage.conformance.running.pace import Pace
from clawdesk_storage.conformance.running.static import StaticCheck, Subject, check_types
from clawdesk_storage.conformance.running.unawaited import unawaited
from clawdesk_storage.conformance.telling.frames import cause_of, shortened
from clawdesk_storage.conformance.telling.report import LawResult, Outcome, Report
from clawdesk_storage.conformance.trial import (
    Calls,
    Inconclusive,
    LawViolation,
    NotOffered,
    Trial,
)

__all__ = [
    "DEFAULT_TIMEOUT", "Offered", "Runner", "expect_run", "laws", "try_law", "unopened", "verify",
    "waived",
]  # fmt: skip

DEFAULT_TIMEOUT = 30.0
"""Seconds that a law may wait without any call returning."""

_FEW = 3
"""So many laws that hung at one place are enough to know it."""


def laws(*selection: str) -> Sequence[Law]:
    """Return the laws whose number begins with one of `selection`, or all, in their order.

    Raises:
        BackendError: One of the prefixes fits no law.
    """
    for prefix in selection:
        if not prefix or not any(law.id.startswith(prefix) for law in LAWS):
            near = suggestion(prefix, [*PORTS, *(law.id for law in LAWS)], "").partition("; ")[0]
            hint = near if near.startswith("did") else "`clawdesk-storage laws` lists them"
            raise BackendError(f"there is no law {prefix!r}; {hint}")
    return [law for law in LAWS if not selection or law.id.startswith(selection)]


async def verify(
    target: BackendLike,
    *,
    select: Sequence[str] = (),
    seed: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
    static: bool = True,
    progress: Callable[[LawResult], object] = lambda result: None,
) -> Report:
    """Try every law that applies to a backend, one after the other, in this process.

    Args:
        target: The backend: an open function, a `Backend`, `module:attribute` of either, or the
            name of an entry point.
        select: Numbers of laws, or their beginnings; none selects all.
        seed: Where the laws' randomness starts.
        timeout: Seconds that a law may wait without any call returning.
        static: Whether to check the backend's types too.
        progress: Called with each result as it comes.

    Returns:
        The report. A backend that cannot be opened fails its laws.

    Raises:
        BackendError: Nothing could be run: there is no such backend or law, it is no backend, what
            it needs is not installed, or it offers no port.
    """
    name, backend = load(target)
    chosen = laws(*select)
    runner = Runner(backend, seed, timeout)
    try:
        offered = await runner.offered()
    except Hung as error:
        results = [unopened(law, str(error)) for law in chosen]
        return Report.of(name, backend, results, narrowed=bool(select))
    checking = asyncio.create_task(runner.check(offered)) if static else None
    try:
        tried: list[LawResult] = []
        for law in chosen:
            tried.append(await runner.result(law))
            progress(tried[-1])
        checked = await checking if checking else None
    finally:
        if checking:
            checking.cancel()
    expect_run(name, tried)
    abilities = offered.abilities if offered else None
    return Report.of(name, backend, tried, checked, narrowed=bool(select), abilities=abilities)


def expect_run(name: str, tried: Sequence[LawResult]) -> None:
    """Raise `BackendError` if no law was run."""
    if all(result.outcome is Outcome.NOT_OFFERED for result in tried):
        raise BackendError(f"no law was run: {name} offers none of the ports that they are about")


def try_law(law: Law, backend: Backend, *, seed: int = 0, timeout: float) -> LawResult:
    """Try one law and wait for the result, from code that is not asynchronous.

    Args:
        law: The law.
        backend: The backend.
        seed: Where the law's randomness starts.
        timeout: Seconds that it may wait without any call returning.
    """
    return asyncio.run(Runner(backend, seed, timeout).result(law, probe=False))


@dataclass(frozen=True)
class Offered:
    """What a storage has: its stores' classes by their attributes, and how each ability stands."""

    stores: Mapping[str, type]
    abilities: Mapping[str, Offer]


@dataclass
class Runner:
    """Tries laws against a backend.

    Args:
        backend: The implementation under test.
        seed: Where the laws' randomness starts.
        timeout: Seconds that a law may wait without any call returning.
        hung: Places at which the store has hung, a place for each time.
        parent: Where temporary directories are made; None is the system's place.
        start: Starts a law's work in another thread than the runner's own.
    """

    backend: Backend
    seed: int = 0
    timeout: float = DEFAULT_TIMEOUT
    hung: list[str] = field(default_factory=list[str])
    parent: Path | None = None
    start: Callable[[Callable[[], object]], None] = in_thread

    def __post_init__(self) -> None:
        self.probed: set[str | None] = set()

    async def offered(self) -> Offered | None:
        """Return what the backend offers, or None if it cannot be opened.

        Raises:
            BackendError: It offers no port, is no backend, waives a law that does not exist, has
                nothing of an ability that it must have, or what it needs is not installed.
            Hung: It cannot be opened in time.
        """
        _check_waivers(self.backend)

        async def look(directory: Path) -> Offered:
            async with Trial(self.backend, directory, _unique("look"), "").open() as storage:
                classes: dict[str, type] = {name: type(one) for name, one in storage.raw.items()}
                return Offered(classes, {name: storage.offer(name) for name in ABILITIES})

        try:
            isolated = Isolated(look, parent=self.parent, start=self.start)
            offered = await isolated.outcome(self.timeout)
        except (BackendError, Hung):
            raise
        except ImportError as error:
            raise BackendError(f"what the backend needs is not installed: {error}") from error
        except Exception:  # noqa: BLE001  (whatever it is, every law will report it)
            return None
        _check_offered(self.backend, offered)
        return offered

    async def check(self, offered: Offered | None) -> StaticCheck:
        """Check the types of what the backend was seen to offer."""
        if offered is None:
            return StaticCheck("pyright", "", (), "the storage cannot be opened")
        abilities = {name: offer.ports for name, offer in offered.abilities.items()}
        [found] = await check_types(
            Subject(self.backend.open, offered.stores, abilities), parent=self.parent
        )
        return found

    async def result(self, law: Law, *, probe: bool = True) -> LawResult:
        """Try a law; the first of a claim that is not made only to find out if it could be made.

        Args:
            law: The law.
            probe: Whether to find that out.
        """
        reason = self.backend.unclaimed(law.claim) if law.claim else None
        hooked = law.claim in ("outage", "corruption")
        probing = probe and law.claim not in self.probed
        self.probed.add(law.claim)
        if reason is not None and (hooked or not probing):
            return LawResult(law, Outcome.NOT_CLAIMED, 0.0, reason)
        started = perf_counter()
        with unawaited() as warned:
            result = await self._outcome(law)
        result = replace(result, seconds=perf_counter() - started)
        if warned and result.outcome is Outcome.FAILED:
            told = "\n".join(f"  {line}" for line in dict.fromkeys(warned))
            detail = f"{result.detail}\n\nwarned meanwhile\n{told}"
            result = replace(result, detail=detail, cause=result.cause or warned[0])
        if reason is None or result.outcome is Outcome.NOT_OFFERED:
            return waived(result, self.backend.waivers.get(law.id))
        holds = f"; yet {law.id} holds" if result.outcome is Outcome.PASSED else ""
        return LawResult(law, Outcome.NOT_CLAIMED, result.seconds, reason + holds)

    async def _outcome(self, law: Law) -> LawResult:
        pace, trials = Pace(), list[Trial]()

        async def attempt(directory: Path) -> None:
            seeded = f"{self.seed} {law.id}"
            trials.append(Trial(self.backend, directory, _unique(law.id), seeded, law.ability))
            trials[0].calls.pace = pace
            await law.attempt(trials[0])
            trials[0].calls.settle()

        isolated = Isolated(attempt, _loop_of(law, self.seed), pace, self.parent, self.start)
        try:
            await isolated.outcome(self.timeout, self._known())
        except NotOffered as error:
            return LawResult(law, Outcome.NOT_OFFERED, 0.0, str(error))
        except Inconclusive as error:
            return LawResult(law, Outcome.INCONCLUSIVE, 0.0, str(error))
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            calls = trials[0].calls if trials else Calls()
            return self._failed(law, _cause(error), calls)
        return LawResult(law, Outcome.PASSED, 0.0, "")

    def _failed(self, law: Law, error: Exception, calls: Calls) -> LawResult:
        detail = _told(law, error, str(calls), self.seed)
        if isinstance(error, Hung):
            self.hung.append(error.place)
            return LawResult(
                law, Outcome.FAILED, 0.0, detail, error.place, hung=True, stuck=error.stuck
            )
        own = error.cause if isinstance(error, LawViolation) else cause_of(error)
        return LawResult(law, Outcome.FAILED, 0.0, detail, own or calls.fault)

    def _known(self) -> set[str]:
        """The places at which so many laws have hung that the rest need not wait long."""
        return {place for place, times in Counter(self.hung).items() if place and times >= _FEW}


def _check_offered(backend: Backend, offered: Offered) -> None:
    if not offered.stores:
        raise BackendError(
            "the storage offers no port: it has none of the attributes sessions, conversations, "
            "config, vectors"
        )
    for ability in backend.abilities:
        if offered.abilities[ability].standing is Standing.NOT_OFFERED:
            raise BackendError(
                f"{ability} must be offered, says Backend(abilities=...), and none of its methods "
                f"is there: {', '.join(ABILITIES[ability].methods)}"
            )


def unopened(law: Law, problem: str) -> LawResult:
    """Return the result of a law that could only find out again that opening fails."""
    detail = f"{law.id} {law.statement}\n\nthe storage cannot be opened: {problem}"
    return LawResult(law, Outcome.FAILED, 0.0, detail, "the storage cannot be opened")


def _check_waivers(backend: Backend) -> None:
    known = {law.id for law in LAWS}
    for number in backend.waivers:
        if number not in known:
            raise BackendError(f"{number!r} is waived, and is no law's number")


def waived(result: LawResult, waiver: str | None) -> LawResult:
    """Return the result as the law's waiver makes it."""
    law = result.law
    if waiver is None or result.outcome in (Outcome.NOT_OFFERED, Outcome.INCONCLUSIVE):
        return result
    if result.outcome is Outcome.PASSED:
        detail = f"{law.id} is waived ({waiver}), and passes: remove the waiver"
        return replace(result, outcome=Outcome.FAILED, detail=detail)
    return replace(result, outcome=Outcome.WAIVED, detail=f"{waiver}\n{result.detail}")


def _unique(name: str) -> str:
    """A name for a location that no other run on the same server has."""
    return f"{name.lower().replace('-', '_')}_{uuid4().hex[:12]}"


def _cause(error: Exception) -> Exception:
    """The violation that a failure to close the storage may hide."""
    context: BaseException | None = error
    while context is not None:
        if isinstance(context, LawViolation):
            return context
        context = context.__context__
    return error


def _loop_of(law: Law, seed: int) -> Callable[[], AbstractEventLoop] | None:
    if not law.shuffled:
        return None
    return lambda: ShuffledLoop(Random(f"{seed} {law.id}").getrandbits(32))  # noqa: S311


def _told(law: Law, error: Exception, calls: str, seed: int) -> str:
    if isinstance(error, (LawViolation, BackendError, Hung)):
        problem = str(error)
    else:
        problem = f"the store raised {shortened(error)}"
    made = "\n".join(f"  {line}" for line in calls.splitlines())
    return f"{law.id} {law.statement}\n\n{problem}\n\nthe latest calls (seed {seed})\n{made}"
