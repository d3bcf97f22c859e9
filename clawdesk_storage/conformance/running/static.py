"""What a type checker says of a backend: does what its factory yields satisfy the ports?

A module is generated that uses the backend as an application would, one question to a line, and
pyright is run over it. A line that pyright complains about answers its question. Some questions are
there to be complained about: silence then means that pyright sees no type at all, so that a green
result can never come from `Any`.
"""

from __future__ import annotations

import ast
import functools
import inspect
import keyword
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from clawdesk_storage import abilities, ports
from clawdesk_storage.conformance.ability import ABILITIES
from clawdesk_storage.conformance.running.pyright import (
    CANARY,
    Answers,
    CannotRunError,
    Question,
    Script,
    answered,
)

__all__ = ["StaticCheck", "Subject", "check_types"]

_FILE = "clawdesk_storage_static_check_{}.py".format


@dataclass(frozen=True)
class StaticCheck:
    """What a type checker says of a backend.

    Attributes:
        checker: Its name.
        version: Its version, or nothing if it could not be run.
        errors: One sentence per mistake, naming place, class and method.
        problem: Why no verdict was reached and what to do, or None when one was. With a problem
            there are no errors: where some stores have mistakes and others cannot be checked, both
            are errors.
    """

    checker: str
    version: str
    errors: tuple[str, ...]
    problem: str | None

    @property
    def passed(self) -> bool:
        """Whether every store was checked, and no mistake found."""
        return not self.errors and self.problem is None


class Subject(NamedTuple):
    """A backend whose types are checked.

    Args:
        factory: Its `open_storage`. It is not called.
        stores: The class of each store that it was seen to yield, by attribute: `"sessions"`,
            `"conversations"`, `"config"`, `"vectors"`.
        offered: For the name of each ability that is offered the attributes whose stores have it.
    """

    factory: Callable[[Path], object]
    stores: Mapping[str, type]
    offered: Mapping[str, Sequence[str]] = MappingProxyType({})


async def check_types(*subjects: Subject, parent: Path | None = None) -> Sequence[StaticCheck]:
    """Check the types of backends, all with one run of pyright.

    What counts is the type that the factory declares to yield, for that is what an application's
    checker sees, and the classes of the stores besides, in case it declares little or nothing.

    Args:
        subjects: The backends.
        parent: Where a temporary directory is made; None is the system's place.
    """
    backends = [_Backend(*subject) for subject in subjects]
    scripts = {_FILE(number): _script(one) for number, one in enumerate(backends) if one.named}
    roots = dict.fromkeys(root for one in backends for root in one.roots)
    try:
        version, answers = await answered(scripts, list(roots), parent)
    except CannotRunError as error:
        return [_unchecked(str(error)) for _ in subjects]
    return [
        _verdict(backend, version, answers.get(_FILE(number), {}))
        for number, backend in enumerate(backends)
    ]


def _verdict(backend: _Backend, version: str, answers: Answers) -> StaticCheck:
    if not backend.stores:
        return _unchecked("no store is offered, so there are no types to check")
    errors, problems = _judge(backend, answers)
    if errors:
        return StaticCheck("pyright", version, (*errors, *problems), None)
    return StaticCheck("pyright", version, (), "; ".join(problems) or None)


def _unchecked(problem: str) -> StaticCheck:
    return StaticCheck("pyright", "", (), problem)


# The ports, read from their source so that the two cannot drift apart.


class _Port(NamedTuple):
    name: str
    methods: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]
    abilities: dict[str, Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]]

    def stub(self, method: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """The method's stub, in the port or in the ability that has it."""
        stubs = (self.methods, *self.abilities.values())
        return next(one[method] for one in stubs if method in one)


@functools.cache
def _ports() -> Mapping[str, _Port]:
    """The ports by the attribute of a storage that holds them."""
    tree = ast.parse(inspect.getsource(ports))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    offered = _methods(classes["Storage"])
    names = {name: ast.unparse(stub.returns) for name, stub in offered.items() if stub.returns}
    known = {
        attribute: _Port(name, _methods(classes[name]), {}) for attribute, name in names.items()
    }
    for node in ast.parse(inspect.getsource(abilities)).body:
        if isinstance(node, ast.ClassDef) and node.name in ABILITIES:
            for attribute in ABILITIES[node.name].ports:
                known[attribute].abilities[node.name] = _methods(node)
    return known


def _methods(port: ast.ClassDef) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    stubs = [node for node in port.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for stub in stubs:
        stub.body = []
    return {stub.name: stub for stub in stubs}


def _port_imports() -> Iterator[str]:
    for module in (ports, abilities):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield ast.unparse(node)
    yield f"from {abilities.__name__} import {', '.join(abilities.__all__)}"


def _signature(attribute: str, method: str) -> str:
    return ast.unparse(_ports()[attribute].stub(method)).removesuffix(":")


# The backend, as far as a module can import it.


class _Backend:
    """Python expressions for a factory and its stores, where they can be imported."""

    def __init__(
        self,
        factory: Callable[[Path], object],
        stores: Mapping[str, type],
        offered: Mapping[str, Sequence[str]],
    ) -> None:
        self.stores = stores
        self.methods = {attribute: list(_ports()[attribute].methods) for attribute in stores}
        for ability, attributes in offered.items():
            for attribute in attributes:
                self.methods[attribute] += _ports()[attribute].abilities[ability]
        self.name = getattr(factory, "__qualname__", type(factory).__qualname__)
        self.aliases: dict[str, str] = {}
        self._missing_roots: list[str] = []
        self.opening = self._call(factory)
        self.classes = {name: self._expression(store) for name, store in stores.items()}
        self._place_of(sys.modules[ports.__name__])

    @property
    def named(self) -> bool:
        """Whether there is anything of it that a module can import."""
        return bool(self.stores) and (self.opening is not None or any(self.classes.values()))

    @property
    def roots(self) -> Sequence[str]:
        """The folders in which modules are found, the backend's own first."""
        there = [str(Path(entry).absolute()) for entry in sys.path]
        missing = [root for root in self._missing_roots if root not in there]
        return list(dict.fromkeys([*missing, *there]))

    def _call(self, factory: object) -> str | None:
        if isinstance(factory, functools.partial):
            # Which arguments are bound is of no interest: what comes of the call is.
            function = self._expression(factory.func)
            return function and f"result({function})"
        function = self._expression(factory)
        return function and f"{function}(Path())"

    def _expression(self, thing: object) -> str | None:
        owner = getattr(thing, "__self__", None)
        if inspect.ismethod(thing) and not isinstance(owner, type):
            instance = self._expression(owner)
            return instance and f"{instance}.{thing.__name__}"
        if hasattr(thing, "__qualname__"):
            return self._path(thing)
        of = self._path(type(thing))
        return of and f"instance({of})"

    def _path(self, thing: Any) -> str | None:
        """The dotted name of a function or class that is what its name says it is."""
        module = sys.modules.get(str(thing.__module__))
        if module is None or "<" in thing.__qualname__:
            return None
        with suppress(AttributeError):
            if operator.attrgetter(thing.__qualname__)(module) == thing:
                name = self._place_of(module)
                alias = name and self.aliases.setdefault(name, f"module_{len(self.aliases)}")
                return alias and f"{alias}.{thing.__qualname__}"
        return None

    def _place_of(self, module: ModuleType) -> str | None:
        """Return the name under which a checker can import the module, and note its folder."""
        name = module.__spec__.name if module.__spec__ else module.__name__
        file = getattr(module, "__file__", None)
        if file is None:
            return name if name in sys.builtin_module_names else None
        parts, root = _located(name.split("."), Path(file).absolute())
        if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
            return None
        if str(root) not in self._missing_roots:
            self._missing_roots.append(str(root))
        return ".".join(parts)


def _located(parts: list[str], file: Path) -> tuple[list[str], Path]:
    """The parts of the name by which `file` is imported, and the folder to import it from."""
    stem = file.name.partition(".")[0]
    path = file.parent if stem == "__init__" else file.with_name(stem)
    if path.parts[-len(parts) :] == tuple(parts):
        return parts, path.parents[len(parts) - 1]
    # A script, or a module that was loaded from its file under some other name.
    parts, root = [path.name], path.parent
    while (root / "__init__.py").exists():
        parts, root = [root.name, *parts], root.parent
    return parts, root


# The questions.


_TOOLS = """\
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar
from clawdesk_storage.models import Session
from clawdesk_storage.ports import Storage
T = TypeVar("T")
class Stranger: ...
def instance(of: type[T]) -> T: ...
def result(of: Callable[..., T]) -> T: ...
def same(value: T) -> Callable[[T], None]: ...
"""


def _script(backend: _Backend) -> Script:
    script = Script()
    for line in _port_imports():
        script.write(line)
    script.write(_TOOLS)
    script.ask("canary: Session = Stranger()", *CANARY)
    for name, alias in backend.aliases.items():
        script.ask(f"import {name} as {alias}", "import", name)
    for attribute in backend.stores:
        for method in backend.methods[attribute]:
            # One protocol to a method: pyright explains the first few mistakes of a class only.
            script.write(f"class {attribute}_{method}(Protocol):")
            script.write(f"    {_signature(attribute, method)}: ...")
    _ask_of_declaration(script, backend)
    for attribute, store in backend.classes.items():
        script.write(f"def runtime_{attribute}() -> None:")
        script.write(f"    store = instance({store})" if store else "    return")
        if store:
            _ask_of_methods(script, backend, "    ", "runtime", attribute)
    return script


def _ask_of_declaration(script: Script, backend: _Backend) -> None:
    if backend.opening is None:
        return
    script.write("async def declared(")
    script.write("    whole: Storage, manager: AbstractAsyncContextManager[Storage]")
    script.write(") -> None:")
    script.ask(f"    opening = {backend.opening}", "call")
    script.ask("    same(opening)(manager)", "manager?")
    script.ask("    async with opening as storage:", "enter")
    script.ask("        same(storage)(whole)", "storage?")
    for attribute in backend.stores:
        # Were the port itself as good as what is declared, the declaration would say no more.
        script.ask(f"        store = storage.{attribute}", "attribute", "declared", attribute)
        script.ask(f"        same(store)(whole.{attribute})", "store?", "declared", attribute)
        _ask_of_methods(script, backend, "        ", "declared", attribute)


def _ask_of_methods(
    script: Script, backend: _Backend, indent: str, form: str, attribute: str
) -> None:
    for method in backend.methods[attribute]:
        variable = f"{indent}{form}_{attribute}_{method}"
        question = form, attribute, method
        script.ask(f"{variable}: {attribute}_{method} = store", "method", *question)
        script.ask(f"{variable}_known: Stranger = store.{method}", "known?", *question)


# The verdict.


def _judge(backend: _Backend, answers: Answers) -> tuple[tuple[str, ...], list[str]]:
    errors = _errors_of_opening(backend, answers)
    problems: list[str] = []
    for attribute, store in backend.stores.items():
        runtime, checked_runtime = _judge_runtime(backend, attribute, answers)
        declared, checked_declared = _judge_declared(backend, attribute, answers)
        errors += declared or runtime
        if not checked_runtime and not checked_declared:
            problems.append(_problem(backend, attribute, store, answers))
    return tuple(dict.fromkeys(errors)), list(dict.fromkeys(problems))


def _errors_of_opening(backend: _Backend, answers: Answers) -> list[str]:
    errors: list[str] = []
    call = answers.get(Question("call"))
    if call is not None:
        errors.append(f"{backend.name} cannot be called with a Path alone: {_flat(call)}")
    enter = answers.get(Question("enter"))
    if enter is not None and Question("manager?") in answers:
        errors.append(f"{backend.name} cannot be used with `async with`: {_flat(enter)}")
    return errors


def _judge_declared(backend: _Backend, attribute: str, answers: Answers) -> tuple[list[str], bool]:
    """Return the mistakes in what the factory declares, and whether it declares anything."""
    missing = answers.get(Question("attribute", "declared", attribute))
    if missing is not None and Question("storage?") in answers:
        hint = f"`{attribute}` is offered, but {backend.name} does not declare it"
        return [f"{hint}: {_flat(missing)}"], True
    if Question("store?", "declared", attribute) not in answers:
        return [], False
    return _judge_methods(backend, "declared", attribute, answers)


def _judge_runtime(backend: _Backend, attribute: str, answers: Answers) -> tuple[list[str], bool]:
    if backend.classes[attribute] is None:
        return [], False
    return _judge_methods(backend, "runtime", attribute, answers)


def _judge_methods(
    backend: _Backend, form: str, attribute: str, answers: Answers
) -> tuple[list[str], bool]:
    """Return the mistakes in the methods of a store, and whether all of them have types."""
    errors: list[str] = []
    known = True
    for method in backend.methods[attribute]:
        complaint = answers.get(Question("method", form, attribute, method))
        optional = method not in _ports()[attribute].methods
        if complaint and optional and form == "declared" and "is not present" in complaint:
            known = False  # what is declared may be the port: the class itself tells
        elif complaint is not None:
            errors.append(_told(complaint, attribute, method, backend.stores[attribute]))
        elif Question("known?", form, attribute, method) not in answers:
            known = False
    return errors, known


def _problem(backend: _Backend, attribute: str, store: type, answers: Answers) -> str:
    name = f"{store.__module__}.{store.__qualname__}"
    remedy = (
        f"or declare what {backend.name} yields, as in `-> AbstractAsyncContextManager[MyStorage]`"
    )
    if "<locals>" in store.__qualname__:
        return f"{name} is defined inside a function: define it at module level, {remedy}"
    if backend.classes[attribute] is None:
        return f"{name} cannot be imported by that name: define it at module level, {remedy}"
    for module in backend.aliases:
        if Question("import", module) in answers:
            return f"pyright cannot find the module {module}: make it importable, {remedy}"
    unknown = _unknown(backend, attribute, name, answers)
    return (
        f"pyright knows no type for {unknown}: write a stub file (.pyi) "
        f"if it is compiled, annotate it if it is not, {remedy}"
    )


def _unknown(backend: _Backend, attribute: str, name: str, answers: Answers) -> str:
    methods = backend.methods[attribute]
    unknown = [m for m in methods if Question("known?", "runtime", attribute, m) not in answers]
    return name if len(unknown) == len(methods) else ", ".join(f"{name}.{m}" for m in unknown)


# The words, which are pyright's. What is wrong with a store's shape, the laws say in better ones.


def _flat(complaint: str) -> str:
    return "; ".join(line.strip() for line in complaint.splitlines())


def _told(complaint: str, attribute: str, method: str, store: type) -> str:
    """Say what is wrong with one method of a store, and what the port has in its place."""
    said = complaint.replace("\xa0", " ").replace(f"{attribute}_{method}", _ports()[attribute].name)
    declared = re.match(r'Type "(.*)" is not assignable to declared type', said)
    owner = (declared[1] if declared else store.__name__).partition("[")[0]
    place = _place(store, method) if store.__name__ == owner else ""
    return (
        f"{place}{owner}.{method} is not the port's `{_signature(attribute, method)}`: "
        f"{_essence(said)}"
    )


def _essence(complaint: str) -> str:
    """What a complaint says beyond that the class is not the port, and its method not its."""
    lines = [line.strip() for line in complaint.splitlines()]
    return "; ".join(lines[4:] or lines[2:] or lines)


def _place(store: type, method: str) -> str:
    """Where the method, or else the class, is written, as `file:line: `; nothing if unknown."""
    found = inspect.getattr_static(store, method, store)
    for written in (inspect.unwrap(getattr(found, "__func__", found)), store):
        with suppress(OSError, TypeError):
            file = Path(inspect.getfile(written))
            line = inspect.getsourcelines(written)[1]
            here = Path.cwd()
            return f"{file.relative_to(here) if file.is_relative_to(here) else file}:{line}: "
    return ""
