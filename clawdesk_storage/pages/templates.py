"""Where the pages' templates are, and how they are filled in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

__all__ = ["fill"]


def fill(template: str, **values: object) -> str:
    """Return a template filled in; text among the values is escaped.

    Args:
        template: The file's name.
        values: What the template speaks of.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("clawdesk_storage.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _breakable
    environment.filters["code"] = _code
    environment.filters["day"] = _day
    return environment


def _breakable(name: str) -> Markup:
    """Escape a dotted name, and let its lines break after what divides it."""
    return Markup(re.sub(r"([.:/_-])(?=\w)", r"\1<wbr>", str(escape(name))))  # noqa: S704


def _code(text: str) -> Markup:
    """Turn `code` in backticks into an element, and escape the rest."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def _day(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
