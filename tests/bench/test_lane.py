"""The order in which targets take turns."""

from array import array
from typing import Any, cast

from clawdesk_storage.bench import Budget
from clawdesk_storage.bench.lane import Lane, race
from clawdesk_storage.bench.round import Round
from clawdesk_storage.bench.worker import Worker, WorkerError

BUDGET = Budget(rounds=3)
ROUND = Round(0.01, array("d", [0.01]), 0.0, 1)


class Noted:
    """Stands for a target's process, and notes what it is asked for."""

    def __init__(self, name: str, diary: list[str], *, once: bool = False, fails: bool = False):
        self._name = name
        self._diary = diary
        self._once = once
        self._fails = fails

    async def ask(self, *command: object) -> dict[str, Any]:
        self._diary.append(f"{self._name} {command[0]}")
        if self._fails:
            raise WorkerError("it failed")
        return {"calls": 1, "once": self._once} if command[0] == "calibrate" else ROUND.to_json()


def _lane(worker: Noted, budget: Budget = BUDGET) -> Lane:
    return Lane(cast("Worker", worker), "get", 1, budget)


async def test_targets_take_turns_round_by_round() -> None:
    """Each does a round before any does the next, and each goes first in its turn."""
    diary: list[str] = []
    await race([_lane(Noted(name, diary)) for name in "ABC"], 3)
    rounds = [entry[0] for entry in diary if entry.endswith("round")]
    assert "ABC BCA CAB" == " ".join("".join(rounds[at : at + 3]) for at in (0, 3, 6))


async def test_all_are_warm_before_the_first_round() -> None:
    """Nobody warms up while others are measured in between."""
    diary: list[str] = []
    await race([_lane(Noted(name, diary)) for name in "AB"], 1)
    assert ["A calibrate", "B calibrate", "A round", "B round"] == diary


async def test_what_can_be_done_once_is_done_once() -> None:
    """The others go on."""
    diary: list[str] = []
    once, often = _lane(Noted("A", diary, once=True)), _lane(Noted("B", diary))
    await race([once, often], 3)
    assert (1, 3) == (len(once.rounds), len(often.rounds))


async def test_a_slow_target_does_fewer_rounds() -> None:
    """One at least; then its time is up."""
    lane = _lane(Noted("A", []), Budget(rounds=3, cell_seconds=0.0))
    await race([lane], 3)
    assert 1 == len(lane.rounds)


async def test_a_failure_is_kept_and_not_repeated() -> None:
    """The sentence is that of the first."""
    diary: list[str] = []
    lane = _lane(Noted("A", diary, fails=True))
    await race([lane], 3)
    assert ("it failed", ["A calibrate"]) == (lane.error, diary)
