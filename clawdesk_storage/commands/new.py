"""`clawdesk-storage new`: write a project that begins to be a backend."""

from __future__ import annotations

import argparse
import keyword
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from importlib.util import find_spec
from pathlib import Path
from string import Template

from clawdesk_storage.commands.output import SUCCESS, fail
from clawdesk_storage.conformance.backend import ENTRY_POINTS

__all__ = ["add"]

_PROJECT = Path(__file__).parents[1] / "project"
_FOLDERS = {"tests", "build", "dist"}
_DONE = """\
{name} is written: a backend in which everything is still to be done. Next:

  cd {name}
  python -m pip install -e ".[tests]"
  clawdesk-storage verify {name}
"""


def add(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = add_parser(
        "new",
        help="write a project that begins to be a backend",
        description="Write a project that begins to be a backend into the folder NAME.",
    )
    parser.add_argument("name", metavar="NAME", help="what it is called, such as my-backend")
    parser.set_defaults(run=_new)


def _new(given: argparse.Namespace) -> int:
    name: str = given.name
    module = re.sub(r"[-_.]+", "_", name).lower()
    try:
        problem = _problem_of(name, module)
        if problem:
            return fail(problem)
        _write(_files(name, module), Path(name))
    except OSError as error:
        return fail(f"cannot write the folder {name}: {error.strerror}")
    print(_DONE.format(name=name), end="")
    return SUCCESS


def _problem_of(name: str, module: str) -> str | None:
    """Say why there can be no project of that name here, or None."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        return (
            f"{name!r} cannot be the name of a distribution: use letters, digits and hyphens, as "
            "in my-backend; the project is written into a folder of that name, right here"
        )
    taken = _taken(name, module)
    if taken:
        return f"{name!r} cannot be the name of the project: {taken}; choose another"
    if Path(name).is_dir() and any(Path(name).iterdir()):
        return f"the folder {name} is not empty; choose another name, or remove it"
    return None


def _taken(name: str, module: str) -> str | None:
    """Say why nothing new can have that name, or None."""
    python = module.isidentifier() and not keyword.iskeyword(module)
    hidden = f"its package would hide the module {module}"
    reasons = {
        f"its package could not be imported as {module}": not python,
        f"the project has a folder {module} for something else": module in _FOLDERS,
        f"{hidden} of the standard library": module in sys.stdlib_module_names,
        "a backend of that name is installed": name in entry_points(group=ENTRY_POINTS).names,
        "a distribution of that name is installed": _installed(name),
        f"{hidden}, which exists": _importable(module, Path(name)),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _importable(module: str, folder: Path) -> bool:
    """Tell whether there is such a module, other than the folder that is to be written."""
    spec = find_spec(module)
    if spec is None:
        return False
    return list(spec.submodule_search_locations or ()) != [str(folder.resolve())]


def _files(name: str, module: str) -> Mapping[str, str]:
    """Return the text of each file of the project, by its path in it."""
    files: dict[str, str] = {}
    written = (file for file in _PROJECT.rglob("*.*") if file.parent.name != "__pycache__")
    for file in written:
        path = file.relative_to(_PROJECT).as_posix().replace("package/", f"{module}/", 1)
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".template":
            path = path.removesuffix(".template")
            text = Template(text).substitute(name=name, module=module)
        files[path] = text
    return files


def _write(files: Mapping[str, str], folder: Path) -> None:
    """Write all files into a folder that is new or empty; if one cannot be written, none stays."""
    there = folder.is_dir()
    folder.mkdir(exist_ok=True)
    try:
        for path, text in files.items():
            file = folder / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    except BaseException:
        _empty(folder)
        if not there:
            folder.rmdir()
        raise


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()
