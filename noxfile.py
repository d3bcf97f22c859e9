"""What is done to this repository, by name: `nox -s NAME`.

uv makes the environments where it is installed; pip does where it is not.
"""

from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
BACKENDS = [file.parent for file in sorted(Path("backends").glob("*/pyproject.toml"))]
SHOWN = ("memory", "sqlite", "postgres", "sochdb")
# Tests of storage wait more than they work: for disks, servers, other processes.
SPREAD = ("-n", "auto", "--dist", "worksteal")


def install(session: nox.Session, *groups: str) -> None:
    """Install the package, its suite and every backend for work on them."""
    wanted = nox.project.dependency_groups(PROJECT, *groups)
    editable = [part for folder in BACKENDS for part in ("-e", editable_of(folder))]
    session.install("-e", ".[conformance]", *editable, *wanted)


def editable_of(folder: Path) -> str:
    """Name a backend for pip, with its extra for a server of its own where it has one."""
    extras = nox.project.load_toml(folder / "pyproject.toml")["project"].get(
        "optional-dependencies", {}
    )
    return f"./{folder}[{','.join(extras)}]" if extras else f"./{folder}"


def run_tests(session: nox.Session) -> None:
    """Run all tests: each backend's as in a repository of its own, then the package's.

    What the command line names after `--` is run alone.
    """
    install(session, "tests")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    for folder in BACKENDS:
        with session.chdir(folder):
            session.run("pytest", "-q", *SPREAD)
    session.run("pytest", "-q", *SPREAD)


@nox.session
def verify(session: nox.Session) -> None:
    """Try the embedded SQLite backend against the laws."""
    session.install(".[conformance]", "./backends/sqlite")
    session.run("clawdesk-storage", "verify", "sqlite", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests with the Python that runs nox."""
    run_tests(session)


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run all tests with every Python that the package supports."""
    run_tests(session)


@nox.session
def soak(session: nox.Session) -> None:
    """Try what chance could decide with twenty seeds: sound backends and broken ones."""
    install(session, "tests")
    session.run("pytest", "-n", "auto", "tests/soak.py", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Check types: strictly everywhere, completely in public, and as mypy sees them."""
    install(session, "types")
    session.run("pyright")
    for folder in BACKENDS:
        with session.chdir(folder):
            session.run("pyright")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "clawdesk_storage")
    session.run("mypy", "-p", "clawdesk_storage")
    session.run("mypy", "tests/typing")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and form."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def matrix(session: nox.Session) -> None:
    """Verify the backends that stand here: a page in dist/, and the README's picture."""
    session.install(".[conformance]", *map(editable_of, BACKENDS))
    dist, picture = Path("dist"), Path("docs/images/matrix.svg")
    dist.mkdir(exist_ok=True)
    reports = [str(dist / f"{name}.json") for name in SHOWN]
    for name, report in zip(SHOWN, reports, strict=True):  # one that fails belongs in it too
        session.run("clawdesk-storage", "verify", name, "--json", report, success_codes=[0, 1])
    session.run("clawdesk-storage", "report", *reports, "--html", str(dist / "matrix.html"))
    with picture.open("w", encoding="utf-8") as file:
        session.run("python", "-m", "clawdesk_storage.pages.picture", *reports, stdout=file)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the pages that are made from the code, and build the site into `site/`."""
    install(session, "docs", "tests")
    session.run("python", "-m", "docs.generate")
    session.run("python", "-m", "tests.mutants.matrix")
    session.run("python", "-m", "mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
