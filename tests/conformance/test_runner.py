"""The engine: outcomes, verdicts, and stores that misbehave."""

import re
from pathlib import Path
from typing import Any

import pytest

from clawdesk_storage import Session
from clawdesk_storage.conformance import Backend, BackendError, Outcome, Report, laws, verify
from clawdesk_storage.testing import open_storage
from tests.conformance import broken


def _outcomes(report: Report) -> dict[str, str]:
    return {result.law.id: result.outcome.value for result in report.results}


def _detail(report: Report, number: str) -> str:
    return next(result.detail for result in report.results if result.law.id == number)


async def test_a_selection_says_nothing_of_the_whole() -> None:
    """Every chosen law passed, and that is all."""
    report = await verify("memory", select=["SES-0", "CFG"], static=False)
    numbers = [f"SES-0{n}" for n in range(1, 10)] + [f"CFG-0{n}" for n in range(1, 6)]
    assert (numbers, True, False) == ([*_outcomes(report)], report.passed, report.conforms)
    assert report.verdict().endswith("this run was narrowed and says nothing of the whole")


@pytest.mark.parametrize("select", ["XX", "SES-99", "", "ses"])
async def test_a_law_that_does_not_exist_is_an_error(select: str) -> None:
    """A typing mistake must not verify nothing."""
    with pytest.raises(BackendError, match="there is no law"):
        await verify("memory", select=[select])


async def test_a_port_not_offered_is_listed() -> None:
    """One port is enough to conform; the others' laws are not offered, none is passed."""
    report = await verify(
        Backend(broken.open_sessions_only, durable=False, shared=False), static=False
    )
    outcomes = _outcomes(report)
    families = {number[:3]: outcome for number, outcome in outcomes.items() if number[:3] != "STO"}
    assert (
        families["SES"], families["CNV"], families["CFG"], families["VEC"],
    ) == ("passed", "not offered", "not offered", "not offered")  # fmt: skip
    assert (
        outcomes["STO-01"], outcomes["STO-03"], report.conforms,
    ) == ("not offered", "passed", True)  # fmt: skip


async def test_no_port_at_all_cannot_be_run() -> None:
    """Nothing checked is no pass."""
    with pytest.raises(BackendError, match="the storage offers no port"):
        await verify(broken.open_nothing)


async def test_a_selection_of_nothing_offered_cannot_be_run() -> None:
    """A run in which no law ran has no verdict."""
    with pytest.raises(BackendError, match="no law was run"):
        await verify(broken.open_sessions_only, select=["VEC"], static=False)


async def test_a_coroutine_is_no_backend() -> None:
    """The message says what is missing."""
    target: Any = broken.open_coroutine
    with pytest.raises(BackendError, match="decorate an async generator with contextlib"):
        await verify(target)


async def test_a_backend_that_cannot_be_opened_fails_its_laws() -> None:
    """It is a backend, and a broken one."""
    report = await verify(broken.open_fails, select=["SES-01", "CFG-01"])
    assert {"SES-01": "failed", "CFG-01": "failed"} == _outcomes(report)
    assert "the store raised OSError: no such device\n" in _detail(report, "SES-01")


async def test_a_violation_reads_like_a_bug_report() -> None:
    """Number, statement, what was done, what was expected, what came, the calls and the seed."""
    report = await verify(broken.open_oldest_first, select=["CNV-03"], static=False)
    assert (
        "CNV-03 `get_messages(limit=n)` is the last n, oldest first: `all[-n:]` for every n.\n\n"
        "the last 1 of 2\n"
        "  expected  ['m1']\n"
        "  came      ['m0']\n"
        "  differs   [0]: expected 'm1', came 'm0'\n\n"
        "the latest calls (seed 0)\n"
    ) in _detail(report, "CNV-03")
    assert "  conversations.get_messages('s', limit=1) -> [Message(" in _detail(report, "CNV-03")


async def test_a_stores_own_bug_shows_its_own_frames() -> None:
    """The suite's frames and the standard library's say nothing to the store's author."""
    report = await verify(broken.raising, select=["SES-01"], static=False)
    lines = _detail(report, "SES-01").splitlines()
    frames = [line.split()[-1] for line in lines if line.startswith("  /")]
    assert ["get", "_found"] == frames
    assert "the store raised KeyError: 'nobody'" in lines


async def test_a_long_traceback_is_told_by_its_ends() -> None:
    """A recursion without end has a thousand frames, and one of them says it all."""
    report = await verify(broken.recursing, select=["SES-01"], static=False)
    frames = [line for line in _detail(report, "SES-01").splitlines() if " in get" in line]
    assert (12, True) == (len(frames), " frames\n" in _detail(report, "SES-01"))


async def test_a_coroutine_that_was_never_awaited_is_told_with_the_law() -> None:
    """Python warns of it once, and between the laws; it explains the failure."""

    class Forgetful(broken.MemorySessionStore):
        async def save(self, session: Session, /) -> None:
            super().save(session)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]

    backend = Backend(broken.opener(Forgetful), durable=False, shared=False)
    report = await verify(backend, select=["SES-02", "SES-03"], static=False)
    told = "coroutine 'MemorySessionStore.save' was never awaited"
    assert [True, True] == [
        told in result.detail.partition("warned meanwhile")[2] for result in report.results
    ]
    assert 1 == len({result.cause for result in report.results})


async def test_what_a_law_took_for_an_answer_is_told_as_the_cause() -> None:
    """A law that compares answers finds a difference; what it comes from is the store's error."""
    report = await verify(broken.raising, select=["SES-01", "CON-05"], static=False)
    (cause,) = {result.cause for result in report.results}
    assert re.fullmatch(r"KeyError \S+broken\.py:\d+ in _found", cause)


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (broken.hanging, "the latest after"),
        (broken.blocking, ", and it could not be cancelled; it waits in\n"),
        (broken.stubborn, ", and it could not be cancelled; it waits in\n"),
    ],
    ids=["waits", "blocks the loop", "swallows cancellation"],
)
async def test_a_store_that_hangs_fails_that_law_alone(
    backend: Backend, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law fails in time, the report shows the call, and the run goes on."""
    monkeypatch.setattr("clawdesk_storage.conformance.running.isolation._GRACE", 0.2)
    report = await verify(backend, select=["SES-01", "SES-08"], static=False, timeout=0.2)
    assert {"SES-01": "failed", "SES-08": "passed"} == _outcomes(report)
    assert words in _detail(report, "SES-01")
    assert "sessions.get('nobody') … ha" in _detail(report, "SES-01")


async def test_a_waived_law_may_fail() -> None:
    """The failure is shown with the reason, the verdict counts it, and the rest conforms."""
    report = await verify(broken.waived, static=False)
    assert (3, True) == (report.count(Outcome.WAIVED), report.conforms)
    assert report.verdict().startswith(f"{report.name} conforms, but: 3 waived")
    said = "the engine takes a negative limit for none\nSES-08 Limit 0 is empty"
    assert _detail(report, "SES-08").startswith(said)


async def test_a_waived_law_that_passes_is_a_failure() -> None:
    """A waiver that is no longer needed hides the next failure."""
    report = await verify(broken.needlessly_waived, select=["SES-07"], static=False)
    assert (_outcomes(report), _detail(report, "SES-07")) == (
        {"SES-07": "failed"},
        "SES-07 is waived (pages are hard), and passes: remove the waiver",
    )


async def test_a_waiver_of_no_law_cannot_be_run() -> None:
    """A typing mistake must not go unnoticed."""
    with pytest.raises(BackendError, match="'SES-99' is waived, and is no law's number"):
        await verify(broken.unknown_waiver)


async def test_what_a_storage_swallows_at_its_end_is_not_lost() -> None:
    """A context manager that suppresses every exception does not suppress a violation."""

    class Suppressing(broken.OldestFirstStorage):
        async def __aexit__(self, *error: object) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            return True

    report = await verify(lambda location: Suppressing(), select=["CNV-03"], static=False)
    assert {"CNV-03": "failed"} == _outcomes(report)


async def test_a_failure_to_close_does_not_hide_the_violation() -> None:
    """The first thing that went wrong is the one to mend."""

    class FailingToClose(broken.OldestFirstStorage):
        async def __aexit__(self, *error: object) -> None:
            raise RuntimeError("cannot close")

    report = await verify(lambda location: FailingToClose(), select=["CNV-03"], static=False)
    assert "the last 1 of 2" in _detail(report, "CNV-03")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_a_store_that_ends_the_program_fails_the_law(error: type[BaseException]) -> None:
    """What would end the run is a failure like any other."""

    class Exiting(broken.MemorySessionStore):
        async def get(self, id: str, /) -> None:
            raise error("enough")

    report = await verify(broken.opener(Exiting), select=["SES-01", "SES-08"], static=False)
    assert {"SES-01": "failed", "SES-08": "passed"} == _outcomes(report)


async def test_each_law_opens_a_location_of_its_own() -> None:
    """No law sees what another wrote, and a server never sees the same name twice."""
    names: list[str] = []

    def opened(location: Path) -> Any:
        names.append(location.name)
        return open_storage(location)

    for _ in range(2):
        await verify(opened, select=["CFG-01", "CFG-02"], static=False)
    assert (len(names), len(set(names))) == (6, 6)


async def test_progress_is_told_of_each_result() -> None:
    """A caller can show how far the run is."""
    seen: list[str] = []
    await verify(
        "memory", select=["CFG"], static=False, progress=lambda result: seen.append(result.law.id)
    )
    assert [law.id for law in laws("CFG")] == seen


async def test_the_json_report_has_the_form_that_others_read() -> None:
    """Its keys are used from outside."""
    report = (await verify("memory", select=["SES-01"], static=False)).to_json()
    assert [*report] == [
        "backend", "conforms", "narrowed", "date", "versions", "claims", "abilities", "laws",
        "static",
    ]  # fmt: skip
    assert (True, {"offered"}) == (report["narrowed"], {*report["abilities"].values()})
    assert report["claims"] == {
        "durable": False, "shared": False, "outage": False, "corruption": False, "recall": 1.0,
    }  # fmt: skip
    (law,) = report["laws"]
    assert [*law] == ["id", "port", "statement", "outcome", "seconds", "detail"]
    assert (
        law["id"], law["port"], law["outcome"], law["detail"],
    ) == ("SES-01", "SessionStore", "passed", "")  # fmt: skip


def test_every_law_states_what_holds_and_why() -> None:
    """The document, the command line and the tests show these texts."""
    silent = [law.id for law in laws() if not law.statement.endswith(".") or len(law.reason) < 60]
    assert [] == silent


def test_laws_have_numbers_of_their_own_in_order() -> None:
    """A number names one law for ever."""
    numbers = [law.id for law in laws()]
    assert len(numbers) == len(set(numbers))
    for family in ("SES", "CNV", "CFG", "VEC", "STO"):
        own = [number for number in numbers if number.startswith(family)]
        assert [f"{family}-{n:02}" for n in range(1, len(own) + 1)] == own
