"""The static check: which mistakes it finds, in which words, and when it says that it cannot."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import inspect
import os
import py_compile
import subprocess
import sys
import time
import venv
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, ParamSpec, Self, TypeVar, overload

import pytest

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    JsonValue,
    Message,
    Session,
    SessionId,
    SessionStore,
    Vector,
    VectorResult,
)
from clawdesk_storage.conformance.running import pyright
from clawdesk_storage.conformance.running.static import StaticCheck, Subject, check_types
from clawdesk_storage.testing import MemoryConfigStore, MemoryStorage, open_storage

ATTRIBUTES = ("sessions", "conversations", "config", "vectors")
P = ParamSpec("P")
T = TypeVar("T")


def check(factory: Callable[[Path], object], stores: Mapping[str, type]) -> StaticCheck:
    [found] = asyncio.run(check_types(Subject(factory, stores)))
    return found


def stores_of(storage: object) -> dict[str, type]:
    return {name: type(getattr(storage, name)) for name in ATTRIBUTES if hasattr(storage, name)}


def sentences(found: StaticCheck) -> tuple[str, ...]:
    """The errors without the places that they begin with."""
    return tuple(error.partition(": ")[2] for error in found.errors)


@pytest.fixture(scope="module")
def checked() -> Mapping[str, StaticCheck]:
    """What is said of all backends here, in one run of pyright, whose start takes most of it."""
    found = asyncio.run(check_types(*SUBJECTS.values()))
    return dict(zip(SUBJECTS, found, strict=True))


class TestCorrectStores:
    def test_in_memory_stores_pass(self, checked: Mapping[str, StaticCheck]) -> None:
        """The reference satisfies the ports."""
        correct = checked["memory"]
        assert ((), None, True) == (correct.errors, correct.problem, correct.passed)

    def test_version_is_told(self, checked: Mapping[str, StaticCheck]) -> None:
        """The report can say which pyright judged."""
        correct = checked["memory"]
        assert ("pyright", "1.") == (correct.checker, correct.version[:2])

    def test_declaration_as_object_passes(self, checked: Mapping[str, StaticCheck]) -> None:
        """Where the factory declares nothing, the classes of the stores are enough to pass."""
        found = checked["object of memory"]
        assert ((), None) == (found.errors, found.problem)


@asynccontextmanager
async def object_of_memory(location: Path) -> AsyncGenerator[object]:
    yield MemoryStorage()


def awaitable(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    return method


def coroutine(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    return method


class Sessions:
    def get(self, id: SessionId, /) -> Session | None:
        raise NotImplementedError

    async def delete(self, *, id: SessionId) -> None:
        raise NotImplementedError

    async def list(self, count: int, offset: int) -> Sequence[Session]:
        raise NotImplementedError

    async def list_by_channel(self, channel: ChannelId, /) -> Sequence[Session] | None:
        raise NotImplementedError


class Conversations:
    async def get_messages(self, session_id: SessionId, limit: int, /) -> Sequence[Message]:
        raise NotImplementedError

    async def append_message(self, session_id: SessionId, message: Message, author: str) -> None:
        raise NotImplementedError

    async def clear(self, session_id: int, /) -> dict[str, int]:
        raise NotImplementedError


class Config:
    @awaitable
    async def get_config(self) -> AppConfig:
        raise NotImplementedError

    async def save_config(self, config: dict[str, Any], /) -> None:
        raise NotImplementedError


class Vectors:
    async def upsert(self, id: str, vector: Vector) -> None:
        raise NotImplementedError

    async def search(self, query: Vector, /, top_k: int) -> AsyncIterator[VectorResult]:
        yield VectorResult(id="a", score=1.0)

    async def delete(id: str, /) -> None:  # pyright: ignore  # noqa: N805, PGH003
        raise NotImplementedError


class Mistaken:
    def __init__(self) -> None:
        self.sessions = Sessions()
        self.conversations = Conversations()
        self.config = Config()
        self.vectors = Vectors()


@asynccontextmanager
async def open_mistaken(location: Path) -> AsyncGenerator[Mistaken]:
    yield Mistaken()


class PlainSessions:
    get: int = 1

    @property
    def save(self) -> str:
        raise NotImplementedError

    @staticmethod
    async def delete(id: SessionId, /) -> None:
        raise NotImplementedError

    async def list(self, *places: int) -> Sequence[Session]:
        raise NotImplementedError

    async def list_by_channel(
        self, channel: ChannelId, /, *, newest: bool = True
    ) -> tuple[Session, ...]:
        raise NotImplementedError


class Streams:
    async def search(self, query: Vector, /, top_k: int) -> AsyncGenerator[VectorResult]:
        yield VectorResult(id="a", score=1.0)

    @coroutine
    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        raise NotImplementedError

    async def delete(self, *ids: str, **rest: object) -> None:
        raise NotImplementedError


class Overloaded:
    @overload
    def clear(self, session_id: int, /) -> int: ...
    @overload
    def clear(self, session_id: bytes, /) -> bytes: ...
    def clear(self, session_id: Any, /) -> Any:
        raise NotImplementedError


class Plain:
    def __init__(self) -> None:
        self.conversations = Overloaded()
        self.sessions = PlainSessions()
        self.vectors = Streams()
        self.config: MemoryConfigStore | None = MemoryConfigStore()


@asynccontextmanager
async def open_plain(location: Path) -> AsyncGenerator[Plain]:
    yield Plain()


# What pyright says of each, and so not all of it.
MISTAKES = {
    "Sessions.save": '"save" is not present',
    "Sessions.get": 'Function return type "Session | None" is incompatible with type "Coroutine',
    "Sessions.delete": "expected 1 but received 0",
    "Sessions.list": 'Parameter name mismatch: "limit" versus "count"',
    "Sessions.list_by_channel": "Sequence[Session] | None",
    "Conversations.get_messages": 'Missing keyword parameter "limit"',
    "Conversations.append_message": 'Extra parameter "author"',
    "Conversations.clear": 'Parameter 1: type "SessionId" is incompatible with type "int"',
    "Config.get_config": "Awaitable[AppConfig]",
    "Config.save_config": "dict[str, Any]",
    "Vectors.upsert": "expected 3 but received 2",
    "Vectors.search": "AsyncIterator[VectorResult]",
    "Vectors.delete": 'Could not bind method "delete"',
}
OTHER_MISTAKES = {
    "PlainSessions.get": 'Type "int" is not assignable',
    "PlainSessions.save": 'Type "property" is not assignable',
    "PlainSessions.list": 'Missing keyword parameter "offset"',
    "Overloaded.get_messages": '"get_messages" is not present',
    "Overloaded.append_message": '"append_message" is not present',
    "Overloaded.clear": "No overloaded function matches",
    "MemoryConfigStore | None.get_config": '"None" is incompatible with protocol "ConfigStore"',
    "MemoryConfigStore | None.save_config": '"None" is incompatible with protocol "ConfigStore"',
    "Streams.search": "AsyncGenerator[VectorResult, None]",
    "Streams.upsert": "Coroutine[Any, Any, None]",
}
NOT = " is not the port's `"


class TestMistakes:
    @pytest.mark.parametrize(
        ("storage", "mistakes"),
        [("mistaken", MISTAKES), ("plain", OTHER_MISTAKES)],
        ids=["mistaken", "plain"],
    )
    def test_each_mistake_is_told_and_nothing_else(
        self, checked: Mapping[str, StaticCheck], storage: str, mistakes: Mapping[str, str]
    ) -> None:
        """A sentence for each method that is wrong, and none for one that is more general."""
        told = {error.partition(NOT)[0].split(": ")[-1]: error for error in checked[storage].errors}
        assert (set(mistakes), len(mistakes)) == (set(told), len(checked[storage].errors))
        assert [] == [one for one, words in mistakes.items() if words not in told[one]]

    def test_a_mistake_is_told_with_place_and_remedy(
        self, checked: Mapping[str, StaticCheck]
    ) -> None:
        """Where the method is written, what the port has in its place, and what pyright says."""
        line = inspect.getsourcelines(Sessions.list)[1]
        assert (
            f"{Path(__file__).relative_to(Path.cwd())}:{line}: Sessions.list is not the port's "
            "`async def list(self, limit: int, offset: int) -> Sequence[Session]`: "
            'Parameter name mismatch: "limit" versus "count"'
        ) in checked["mistaken"].errors

    def test_missing_method_has_the_place_of_its_class(
        self, checked: Mapping[str, StaticCheck]
    ) -> None:
        """A method that is not there is missed where its class is."""
        line = inspect.getsourcelines(Sessions)[1]
        place = f"{Path(__file__).relative_to(Path.cwd())}:{line}"
        found = checked["mistaken"].errors
        assert [place] == [one.split(": ")[0] for one in found if "Sessions.save " in one]


class SyncConfig:
    """A configuration store with one mistake."""

    def get_config(self) -> AppConfig:
        raise NotImplementedError

    async def save_config(self, config: AppConfig, /) -> None:
        raise NotImplementedError


SYNC = (
    "SyncConfig.get_config is not the port's `async def get_config(self) -> AppConfig`: "
    'Function return type "AppConfig" is incompatible with type '
    '"CoroutineType[Any, Any, AppConfig]"; '
    '"AppConfig" is not assignable to "CoroutineType[Any, Any, AppConfig]"'
)


class SyncStorage:
    """A storage with one mistake, and its own context manager."""

    def __init__(self, location: Path) -> None:
        self.config = SyncConfig()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


class Opener:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, location: Path) -> SyncStorage:
        return SyncStorage(location)

    def open(self, location: Path) -> SyncStorage:
        return SyncStorage(location)


def open_named(name: str, location: Path) -> SyncStorage:
    return SyncStorage(location)


def open_object(location: Path) -> AbstractAsyncContextManager[object]:
    return SyncStorage(location)


def open_any(location: Path) -> Any:
    return SyncStorage(location)


def open_untyped(location: Path):
    return open_any(location)


@asynccontextmanager
async def open_namespace(location: Path) -> AsyncGenerator[SimpleNamespace]:
    yield SimpleNamespace(config=SyncConfig())


open_lambda: Callable[[Path], object] = lambda location: SyncStorage(location)  # noqa: E731, PLW0108


class Vague:
    """Attributes that are declared, and say nothing about the stores they hold."""

    def __init__(self) -> None:
        self.sessions: SessionStore = MemoryStorage().sessions
        self.config: Any = SyncConfig()
        self.vectors: object = MemoryStorage().vectors


@asynccontextmanager
async def open_vague(location: Path) -> AsyncGenerator[Vague]:
    yield Vague()


async def open_forgetful(location: Path) -> AsyncGenerator[MemoryStorage]:
    yield MemoryStorage()


class AnyConfig:
    get_config: Any = None

    async def save_config(self, config: AppConfig, /) -> None:
        raise NotImplementedError


def local_backend() -> tuple[Callable[[Path], object], type]:
    class LocalConfig(MemoryConfigStore):
        pass

    class LocalStorage(MemoryStorage):
        pass

    return lambda location: LocalStorage(), LocalConfig


_takes_more: Any = open_named
_forgets: Any = open_forgetful
DECLARED = {
    "class": SyncStorage,
    "partial": functools.partial(open_named, "main"),
    "callable instance": Opener("main"),
    "method": Opener("main").open,
}
UNDECLARED = {
    "object": open_object,
    "any": open_any,
    "unannotated": open_untyped,
    "namespace": open_namespace,
    "lambda": open_lambda,
}
SUBJECTS = {
    "memory": Subject(open_storage, stores_of(MemoryStorage())),
    "object of memory": Subject(object_of_memory, stores_of(MemoryStorage())),
    "mistaken": Subject(open_mistaken, stores_of(Mistaken())),
    "plain": Subject(open_plain, stores_of(Plain())),
    "vague": Subject(open_vague, {"sessions": Sessions, "config": SyncConfig, "vectors": Streams}),
    "subclass": Subject(open_storage, {"config": SyncConfig}),
    "concealed": Subject(SyncStorage, {"vectors": type(MemoryStorage().vectors)}),
    "takes more": Subject(_takes_more, {"config": MemoryConfigStore}),
    "forgets": Subject(_forgets, {"config": MemoryConfigStore}),
    "unknown": Subject(open_object, {"config": AnyConfig}),
    "partly unknown": Subject(open_object, {"config": SyncConfig, "sessions": local_backend()[1]}),
    **{name: Subject(one, {"config": MemoryConfigStore}) for name, one in DECLARED.items()},
    **{name: Subject(one, {"config": SyncConfig}) for name, one in UNDECLARED.items()},
}


class TestDeclaration:
    @pytest.mark.parametrize("kind", DECLARED)
    def test_declared_type_counts(self, checked: Mapping[str, StaticCheck], kind: str) -> None:
        """What the factory declares is checked, whatever kind of factory it is."""
        assert (SYNC,) == checked[kind].errors

    @pytest.mark.parametrize("kind", UNDECLARED)
    def test_classes_count_where_nothing_is_declared(
        self, checked: Mapping[str, StaticCheck], kind: str
    ) -> None:
        """A declaration that says no more than the port itself cannot make a check pass."""
        assert (SYNC,) == sentences(checked[kind])

    def test_classes_count_where_attributes_say_nothing(
        self, checked: Mapping[str, StaticCheck]
    ) -> None:
        """An attribute declared as any object, or as the port, does not speak for a store."""
        named = {error.split(".")[0] for error in sentences(checked["vague"])}
        assert {"Sessions", "SyncConfig", "Streams"} == named

    def test_classes_count_besides_the_declaration(
        self, checked: Mapping[str, StaticCheck]
    ) -> None:
        """A class that breaks what its base class promises is found, although it is not named."""
        assert (SYNC,) == sentences(checked["subclass"])

    @pytest.mark.parametrize(
        ("subject", "start"),
        [
            ("concealed", "`vectors` is offered, but SyncStorage does not declare it: "),
            (
                "takes more",
                "open_named cannot be called with a Path alone: Argument missing for parameter ",
            ),
            ("forgets", "open_forgetful cannot be used with `async with`: "),
        ],
    )
    def test_opening_of_the_wrong_kind_is_a_mistake(
        self, checked: Mapping[str, StaticCheck], subject: str, start: str
    ) -> None:
        """An application that opens it would be told the same by its own checker."""
        assert [start] == [error[: len(start)] for error in checked[subject].errors]


BACKEND = dedent("""
    from clawdesk_storage import AppConfig

    class SyncConfig:
        def get_config(self) -> AppConfig:
            return 1 + ""
        async def save_config(self, config: AppConfig, /) -> None:
            pass

    class SyncStorage:
        def __init__(self, location):
            self.config = SyncConfig()
        async def __aenter__(self):
            return self
        async def __aexit__(self, *error):
            pass
""")


def loaded(file: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module in `file`, under a name that nobody can import."""
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, name, module)
    specification.loader.exec_module(module)
    return module


class TestModules:
    def test_module_of_a_package_outside_the_path_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its relative imports work, since its package is found too."""
        package = tmp_path / "some_package"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "stores.py").write_text(BACKEND)
        (package / "opening.py").write_text("from .stores import SyncStorage as open_storage")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        module: Any = importlib.import_module("some_package.opening")
        monkeypatch.undo()
        stores = {"config": MemoryConfigStore}
        assert check(module.open_storage, stores).errors == (SYNC,)

    def test_script_is_found(self, tmp_path: Path) -> None:
        """A backend in a file that is run is checked as well."""
        script = BACKEND + dedent("""
            import asyncio
            from clawdesk_storage.conformance.running.static import Subject, check_types
            [found] = asyncio.run(check_types(Subject(SyncStorage, {"config": SyncConfig})))
            print(*found.errors, found.problem, sep="\\n")
        """)
        (tmp_path / "my_script.py").write_text(script)
        run = [sys.executable, "my_script.py"]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=False, text=True)
        assert f"my_script.py:5: {SYNC}\nNone\n" == done.stdout

    def test_authors_settings_do_not_matter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither comments nor a configuration in the folder nor the user's language counts."""
        (tmp_path / "some_backend.py").write_text(f"# type: ignore\n# pyright: basic\n{BACKEND}")
        (tmp_path / "pyrightconfig.json").write_text('{"ignore": ["**"], "venv": "elsewhere"}')
        module = loaded(tmp_path / "some_backend.py", "some_backend", monkeypatch)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LC_ALL", "de")
        assert sentences(check(module.SyncStorage, {"config": module.SyncConfig})) == (SYNC,)


class TestNotChecked:
    def test_local_classes(self) -> None:
        """What is defined inside a function has no name to import it by, and the remedy is told."""
        factory, store = local_backend()
        assert (
            f"{__name__}.local_backend.<locals>.LocalConfig is defined inside a function: define "
            "it at module level, or declare what local_backend.<locals>.<lambda> yields, as in "
            "`-> AbstractAsyncContextManager[MyStorage]`"
        ) == check(factory, {"config": store}).problem

    def test_class_made_at_run_time(self) -> None:
        """A class that is not what its name says cannot be checked by its name."""
        made = type("Made", (MemoryConfigStore,), {})
        problem = check(local_backend()[0], {"config": made}).problem
        assert f"{__name__}.Made cannot be imported by that name" == (problem or "").split(":")[0]

    def test_file_whose_name_is_no_identifier(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such a file can be run, and not imported."""
        (tmp_path / "my-backend.py").write_text(BACKEND)
        module = loaded(tmp_path / "my-backend.py", "my-backend", monkeypatch)
        problem = check(module.SyncStorage, {"config": module.SyncConfig}).problem
        assert (problem or "").split(":")[
            0
        ] == "my-backend.SyncConfig cannot be imported by that name"

    def test_compiled_module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pyright reads source: a module without any is a problem, and no pass."""
        (tmp_path / "source.py").write_text(BACKEND)
        compiled = tmp_path / "compiled_backend.pyc"
        py_compile.compile(str(tmp_path / "source.py"), str(compiled))
        module = loaded(compiled, "compiled_backend", monkeypatch)
        problem = check(module.SyncStorage, {"config": module.SyncConfig}).problem
        start = "pyright cannot find the module compiled_backend"
        assert start == (problem or "").partition(":")[0]

    def test_methods_of_unknown_type(self, checked: Mapping[str, StaticCheck]) -> None:
        """A method of any type is no method that was checked."""
        start = f"pyright knows no type for {__name__}.AnyConfig.get_config"
        assert start == (checked["unknown"].problem or "").partition(":")[0]

    def test_problem_beside_mistakes(self, checked: Mapping[str, StaticCheck]) -> None:
        """A store that cannot be checked does not hide the mistakes of another."""
        found = checked["partly unknown"]
        assert (len(found.errors), found.problem) == (2, None)

    def test_no_store(self) -> None:
        """Nothing to check is nothing passed."""
        found = check(open_storage, {})
        assert found.problem == "no store is offered, so there are no types to check"

    def test_pyright_is_not_installed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The remedy is told."""
        venv.create(tmp_path, with_pip=False, symlinks=os.name != "nt")
        found = check_by(tmp_path / "bin" / "python", monkeypatch)
        assert found.problem == (
            'pyright is not installed; install it with: pip install "clawdesk-storage[conformance]"'
        )

    def test_pyright_crashes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it said last is told, and the remedy."""
        found = check_by(interpreter(tmp_path, "echo no node here >&2; exit 1"), monkeypatch)
        assert found.problem == (
            "pyright failed (no node here); "
            'install it with: pip install "clawdesk-storage[conformance]"'
        )

    def test_pyright_talks_nonsense(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An answer that is no report is no pass."""
        found = check_by(interpreter(tmp_path, "echo hello"), monkeypatch)
        assert found.problem == (
            "pyright's answer makes no sense (hello); "
            'install it with: pip install "clawdesk-storage[conformance]"'
        )

    def test_pyright_finds_nothing_at_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A report without the error that must be in it is no pass."""
        report = '{"version": "1.1.400", "generalDiagnostics": []}'
        found = check_by(interpreter(tmp_path, f"echo '{report}'"), monkeypatch)
        start = "pyright cannot find the modules of clawdesk_storage"
        assert start == (found.problem or "").partition(";")[0]

    def test_interpreter_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that cannot be started is a problem, and no crash."""
        found = check_by(tmp_path / "nowhere", monkeypatch)
        assert (found.problem or "").partition(" (")[0] == "pyright could not be started"

    def test_pyright_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The check ends all the same, and leaves no process behind."""
        monkeypatch.setattr(pyright, "_TIMEOUT", 0.5)
        found = check_by(hanging(tmp_path), monkeypatch)
        problem = "pyright gave no answer within 0.5 s; try again on an idle machine"
        assert (problem, False) == (found.problem, alive(tmp_path))

    async def test_cancellation_leaves_no_process_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that is interrupted takes pyright and its node with it."""
        monkeypatch.setattr(sys, "executable", str(hanging(tmp_path)))
        task = asyncio.create_task(_check_one())
        while not (tmp_path / "node").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert (task.cancelled(), alive(tmp_path)) == (True, False)


async def _check_one() -> None:
    await check_types(Subject(open_storage, {"config": MemoryConfigStore}))


def check_by(executable: Path, monkeypatch: pytest.MonkeyPatch) -> StaticCheck:
    """What comes of running pyright by another interpreter."""
    monkeypatch.setattr(sys, "executable", str(executable))
    return check(open_storage, {"config": MemoryConfigStore})


def interpreter(folder: Path, script: str) -> Path:
    """A program that behaves in its own way, whatever it is asked to run."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def hanging(folder: Path) -> Path:
    """A program that waits for its child, as the interpreter does for node."""
    named = f"echo $! > '{folder}/id'; mv '{folder}/id' '{folder}/node'"
    return interpreter(folder, f"sleep 600 & {named}; wait")


def alive(folder: Path) -> bool:
    """Whether the child of a hanging program goes on running."""
    number = int((folder / "node").read_text())
    for _ in range(100):  # the system takes a moment to end a process
        if not runs(number):
            return False
        time.sleep(0.05)
    return True


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    # A process whose parent is gone stays in the table until init has seen its end.
    state = Path(f"/proc/{number}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
