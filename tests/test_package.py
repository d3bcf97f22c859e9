"""The package as a whole: what it exports, what imports what, what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import clawdesk_storage

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "clawdesk_storage"


def _imported(file: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def _inside(file: Path) -> set[str]:
    """What a file imports of the package itself: `models`, `conformance.law`, …"""
    prefix = "clawdesk_storage."
    return {name.removeprefix(prefix) for name in _imported(file) if name.startswith(prefix)}


_VALUES = {"models", "errors", "where"}
_PORTS = {"ports", "abilities"} | _VALUES
_MAY_IMPORT = {
    "models.py": set[str](),
    "errors.py": set[str](),
    "where.py": {"models"},
    "ports.py": _VALUES,
    "abilities.py": _VALUES,
    "arguments.py": _PORTS,
    "codec.py": _PORTS,
    "opening.py": _PORTS,
    "updating.py": _PORTS,
    **{
        str(file.relative_to(PACKAGE)): {"arguments", "codec", *_PORTS}
        for file in (PACKAGE / "testing").glob("*.py")
        if file.name != "backend.py"  # how the suite knows them
    },
}


@pytest.mark.parametrize("file", _MAY_IMPORT)
def test_the_inner_rings_import_only_inwards(file: str) -> None:
    """Models and errors know nobody, ports know those, the helpers know the ports and below."""
    own = {name for name in _inside(PACKAGE / file) if name.startswith("testing.")}
    assert set[str]() == _inside(PACKAGE / file) - _MAY_IMPORT[file] - own


@pytest.mark.parametrize(
    "file", sorted((PACKAGE / "conformance").rglob("*.py")), ids=lambda file: file.stem
)
def test_the_suite_knows_neither_the_command_line_nor_the_reference(file: Path) -> None:
    """Conformance imports itself and the inner rings."""
    inner = {"models", "errors", "where", "ports", "abilities", "arguments", "codec", "testing"}
    rings = {*inner, "conformance"}
    assert set[str]() == {name.partition(".")[0] for name in _inside(file)} - rings


@pytest.mark.parametrize(
    "file", sorted((PACKAGE / "bench").rglob("*.py")), ids=lambda file: file.stem
)
def test_the_bench_knows_neither_the_command_line_nor_the_reference(file: Path) -> None:
    """It measures ports and abilities, and needs of the suite what a backend is and how to open it.

    The suite does not know it in turn.
    """
    rings = {"models", "ports", "abilities", "where", "updating", "conformance", "bench"}
    assert set[str]() == {name.partition(".")[0] for name in _inside(file)} - rings


@pytest.mark.parametrize(
    "file", sorted((PACKAGE / "pages").rglob("*.py")), ids=lambda file: file.stem
)
def test_the_pages_know_reports_and_themselves(file: Path) -> None:
    """They render what a run came to, or what of it was written down; they run nothing."""
    known = {name.partition(".")[0] for name in _inside(file)}
    assert set[str]() == known - {"pages", "conformance"}


def _files_that_import(name: str) -> list[str]:
    files = (file for file in sorted(PACKAGE.rglob("*.py")))
    return [
        str(file.relative_to(PACKAGE))
        for file in files
        if any(one == name or one.startswith(f"{name}.") for one in _imported(file))
    ]


def test_one_module_imports_pytest() -> None:
    """The runner knows no test framework."""
    assert ["conformance/pytest.py"] == _files_that_import("pytest")


def test_only_terminals_import_rich() -> None:
    """The reports know no terminal."""
    assert ["bench/terminal.py", "pages/terminal.py"] == _files_that_import("rich")


def test_one_module_imports_jinja() -> None:
    """Whoever shows no page does without it."""
    assert ["pages/templates.py"] == _files_that_import("jinja2")


@pytest.mark.parametrize("backend", ["clawdesk_sqlite", "clawdesk_postgres", "clawdesk_sochdb"])
def test_nothing_knows_a_backend(backend: str) -> None:
    """Backends are found by entry point alone."""
    assert [] == _files_that_import(backend)


def test_importing_the_contract_imports_pydantic_and_nothing_else() -> None:
    """An application pays for pydantic and typing-extensions only."""
    code = (
        "import sys, clawdesk_storage;"
        "print(*{name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bare_code = code.replace("clawdesk_storage", "pydantic.main, typing_extensions")
    bare = subprocess.run(
        [sys.executable, "-c", bare_code],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # pydantic loads these of its own parts when the first model is made.
    lazily = {"annotated_types", "typing_inspection"}
    loaded = {name for name in done.stdout.split() if not name.startswith("_sysconfigdata")}
    assert {"clawdesk_storage"} == loaded - set(bare.stdout.split()) - lazily


def test_the_root_exports_what_the_contract_names() -> None:
    """These names are used from outside."""
    named = {
        "SessionStore", "ConversationStore", "ConfigStore", "VectorStore", "Storage", "Session",
        "SessionId", "SessionState", "ChannelId", "Message", "Role", "AppConfig",
        "VectorResult", "JsonValue", "Vector", "StorageError", "NotFoundError",
        "ConnectionFailedError", "SerializationError", "StorageIOError", "check_id",
        "check_filter", "check_limit", "unit_vector", "encode", "decode", "translate_errors",
    }  # fmt: skip
    assert set[str]() == named - set(clawdesk_storage.__all__)


def test_every_exported_name_exists() -> None:
    """`__all__` is true."""
    assert [name for name in clawdesk_storage.__all__ if not hasattr(clawdesk_storage, name)] == []


def test_the_type_marker_ships_and_the_top_level_links_to_it() -> None:
    """PEP 561 wants it in the package; the one beside pyproject.toml is a link."""
    assert (ROOT / "py.typed").resolve() == (PACKAGE / "py.typed")
