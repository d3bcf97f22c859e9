"""Chance decides nothing: the laws about tasks and processes, tried with seed after seed.

It takes many minutes, and is run by name: `pytest tests/soak.py`, or `nox -s soak`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from clawdesk_storage.conformance import Backend, Outcome, laws, load, verify
from clawdesk_storage.conformance.running.runner import DEFAULT_TIMEOUT, try_law
from clawdesk_storage.testing.backend import backend as memory
from tests.mutants import MUTANTS, Mutant, filed, logged

_SEEDS = range(1, 21)
_SHUFFLED = (
    "concurrency", "corruption", "durability", "handles", "killed", "outage", "reopening",
    "sharing",
)  # fmt: skip
_FAMILIES = ("CON", "DUR", "SHR", "OUT", "COR")
_BY_CHANCE = [one for one in MUTANTS if one.family in _SHUFFLED]


def _sound() -> dict[str, Backend]:
    """The backends that are known to be sound, and are here."""
    installed = {point.name for point in entry_points(group="clawdesk_storage.backends")}
    found = {"memory": memory, "filed": filed.backend, "logged": logged.backend}
    if "sqlite" in installed:
        found["sqlite"] = load("sqlite")[1]
    return found


@pytest.mark.parametrize("mutant", _BY_CHANCE, ids=str)
def test_a_mutant_is_caught_with_every_seed(mutant: Mutant) -> None:
    """Whatever the interleaving, a law that the mutant names sees it."""
    assert [] == [seed for seed in _SEEDS if not _caught(mutant, seed)]


def _caught(mutant: Mutant, seed: int) -> bool:
    return any(
        try_law(law, mutant.backend, seed=seed, timeout=DEFAULT_TIMEOUT).outcome is Outcome.FAILED
        for law in laws(*mutant.laws)
    )


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("name", _sound())
async def test_a_sound_backend_is_never_accused(name: str, seed: int) -> None:
    """No interleaving, and no moment of a kill, makes a law fail a store that keeps it."""
    report = await verify(_sound()[name], select=_FAMILIES, seed=seed, static=False)
    harmless = (Outcome.PASSED, Outcome.NOT_CLAIMED)
    accused = [one.detail for one in report.results if one.outcome not in harmless]
    assert accused == []
