"""What every sequence of operations promises: the answers of the in-memory reference."""

from clawdesk_storage.conformance.circumstances.clock import ShiftingClock
from clawdesk_storage.conformance.circumstances.exploring import explore
from clawdesk_storage.conformance.circumstances.one_handle import OneHandle
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.trial import Trial


@law("CON-07")
async def any_sequence_gives_what_the_reference_gives(trial: Trial) -> None:
    """Any sequence of operations gives what the in-memory reference gives.

    Sequences over all methods are generated, compared with the reference after each step and in
    every way of reading, and shrunk to the shortest that fails, which is printed as a script. They
    find the bugs that need several steps of several kinds, which nobody thought of testing. In some
    the machine's clock is set back: a store that goes by it takes what is new for old.
    """
    await explore(trial, OneHandle(), runs=10, length=240, every=40)
    await explore(trial, ShiftingClock(), runs=5, length=80, every=40, first=10)
