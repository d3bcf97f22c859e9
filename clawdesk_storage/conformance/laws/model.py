"""What every sequence of operations promises: the answers of the in-memory reference."""

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from typing import Any

from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.telling.difference import brief, difference
from clawdesk_storage.conformance.trial import Inconclusive, LawViolation, Trial
from clawdesk_storage.testing import MemoryStorage

_EXAMPLES, _LENGTH = 60, 60

# Left to itself, Hypothesis makes lists of six; and a step finds the more, the more went before it.
# So half of the sequences are as long as can be, and the shorter ones are there to be shrunk to.
_LENGTHS = [*range(1, _LENGTH), *[_LENGTH] * _LENGTH]


@law("CON-07")
async def any_sequence_gives_what_the_reference_gives(trial: Trial) -> None:
    """Any sequence of operations gives what the in-memory reference gives.

    Sequences over all methods of a port are generated, compared with the reference after each
    step, and shrunk to the shortest that fails, which is printed as a script. They find the bugs
    that need several steps of several kinds, which nobody thought of testing.
    """
    if find_spec("hypothesis") is None:
        raise Inconclusive(
            'Hypothesis is not installed: pip install "clawdesk-storage[conformance]"'
        )
    numbers = count(1)
    async with trial.open() as storage:
        ports = list(storage.raw)
    for port in ports:
        await _explored(trial, port, numbers)


class _Disagreement(Exception):
    """A sequence whose last step was answered otherwise than by the reference."""

    def __init__(
        self, steps: Sequence[Any], lines: Sequence[str], expected: str, came: str
    ) -> None:
        super().__init__(steps, lines, expected, came)
        self.steps, self.lines, self.expected, self.came = steps, lines, expected, came


class _Stopped(BaseException):
    """The law has ended: nothing more is to be generated."""


async def _explored(trial: Trial, port: str, numbers: "count[int]") -> None:
    """Let Hypothesis search in a thread, and make its calls on this loop."""
    from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: PLC0415
    from hypothesis import strategies as st  # noqa: PLC0415
    from hypothesis.errors import Flaky  # noqa: PLC0415

    from clawdesk_storage.conformance.material.sequences import STEPS, script  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    ended = False

    @seed(trial.random.getrandbits(32))
    @settings(
        max_examples=_EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
    )
    @given(
        st.sampled_from(_LENGTHS).flatmap(
            lambda length: st.lists(STEPS[port], min_size=length, max_size=length)
        )
    )
    def agree(steps: list[Any]) -> None:
        if ended:
            raise _Stopped
        attempt = _attempted(trial, port, steps, next(numbers))
        asyncio.run_coroutine_threadsafe(attempt, loop).result()

    try:
        await asyncio.to_thread(agree)
    except _Disagreement as error:
        came = f"expected {error.expected}, came {error.came}"
        differs = [f"  differs   {line}" for line in error.lines]
        told = [
            f"the shortest sequence found on {port} after which an answer is wrong",
            f"  expected  {error.expected}",
            f"  came      {error.came}",
            *differs,
            "",
            script(port, error.steps, trial.backend.open, came),
        ]
        raise LawViolation("\n".join(told)) from None
    except Flaky as error:
        raise LawViolation(
            f"the same sequence of calls on {port}, made twice, was answered differently: {error}"
        ) from None
    finally:
        ended = True


async def _attempted(trial: Trial, port: str, steps: Sequence[Any], number: int) -> None:
    from clawdesk_storage.conformance.material.sequences import answer  # noqa: PLC0415

    reference: Any = getattr(MemoryStorage(), port)
    async with trial.open(number) as storage:
        store: Any = getattr(storage, port)
        for made, step in enumerate(steps, 1):
            expected = await answer(reference, step)
            try:
                came = await answer(store, step)
            except LawViolation as error:
                raise _Disagreement(steps[:made], [], brief(expected), str(error)) from None
            except Exception as error:
                raised = f"{type(error).__name__}: {error}"
                raise _Disagreement(steps[:made], [], brief(expected), raised) from error
            lines = difference(expected, came)
            if lines:
                raise _Disagreement(steps[:made], lines, brief(expected), brief(came))
