"""Writes docs/contract.md from the laws: the document and the tests are the same text."""

from itertools import groupby
from pathlib import Path

from clawdesk_storage.conformance import Law, laws

PAGE = Path(__file__).with_name("contract.md")

_HEAD = """# The contract

What a storage backend promises, law by law. This page is made from the laws themselves by
`nox -s docs`; `clawdesk-storage laws SES-07` prints one of them. A law keeps its number for ever.
"""


def contract() -> str:
    """Return the page."""
    parts = [_HEAD]
    for port, family in groupby(laws(), lambda law: law.port):
        parts.append(f"## {port}\n")
        parts.extend(map(_entry, family))
    return "\n".join(parts)


def _entry(law: Law) -> str:
    claim = f"\nFor backends that claim *{law.claim}*.\n" if law.claim else ""
    return f"### {law.id}: {law.title}\n\n**{law.statement}**\n\n{law.reason}\n{claim}"


if __name__ == "__main__":
    PAGE.write_text(contract(), encoding="utf-8")
