"""Runs laws against a backend, each by itself; knows no pytest and no terminal.

Every law runs in a thread and an event loop of its own. A store that hangs, even one that blocks
its loop or swallows cancellation, fails that law, and the run goes on without the thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Generic, TypeVar
from uuid import uuid4

from clawdesk_storage.conformance.backend import Backend, BackendError, BackendLike, load
from clawdesk_storage.conformance.frames import shortened, stack_of
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.laws import LAWS
from clawdesk_storage.conformance.report import LawResult, Outcome, Report, versions_of
from clawdesk_storage.conformance.static import StaticCheck, check_types
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation, NotOffered, Trial

__all__ = ["DEFAULT_TIMEOUT", "check", "laws", "lingering", "offered_by", "try_law", "verify"]

DEFAULT_TIMEOUT = 60.0
"""Seconds that a law may take."""

_GRACE = 3.0
"""Seconds that a law has to end once it was cancelled, before its thread is given up."""

_THREAD = "clawdesk-law"

_T = TypeVar("_T")


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
    offered = await offered_by(backend, timeout)
    checking = asyncio.create_task(_checked(backend, offered)) if static else None
    try:
        results: list[LawResult] = []
        for law in chosen:
            results.append(await _result(law, backend, seed, timeout))
            progress(results[-1])
        checked = await checking if checking else None
    finally:
        if checking:
            checking.cancel()
    if all(result.outcome is Outcome.NOT_OFFERED for result in results):
        raise BackendError(f"no law was run: {name} offers none of the ports that they are about")
    return Report(name, backend, tuple(results), checked, versions_of(backend), bool(select))


def try_law(law: Law, backend: Backend, *, seed: int = 0, timeout: float) -> LawResult:
    """Try one law and wait for the result, from code that is not asynchronous.

    Args:
        law: The law.
        backend: The backend.
        seed: Where the law's randomness starts.
        timeout: Seconds that it may take.
    """
    return asyncio.run(_result(law, backend, seed, timeout))


async def check(backend: Backend, timeout: float) -> StaticCheck:
    """Check a backend's types alone.

    Args:
        backend: The backend.
        timeout: Seconds that opening it may take.

    Raises:
        BackendError: It offers no port, or is no backend.
    """
    return await _checked(backend, await offered_by(backend, timeout))


async def offered_by(backend: Backend, timeout: float) -> dict[str, type] | None:
    """Return the classes of a backend's stores by the attributes' names.

    Args:
        backend: The backend.
        timeout: Seconds that opening it may take.

    Returns:
        None if it cannot be opened.

    Raises:
        BackendError: It offers no port, is no backend, or waives a law that does not exist.
    """
    _check_waivers(backend)

    async def look(directory: Path) -> dict[str, type]:
        async with Trial(backend, directory, _unique("look"), "").open() as storage:
            return {name: type(store) for name, store in storage.raw.items()}

    try:
        offered = await _Attempt(look).outcome(timeout)
    except BackendError:
        raise
    except Exception:  # noqa: BLE001  (whatever it is, every law will report it)
        return None
    if not offered:
        raise BackendError(
            "the storage offers no port: it has none of the attributes sessions, conversations, "
            "config, vectors"
        )
    return offered


def _check_waivers(backend: Backend) -> None:
    known = {law.id for law in LAWS}
    for number in backend.waivers:
        if number not in known:
            raise BackendError(f"{number!r} is waived, and is no law's number")


async def _checked(backend: Backend, offered: dict[str, type] | None) -> StaticCheck:
    if offered is None:
        return StaticCheck("pyright", "", (), "the storage cannot be opened")
    return await check_types(backend.open, offered)


async def _result(law: Law, backend: Backend, seed: int, timeout: float) -> LawResult:
    reason = backend.unclaimed(law.claim) if law.claim else None
    if reason is not None and law.claim in ("outage", "corruption"):
        return LawResult(law, Outcome.NOT_CLAIMED, 0.0, reason)
    started = perf_counter()
    outcome, detail = await _outcome(law, backend, seed, timeout)
    seconds = perf_counter() - started
    if outcome is not Outcome.NOT_OFFERED and reason is not None:
        would_hold = "; yet the law holds: the claim could be made"
        detail = reason + (would_hold if outcome is Outcome.PASSED else "")
        return LawResult(law, Outcome.NOT_CLAIMED, seconds, detail)
    return _waived(LawResult(law, outcome, seconds, detail), backend.waivers.get(law.id))


def _waived(result: LawResult, waiver: str | None) -> LawResult:
    law, seconds = result.law, result.seconds
    if waiver is None or result.outcome in (Outcome.NOT_OFFERED, Outcome.INCONCLUSIVE):
        return result
    if result.outcome is Outcome.PASSED:
        detail = f"{law.id} is waived ({waiver}), and passes: remove the waiver"
        return LawResult(law, Outcome.FAILED, seconds, detail)
    return LawResult(law, Outcome.WAIVED, seconds, f"waived: {waiver}\n{result.detail}")


async def _outcome(law: Law, backend: Backend, seed: int, timeout: float) -> tuple[Outcome, str]:
    trials: list[Trial] = []

    async def attempt(directory: Path) -> None:
        trials.append(Trial(backend, directory, _unique(law.id), f"{seed} {law.id}"))
        await law.attempt(trials[0])

    try:
        await _Attempt(attempt).outcome(timeout)
    except NotOffered as error:
        return Outcome.NOT_OFFERED, str(error)
    except Inconclusive as error:
        return Outcome.INCONCLUSIVE, str(error)
    except Exception as error:  # noqa: BLE001  (a store may raise anything)
        made = str(trials[0].calls) if trials else ""
        return Outcome.FAILED, _told(law, _cause(error), made, seed)
    return Outcome.PASSED, ""


def lingering() -> bool:
    """Tell whether a law that was given up still runs, and may keep the process from ending."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


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


def _told(law: Law, error: Exception, calls: str, seed: int) -> str:
    if isinstance(error, (LawViolation, BackendError, _Hung)):
        problem = str(error)
    else:
        problem = f"the store raised {shortened(error)}"
    made = "\n".join(f"  {line}" for line in calls.splitlines())
    return f"{law.id} {law.statement}\n\n{problem}\n\nthe latest calls (seed {seed})\n{made}"


class _Hung(Exception):
    """A law took too long."""


@dataclass
class _Attempt(Generic[_T]):
    """Something tried in a thread, an event loop and a temporary directory of its own."""

    run: Callable[[Path], Coroutine[object, object, _T]]

    def __post_init__(self) -> None:
        self._ended: Future[_T] = Future()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name=_THREAD)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[_T] | None = None

    async def outcome(self, timeout: float) -> _T:
        """Return what came of it, giving it up after `timeout` seconds."""
        self._thread.start()
        ended = asyncio.wrap_future(self._ended)
        try:
            done, _ = await asyncio.wait([ended], timeout=timeout)
            if done:
                return ended.result()
            stack = stack_of(self._thread)
            self._cancel()
            done, _ = await asyncio.wait([ended], timeout=_GRACE)
        except asyncio.CancelledError:
            self._cancel()
            await asyncio.wait([ended], timeout=_GRACE)
            raise
        if done:
            ended.exception()  # the cancellation, or what the store made of it
        how = "" if done else ", and could not be cancelled"
        raise _Hung(f"it had not ended after {timeout:g} seconds{how}{stack}")

    def _cancel(self) -> None:
        if self._loop is not None and self._task is not None and not self._ended.done():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _work(self) -> None:
        try:
            result = self._in_directory()
        except BaseException as error:  # noqa: BLE001  (it belongs to who waits for the outcome)
            failure = error if isinstance(error, Exception) else _Escaped(error)
            self._ended.set_exception(failure)
        else:
            self._ended.set_result(result)

    def _in_directory(self) -> _T:
        with (
            TemporaryDirectory(ignore_cleanup_errors=True) as directory,
            asyncio.Runner() as runner,
        ):
            self._loop = runner.get_loop()
            return runner.run(self._remembered(Path(directory)))

    async def _remembered(self, directory: Path) -> _T:
        self._task = asyncio.current_task()
        return await self.run(directory)


class _Escaped(Exception):
    """A store let out what ends programs and tasks: CancelledError, SystemExit and the like."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
