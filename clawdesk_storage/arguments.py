"""What every store refuses, in one place: ids, limits, filters and vectors that no store takes."""

from __future__ import annotations

import math
import operator
import sys
from array import array
from typing import Any

from clawdesk_storage.models import Vector
from clawdesk_storage.where import Where

__all__ = ["check_filter", "check_id", "check_limit", "unit_vector"]

_LARGEST_FLOAT32 = 3.4028234663852886e38
_NO_VECTORS: tuple[type, ...] = (str, bytes, bytearray, set, frozenset, dict)


def check_id(id: str, /, name: str = "id") -> None:
    """Refuse an id that no store can keep.

    Args:
        id: The id of a session, a channel or a vector.
        name: What to call it in the message.

    Raises:
        ValueError: It is empty, or holds a NUL or a lone surrogate.
        TypeError: It is no string.
    """
    if not isinstance(id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{name} must be a str, not {type(id).__name__}")
    if not id:
        raise ValueError(f"{name} must not be empty")
    if "\0" in id:
        raise ValueError(f"{name} {id!r} holds a NUL")
    if not id.isascii() and any("\ud800" <= character <= "\udfff" for character in id):
        raise ValueError(f"{name} {id!r} holds a lone surrogate")


def check_limit(limit: int, /, name: str = "limit") -> int:
    """Return a count as a plain integer, and refuse a negative one.

    Whatever has `__index__` is a count, NumPy's integers and booleans included. Go on with what is
    returned: drivers and slices know plain integers. One beyond `sys.maxsize` means all there is,
    and becomes `sys.maxsize`.

        limit = check_limit(limit)

    Args:
        limit: A `limit`, `offset` or `top_k`.
        name: What to call it in the message.

    Raises:
        ValueError: It is negative.
        TypeError: It is no integer.
    """
    count = int(operator.index(limit))
    if count < 0:
        raise ValueError(f"{name} must not be negative, and is {count}")
    return min(count, sys.maxsize)


def check_filter(where: Where, /) -> None:
    """Refuse what is no filter, None above all: a search without one shows what it must not.

    Args:
        where: One of the seven nodes of the filter language.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(where, Where):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"where must be a filter, not {type(where).__name__}")


def unit_vector(vector: Vector, /) -> array[float]:
    """Return `vector` scaled to length 1, as contiguous float32 in native byte order.

    Args:
        vector: Any kind of `Vector`, of shape `(dimension,)`. Lengths from 1e-18 to 1e18 keep
            their direction: the arithmetic is float64. A buffer is read as one block.

    Returns:
        An `array('f')` of the same shape: a buffer, a vector itself, and `tobytes()` for a BLOB.

    Raises:
        ValueError: It is empty, all zero, not finite, beyond float32, not one-dimensional, or not
            made of real numbers.
    """
    values = _values(vector)
    if not len(values):
        raise ValueError("the vector is empty")
    # Whoever passes a NumPy array has NumPy loaded; importing it here would make it a dependency.
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return _scaled(values)
    with numpy.errstate(all="ignore"):  # a caller may have asked for exceptions; zero will do
        return _scaled_by_numpy(numpy, numpy.asarray(values))


def _values(vector: Any) -> memoryview | array[float]:
    """The vector's own memory if that is float32 or float64, else a float64 copy."""
    if isinstance(vector, _NO_VECTORS):
        raise ValueError(f"a {type(vector).__name__} is no vector")
    try:
        view = memoryview(vector)
    except (TypeError, ValueError, BufferError):
        return _copied(vector)
    if view.ndim != 1:
        raise ValueError(f"a vector has one dimension, and this one has {view.ndim}")
    if "Z" in view.format:  # a cast to float would drop the imaginary part with a mere warning
        raise ValueError("the vector is made of complex numbers")
    return view if view.format in ("f", "d") else _copied(vector)


def _copied(vector: Any) -> array[float]:
    try:
        return array("d", vector)
    except OverflowError as error:
        raise ValueError("the vector is beyond float32") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"the vector is not made of real numbers: {error}") from error


def _scaled(values: memoryview | array[float]) -> array[float]:
    length = math.hypot(*values)
    # A NaN among the values leaves min and max to chance; the length shows it for certain.
    _check_largest(max(*values, -min(values)) if length < math.inf else length)
    return array("f", [value / length for value in values])


def _scaled_by_numpy(numpy: Any, values: Any) -> array[float]:
    wide = values.astype(numpy.float64)
    largest = float(numpy.abs(wide).max())
    _check_largest(largest)
    wide /= largest
    wide /= math.sqrt(float(wide @ wide))
    unit = array("f")
    unit.frombytes(wide.astype(numpy.float32).tobytes())
    return unit


def _check_largest(largest: float) -> None:
    if not math.isfinite(largest):
        raise ValueError("the vector is not finite")
    if largest > _LARGEST_FLOAT32:
        raise ValueError("the vector is beyond float32")
    if largest == 0:
        raise ValueError("the vector is all zero, and has no direction")
