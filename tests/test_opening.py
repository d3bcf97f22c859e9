"""Opening a storage by its URL: what opens, and what is said where nothing does."""

import importlib.metadata
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from clawdesk_storage import ConnectionFailedError, Storage, location_of, open_storage

_GROUP = "clawdesk_storage.schemes"


@pytest.fixture
def only_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No backend is installed besides the stores in memory."""
    _install(monkeypatch, ("memory", "clawdesk_storage.testing.opening:from_url"))


def _install(monkeypatch: pytest.MonkeyPatch, *schemes: tuple[str, str]) -> None:
    points = EntryPoints(EntryPoint(name, value, _GROUP) for name, value in schemes)

    def entry_points(*, group: str) -> EntryPoints:
        return points.select(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


@pytest.mark.parametrize("url", ["memory:", "Memory:"])
async def test_what_is_in_memory_has_a_url(url: str) -> None:
    """It is opened and closed by the block, and each is another storage."""
    async with open_storage(url) as storage:
        assert isinstance(storage, Storage)
        await storage.config.get_config()
    with pytest.raises(ConnectionFailedError):
        await storage.config.get_config()


@pytest.mark.parametrize("url", ["memory:data", "memory:///data", "memory:?size=1"])
def test_what_is_in_memory_has_no_place_and_no_options(url: str) -> None:
    """What would be ignored is refused, for it was meant to do something."""
    with pytest.raises(ValueError, match="type memory: alone"):
        open_storage(url)


def _refusal(url: Any, kind: type[Exception] = ValueError) -> str:
    """What is said of that URL, and nothing of its password is among it."""
    with pytest.raises(kind) as caught:
        open_storage(url)
    error = caught.value
    shown = [str(error), repr(error), *traceback.format_exception(error)]
    assert [text for text in shown if "hunter2" in text] == []
    return str(error)


@pytest.mark.parametrize(
    "url", ["", "data", "/var/lib/data", ":data", "1a:data", " memory:", "me@hunter2:5432", "ü:"]
)
@pytest.mark.usefixtures("only_memory")
def test_without_a_scheme_it_is_no_url(url: str) -> None:
    """It says what one looks like, and what is installed."""
    said = (
        "a storage's URL begins with a scheme and a colon, as in sqlite:data; installed are memory:"
    )
    assert said == _refusal(url)


@pytest.mark.usefixtures("only_memory")
def test_a_path_is_no_url() -> None:
    """A backend's own open function takes one, and is easily mistaken for this."""
    assert "a storage's URL must be a str, not PosixPath" == _refusal(Path("data"), TypeError)


@pytest.mark.usefixtures("only_memory")
def test_a_misspelt_scheme_is_told_what_was_meant() -> None:
    """Of those that are installed."""
    said = "no installed backend opens memroy: URLs; did you mean memory:? installed are memory:"
    assert said == _refusal("memroy:")


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("sqlite:data", "for sqlite: type: pip install clawdesk-sqlite"),
        ("sqlite3:data", "for sqlite: type: pip install clawdesk-sqlite"),
        ("sochdb:data", "for sochdb: type: pip install clawdesk-sochdb"),
        ("postgresql://me:hunter2@host/db", "for postgresql: type: pip install clawdesk-postgres"),
        ("postgres://me:hunter2@host/db", "for postgresql: type: pip install clawdesk-postgres"),
        ("redis://:hunter2@host", "install the package that has one for redis:"),
    ],
)
@pytest.mark.usefixtures("only_memory")
def test_a_backend_that_is_not_installed_is_named_with_what_to_type(url: str, package: str) -> None:
    """What is installed, what is missing, what to do."""
    scheme = url.partition(":")[0]
    said = f"no installed backend opens {scheme}: URLs; installed are memory:; {package}"
    assert said == _refusal(url)


def test_without_any_backend_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a tree that was never installed."""
    _install(monkeypatch)
    assert "no backend is installed" in _refusal("memory:")


def _distribution(folder: Path, code: str) -> None:
    """Install a distribution whose scheme is `tried`."""
    (folder / "tried_opening.py").write_text(code, encoding="utf-8")
    metadata = folder / "clawdesk_tried-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: clawdesk-tried\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(
        f"[{_GROUP}]\ntried = tried_opening:from_url\n", encoding="utf-8"
    )


@pytest.fixture
def installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A distribution with the code that the test gives."""
    _distribution(tmp_path, request.param)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "tried_opening", raising=False)


_GOOD = """
from clawdesk_storage.testing import MemoryStorage
def from_url(url):
    if "?" in url:
        raise ValueError("tried: has no options")
    return MemoryStorage()
"""


@pytest.mark.parametrize("installed", [_GOOD], indirect=True)
@pytest.mark.usefixtures("installed")
async def test_an_installed_backend_opens_its_scheme() -> None:
    """By its entry point alone."""
    async with open_storage("tried:anything") as storage:
        await storage.config.get_config()


@pytest.mark.parametrize("installed", [_GOOD], indirect=True)
@pytest.mark.usefixtures("installed")
def test_what_the_backend_refuses_is_refused_before_anything_is_opened() -> None:
    """Its sentence is the caller's."""
    assert "tried: has no options" == _refusal("tried://me:hunter2@host?x=1")


_BROKEN: Sequence[tuple[str, str]] = [
    ("import tried_driver", "No module named 'tried_driver'"),
    ("", "module 'tried_opening' has no attribute 'from_url'"),
]


@pytest.mark.parametrize(("installed", "reason"), _BROKEN, indirect=["installed"])
@pytest.mark.usefixtures("installed")
def test_a_missing_driver_is_named_with_what_to_type(reason: str) -> None:
    """Installing the backend's distribution brings it."""
    assert (
        f"the backend for tried: URLs cannot be imported: {reason}; install it whole, "
        "with: pip install clawdesk-tried"
    ) == _refusal("tried://me:hunter2@host", ImportError)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tried:data", "data"),
        ("tried:./a/b", "a/b"),
        ("tried:../data", "../data"),
        ("tried:/var/data", "/var/data"),
        ("tried:///var/data", "/var/data"),
        ("tried:a%20b%3F%23%25", "a b?#%"),
        ("tried:a b", "a b"),
        ("tried:C%3A", "C:"),
        ("tried:a:b", "a:b"),
        ("tried:d%C3%A9", "d\u00e9"),
        ("tried:.", "."),
    ],
)
def test_a_url_of_files_names_a_directory(url: str, place: str) -> None:
    """Relative without slashes, absolute with three, and escapes are decoded once."""
    assert Path(place) == location_of(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("tried:", "names a directory, as in tried:data"),
        ("tried://", "names a directory, as in tried:data"),
        ("tried:a%00b", "names a directory"),
        ("tried:%ff", "names a directory"),
        ("tried://data", "has no host: type tried:data for a relative directory"),
        ("tried://me:hunter2@host/data", "has no host"),
        ("tried:data?hunter2=1", "has no options: a ? in a name is written %3F"),
        ("tried:data#hunter2", "has no fragment: a # in a name is written %23"),
    ],
)
def test_what_names_no_directory_is_refused(url: str, reason: str) -> None:
    """In words that quote nothing of it."""
    with pytest.raises(ValueError, match="URL") as caught:
        location_of(url)
    assert (True, False) == (reason in str(caught.value), "hunter2" in str(caught.value))
