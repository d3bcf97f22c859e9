"""Runs laws against a backend, each by itself; knows no pytest and no terminal."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from uuid import uuid4

from clawdesk_storage.conformance.ability import ABILITIES, Offer, Standing
from clawdesk_storage.conformance.backend import Backend, BackendError, BackendLike, load
from clawdesk_storage.conformance.circumstances.interleaving import ShuffledLoop
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.laws import LAWS
from clawdesk_storage.conformance.running.isolation import Hung, Isolated
from clawdesk_storage.conformance.running.static import StaticCheck, check_types
from clawdesk_storage.conformance.telling.frames import shortened
from clawdesk_storage.conformance.telling.report import LawResult, Outcome, Report, versions_of
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation, NotOffered, Trial

__all__ = ["DEFAULT_TIMEOUT", "check", "laws", "offered_by", "try_law", "verify"]

DEFAULT_TIMEOUT = 120.0
"""Seconds that a law may take."""


def laws(*selection: str) -> Sequence[Law]:
    """Return the laws whose number begins with one of `selection`, or all, in their order.

    Raises:
        BackendError: One of the prefixes fits no law.
    """
    for prefix in selection:
        if not prefix or not any(law.id.startswith(prefix) for law in LAWS):
            raise BackendError(f"there is no law {prefix!r}; `clawdesk-storage laws` lists them")
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
    """Try every law that applies to a backend, one after the other.

    Args:
        target: The backend: an open function, a `Backend`, `module:attribute` of either, or the
            name of an entry point.
        select: Numbers of laws, or their beginnings; none selects all.
        seed: Where the laws' randomness starts.
        timeout: Seconds that each law may take.
        static: Whether to check the backend's types too.
        progress: Called with each result as it comes.

    Returns:
        The report. A backend that cannot be opened fails its laws.

    Raises:
        BackendError: Nothing could be run: there is no such backend or law, it is no backend, or it
            offers no port.
    """
    name, backend = load(target)
    chosen = laws(*select)
    try:
        offered = await offered_by(backend, timeout)
    except Hung as error:
        results = tuple(_unopened(law, error) for law in chosen)
        return Report(name, backend, results, None, versions_of(backend), bool(select), {})
    checking = asyncio.create_task(_checked(backend, offered)) if static else None
    try:
        tried: list[LawResult] = []
        probed = set[str | None]()
        for law in chosen:
            result = await _result(law, backend, seed, timeout, probe=law.claim not in probed)
            probed.add(law.claim)
            tried.append(result)
            progress(result)
        checked = await checking if checking else None
    finally:
        if checking:
            checking.cancel()
    if all(result.outcome is Outcome.NOT_OFFERED for result in tried):
        raise BackendError(f"no law was run: {name} offers none of the ports that they are about")
    abilities = dict(offered.abilities) if offered else {}
    versions = versions_of(backend)
    return Report(name, backend, tuple(tried), checked, versions, bool(select), abilities)


def try_law(law: Law, backend: Backend, *, seed: int = 0, timeout: float) -> LawResult:
    """Try one law and wait for the result, from code that is not asynchronous.

    Args:
        law: The law.
        backend: The backend.
        seed: Where the law's randomness starts.
        timeout: Seconds that it may take.
    """
    return asyncio.run(_result(law, backend, seed, timeout, probe=False))


async def check(backend: Backend, timeout: float) -> StaticCheck:
    """Check a backend's types alone.

    Args:
        backend: The backend.
        timeout: Seconds that opening it may take.

    Raises:
        BackendError: It offers no port, or is no backend.
    """
    return await _checked(backend, await offered_by(backend, timeout))


@dataclass(frozen=True)
class Offered:
    """What a storage has: its stores' classes by their attributes, and how each ability stands."""

    stores: Mapping[str, type]
    abilities: Mapping[str, Offer]


async def offered_by(backend: Backend, timeout: float) -> Offered | None:
    """Return what a backend offers.

    Args:
        backend: The backend.
        timeout: Seconds that opening it may take.

    Returns:
        None if it cannot be opened.

    Raises:
        BackendError: It offers no port, is no backend, waives a law that does not exist, or has
            nothing of an ability that it must have.
        Hung: It cannot be opened in time.
    """
    _check_waivers(backend)

    async def look(directory: Path) -> Offered:
        async with Trial(backend, directory, _unique("look"), "").open() as storage:
            classes: dict[str, type] = {name: type(store) for name, store in storage.raw.items()}
            return Offered(classes, {name: storage.offer(name) for name in ABILITIES})

    try:
        offered = await Isolated(look).outcome(timeout)
    except (BackendError, Hung):
        raise
    except Exception:  # noqa: BLE001  (whatever it is, every law will report it)
        return None
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
    return offered


def _unopened(law: Law, error: Hung) -> LawResult:
    """The result of a law that would only have waited as long as opening did."""
    detail = f"{law.id} {law.statement}\n\nthe storage cannot be opened: {error}"
    return LawResult(law, Outcome.FAILED, 0.0, detail)


def _check_waivers(backend: Backend) -> None:
    known = {law.id for law in LAWS}
    for number in backend.waivers:
        if number not in known:
            raise BackendError(f"{number!r} is waived, and is no law's number")


async def _checked(backend: Backend, offered: Offered | None) -> StaticCheck:
    if offered is None:
        return StaticCheck("pyright", "", (), "the storage cannot be opened")
    abilities = {name: offer.ports for name, offer in offered.abilities.items()}
    return await check_types(backend.open, offered.stores, abilities)


async def _result(
    law: Law, backend: Backend, seed: int, timeout: float, *, probe: bool
) -> LawResult:
    """Try a law; one whose claim is not made only to find out whether it could be."""
    reason = backend.unclaimed(law.claim) if law.claim else None
    hooked = law.claim in ("outage", "corruption")
    if reason is not None and (hooked or not probe):
        return LawResult(law, Outcome.NOT_CLAIMED, 0.0, reason)
    started = perf_counter()
    outcome, detail = await _outcome(law, backend, seed, timeout)
    seconds = perf_counter() - started
    if reason is None or outcome is Outcome.NOT_OFFERED:
        result = LawResult(law, outcome, seconds, detail)
        return _waived(result, backend.waivers.get(law.id))
    holds = f"; yet {law.id} holds" if outcome is Outcome.PASSED else ""
    return LawResult(law, Outcome.NOT_CLAIMED, seconds, reason + holds)


def _waived(result: LawResult, waiver: str | None) -> LawResult:
    law, seconds = result.law, result.seconds
    if waiver is None or result.outcome in (Outcome.NOT_OFFERED, Outcome.INCONCLUSIVE):
        return result
    if result.outcome is Outcome.PASSED:
        detail = f"{law.id} is waived ({waiver}), and passes: remove the waiver"
        return LawResult(law, Outcome.FAILED, seconds, detail)
    return LawResult(law, Outcome.WAIVED, seconds, f"{waiver}\n{result.detail}")


async def _outcome(law: Law, backend: Backend, seed: int, timeout: float) -> tuple[Outcome, str]:
    trials: list[Trial] = []

    async def attempt(directory: Path) -> None:
        trials.append(Trial(backend, directory, _unique(law.id), f"{seed} {law.id}", law.ability))
        await law.attempt(trials[0])
        trials[0].calls.settle()

    try:
        await Isolated(attempt, _loop_of(law, seed)).outcome(timeout)
    except NotOffered as error:
        return Outcome.NOT_OFFERED, str(error)
    except Inconclusive as error:
        return Outcome.INCONCLUSIVE, str(error)
    except Exception as error:  # noqa: BLE001  (a store may raise anything)
        made = str(trials[0].calls) if trials else ""
        return Outcome.FAILED, _told(law, _cause(error), made, seed)
    return Outcome.PASSED, ""


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
