"""The kill matrix: which laws catch which mutant.

python -m tests.mutants.matrix writes docs/kill-matrix.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from clawdesk_storage.conformance import Backend, Outcome, laws
from clawdesk_storage.conformance.running.runner import DEFAULT_TIMEOUT, try_law
from tests.mutants import MUTANTS, Mutant

__all__ = ["PUBLISHED", "caught_by", "render"]

PUBLISHED: Final = Path(__file__).parents[2] / "docs" / "kill-matrix.md"

_PORTS: Final = ("SES", "CNV", "CFG", "VEC", "STO")
"""The families about one call after the other."""


def caught_by(backend: Backend, named: Collection[str] = ()) -> tuple[str, ...]:
    """Return the numbers of the laws that a backend does not pass.

    All laws of the ports are tried. The others (generated sequences among them) find whatever is
    broken anywhere, and take their time; they are tried where one of them is named.
    """
    every = any(number[:3] not in _PORTS for number in named)
    tried = laws() if every else laws(*_PORTS)
    results = [try_law(law, backend, timeout=DEFAULT_TIMEOUT) for law in tried]
    harmless = (Outcome.PASSED, Outcome.NOT_CLAIMED)
    return tuple(sorted(result.law.id for result in results if result.outcome not in harmless))


def render() -> str:
    """Return the matrix as Markdown, mutant by mutant and law by law."""
    return "\n".join([*_introduction(), *_by_mutant(), *_by_law(), ""])


def _introduction() -> Iterator[str]:
    yield "# The kill matrix"
    yield ""
    yield (
        f"A law that cannot fail proves nothing. Here are {len(MUTANTS)} broken stores, and the "
        "laws that catch each. A test tries them: all of those named catch it. The laws that the "
        "model carries out may see it, too. Where tasks, processes and the machine have a say, at "
        "least one of those named catches it in every run."
    )


def _by_mutant() -> Iterator[str]:
    yield from ("", "## By mutant")
    for family, mutants in groupby(sorted(MUTANTS, key=_place), key=lambda one: one.family):
        yield from ("", f"### {family.capitalize()}", "")
        yield from ("| mutant | how it is broken | caught by |", "| --- | --- | --- |")
        for one in mutants:
            flaw = one.flaw.replace("|", "\\|")
            yield f"| `{one.name}` | {flaw} | {', '.join(one.laws)} |"


def _by_law() -> Iterator[str]:
    yield from ("", "## By law", "", "| law | says | catches |", "| --- | --- | --- |")
    for law in laws():
        caught = sorted((one for one in MUTANTS if law.id in one.laws), key=_place)
        yield f"| {law.id} | {law.title} | {', '.join(f'`{one}`' for one in caught)} |"


def _place(mutant: Mutant) -> tuple[str, str]:
    return mutant.family, mutant.name


if __name__ == "__main__":
    PUBLISHED.parent.mkdir(exist_ok=True)
    PUBLISHED.write_text(render(), encoding="utf-8")
