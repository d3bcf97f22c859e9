"""The engine's faults: the README's reproductions print what the README says.

A failure here is good news: the fault is mended, and its workaround can go.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
FAULT = re.compile(r"^### (.+?)\n.*?^```python\n(.+?)^```", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^print\(.+\)  # (.+?)(?: \(should be .+\))?$", re.MULTILINE)
FAULTS = dict(FAULT.findall(README.read_text()))


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_as_described(fault: str, tmp_path: Path) -> None:
    """A reproduction prints what its comments say."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS[fault]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (PRINTED.findall(FAULTS[fault]), 0) == (done.stdout.splitlines(), done.returncode), (
        f"{fault!r} is no longer as the README describes it: where it is mended, drop the section "
        f"and what the package does about it\n{done.stderr}"
    )


def test_every_reproduction_is_run() -> None:
    """No section of the README's faults is overlooked."""
    faults = README.read_text().partition("## Faults of the engine")[2]
    assert faults.count("\n### ") == len(FAULTS)
