"""The suite as pytest tests: the one module that imports pytest.

    from clawdesk_storage.conformance.pytest import StorageConformance

    class TestMine(StorageConformance):
        backend = Backend(open_storage)

The tests are synchronous, and each law brings its own event loop: they need no async plugin and
are disturbed by none. They use no `assert`, so that `python -O` changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, NoReturn

import pytest

from clawdesk_storage.conformance.backend import Backend, BackendError, BackendLike, load
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.running.isolation import Hung
from clawdesk_storage.conformance.running.runner import (
    DEFAULT_TIMEOUT,
    Runner,
    laws,
    try_law,
)
from clawdesk_storage.conformance.running.static import StaticCheck
from clawdesk_storage.conformance.telling.report import IDLE, LawResult, Outcome

__all__ = ["StorageConformance"]

_TESTS: Final = ("test_law", "test_types", "test_backend")
_FIXTURE: Final = "FixtureFunctionDefinition"


class StorageConformance:
    """One test for each law, one for the types, and one for the backend's own description.

    A law that the backend does not claim or whose port it does not offer is skipped with the
    reason; a waived one that fails is an expected failure, and one that passes is an error.

    Attributes:
        backend: What is tested: a `Backend`, an open function, `module:attribute` of either, or an
            entry point's name. It may also be a fixture that returns one of these, such as the
            address of a server that is started for the tests.
        timeout: Seconds that a law may wait without any call returning.
    """

    backend: ClassVar[BackendLike]
    timeout: ClassVar[float] = DEFAULT_TIMEOUT

    def __init_subclass__(cls) -> None:
        """Refuse a subclass in which a law would be replaced and so never run.

        Raises:
            TypeError: The class defines one of the suite's own tests.
            BackendError: There is no backend of the name that the class gives.
        """
        super().__init_subclass__()
        for name in _TESTS:
            if getattr(cls, name) is not getattr(StorageConformance, name):
                raise TypeError(
                    f"{cls.__name__} replaces {name}, which runs the laws; to let a law fail, "
                    "give its number and the reason to Backend(waivers=...)"
                )
        target = _target(cls)
        if isinstance(target, str):
            load(target)  # once, and not again in every law

    @pytest.mark.parametrize("law", laws(), ids=str)
    def test_law(self, law: Law, request: pytest.FixtureRequest) -> None:
        """The law holds."""
        __tracebackhide__ = True
        _judge(try_law(law, self._loaded(request), timeout=self.timeout))

    def test_types(self, request: pytest.FixtureRequest) -> None:
        """What the open function yields satisfies the ports, says pyright."""
        __tracebackhide__ = True
        try:
            static = asyncio.run(_check(self._loaded(request), self.timeout))
        except (BackendError, Hung) as error:
            _fail(str(error))
        if static.problem is not None:
            _fail(f"the types were not checked: {static.problem}")
        if static.errors:
            _fail("\n".join(static.errors))

    def test_backend(self, request: pytest.FixtureRequest) -> None:
        """The backend can be opened, offers at least one port, and waives only laws that exist."""
        __tracebackhide__ = True
        backend = self._loaded(request)
        try:
            offered = asyncio.run(Runner(backend, timeout=self.timeout).offered())
        except (BackendError, Hung) as error:
            _fail(str(error))
        if offered is None:
            _fail("the storage cannot be opened; the laws tell how it fails")

    def _loaded(self, request: pytest.FixtureRequest) -> Backend:
        __tracebackhide__ = True
        target = _target(type(self))
        if target is None:
            try:
                target = request.getfixturevalue("backend")
            except pytest.FixtureLookupError:
                _fail(f"{type(self).__name__} does not say its `backend`, and no fixture does")
        try:
            return load(target)[1]
        except BackendError as error:
            _fail(str(error))


def _target(cls: type) -> Any:
    """The attribute `backend` of a class of tests; None where there is none, or it is a fixture."""
    found = next((vars(one)["backend"] for one in cls.__mro__ if "backend" in vars(one)), None)
    if hasattr(found, "_pytestfixturefunction") or type(found).__name__ == _FIXTURE:
        return None
    # An open function that stands in a class is a method of it; here it must stay what it was.
    return found.__func__ if isinstance(found, staticmethod) else found


def _fail(text: str) -> NoReturn:
    __tracebackhide__ = True
    pytest.fail(_encodable(text), pytrace=False)


def _encodable(text: str) -> str:
    """A text that a store's words cannot keep from being sent or written: no lone surrogates.

    Workers of pytest-xdist end by one, and with them the failure that they had to tell.
    """
    return text.encode(errors="backslashreplace").decode()


async def _check(backend: Backend, timeout: float) -> StaticCheck:
    runner = Runner(backend, timeout=timeout)
    return await runner.check(await runner.offered())


def _judge(result: LawResult) -> None:
    __tracebackhide__ = True
    if result.outcome in IDLE:
        pytest.skip(_encodable(f"{result.outcome}: {result.detail}"))
    if result.outcome is Outcome.WAIVED:
        pytest.xfail(_encodable(result.detail))
    if result.outcome is not Outcome.PASSED:
        _fail(f"{result.outcome}: {result.detail}")
