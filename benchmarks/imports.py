"""What `import clawdesk_storage` costs, beside importing pydantic and defining the same models.

Run as `python benchmarks/imports.py`. Both run in fresh interpreters, in turn; the figure is the
median of the ratios of neighbouring runs.
"""

import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 21
MODELS = Path(__file__).parents[1] / "clawdesk_storage" / "models.py"

_TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
_PACKAGE = _TIMED.format("import clawdesk_storage")
# The floor runs the text of models.py by itself, compiled before as the package's modules are.
_FLOOR = (
    "import sys, types; "
    f"code = compile(open({str(MODELS)!r}, encoding='utf-8').read(), 'floor', 'exec'); "
    "module = sys.modules['floor'] = types.ModuleType('floor'); "
) + _TIMED.format("import pydantic; exec(code, module.__dict__)")


def seconds(code: str) -> float:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure and print."""
    for code in (_PACKAGE, _FLOOR):  # once for the caches
        seconds(code)
    pairs = [(seconds(_PACKAGE), seconds(_FLOOR)) for _ in range(ROUNDS)]
    ratio = statistics.median(package / floor for package, floor in pairs)
    package, floor = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"import clawdesk_storage  {package * 1000:7.1f} ms")
    print(f"pydantic and the models  {floor * 1000:7.1f} ms")
    print(f"ratio                    {ratio:7.2f}   (at most 1.25)")


if __name__ == "__main__":
    main()
