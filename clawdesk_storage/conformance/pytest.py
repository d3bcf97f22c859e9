"""The suite as pytest tests: the one module that imports pytest.

    from clawdesk_storage.conformance.pytest import StorageConformance

    class TestMine(StorageConformance):
        backend = Backend(open_storage)

The tests are synchronous, and each law brings its own event loop: they need no async plugin and
are disturbed by none. They use no `assert`, so that `python -O` changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

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


class StorageConformance:
    """One test for each law, one for the types, and one for the backend's own description.

    A law that the backend does not claim or whose port it does not offer is skipped with the
    reason; a waived one that fails is an expected failure, and one that passes is an error.

    Attributes:
        backend: What is tested: a `Backend`, an open function, `module:attribute` of either, or an
            entry point's name.
        timeout: Seconds that a law may wait without any call returning.
    """

    backend: ClassVar[BackendLike]
    timeout: ClassVar[float] = DEFAULT_TIMEOUT

    def __init_subclass__(cls) -> None:
        """Refuse a subclass in which a law would be replaced and so never run.

        Raises:
            TypeError: The class defines one of the suite's own tests.
        """
        super().__init_subclass__()
        for name in _TESTS:
            if getattr(cls, name) is not getattr(StorageConformance, name):
                raise TypeError(
                    f"{cls.__name__} replaces {name}, which runs the laws; to let a law fail, "
                    "give its number and the reason to Backend(waivers=...)"
                )

    @pytest.mark.parametrize("law", laws(), ids=str)
    def test_law(self, law: Law) -> None:
        """The law holds."""
        __tracebackhide__ = True
        _judge(try_law(law, self._loaded(), timeout=self.timeout))

    def test_types(self) -> None:
        """What the open function yields satisfies the ports, says pyright."""
        __tracebackhide__ = True
        try:
            static = asyncio.run(_check(self._loaded(), self.timeout))
        except (BackendError, Hung) as error:
            pytest.fail(str(error), pytrace=False)
        if static.problem is not None:
            pytest.fail(f"the types were not checked: {static.problem}", pytrace=False)
        if static.errors:
            pytest.fail("\n".join(static.errors), pytrace=False)

    def test_backend(self) -> None:
        """The backend can be opened, offers at least one port, and waives only laws that exist."""
        __tracebackhide__ = True
        backend = self._loaded()
        try:
            offered = asyncio.run(Runner(backend, timeout=self.timeout).offered())
        except (BackendError, Hung) as error:
            pytest.fail(str(error), pytrace=False)
        if offered is None:
            pytest.fail("the storage cannot be opened; the laws tell how it fails", pytrace=False)

    def _loaded(self) -> Backend:
        __tracebackhide__ = True
        if not hasattr(type(self), "backend"):
            pytest.fail(f"{type(self).__name__} does not say its `backend`", pytrace=False)
        # An open function that stands in a class is a method of it; here it must stay what it was.
        target = vars(_owner(type(self)))["backend"]
        try:
            return load(target.__func__ if isinstance(target, staticmethod) else target)[1]
        except BackendError as error:
            pytest.fail(str(error), pytrace=False)


async def _check(backend: Backend, timeout: float) -> StaticCheck:
    runner = Runner(backend, timeout=timeout)
    return await runner.check(await runner.offered())


def _owner(cls: type) -> type:
    return next(one for one in cls.__mro__ if "backend" in vars(one))


def _judge(result: LawResult) -> None:
    __tracebackhide__ = True
    if result.outcome in IDLE:
        pytest.skip(f"{result.outcome}: {result.detail}")
    if result.outcome is Outcome.WAIVED:
        pytest.xfail(result.detail)
    if result.outcome is not Outcome.PASSED:
        pytest.fail(f"{result.outcome}: {result.detail}", pytrace=False)
