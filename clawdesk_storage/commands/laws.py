"""`clawdesk-storage laws`: list the laws, or explain some."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from clawdesk_storage.commands.output import SUCCESS, fail
from clawdesk_storage.conformance import BackendError, Law, laws

__all__ = ["add"]


def add(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = add_parser(
        "laws", help="list the laws, or explain some", description="List the laws, or explain some."
    )
    parser.add_argument("numbers", nargs="*", metavar="LAW", help="such as SES-07, or SES")
    parser.set_defaults(run=_laws)


def _laws(given: argparse.Namespace) -> int:
    try:
        chosen = laws(*given.numbers)
    except BackendError as error:
        return fail(str(error))
    if given.numbers:
        print("\n\n".join(map(_explained, chosen)))
    else:
        print("\n".join(map(str, chosen)))
    return SUCCESS


def _explained(law: Law) -> str:
    needs = f"\nOnly for backends that claim: {law.claim}." if law.claim else ""
    return f"{law}\n{law.port}\n\n{law.statement}\n\n{law.reason}{needs}"
