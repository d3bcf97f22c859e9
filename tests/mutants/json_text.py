"""JSON as broken stores write it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, cast

from clawdesk_storage import SerializationError

__all__ = ["as_json", "mapped"]


def mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return a copy of a JSON value with `leaf` applied to everything that holds nothing else."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: mapped(one, leaf) for key, one in items}
    if isinstance(value, list):
        return [mapped(one, leaf) for one in cast("list[Any]", value)]
    return leaf(value)


def as_json(value: Any, *, default: Callable[[Any], Any] | None = None, nan: Any = math.nan) -> str:
    """Return JSON text, refusing as a sound store would all but one kind of value.

    Args:
        value: What to write.
        default: What objects without a JSON form become; None refuses them.
        nan: What NaN and infinity become; NaN refuses them.

    Raises:
        SerializationError: It cannot be written even so.
    """

    def leaf(one: Any) -> Any:
        return nan if isinstance(one, float) and not math.isfinite(one) else one

    try:
        return json.dumps(mapped(value, leaf), default=default, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SerializationError(str(error)) from error
