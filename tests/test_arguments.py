"""What every store refuses, and what it may rely on."""

import math
import subprocess
import sys
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from clawdesk_storage import (
    And,
    Equals,
    Exists,
    Or,
    Where,
    check_filter,
    check_id,
    check_limit,
    unit_vector,
)


@pytest.mark.parametrize("id", ["a", " ", "\n", "é", "🙂", "../a", "x" * 10_000])
def test_an_ordinary_id_passes(id: str) -> None:
    """Any text that is not empty and holds neither NUL nor a lone surrogate is an id."""
    check_id(id)


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("", "id must not be empty"),
        ("a\0b", "id 'a\\x00b' holds a NUL"),
        ("a\ud800", "id 'a\\ud800' holds a lone surrogate"),
        ("\udfff", "id '\\udfff' holds a lone surrogate"),
    ],
)
def test_a_bad_id_is_refused_in_words(id: str, words: str) -> None:
    """The message says what is wrong with the id."""
    with pytest.raises(ValueError, match="id") as caught:
        check_id(id)
    assert words == str(caught.value)


def test_an_id_that_is_no_text_is_a_type_error() -> None:
    """A number is not taken for an id."""
    number: Any = 7
    with pytest.raises(TypeError, match="channel must be a str, not int"):
        check_id(number, "channel")


@pytest.mark.parametrize("limit", [0, 1, sys.maxsize])
def test_a_count_passes(limit: int) -> None:
    """Zero and the largest of sizes are limits like any other."""
    check_limit(limit)


@pytest.mark.parametrize("limit", [5, True, np.int64(5), np.uint8(250)])
def test_a_count_comes_back_as_a_plain_integer(limit: int) -> None:
    """Drivers, slices and sums know no other kind, and NumPy's wrap around."""
    count = check_limit(limit)
    assert (int, int(limit)) == (type(count), count)


def test_a_count_beyond_all_sizes_is_the_largest_size() -> None:
    """No database has an integer for it, and no store as many entries."""
    assert sys.maxsize == check_limit(2**70)


def test_a_negative_integer_of_numpy_is_refused() -> None:
    """It is negative before it is anything else."""
    limit: Any = np.int8(-1)
    with pytest.raises(ValueError, match=r"^offset must not be negative, and is -1$"):
        check_limit(limit, "offset")


def test_a_negative_limit_is_refused_by_its_name() -> None:
    """The message says which argument was negative, and its value."""
    with pytest.raises(ValueError, match=r"^top_k must not be negative, and is -1$"):
        check_limit(-1, "top_k")


def test_a_fraction_is_no_limit() -> None:
    """A float is not rounded to a limit."""
    half: Any = 2.5
    with pytest.raises(TypeError):
        check_limit(half)


_VALUES = [3.0, 0.0, -4.0]
_SPACED = array("d", [3.0, 9.0, 0.0, 9.0, -4.0, 9.0])


@pytest.mark.parametrize("where", [None, True, {"user": "ada"}, "user", ("user", "ada"), Equals])
def test_what_is_no_filter_is_refused(where: Any) -> None:
    """The message says what it is instead."""
    with pytest.raises(ValueError, match=f"where must be a filter, not {type(where).__name__}"):
        check_filter(where)


@pytest.mark.parametrize("where", [Equals("user", "ada"), ~Exists("user"), And(()), Or(())])
def test_every_filter_passes(where: Where) -> None:
    """The empty ones too."""
    check_filter(where)


@pytest.mark.parametrize(
    "vector",
    [
        _VALUES,
        tuple(_VALUES),
        [3, 0, -4],
        array("f", _VALUES),
        array("d", _VALUES),
        array("i", [3, 0, -4]),
        memoryview(array("f", _VALUES)),
        memoryview(array("d", _VALUES)).toreadonly(),
        memoryview(_SPACED)[::2],
        np.array(_VALUES, dtype=np.float32),
        np.array(_VALUES, dtype=np.float64),
        np.array(_VALUES, dtype=np.float16),
        np.array(_VALUES, dtype=">f8"),
        np.array([3, 0, -4]),
        np.array([_VALUES, _VALUES]).T[:, 1],
        np.array(_VALUES[::-1])[::-1],
    ],
    ids=lambda vector: f"{type(vector).__name__}-{getattr(vector, 'dtype', '')}",
)
def test_every_kind_of_vector_becomes_a_unit_of_float32(vector: Any) -> None:
    """The result is a contiguous float32 buffer of length 1 in the same direction."""
    unit = unit_vector(vector)
    assert (unit.typecode, unit.tolist()) == ("f", [0.6000000238418579, 0.0, -0.800000011920929])


@pytest.mark.parametrize("length", [1e-18, 1e-30, 1.0, 1e18, 3e38])
@pytest.mark.parametrize("kind", ["list", "array", "numpy"])
def test_no_length_loses_the_direction(length: float, kind: str) -> None:
    """Squares that overflow or vanish in float32 are computed in float64."""
    values = [0.6 * length, 0.8 * length]
    kinds = {"list": values, "array": array("d", values), "numpy": np.array(values)}
    unit = unit_vector(kinds[kind])
    assert pytest.approx([0.6, 0.8], abs=1e-7) == unit.tolist()


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ([], "the vector is empty"),
        (array("f"), "the vector is empty"),
        (np.array([]), "the vector is empty"),
        ([0.0, -0.0], "the vector is all zero, and has no direction"),
        ([1.0, math.nan], "the vector is not finite"),
        ([math.nan, 1.0], "the vector is not finite"),
        (np.array([1.0, -np.inf]), "the vector is not finite"),
        ([1e39, 1.0], "the vector is beyond float32"),
        (array("d", [-1e39]), "the vector is beyond float32"),
        ([10**400], "the vector is beyond float32"),
        ("ab", "a str is no vector"),
        (b"ab", "a bytes is no vector"),
        ({1.0, 2.0}, "a set is no vector"),
        (np.ones((2, 2)), "a vector has one dimension, and this one has 2"),
        (np.array([1 + 2j]), "the vector is made of complex numbers"),
        (["1"], "the vector is not made of real numbers: must be real number, not str"),
        ([None], "the vector is not made of real numbers: must be real number, not NoneType"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_unusable_vector_is_refused_in_words(vector: Any, words: str) -> None:
    """The message says what is wrong with the vector."""
    with pytest.raises(ValueError, match="vector") as caught:
        unit_vector(vector)
    assert words == str(caught.value)


@pytest.mark.parametrize("kind", ["list", "array", "float32", "float64", "float16"])
@pytest.mark.parametrize("tiny", [1e-320, 1e-44, 1e-39])
def test_a_tiny_component_is_no_error_where_numpy_raises(kind: str, tiny: float) -> None:
    """A caller's `np.errstate(all="raise")` is about its own arithmetic."""
    values = [1.0, tiny]
    kinds = {"list": values, "array": array("d", values)}
    with np.errstate(all="ignore"):
        vector: Any = kinds[kind] if kind in kinds else np.array(values).astype(kind)
    with np.errstate(all="raise"):
        unit = unit_vector(vector)
    assert pytest.approx([1.0, 0.0], abs=1e-30) == unit.tolist()


_WITHOUT_NUMPY = """
import sys
from array import array
from clawdesk_storage import unit_vector
units = [unit_vector(kind([3.0, 0.0, -4.0])).tolist() for kind in
         (list, tuple, lambda v: array("f", v), lambda v: memoryview(array("d", v)))]
print([unit == [0.6000000238418579, 0.0, -0.800000011920929] for unit in units])
for bad in ([0.0], [float("nan"), 1.0], [1.0, float("nan")], [1e39], array("f")):
    try:
        print(unit_vector(bad))
    except ValueError as error:
        print(error)
print("numpy" in sys.modules)
"""


def test_vectors_need_no_numpy() -> None:
    """Without NumPy the results are the same, and it is not imported for them."""
    said = _run(["-c", _WITHOUT_NUMPY])
    assert said == (
        "[True, True, True, True]\n"
        "the vector is all zero, and has no direction\n"
        "the vector is not finite\n"
        "the vector is not finite\n"
        "the vector is beyond float32\n"
        "the vector is empty\n"
        "False\n"
    )


def _run(arguments: Sequence[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout
