"""Who may import whom."""

import ast
from pathlib import Path

import pytest

import clawdesk_storage

_PACKAGE = Path(clawdesk_storage.__file__).parent


def _imports(file: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _breaches(room: str, *forbidden: str) -> list[tuple[str, str]]:
    files = sorted((_PACKAGE / room).rglob("*.py"))
    return [
        (str(file.relative_to(_PACKAGE)), name)
        for file in files
        for name in _imports(file)
        if any(name == one or name.startswith(f"{one}.") for one in forbidden)
    ]


@pytest.mark.parametrize("outside", ["pages", "commands", "cli", "bench"])
def test_the_suite_knows_nobody_who_shows_it(outside: str) -> None:
    """A report is data: what people look at is made by others."""
    assert [] == _breaches("conformance", f"clawdesk_storage.{outside}")


@pytest.mark.parametrize("outside", ["commands", "cli"])
def test_pages_know_no_command(outside: str) -> None:
    """They know reports."""
    assert [] == _breaches("pages", f"clawdesk_storage.{outside}")


def test_one_file_knows_pytest() -> None:
    """Whoever verifies from the command line needs none."""
    knowing = {file for file, _ in _breaches("", "pytest")}
    assert {"conformance/pytest.py"} == {one for one in knowing if not one.startswith("project")}
