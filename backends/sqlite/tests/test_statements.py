"""No statement reads more of the file than it needs."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from clawdesk_sqlite import config, conversations, sessions, vectors
from clawdesk_sqlite.file import File, execute

MODULES = (config, conversations, sessions, vectors)


def statements(module: ModuleType) -> list[str]:
    """The statements of a store: its string constants that SQLite can explain."""
    texts = [value.strip() for value in vars(module).values() if isinstance(value, str)]
    return [text for text in texts if text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


def bindings(statement: str) -> int:
    """How many values it takes, which it may number."""
    numbered = [int(number) for number in re.findall(r"\?(\d)", statement)]
    return max(numbered) if numbered else statement.count("?")


@pytest.mark.parametrize("statement", [text for module in MODULES for text in statements(module)])
def test_statements_use_an_index(statement: str, path: Path) -> None:
    """None walks a table row by row or sorts, but for the one that wants every id."""
    connection = File(path).owner
    plan = [
        detail
        for *_, detail in execute(
            connection, f"EXPLAIN QUERY PLAN {statement}", *[1] * bindings(statement)
        )
        if "TEMP B-TREE" in detail or ("SCAN" in detail and "INDEX" not in detail)
    ]
    connection.close()
    assert [] == plan


def test_every_store_has_statements() -> None:
    """The test above looks at all of them."""
    assert [3, 12, 10, 16] == [len(statements(module)) for module in MODULES]
