"""What the suite knows of an implementation: how to open it, and what it claims."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from copy import copy
from dataclasses import KW_ONLY, dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeAlias, cast

from clawdesk_storage.conformance.ability import ABILITIES

__all__ = ["Backend", "BackendError", "BackendLike", "load", "suggestion"]

ENTRY_POINTS = "clawdesk_storage.backends"

OpenStorage: TypeAlias = Callable[[Path], AbstractAsyncContextManager[object]]


class BackendError(Exception):
    """Something that was named as a backend is none; the message says why and what to do."""


@dataclass(frozen=True)
class Backend:
    """An implementation under test.

    Args:
        open: Takes a directory and returns an async context manager that yields an object with any
            of `sessions`, `conversations`, `config` and `vectors`. The same directory is the same
            data, another directory shares nothing. Importable by name, it can be opened in another
            process too.
        durable: What is acknowledged outlives the process, even one that is killed.
        shared: Two handles open on one location, in one process or in two, see each other's writes.
        recall: The share of the true nearest neighbours that a search finds; 1.0 is exact.
        abilities: The names of the abilities that must be found in it, such as `MessageBatches`: a
            floor, so that a method that is lost does not leave its laws out in silence.
        outage: Takes a location and returns an async context manager inside which the engine is
            unreachable. Given, the outage laws are claimed.
        corrupt: Takes a location and `"sessions"`, `"conversations"`, `"config"` or `"vectors"`,
            and damages every stored record of that port while no handle is open. Given, the
            corruption laws are claimed.
        waivers: For the number of a law that is known to fail, the reason why. A waived law that
            passes is an error.

    Raises:
        BackendError: One of the arguments makes no sense.
    """

    open: OpenStorage
    _: KW_ONLY
    durable: bool = True
    shared: bool = True
    recall: float = 1.0
    abilities: Sequence[str] = ()
    outage: Callable[[Path], AbstractAsyncContextManager[object]] | None = None
    corrupt: Callable[[Path, str], Awaitable[object]] | None = None
    waivers: Mapping[str, str] = field(default_factory=dict[str, str])
    origin: str | None = field(default=None, init=False, repr=False, compare=False)
    """The name by which it was loaded, and by which another process loads the very same."""

    def __post_init__(self) -> None:
        if not callable(self.open):
            raise BackendError(
                f"{self.open!r} is no backend: it must be a function that takes a location and "
                "returns an async context manager"
            )
        if not 0 < self.recall <= 1:
            raise BackendError(f"recall must be above 0 and at most 1, and is {self.recall}")
        self._check_abilities()
        for number, reason in self.waivers.items():
            if not reason.strip():
                raise BackendError(f"the waiver of {number} gives no reason")

    def _check_abilities(self) -> None:
        if isinstance(self.abilities, str):
            raise BackendError(
                f"abilities is the text {self.abilities!r}, and should be a tuple of names"
            )
        for name in self.abilities:
            if name not in ABILITIES:
                raise BackendError(f"there is no ability {name!r}; {suggestion(name, ABILITIES)}")

    def claims(self, claim: str) -> bool:
        """Tell whether the backend claims `durable`, `shared`, `outage` or `corruption`."""
        return self.unclaimed(claim) is None

    def unclaimed(self, claim: str) -> str | None:
        """Return why a claim is not made, or None where it is."""
        made, reason = {
            "durable": (self.durable, "durable=False: what is written may end with the process"),
            "shared": (self.shared, "shared=False: a location has one handle at a time"),
            "outage": (self.outage is not None, "no outage hook: the engine is never out of reach"),
            "corruption": (self.corrupt is not None, "no corrupt hook: records cannot be damaged"),
        }[claim]
        return None if made else reason


BackendLike: TypeAlias = Backend | OpenStorage | str
"""A `Backend`, a bare open function, `module:attribute` of either, or an entry point's name."""


def load(target: BackendLike) -> tuple[str, Backend]:
    """Return the name and the backend that `target` stands for.

    Raises:
        BackendError: There is no such backend, its module cannot be imported, or it is none.
    """
    if isinstance(target, str):
        backend = copy(_wrapped(_named(target), target))
        object.__setattr__(backend, "origin", target)
        return target, backend
    if isinstance(target, Backend):
        return _name_of(target.open), target
    backend = _wrapped(target, repr(target))
    return _name_of(target), backend


def _wrapped(found: object, target: str) -> Backend:
    if isinstance(found, Backend):
        return found
    if not callable(found):
        raise BackendError(
            f"{target} is no backend: it is of type {type(found).__name__}, and should be a "
            "function that takes a location, or a Backend made of one"
        )
    return Backend(cast("OpenStorage", found))


def _name_of(factory: Callable[..., object]) -> str:
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    return f"{factory.__module__}:{name}"


def _named(target: str) -> object:
    module, colon, attribute = target.partition(":")
    if colon:
        return _attribute(_imported(module, target), attribute, target)
    known = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if target not in known:
        hint = suggestion(target, known, "or name one as module:attribute")
        raise BackendError(f"there is no backend named {target!r}; {hint}")
    return _from(known[target])


def suggestion(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return what is said after a name that does not exist: a near one, or all that there are.

    Args:
        name: What was given.
        known: The names that there are.
        otherwise: What else could be done, where no name is near.
    """
    names = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), names, 1)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    there = f"there are: {', '.join(sorted(names.values())) or 'none'}"
    return f"{there}; {otherwise}" if otherwise else there


def _from(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        raise BackendError(
            f"the backend {point.name!r} cannot be loaded from {point.value}: {_said(error)}"
        ) from error


def _imported(module: str, target: str) -> object:
    if not all(part.isidentifier() for part in module.split(".")):
        raise BackendError(f"{target!r} is not of the form module:attribute")
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` does: a backend's author stands in its folder
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise BackendError(f"the module {module!r} cannot be imported: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")


def _attribute(found: Any, path: str, target: str) -> object:
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            names = [known for known in dir(found) if not known.startswith("_")]
            close = get_close_matches(name, names, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            owner = found.__name__ if inspect.ismodule(found) else type(found).__name__
            raise BackendError(f"{target!r}: {owner} has no attribute {name!r}{hint}") from error
    return found
