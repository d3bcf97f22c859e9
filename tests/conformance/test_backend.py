"""What counts as a backend, and how it is named."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from clawdesk_storage.conformance import Backend, BackendError, load
from clawdesk_storage.testing import open_storage
from clawdesk_storage.testing.backend import backend as memory

_HERE = "tests.conformance.broken"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("memory", "memory"),
        ("clawdesk_storage.testing.backend:backend", "clawdesk_storage.testing.backend:backend"),
        ("clawdesk_storage.testing:open_storage", "clawdesk_storage.testing:open_storage"),
        (memory, "clawdesk_storage.testing.memory:open_storage"),
        (open_storage, "clawdesk_storage.testing.memory:open_storage"),
    ],
    ids=["entry point", "module:Backend", "module:function", "Backend", "function"],
)
def test_a_backend_can_be_named_in_every_way(target: Any, name: str) -> None:
    """An entry point, module:attribute of a Backend or a function, or the object itself."""
    found, backend = load(target)
    assert (name, open_storage) == (found, backend.open)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("memry", "there is no backend named 'memry'; did you mean 'memory'?"),
        ("quite else", "there are: memory"),
        ("no.such:thing", "the module 'no.such' cannot be imported: ModuleNotFoundError"),
        ("json:dump_", "json has no attribute 'dump_'; did you mean 'dump'?"),
        (f"{_HERE}:NUMBER", "is no backend: it is of type int"),
        ("a b:c", "'a b:c' is not of the form module:attribute"),
        (":x", "':x' is not of the form module:attribute"),
        (7, "7 is no backend: it is of type int"),
    ],
)
def test_what_is_no_backend_is_said_in_a_sentence(target: Any, words: str) -> None:
    """The message names what was wrong, on one line."""
    with pytest.raises(BackendError, match=re.escape(words)) as caught:
        load(target)
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize(
    "text", ["raise RuntimeError('at import')", "import sys; sys.exit(3)", "def broken(:"]
)
def test_a_module_that_fails_to_import_is_said_in_a_sentence(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a backend's module does, the command line shows no traceback."""
    name = f"failing_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(BackendError, match=f"the module '{name}' cannot be imported: "):
        load(f"{name}:open_storage")


@pytest.mark.parametrize("recall", [0, -1, 1.1])
def test_a_recall_outside_its_range_is_refused(recall: float) -> None:
    """It is a share, and nothing at all cannot be declared."""
    with pytest.raises(BackendError, match="recall must be above 0 and at most 1"):
        Backend(open_storage, recall=recall)


def test_a_waiver_needs_a_reason() -> None:
    """Who reads the report must know why."""
    with pytest.raises(BackendError, match="the waiver of SES-07 gives no reason"):
        Backend(open_storage, waivers={"SES-07": " "})


def test_claims_are_made_unless_declined() -> None:
    """What needs a hook is claimed by giving it."""
    backend = Backend(open_storage)
    claims = {one: backend.claims(one) for one in ("durable", "shared", "outage", "corruption")}
    assert {"durable": True, "shared": True, "outage": False, "corruption": False} == claims
