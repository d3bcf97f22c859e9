"""What a durable storage promises: that what is acknowledged stays."""

from clawdesk_storage.conformance.circumstances.exploring import explore
from clawdesk_storage.conformance.circumstances.killed import kill
from clawdesk_storage.conformance.circumstances.reopening import Reopening
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.trial import Trial


@law("DUR-01", claim="durable")
async def a_location_reopened_is_as_it_was_left(trial: Trial) -> None:
    """Reopening the same location finds everything, order and dimension included.

    What was deleted, cleared or replaced stays so, and what is written after reopening follows what
    was there before: a counter that starts anew puts new messages among the old.
    """
    await explore(trial, Reopening(), runs=20, length=80, every=20)


@law("DUR-02", claim="durable")
async def a_killed_process_loses_nothing_acknowledged(trial: Trial) -> None:
    """A process killed with SIGKILL in the middle of writing loses nothing it was told was done.

    What was in flight is there whole or not at all, and the storage opens again by itself. Another
    process makes the calls and tells what has returned; it is killed in each kind of change at one
    moment after the other, among overlapping calls, and in its first opening. Acknowledging before
    the write, a buffer that is flushed on a timer, a write in two steps, and a file rewritten in
    place fail.
    """
    await kill(trial)
