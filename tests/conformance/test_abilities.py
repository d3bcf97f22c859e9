"""Abilities: which are found, which are found by half, and which must be."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from clawdesk_storage import MessageBatches
from clawdesk_storage.conformance import Backend, BackendError, verify
from clawdesk_storage.conformance.ability import ABILITIES, Standing, offer_of
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.running.runner import try_law
from clawdesk_storage.conformance.telling.report import LawResult
from clawdesk_storage.conformance.trial import Trial
from clawdesk_storage.testing import MemoryConversationStore


class Plain(MemoryConversationStore):
    """The port alone: what is None is left out on purpose."""

    append_messages = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    get_before = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    get_after = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    append_after = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    truncate_after = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    ids = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    count = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


class HalfPaged(MemoryConversationStore):
    """Pages in one direction."""

    get_after = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


class Inheriting(MessageBatches):
    """Inherits the Protocol's stub, which stores nothing."""


def _opener(
    store: Callable[[], object],
) -> Callable[[Path], AbstractAsyncContextManager[object]]:
    @asynccontextmanager
    async def opened(location: Path) -> AsyncGenerator[SimpleNamespace]:
        yield SimpleNamespace(conversations=store())

    return opened


@law("BAT-99", ability="MessagePages")
async def _needs_pages(trial: Trial) -> None:
    """It is enough that there are pages."""
    async with trial.open():
        pass


def _tried(store: Callable[[], object]) -> LawResult:
    return try_law(_needs_pages, Backend(_opener(store)), timeout=5)


def test_the_reference_has_every_ability_where_it_can_be() -> None:
    """Each of the nine is found, in each store that can have it."""
    stores = {"conversations": MemoryConversationStore()}
    found = [name for name in ABILITIES if offer_of(name, stores).standing is Standing.OFFERED]
    assert ["MessageBatches", "MessagePages", "MessageGuards", "Contents"] == found


@pytest.mark.parametrize(
    ("store", "outcome", "words"),
    [
        (MemoryConversationStore, "passed", ""),
        (Plain, "not offered", "the storage does not offer MessagePages"),
        (
            HalfPaged,
            "failed",
            "MessagePages is offered by half: conversations.get_after is missing",
        ),
    ],
)
def test_a_law_of_an_ability_runs_where_it_is_offered(
    store: type, outcome: str, words: str
) -> None:
    """What is not offered is left out; what is there by half is a failure."""
    result = _tried(store)
    assert (outcome, True) == (result.outcome.value, words in result.detail)


def test_the_stub_of_the_protocol_is_no_method() -> None:
    """Who inherits from an ability and forgets its method stores nothing and says so nowhere."""
    inheriting: type = Inheriting
    offer = offer_of("MessageBatches", {"conversations": inheriting()})
    assert (Standing.HALF, {"conversations": ["append_messages"]}) == (
        offer.standing, offer.missing,
    )  # fmt: skip


async def test_half_an_ability_does_not_conform() -> None:
    """Even where no law of it was chosen."""
    report = await verify(_opener(HalfPaged), select=["CNV-01"], static=False)
    assert (False, "half") == (report.passed, report.to_json()["abilities"]["MessagePages"])


async def test_the_floor_must_be_found() -> None:
    """A method that was lost must not turn laws into silence."""
    backend = Backend(_opener(Plain), abilities=("MessagePages",))
    with pytest.raises(
        BackendError, match=r"MessagePages must be offered, .*get_before, get_after"
    ):
        await verify(backend, select=["CNV-01"], static=False)


@pytest.mark.parametrize(
    ("abilities", "words"),
    [
        (("MesagePages",), "there is no ability 'MesagePages'; did you mean 'MessagePages'?"),
        ("MessagePages", "abilities is the text 'MessagePages', and should be a tuple of names"),
    ],
)
def test_a_floor_that_makes_no_sense_is_refused(abilities: tuple[str, ...], words: str) -> None:
    """A typing mistake must not demand nothing."""
    with pytest.raises(BackendError, match=words.replace("?", r"\?")):
        Backend(_opener(Plain), abilities=abilities)


async def test_an_ability_of_the_wrong_type_is_an_error_of_types() -> None:
    """What is offered, pyright must accept."""
    report = await verify(Backend(_opener(Mistyped)), select=["CNV-01"])
    assert report.static
    assert ["append_messages"] == [
        name for name in ("append_messages", "get_before") if name in str(report.static.errors)
    ]


class Mistyped(MemoryConversationStore):
    """Takes one message for a batch."""

    async def append_messages(self, session_id: str, messages: str, /) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Store nothing of it."""
