"""Reports as the suite writes them, made by hand."""

from datetime import UTC, datetime
from typing import Any

from clawdesk_storage.pages.matrix import matrix_page

MADE = datetime(2026, 11, 23, 5, tzinfo=UTC)

WRONG_END = """\
CNV-03 `get_messages(limit=n)` is the last n, oldest first.

the last 1 of 2, by content
  expected  ['m1']
  came      ['m0']
  differs   [0]: expected 'm1', came 'm0'

the latest calls (seed 0)
  conversations.get_messages('s', limit=1) -> [Message(…, content='m0', …)]"""

HOSTILE = "<script>alert(1)</script> & \x00 \ud800 \u202egnp.exe \u2028 \x1b[31m </details>"

_LAWS = {
    "SES-01": ("SessionStore", "`get` of an id never saved is None."),
    "SES-07": ("SessionStore", "For every page size the pages put together are the whole list."),
    "CNV-01": ("ConversationStore", "An unknown session has no messages."),
    "CNV-03": ("ConversationStore", "`get_messages(limit=n)` is the last n, oldest first."),
    "VEC-07": ("VectorStore", "Results agree with brute force."),
    "OUT-01": ("Outage", "While the engine is out of reach, `ConnectionFailedError` is raised."),
}


def law(id: str, outcome: str = "passed", detail: str = "") -> dict[str, Any]:
    """What came of one law."""
    port, statement = _LAWS.get(id, ("TimeStore", "Time passes."))
    return {
        "id": id, "port": port, "statement": statement, "outcome": outcome, "seconds": 0.0123,
        "detail": detail,
    }  # fmt: skip


def report(
    backend: str = "sqlite",
    *changed: dict[str, Any],
    conforms: bool = True,
    narrowed: bool = False,
    errors: tuple[str, ...] | None = (),
    **keys: Any,
) -> dict[str, Any]:
    """A report on a sound backend, with some laws changed or added."""
    laws = {id: law(id) for id in _LAWS} | {one["id"]: one for one in changed}
    static = {"checker": "pyright", "version": "1.1.414", "errors": list(errors or ())}
    return {
        "backend": backend,
        "conforms": conforms,
        "narrowed": narrowed,
        "date": "2026-01-02T03:04:05+00:00",
        "versions": {"python": "3.11.7", "clawdesk-storage": "0.1.0"},
        "claims": {
            "durable": True, "shared": True, "outage": False, "corruption": True, "recall": 0.95,
        },
        "laws": list(laws.values()),
        "static": None if errors is None else static,
    } | keys  # fmt: skip


def failing(detail: str = WRONG_END) -> dict[str, Any]:
    """A report on a backend that keeps the wrong end of histories."""
    return report("mine:open_storage", law("CNV-03", "failed", detail), conforms=False)


def mixed() -> list[dict[str, Any]]:
    """Reports with every outcome."""
    odd = report(
        "odd",
        law("SES-01", "waived", "the engine cannot\nSES-01 and so on"),
        law("SES-07", "inconclusive", "out of budget"),
        law("VEC-07", "not offered", "no attribute `vectors`"),
        law("OUT-01", "not claimed", "no outage hook: the engine is never out of reach"),
        law("TIM-01"),
        conforms=False,
        errors=("store.py:7: SessionStore.get is not async: it returns `Session`",),
    )
    return [report(), failing(), odd, report("plain", errors=None)]


def page(*reports: dict[str, Any]) -> str:
    """The page of some reports."""
    return matrix_page(reports, made=MADE)
