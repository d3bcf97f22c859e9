"""Opening a storage by its URL, whichever backend is installed for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeAlias, cast

from clawdesk_storage.ports import Storage

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

__all__ = ["location_of", "open_storage"]

_GROUP = "clawdesk_storage.schemes"
_PACKAGES = {
    "postgresql": "clawdesk-postgres",
    "sochdb": "clawdesk-sochdb",
    "sqlite": "clawdesk-sqlite",
}

_FromURL: TypeAlias = Callable[[str], AbstractAsyncContextManager[Storage]]


def open_storage(url: str, /) -> AbstractAsyncContextManager[Storage]:
    """Return the storage at `url`, which the `async with` block opens and closes.

        async with open_storage("sqlite:data") as storage:
            await storage.sessions.save(session)

    Args:
        url: What stands before the first colon is the scheme, and names an installed backend:
            `sqlite:data` (a directory, relative), `sqlite:///var/lib/gateway` (absolute),
            `sochdb:data`, `postgresql://user:password@host/database`, `memory:`. Percent-escapes
            are decoded, and options are query parameters, as each backend describes them.

    Raises:
        ValueError: No installed backend has that scheme, or it has no such option, or the value of
            one is unusable. The message never quotes a password.
        ImportError: The backend, or its driver, cannot be imported.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a storage's URL must be a str, not {type(url).__name__}")
    # Imported here, for it takes longer to import than the rest of the package.
    from importlib.metadata import entry_points  # noqa: PLC0415

    known = {point.name: point for point in entry_points(group=_GROUP)}
    scheme, colon, _ = url.partition(":")
    if not colon or not _is_scheme(scheme):
        raise ValueError(
            "a storage's URL begins with a scheme and a colon, as in sqlite:data; "
            f"{_installed(known)}"
        )
    point = known.get(scheme.lower())
    if point is None:
        raise ValueError(f"no installed backend opens {scheme}: URLs; {_advice(scheme, known)}")
    return _loaded(point)(url)


def location_of(url: str, /) -> Path:
    """Return the directory that the URL of a file-based backend names.

        def from_url(url: str) -> AbstractAsyncContextManager[Storage]:
            return open_storage(location_of(url))

    Args:
        url: `scheme:data` for a relative directory, `scheme:///var/lib/gateway` for an absolute
            one; percent-escapes are decoded.

    Raises:
        ValueError: It names no directory, but a host, options or a fragment.
    """
    # Imported here: whoever opens nothing needs neither.
    from pathlib import Path  # noqa: PLC0415
    from urllib.parse import unquote  # noqa: PLC0415

    scheme, _, rest = url.partition(":")
    host, slash, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest)
    if host:
        raise ValueError(
            f"a {scheme}: URL has no host: type {scheme}:data for a relative directory, or "
            f"{scheme}:///data for an absolute one"
        )
    for sign, escape, what in (("?", "%3F", "options"), ("#", "%23", "fragment")):
        if sign in rest:
            raise ValueError(
                f"a {scheme}: URL has no {what}: a {sign} in a name is written {escape}"
            )
    try:
        name = unquote(slash + path, errors="strict")
    except UnicodeDecodeError:
        name = ""
    if not name or "\0" in name:
        raise ValueError(f"a {scheme}: URL names a directory, as in {scheme}:data")
    return Path(name)


def _is_scheme(text: str) -> bool:
    return text[:1].isalpha() and text.isascii() and text.translate(_MARKS).isalnum()


_MARKS = str.maketrans("", "", "+-.")


def _loaded(point: EntryPoint) -> _FromURL:
    try:
        return cast("_FromURL", point.load())
    except (ImportError, AttributeError) as error:
        package = point.dist.name if point.dist else point.value
        raise ImportError(
            f"the backend for {point.name}: URLs cannot be imported: {error}; install it whole, "
            f"with: pip install {package}"
        ) from error


def _advice(scheme: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    scheme = scheme.lower()
    if close := get_close_matches(scheme, known, 1):
        return f"did you mean {close[0]}:? {_installed(known)}"
    if close := get_close_matches(scheme, _PACKAGES, 1):
        return f"{_installed(known)}; for {close[0]}: type: pip install {_PACKAGES[close[0]]}"
    return f"{_installed(known)}; install the package that has one for {scheme}:"


def _installed(known: Mapping[str, object]) -> str:
    names = ", ".join(f"{name}:" for name in sorted(known))
    return f"installed are {names}" if names else "no backend is installed"
