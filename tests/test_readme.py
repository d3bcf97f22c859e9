"""The README's code does what the README says of it."""

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from clawdesk_storage import Message, Role, SessionId
from clawdesk_storage.conformance import Outcome, verify
from clawdesk_storage.testing import MemoryStorage

_README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```python\n(.*?)```", _README, re.DOTALL)


@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: block.split("\n")[0][:40])
def test_every_block_is_python(block: str) -> None:
    """Nothing that is shown has a slip of the pen."""
    ast.parse(block)


def _module(text: str, folder: Path) -> Any:
    file = folder / "readme_package.py"
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _store() -> str:
    return next(block for block in _BLOCKS if block.startswith("# my_package.py"))


async def _failed(text: str, folder: Path) -> list[str]:
    opened = _module(text, folder).open_storage
    report = await verify(opened, select=["CNV", "STO", "CON-02"], static=False)
    return [result.law.id for result in report.results if result.outcome is Outcome.FAILED]


async def test_the_store_breaks_the_law_that_the_text_names(tmp_path: Path) -> None:
    """It keeps all others: what is written there can be copied."""
    assert ["CNV-06"] == await _failed(_store(), tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong", "law"),
    [
        ("lines[max(0, len(lines) - limit) :]", "lines[:limit]", "CNV-03"),
        ("        check_id(session_id)\n", "", "CNV-12"),
        ("        self._file(session_id).unlink(missing_ok=True)", "        pass", "CNV-07"),
    ],
)
async def test_breaking_it_is_noticed(right: str, wrong: str, law: str, tmp_path: Path) -> None:
    """As the text invites its reader to try."""
    assert right in _store()
    assert law in await _failed(_store().replace(right, wrong), tmp_path)


async def test_the_application_remembers() -> None:
    """The last example works on the stores in memory."""
    block = next(block for block in _BLOCKS if "async def remember" in block)
    names: dict[str, Any] = {}
    exec(compile(block, "README", "exec"), names)
    storage = MemoryStorage()
    await names["remember"](storage, SessionId("s"), "hello")
    (message,) = await storage.conversations.get_messages(SessionId("s"), limit=10)
    assert (Role.USER, "hello", Message) == (message.role, message.content, type(message))
