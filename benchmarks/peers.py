"""clawdesk-sqlite beside what a user would pick instead, and beside the least that can be done.

    python -m benchmarks.peers [FILE]

Run from the repository's root with the dependency group `benchmarks` installed, it prints a table
in Markdown, and writes it to FILE. All that is on disk is synced at each commit; what is only in
memory says so. The workloads are those of `clawdesk-storage bench`.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from clawdesk_storage.bench import Budget, Cell, Measures, Report, prepare
from clawdesk_storage.bench.operation import PORTS
from clawdesk_storage.bench.plan import Group

__all__ = ["main"]

SUBJECT = "sqlite"
OTHERS: Mapping[str, str] = {
    "agents_sdk": "OpenAI Agents SDK `SQLiteSession`",
    "langgraph": "LangGraph `AsyncSqliteStore`",
    "langchain": "LangChain `InMemoryVectorStore` (memory only)",
    "chroma": "Chroma (HNSW)",
    "qdrant": "Qdrant, local mode",
    "lance": "LanceDB",
    "driver": "*floor:* apsw alone, in one thread",
    "matrix": "*floor:* NumPy alone (memory only)",
}
CONCURRENCIES = (1, 64)
SIZES: Mapping[str, int] = {"conversations": 10_000, "sessions": 10_000, "vectors": 10_000}
OPERATIONS: Mapping[str, Sequence[str]] = {
    "conversations": ("append_message", "get_messages (last 20)", "clear"),
    "sessions": ("save", "get", "list (first page)"),
    "vectors": ("upsert", "search"),
}
BUDGET = Budget(rounds=7, round_seconds=0.2, cell_seconds=6, fill_seconds=240)


def groups() -> Sequence[Group]:
    """Return what is measured: one size of each port."""
    return [
        Group(attribute, PORTS[attribute], size, _tests(OPERATIONS[attribute]))
        for attribute, size in SIZES.items()
    ]


def _tests(operations: Sequence[str]) -> Sequence[tuple[str, int]]:
    """A clear uses up a conversation of that length: sixty-four of them would take too long."""
    return [
        (operation, concurrency)
        for operation in operations
        for concurrency in CONCURRENCIES
        if operation != "clear" or concurrency == 1
    ]


class Lines:
    """Tells how far the run is."""

    def doing(self, what: str) -> None:
        """See `Observer.doing`."""
        print(what, file=sys.stderr, flush=True)

    def did(self, seconds: float) -> None:
        """See `Observer.did`."""

    def measured(self, cells: Sequence[Cell]) -> None:
        """See `Observer.measured`."""
        for cell in cells:
            if isinstance(cell.outcome, str):
                print(f"  {cell.target}: {cell.outcome}", file=sys.stderr)


def table(report: Report) -> str:
    """Return the figures in Markdown, a row for each operation of each of the others."""
    cells = {(c.operation, c.target, c.concurrency): c.outcome for c in report.cells}
    sizes = {operation: SIZES[port] for port, group in OPERATIONS.items() for operation in group}
    lines = ["| | beside | 1 at a time | 64 at a time |", "| --- | --- | --- | --- |"]
    for operation, size in sizes.items():
        for target, name in OTHERS.items():
            theirs = [cells.get((operation, _named(target), n)) for n in CONCURRENCIES]
            ours = [cells.get((operation, SUBJECT, n)) for n in CONCURRENCIES]
            if any(theirs):
                figures = map(_compared, ours, theirs)
                row = f"{operation}, {size:,}", name + _recall(theirs[0]), *figures
                lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _named(target: str) -> str:
    return f"benchmarks.rivals.{target}:open_storage"


def _compared(ours: Measures | str | None, theirs: Measures | str | None) -> str:
    """How many times their rate ours is, and both."""
    if not isinstance(ours, Measures) or not isinstance(theirs, Measures):
        return theirs if isinstance(theirs, str) else "–"
    times = ours.throughput.times(theirs.throughput)
    figures = f"{times:.0f}" if times >= 10 else f"{times:.1f}" if times >= 1 else f"{times:.2g}"
    rates = " / ".join(f"{one.throughput.median:,.0f}" for one in (ours, theirs))
    return f"**{figures}x** ({rates})"


def _recall(outcome: Measures | str | None) -> str:
    if not isinstance(outcome, Measures) or outcome.recall is None:
        return ""
    return f", recall {outcome.recall:.2f}"


def page(report: Report) -> str:
    """Return the table with what has to be known to read and to repeat it."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return (
        f"`python -m benchmarks.peers`, {date}, Python {platform.python_version()} on {machine}.\n"
        "How many times the throughput of each of the others clawdesk-sqlite has, and the calls\n"
        "per second of clawdesk-sqlite / of the other: medians of interleaved rounds.\n\n"
        f"{table(report)}\n"
        "A driver called in the event loop's own thread keeps the loop from everything else\n"
        "meanwhile. LangGraph answers equal requests that wait together once: 64 callers that\n"
        "list the same page are one query to it.\n"
    )


async def measured() -> Report:
    """Measure everything."""
    names = [SUBJECT, *map(_named, OTHERS)]
    run = await prepare(names, budget=BUDGET, groups=groups())
    await run.go(Lines())
    for target in run.report.targets:
        for reason in target.left_out:
            print(f"{target.name}: {reason}", file=sys.stderr)
    return run.report


def main() -> None:
    """Measure, print and write."""
    text = page(asyncio.run(measured()))
    print(text)
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
