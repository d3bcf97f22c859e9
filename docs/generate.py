"""Writes docs/contract.md from the laws and their mutants: document and tests are one text."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from importlib import import_module
from itertools import groupby
from pathlib import Path

from clawdesk_storage.conformance import Law, laws
from tests.mutants import MUTANTS, Mutant

__all__ = ["PAGE", "contract"]

PAGE = Path(__file__).with_name("contract.md")

_HEAD = """# The contract

What a storage backend promises, law by law. This page is made from the laws themselves by
`nox -s docs`; `clawdesk-storage laws SES-07` prints one of them. A law keeps its number for ever.

Below each law stands a store that breaks it, taken from the tests, which prove that the law catches
it. It derives from a sound store: in memory, or in an SQLite file where its name begins with
`Filed`. [The kill matrix](kill-matrix.md) lists all of them.
"""

_REGISTERING = {"mutant", "filed_mutant", "logged_mutant"}

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def contract() -> str:
    """Return the page."""
    parts = [_HEAD]
    for port, family in groupby(laws(), lambda law: law.port):
        parts.append(f"## {port}\n")
        parts.extend(map(_entry, family))
    return "\n".join(parts)


def _entry(law: Law) -> str:
    claim = f"\nFor backends that claim *{law.claim}*.\n" if law.claim else ""
    said = f"### {law.id}: {law.title}\n\n**{law.statement}**\n\n{law.reason}\n{claim}"
    return f"{said}\n{_broken(_example(law))}"


def _example(law: Law) -> Mutant:
    """The mutant that is about this law most of all, and the shortest of those."""
    caught = [mutant for mutant in MUTANTS if law.id in mutant.laws]
    return min(caught, key=lambda mutant: (len(mutant.laws), len(_code(mutant)), mutant.name))


def _broken(mutant: Mutant) -> str:
    summary = f"<summary>A store that breaks it: <code>{mutant.name}</code></summary>"
    return f'<details markdown="1">\n{summary}\n\n```python\n{_code(mutant)}\n```\n\n</details>\n'


def _code(mutant: Mutant) -> str:
    """The mutant's definition, after those of the private classes that it derives from."""
    source, definitions = _module(mutant.family)
    wanted = [mutant.name]
    for name in wanted:
        node = definitions[name]
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        names = [base.id for base in bases if isinstance(base, ast.Name)]
        wanted += [name for name in names if name in definitions]
    return "\n\n\n".join(_source(source, definitions[name]) for name in reversed(wanted))


@cache
def _module(family: str) -> tuple[str, dict[str, _Definition]]:
    source = inspect.getsource(import_module(f"tests.mutants.{family}"))
    found = [node for node in ast.parse(source).body if isinstance(node, _Definition)]
    return source, {node.name: node for node in found}


def _source(source: str, node: _Definition) -> str:
    """The definition, without the decorator that registers it."""
    decorators = [f"@{ast.unparse(one)}\n" for one in node.decorator_list if not _registers(one)]
    return "".join([*decorators, ast.get_source_segment(source, node) or ""])


def _registers(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Name) and call.id in _REGISTERING


if __name__ == "__main__":
    PAGE.write_text(contract(), encoding="utf-8")
