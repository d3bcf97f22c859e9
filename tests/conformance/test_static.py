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
from clawdesk_storage.conformance.running import static
from clawdesk_storage.conformance.running.static import StaticCheck, check_types
from clawdesk_storage.testing import MemoryConfigStore, MemoryStorage, open_storage

ATTRIBUTES = ("sessions", "conversations", "config", "vectors")
P = ParamSpec("P")
T = TypeVar("T")


def check(factory: Callable[[Path], object], stores: Mapping[str, type]) -> StaticCheck:
    return asyncio.run(check_types(factory, stores))


def stores_of(storage: object) -> dict[str, type]:
    return {name: type(getattr(storage, name)) for name in ATTRIBUTES if hasattr(storage, name)}


def sentences(found: StaticCheck) -> tuple[str, ...]:
    """The errors without the places that they begin with."""
    return tuple(error.partition(": ")[2] for error in found.errors)


@pytest.fixture(scope="module")
def correct() -> StaticCheck:
    return check(open_storage, stores_of(MemoryStorage()))


class TestCorrectStores:
    def test_in_memory_stores_pass(self, correct: StaticCheck) -> None:
        """The reference satisfies the ports."""
        assert ((), None, True) == (correct.errors, correct.problem, correct.passed)

    def test_version_is_told(self, correct: StaticCheck) -> None:
        """The report can say which pyright judged."""
        assert ("pyright", "1.") == (correct.checker, correct.version[:2])

    def test_declaration_as_object_passes(self) -> None:
        """Where the factory declares nothing, the classes of the stores are enough to pass."""
        found = check(object_of_memory, stores_of(MemoryStorage()))
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


@pytest.fixture(scope="module")
def mistaken() -> StaticCheck:
    return check(open_mistaken, stores_of(Mistaken()))


@pytest.fixture(scope="module")
def plain() -> StaticCheck:
    return check(open_plain, stores_of(Plain()))


MISTAKES = {
    "a missing method": "Sessions.save is missing: "
    "write `async def save(self, session: Session, /) -> None`",
    "a method that is not async": "Sessions.get is not async: it returns `Session | None`; "
    "write `async def get(self, id: SessionId, /) -> Session | None`",
    "a subject that cannot be passed by position": "Sessions.delete takes 0 of the 1 arguments "
    "that callers pass by position: write `async def delete(self, id: SessionId, /) -> None`",
    "a keyword that callers do not use": "Sessions.delete requires a parameter `id` that no caller "
    "passes by keyword: give it a default",
    "another name of a parameter": "Sessions.list calls a parameter `count` that callers pass as "
    "`limit=`",
    "another return type": "Sessions.list_by_channel returns `Sequence[Session] | None`, and the "
    "port asks for `Sequence[Session]`",
    "a parameter that cannot be passed by keyword": "Conversations.get_messages does not take "
    "`limit` by keyword, and callers pass `limit=`",
    "a parameter too many": "Conversations.append_message requires a parameter `author` that no "
    "caller passes by keyword: give it a default",
    "another parameter type": "Conversations.clear takes `int` for `session_id`, and callers pass "
    "`SessionId`",
    "a second mistake in one method": "Conversations.clear returns `dict[str, int]`, and the port "
    "asks for `None`",
    "a decorator that hides the coroutine": "Config.get_config returns `Awaitable[AppConfig]`, and "
    "`async def` returns `CoroutineType[Any, Any, AppConfig]`: write `async def`, and let a "
    "decorator's type be that of what it decorates",
    "a parameter type that is wider than it looks": "Config.save_config takes `dict[str, Any]` for "
    "`config`, and callers pass `AppConfig`",
    "a parameter too few": "Vectors.upsert takes 2 of the 3 arguments that callers pass by "
    "position: write `async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) "
    "-> None`",
    "an async generator": "Vectors.search is an async generator (`AsyncIterator[VectorResult]`): "
    "return `Sequence[VectorResult]` instead of using yield",
    "a method without self": "Vectors.delete takes `id` where `self` belongs: "
    "write `async def delete(self, id: str, /) -> None`",
}

OTHER_MISTAKES = {
    "an attribute": "PlainSessions.get is `int`, and no method: "
    "write `async def get(self, id: SessionId, /) -> Session | None`",
    "a property": "PlainSessions.save is `property`, and no method: "
    "write `async def save(self, session: Session, /) -> None`",
    "variable arguments without the first name": "PlainSessions.list does not take `limit` by "
    "keyword, and callers pass `limit=`",
    "variable arguments without the second name": "PlainSessions.list does not take `offset` by "
    "keyword, and callers pass `offset=`",
    "an async generator that says so": "Streams.search is an async generator "
    "(`AsyncGenerator[VectorResult, None]`): return `Sequence[VectorResult]` instead of using "
    "yield",
    "a decorator that widens the coroutine": "Streams.upsert returns `Coroutine[Any, Any, None]`, "
    "and `async def` returns `CoroutineType[Any, Any, None]`: write `async def`, and let a "
    "decorator's type be that of what it decorates",
}


class TestMistakes:
    @pytest.mark.parametrize("kind", MISTAKES)
    def test_mistake_is_told_in_words(self, mistaken: StaticCheck, kind: str) -> None:
        """Each mistake gives its own sentence."""
        assert MISTAKES[kind] in sentences(mistaken)

    @pytest.mark.parametrize("kind", OTHER_MISTAKES)
    def test_other_mistake_is_told_in_words(self, plain: StaticCheck, kind: str) -> None:
        """Each mistake gives its own sentence."""
        assert OTHER_MISTAKES[kind] in sentences(plain)

    def test_nothing_else_is_told(self, mistaken: StaticCheck) -> None:
        """A mistake gives one sentence, and what is right gives none."""
        assert set(MISTAKES.values()) == set(sentences(mistaken))

    def test_what_has_no_words_is_told_in_those_of_pyright(self, plain: StaticCheck) -> None:
        """No mistake is lost because it is an unusual one."""
        [told] = [error for error in sentences(plain) if error.startswith("Overloaded.clear ")]
        start = (
            'Overloaded.clear is not what the port asks for: Type "Overloaded" is not assignable'
        )
        assert start == told[: len(start)]

    def test_none_is_told_by_attribute(self, plain: StaticCheck) -> None:
        """A store that may be None by its declaration is of no use to a caller."""
        expected = "`config` is declared as `MemoryConfigStore | None`: leave out the None"
        assert [expected] == [error for error in plain.errors if "config" in error]

    def test_more_general_methods_are_right(self, plain: StaticCheck) -> None:
        """Wider parameters, narrower results and further options satisfy a port."""
        right = ("PlainSessions.delete", "PlainSessions.list_by_channel", "Streams.delete")
        assert [error for error in sentences(plain) if error.startswith(right)] == []

    def test_place_is_that_of_the_method(self, mistaken: StaticCheck) -> None:
        """A mistake names the file and line of the method."""
        line = inspect.getsourcelines(Sessions.get)[1]
        place = f"{Path(__file__).relative_to(Path.cwd())}:{line}"
        assert [place] == [e.split(": ")[0] for e in mistaken.errors if "Sessions.get " in e]

    def test_missing_method_has_the_place_of_its_class(self, mistaken: StaticCheck) -> None:
        """A method that is not there is missed where its class is."""
        line = inspect.getsourcelines(Sessions)[1]
        place = f"{Path(__file__).relative_to(Path.cwd())}:{line}"
        assert [place] == [e.split(": ")[0] for e in mistaken.errors if "Sessions.save " in e]


class SyncConfig:
    """A configuration store with one mistake."""

    def get_config(self) -> AppConfig:
        raise NotImplementedError

    async def save_config(self, config: AppConfig, /) -> None:
        raise NotImplementedError


SYNC = (
    "SyncConfig.get_config is not async: it returns `AppConfig`; "
    "write `async def get_config(self) -> AppConfig`"
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


class TestDeclaration:
    @pytest.mark.parametrize(
        "factory",
        [
            SyncStorage,
            functools.partial(open_named, "main"),
            Opener("main"),
            Opener("main").open,
        ],
        ids=["class", "partial", "callable instance", "method"],
    )
    def test_declared_type_counts(self, factory: Callable[[Path], object]) -> None:
        """What the factory declares is checked, whatever kind of factory it is."""
        found = check(factory, {"config": MemoryConfigStore})
        assert found.errors == (SYNC,)

    @pytest.mark.parametrize(
        "factory",
        [
            open_object,
            open_any,
            open_untyped,
            open_namespace,
            open_lambda,
        ],
        ids=["object", "any", "unannotated", "namespace", "lambda"],
    )
    def test_classes_count_where_nothing_is_declared(
        self, factory: Callable[[Path], object]
    ) -> None:
        """A declaration that says no more than the port itself cannot make a check pass."""
        found = check(factory, {"config": SyncConfig})
        assert sentences(found) == (SYNC,)

    def test_classes_count_where_attributes_say_nothing(self) -> None:
        """An attribute declared as any object, or as the port, does not speak for a store."""
        stores = {"sessions": Sessions, "config": SyncConfig, "vectors": Streams}
        named = {error.split(".")[0] for error in sentences(check(open_vague, stores))}
        assert {"Sessions", "SyncConfig", "Streams"} == named

    def test_classes_count_besides_the_declaration(self) -> None:
        """A class that breaks what its base class promises is found, although it is not named."""
        assert (SYNC,) == sentences(check(open_storage, {"config": SyncConfig}))

    def test_undeclared_store_is_a_mistake(self) -> None:
        """An application's checker does not see a store that the storage's class conceals."""
        found = check(SyncStorage, {"vectors": type(MemoryStorage().vectors)})
        start = "`vectors` is offered, but SyncStorage does not declare it"
        assert [start] == [error.partition(": ")[0] for error in found.errors]

    def test_factory_that_takes_no_path_is_a_mistake(self) -> None:
        """The suite and an application call the factory with a location alone."""
        factory: Any = open_named
        start = "open_named cannot be called with a Path alone: Argument missing for parameter"
        found = check(factory, {"config": MemoryConfigStore})
        assert [start] == [error.partition(' "')[0] for error in found.errors]

    def test_factory_that_gives_no_context_manager_is_a_mistake(self) -> None:
        """A storage that cannot be entered cannot be closed."""
        found = check(open_forgetful, {"config": MemoryConfigStore})
        start = "open_forgetful cannot be used with `async with`"
        assert [start] == [error.partition(": ")[0] for error in found.errors]


async def open_forgetful(location: Path) -> AsyncGenerator[MemoryStorage]:
    yield MemoryStorage()


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
    def test_module_outside_the_path_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A module that was loaded from its file is found there; its own mistakes do not count."""
        (tmp_path / "some_backend.py").write_text(BACKEND)
        module = loaded(tmp_path / "some_backend.py", "loaded_by_hand", monkeypatch)
        assert sentences(check(module.SyncStorage, {"config": module.SyncConfig})) == (SYNC,)

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
            from clawdesk_storage.conformance.running.static import check_types
            found = asyncio.run(check_types(SyncStorage, {"config": SyncConfig}))
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


def local_backend() -> tuple[Callable[[Path], object], type]:
    class LocalConfig(MemoryConfigStore):
        pass

    class LocalStorage(MemoryStorage):
        pass

    return lambda location: LocalStorage(), LocalConfig


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

    def test_methods_of_unknown_type(self) -> None:
        """A method of any type is no method that was checked."""
        problem = check(open_object, {"config": AnyConfig}).problem
        start = f"pyright knows no type for {__name__}.AnyConfig.get_config"
        assert start == (problem or "").partition(":")[0]

    def test_problem_beside_mistakes(self) -> None:
        """A store that cannot be checked does not hide the mistakes of another."""
        found = check(open_object, {"config": SyncConfig, "sessions": local_backend()[1]})
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
        monkeypatch.setattr(static, "_TIMEOUT", 0.5)
        found = check_by(hanging(tmp_path), monkeypatch)
        problem = "pyright gave no answer within 0.5 s; try again on an idle machine"
        assert (problem, False) == (found.problem, alive(tmp_path))

    async def test_cancellation_leaves_no_process_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that is interrupted takes pyright and its node with it."""
        monkeypatch.setattr(sys, "executable", str(hanging(tmp_path)))
        task = asyncio.create_task(check_types(open_storage, {"config": MemoryConfigStore}))
        while not (tmp_path / "node").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert (task.cancelled(), alive(tmp_path)) == (True, False)


class AnyConfig:
    get_config: Any = None

    async def save_config(self, config: AppConfig, /) -> None:
        raise NotImplementedError


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
