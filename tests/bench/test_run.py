"""What a run finds out about stores with known faults."""

from collections.abc import Sequence

import pytest

from clawdesk_storage.bench import Budget, Cell, Measures, Report, Run, Target, prepare
from clawdesk_storage.bench.operation import PORTS
from clawdesk_storage.bench.plan import Group
from clawdesk_storage.conformance import BackendError

STORES = "tests.bench.stores"
QUICK = Budget(rounds=2, round_seconds=0.01)
ABILITIES = ("get_before (any depth)", "append_messages (10)")


class Silent:
    """Watches, and says nothing."""

    def doing(self, what: str) -> None: ...
    def did(self, seconds: float) -> None: ...
    def measured(self, cells: Sequence[Cell]) -> None: ...


async def _measured(
    attribute: str, *operations: str, budget: Budget = QUICK, size: int = 100, **stores: str
) -> dict[str, dict[str, Measures | str]]:
    """What came of each store's operations, one caller at a time."""
    names = [f"{STORES}:{store}" for store in stores.values()]
    report = Report(0, 1.0, [Target(name, {}) for name in names])
    group = Group(attribute, PORTS[attribute], size, [(one, 1) for one in operations])
    offered = {attribute: PORTS[attribute].operations}
    run = Run(report, dict.fromkeys(names, offered), [group], budget)
    await run.go(Silent())
    return {
        key: {c.operation: c.outcome for c in report.cells if c.target == name}
        for key, name in zip(stores, names, strict=True)
    }


async def test_a_read_that_scans_the_history_is_linear_and_a_good_one_is_flat() -> None:
    """Beside each other, in one run."""
    names = [f"{STORES}:open_scanning", f"{STORES}:open_sound"]
    read = [("get_messages (last 20)", 1)]
    sizes = (100, 316, 1_000)
    groups = [Group("conversations", PORTS["conversations"], size, read) for size in sizes]
    run = await prepare(names, groups=groups, budget=QUICK)
    await run.go(Silent())
    verdicts = {target: growth.verdict for (target, _, _), growth in run.report.growth().items()}
    assert {names[0]: "linear", names[1]: "flat"} == verdicts


async def test_a_store_that_blocks_the_loop_is_found_out() -> None:
    """One that waits as long without blocking is not."""
    found = await _measured("config", "get_config", bad="open_blocking", good="open_sound")
    stalls = {
        name: isinstance(one["get_config"], Measures) and one["get_config"].loop_stall > 0.045
        for name, one in found.items()
    }
    assert {"bad": True, "good": False} == stalls


async def test_a_search_that_misses_one_of_ten_has_a_recall_of_nine_tenths() -> None:
    """Whatever the backend claims: it is measured."""
    outcome = (await _measured("vectors", "search", bad="open_nearly"))["bad"]["search"]
    assert isinstance(outcome, Measures)
    assert 0.9 == outcome.recall


async def test_an_operation_that_fails_is_told_in_a_sentence_and_the_others_go_on() -> None:
    """The driver's words, on one line."""
    operations = ("list (first page)", "get")
    found = (await _measured("sessions", *operations, bad="open_failing"))["bad"]
    words = "StorageIOError: storage I/O error: the disk is full"
    assert (words, True) == (found[operations[0]], isinstance(found["get"], Measures))


async def test_a_process_that_ends_fails_what_is_left_of_its_size() -> None:
    """The run goes on, and says why."""
    found = (await _measured("config", "get_config", "save_config", bad="open_dying"))["bad"]
    assert (True, True) == (
        str(found["get_config"]).startswith("its process ended (calibrate)"),
        str(found["save_config"]).startswith("not measured: its process ended"),
    )


async def test_a_store_that_cannot_be_filled_fails_its_operations() -> None:
    """The reason is the same for all of them."""
    found = (await _measured("config", "get_config", bad="open_never"))["bad"]
    assert (
        "not measured: StorageIOError: storage I/O error: no server answers"
        == (found["get_config"])
    )


async def test_a_size_that_takes_too_long_to_reach_is_left_out() -> None:
    """That is no failure, and it is said."""
    name = f"{STORES}:open_sound"
    report = Report(0, 1.0, [Target(name, {})])
    group = Group("conversations", PORTS["conversations"], 10**7, [("append_message", 1)])
    budget = Budget(fill_seconds=0.01)
    await Run(report, {name: {"conversations": ["append_message"]}}, [group], budget).go(Silent())
    (reason,) = report.targets[0].left_out
    assert ([], True) == (report.cells, reason.startswith("ConversationStore at 10,000,000"))


async def test_calls_that_would_take_too_long_at_once_are_left_out() -> None:
    """One caller shows how slow it is; sixty-four would wait for ever."""
    name = f"{STORES}:open_blocking"
    report = Report(0, 1.0, [Target(name, {})])
    group = Group("config", PORTS["config"], 1, [("get_config", 1), ("get_config", 64)])
    budget = Budget(rounds=1, round_seconds=0.01, call_seconds=1.0)
    await Run(report, {name: {"config": ["get_config"]}}, [group], budget).go(Silent())
    (reason,) = report.targets[0].left_out
    assert ([1], True) == ([cell.concurrency for cell in report.cells], "64 at once" in reason)


async def test_a_port_that_is_missing_is_said() -> None:
    """The other targets have it, so the tables have it too."""
    names = ["memory", f"{STORES}:open_blocking"]
    run = await prepare(names, only=["get"])
    assert [
        "SessionStore: not offered",
        "ConversationStore: not offered",
    ] == run.report.targets[1].left_out


async def test_an_ability_that_is_missing_is_said() -> None:
    """The rest of its port is measured, and those who have it are measured alone."""
    names = ["memory", f"{STORES}:open_sound"]
    tests = [(one, 1) for one in ("append_message", *ABILITIES)]
    groups = [Group("conversations", PORTS["conversations"], 100, tests)]
    run = await prepare(names, groups=groups, budget=QUICK)
    await run.go(Silent())
    assert (
        [
            (names[0], "append_message"),
            (names[1], "append_message"),
            ("memory", ABILITIES[0]),
            ("memory", ABILITIES[1]),
        ],
        [f"ConversationStore.{one}: not offered" for one in ABILITIES],
    ) == (
        [(c.target, c.operation) for c in run.report.cells if isinstance(c.outcome, Measures)],
        run.report.targets[1].left_out,
    )


@pytest.mark.parametrize("attribute", PORTS)
async def test_every_operation_is_measured_where_it_is_offered(attribute: str) -> None:
    """One caller and several at a time, at a size that a batch does not fit into evenly."""
    operations = PORTS[attribute].operations
    tests = [(one, many) for one in operations for many in (1, 16)]
    groups = [Group(attribute, PORTS[attribute], 130, tests)]
    run = await prepare(["memory"], groups=groups, budget=QUICK)
    await run.go(Silent())
    assert [] == [cell for cell in run.report.cells if isinstance(cell.outcome, str)]
    assert tests == [(cell.operation, cell.concurrency) for cell in run.report.cells]


@pytest.mark.parametrize(
    ("names", "only", "words"),
    [
        (["memory", "memory"], [], "memory is named twice"),
        (["memory"], ["fly"], "there is no operation 'fly'; there are: SessionStore.get, "),
        (["memory"], [""], "there is no operation ''"),
        (["memmory"], [], "did you mean 'memory'?"),
        ([f"{STORES}:open_never"], [], "cannot be opened: StorageIOError: storage I/O error: no"),
        ([f"{STORES}:open_dying"], ["search"], "offers nothing that is to be measured: Vector"),
    ],
)
async def test_what_cannot_be_measured_is_refused(
    names: list[str], only: list[str], words: str
) -> None:
    """The message says what is wrong."""
    with pytest.raises(BackendError) as caught:
        await prepare(names, only=only)
    assert words in str(caught.value)
