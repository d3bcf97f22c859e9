"""Every law can fail: each broken store is caught by the laws that it names."""

from __future__ import annotations

import pytest

from clawdesk_storage.conformance import Outcome, laws
from clawdesk_storage.conformance.running.runner import DEFAULT_TIMEOUT, try_law
from clawdesk_storage.testing.backend import backend
from tests.mutants import MUTANTS, Mutant
from tests.mutants.matrix import PUBLISHED, caught_by, render

_BY_CHANCE = (
    "abilities", "concurrency", "durability", "handles", "killed", "reopening", "sharing", "outage",
    "corruption",
)  # fmt: skip


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.family not in _BY_CHANCE], ids=str)
def test_mutant_is_caught_by_every_law_it_names(mutant: Mutant) -> None:
    """A store broken in one way breaks the laws about that; the model's laws may see it too."""
    assert mutant.laws == _failed(mutant)


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.family in _BY_CHANCE], ids=str)
def test_mutant_of_tasks_or_processes_is_caught_by_a_law_that_it_names(mutant: Mutant) -> None:
    """Which of its laws see it may depend on the moment; `nox -s soak` asks with every seed."""
    caught = (
        try_law(law, mutant.backend, seed=seed, timeout=DEFAULT_TIMEOUT).outcome
        for seed in range(5)
        for law in laws(*mutant.laws)
    )
    assert Outcome.FAILED in caught


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.family == "abilities"], ids=str)
def test_mutant_of_an_ability_is_caught_by_every_law_it_names(mutant: Mutant) -> None:
    """No law of an ability is there that cannot fail."""
    assert set(mutant.laws) == set(_failed(mutant))


def _failed(mutant: Mutant) -> tuple[str, ...]:
    results = [try_law(law, mutant.backend, timeout=DEFAULT_TIMEOUT) for law in laws(*mutant.laws)]
    bad = (Outcome.FAILED, Outcome.INCONCLUSIVE)
    return tuple(sorted(result.law.id for result in results if result.outcome in bad))


def test_the_in_memory_reference_is_caught_by_no_law() -> None:
    """What the mutants are made of is sound, so that what they break is theirs."""
    every = [law.id for law in laws()]
    assert caught_by(backend, every) == ()


def test_every_law_has_a_mutant() -> None:
    """No law is there that has never been seen to fail."""
    named = {law for mutant in MUTANTS for law in mutant.laws}
    assert named == {law.id for law in laws()}


def test_every_mutant_has_a_name_of_its_own_and_says_how_it_is_broken() -> None:
    """A mutant is found by its name, and published by its flaw."""
    names = [str(mutant) for mutant in MUTANTS]
    assert sorted(set(names)) == sorted(names)
    assert [mutant.name for mutant in MUTANTS if not mutant.flaw] == []


def test_the_published_matrix_is_current() -> None:
    """Run `python -m tests.mutants.matrix` after a mutant or a law has changed."""
    assert render() == PUBLISHED.read_text(encoding="utf-8")
