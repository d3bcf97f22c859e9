"""Anchors of the site's headings: a law's is its number, `contract/#ses-07`."""

from __future__ import annotations

import re

__all__ = ["anchor"]


def anchor(heading: str, separator: str) -> str:
    """Return the anchor of a heading.

    Args:
        heading: Its text.
        separator: What stands between words.
    """
    law = re.match(r"[A-Z]{3}-\d\d(?=: )", heading)
    words = law[0] if law else re.sub(r"[^\w]+", separator, heading)
    return words.strip(separator).lower()
