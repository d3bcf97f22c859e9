"""The matrix as a small picture: a square for each law, for a README.

`python -m clawdesk_storage.pages.picture A.json B.json …` prints it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawdesk_storage.pages.matrix import Matrix
from clawdesk_storage.pages.report import checked
from clawdesk_storage.pages.templates import fill

__all__ = ["matrix_picture"]

_STEP = 11
_LONGEST = 18
_LEFT, _COLUMN = 152, 172
_HEAD, _ROW, _CLAIMS = 68, 26, 64


@dataclass(frozen=True)
class Place:
    """Where something is drawn, and what."""

    x: float
    y: float
    kind: str
    text: str = ""


def matrix_picture(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return reports as one SVG picture, which follows the reader's colour scheme.

    Args:
        reports: Reports in their JSON form, at least one.

    Raises:
        ReportError: One of them is no report.
    """
    read = [checked(report) for report in reports]
    matrix = Matrix(read, [report.backend for report in read])
    claims = _HEAD + _ROW * len(matrix.groups())
    places = [*_heads(matrix), *_laws(matrix), *_claims(matrix, claims)]
    return fill(
        "matrix.svg",
        matrix=matrix,
        places=places,
        lines=[_HEAD, claims, claims + _CLAIMS],
        width=_LEFT + _COLUMN * len(matrix.names) + 8,
        height=claims + _CLAIMS + 42,
        kinds=list(dict.fromkeys(one.kind for one in places if not one.text)),
    )


def _heads(matrix: Matrix) -> Iterator[Place]:
    for column, (name, report) in enumerate(zip(matrix.names, matrix.reports, strict=True)):
        x = _LEFT + _COLUMN * column
        kind = "passed" if report.conforms else "failed" if report.faults else "not-claimed"
        yield Place(x, 30, "name", _shortened(name))
        yield Place(x, 52, f"{kind} verdict", _verdict(kind, report.count("passed"), report.ran))


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :]


def _verdict(kind: str, passed: int, ran: int) -> str:
    word = {"passed": "conforms", "failed": "does not conform"}.get(kind, "some laws only")
    return f"{word}, {passed}/{ran}"


def _laws(matrix: Matrix) -> Iterator[Place]:
    for row, group in enumerate(matrix.groups()):
        middle = _HEAD + _ROW * (row + 0.5)
        yield Place(16, middle + 4.5, "label", group.name)
        for column in range(len(matrix.names)):
            for number, law in enumerate(group.rows):
                x = _LEFT + _COLUMN * column + _STEP * number
                yield Place(x, middle - 4.5, law.cells[column].kind)


def _claims(matrix: Matrix, y: int) -> Iterator[Place]:
    *claims, recall = matrix.claims()
    top = y + 21
    yield Place(16, top, "label", "Claims")
    for column in range(len(matrix.names)):
        made = [row.id for row in claims if row.cells[column].kind == "passed"]
        made.append(f"recall {recall.cells[column].word}")
        pairs = [", ".join(made[first : first + 2]) for first in range(0, len(made), 2)]
        for line, pair in enumerate(pairs):
            yield Place(_LEFT + _COLUMN * column, top + 16 * line, "small", pair)


def _main() -> None:
    sys.stdout.write(matrix_picture([json.loads(Path(name).read_bytes()) for name in sys.argv[1:]]))


if __name__ == "__main__":
    _main()
