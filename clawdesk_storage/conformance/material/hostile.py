"""Ids and values on which stores are known to break."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, Final

from clawdesk_storage.models import JsonValue

__all__ = ["BAD_IDS", "IDS", "LARGE", "TEXTS", "UNSTORABLE", "json_samples", "some_ids"]

BAD_IDS: Final = (
    "",
    "\0",
    "a\0",
    "\0a",
    "a\0b",
    "\ud800",
    "a\udfff",
    "\udc00\ud800",
)
"""Ids that every store must refuse: empty, with a NUL, with a lone surrogate."""

_PREFIXES = ("a", "ab", "abc", "abcd", "b", "ba")
_SEPARATED = tuple(
    f"a{separator}{rest}"
    for separator in (
        ":",
        "/",
        "\\",
        "|",
        ".",
        ",",
        ";",
        "-",
        "_",
        "#",
        "~",
        "=",
        "&",
        "\x1f",
        "\x01",
    )
    for rest in ("", "b")
) + ("a:0", "a:1", "a:00000001", "a:b:c", "::", ":a", "session:a", "sessions/a", "messages:a")
_QUOTED = ("'", '"', "`", "a'b", 'a"b', "a''b", "\\'", "'; DROP TABLE sessions; --", "$$", "(a)")
_PLACEHOLDERS = ("?", ":id", "@id", "$1", "%s", "%(id)s", "{}", "{0}", "{id}", "${HOME}", "$(ls)")
_WILDCARDS = (
    "%",
    "_",
    "*",
    "a%",
    "a_",
    "a*",
    "a?",
    "a[b]",
    "[ab]",
    "[a-z]*",
    "^a",
    "a$",
    ".*",
    "%%",
)
_PATHS = (
    ".", "..", "../a", "/a", "/etc/passwd", "./a", "a/../b", "a//b", "a/./b", "C:\\a", "~a", "NUL",
    "con.txt", "a.json", "a%2Fb", "%00", "%2e%2e", "a%20b", "a+b", "a b", "file:///a", "-rf", "--",
)  # fmt: skip
_CASES = (
    "A",
    "AB",
    "aB",
    "Ab",
    "ÄÖ",
    "äö",
    "ß",
    "ẞ",
    "ss",
    "SS",
    "i",
    "I",
    "ı",
    "İ",
    "σ",
    "ς",
    "Σ",
    "Ж",
    "ж",
)
_FORMS = (
    "é", "e\u0301", "É", "E\u0301", "\u212b", "\u00c5", "A\u030a", "가", "\u1100\u1161",
    "ﬁ", "fi", "①", "1", "Ａ", "ａ", "\u2126", "\u03a9", "q\u0307\u0323", "q\u0323\u0307",
)  # fmt: skip
_SPACES = (
    " ", "  ", "\t", "\n", "\r\n", " a", "a ", "a  ", "  a", "\ta", "a\t", "a\n", "a\r", "a\r\n",
    "\na", "\u00a0a", "a\u00a0", "a\u3000", "\u200ba", "a\u200b", "\ufeffa", "a\u200d", "a\u00ad",
    "a\x7f", "a\x1a", "a\x1b[31m", "a\u2028",
    "a\x85", "a\u200f", "\u202ea", "\ufffe", "a\x9f",
)  # fmt: skip
_LOOKALIKES = (
    "0", "00", "01", "1.0", "1e0", "0x1", "+1", "-1", "-0", "１", "null", "None", "NULL", "true",
    "True", "nan", "inf", "[]", "{}a", "id", "__class__", "a&amp;b", "a&b", "<a>", "&lt;a&gt;",
)  # fmt: skip
# Pairs that collide under CRC-32, Java's String.hashCode and sums of characters.
_COLLISIONS = ("plumless", "buckeroo", "Aa", "BB", "AaAa", "BBBB", "ad", "da", "bc", "cb")
_ASTRAL = (
    "\uffff",
    "\U00010000",
    "\ue000",
    "🙂",
    "🙂🙂",
    "👩‍👩‍👧",
    "👩👩👧",
    "❤",
    "❤️",
    "🇩🇪",
    "\U0010ffff",
)
_LONG = tuple(
    stem + end
    for length in (31, 36, 63, 64, 127, 128, 191, 254, 255, 256, 511, 1023)
    for stem in ("x" * length,)
    for end in ("y", "z")
) + ("é" * 512, "é" * 511 + "e", "🙂" * 256)

IDS: Final = tuple(
    dict.fromkeys(
        _PREFIXES + _SEPARATED + _QUOTED + _PLACEHOLDERS + _WILDCARDS + _PATHS + _CASES + _FORMS
        + _SPACES + _LOOKALIKES + _COLLISIONS + _ASTRAL + _LONG
    )
)  # fmt: skip
"""Ids of up to 1 KiB that are all valid and all different."""


def some_ids(random: Random, count: int) -> list[str]:
    """Return `count` hostile ids, the same for the same randomness, in a random order."""
    return random.sample(IDS, count)


TEXTS: Final = (
    "",
    " ",
    "\n",
    "a\0b",
    "\0",
    "line\nline\r\nline\rline\u2028line",
    "  spaces around  ",
    "\ttabs\t",
    "é e\u0301 \u212b Ａ ﬁ",
    "🙂 👩‍👩‍👧 \U0010ffff \uffff",
    "\ufeffbyte order mark",
    "null",
    "None",
    "true",
    "123",
    "1.0",
    "NaN",
    "Infinity",
    "{}",
    "[]",
    '{"a": 1}',
    '{"b":1,"a":[1,2]}',
    '"quoted"',
    "'; DROP TABLE sessions; --",
    "back\\slash \\n \\u0000 \\x00",
    "<b>&amp;</b>",
    "2024-01-01T00:00:00Z",
    "\x01\x1b[31m\x7f\x80\x9f",
    "%s %(a)s {} {0} $1 ?",
    "-- # /* */",
    "x" * 70_000,
)
"""Texts that must come back as they were written."""

_NUMBERS: tuple[JsonValue, ...] = (
    0, 1, -1, 2, 2**31, -(2**31) - 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63),
    0.0, 1.0, -1.0, 2.0, 0.1, 1 / 3, 1e16, 1e22, 1e300, 5e-324, 1.7976931348623157e308,
    123456789.123,
)  # fmt: skip


def _nested(depth: int) -> JsonValue:
    value: JsonValue = ["bottom", True, 1, 1.0, None]
    for level in range(depth):
        value = [value] if level % 2 else {"down": value}
    return value


def json_samples() -> dict[str, JsonValue]:
    """Return a new JSON object of values that stores confuse, lose or refuse."""
    return {
        "none": None,
        "flags": [True, False, 1, 0, 1.0, 0.0],
        "true": True,
        "false": False,
        "numbers": list(_NUMBERS),
        "texts": list[JsonValue](TEXTS[:-1]),
        "empty": {"list": [], "object": {}, "text": "", "none": None},
        "mixed": [None, [], {}, [[]], [{}], [None], {"a": [{"b": None}]}],
        "nested": _nested(40),
        "many": list[JsonValue](range(1100)),
        "many keys": {f"key {i}": i for i in range(300)},
        "long": "x" * 70_000,
        "sum": 0.1 + 0.2,
        "keys": {text: index for index, text in enumerate(TEXTS[:-1])},
        "": "an empty key",
        "a.b": 1,
        "a": {"b": 2, "$set": 3, "$ref": "#", "__class__": "x", "_id": 4},
        "é": "composed",
        "e\u0301": "decomposed",
        "Key": 1,
        "key": 2,
        "id": "not the id",
        "vector": [1.0],
        "score": 0.5,
        "document": "text",
        "metadata": {"metadata": {}},
    }


class _Unknown:
    """Nothing that a store could know how to write."""


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


UNSTORABLE: Final[tuple[tuple[str, Any], ...]] = (
    ("an object of a class of its own", _Unknown()),
    ("a NaN", float("nan")),
    ("an infinity", float("inf")),
    ("a negative infinity", float("-inf")),
    ("a set", {1, 2}),
    ("a frozen set", frozenset((1, 2))),
    ("bytes", b"abc"),
    ("a decimal", Decimal("1.5")),
    ("a datetime", datetime(2024, 1, 1, tzinfo=UTC)),
    ("a list that holds itself", _cycle()),
    ("a tuple", (1, 2)),
    ("an object with a number as a key", {1: "one"}),
    ("an object with None as a key", {None: 1}),
    ("a byte array", bytearray(b"abc")),
)
"""What is no JSON value, and so cannot be stored: a description and the value."""


@dataclass(frozen=True)
class Large:
    """A JSON value that is large in some way."""

    what: str
    value: JsonValue
    must: bool = False
    """Whether every store keeps it; otherwise it may refuse it, but not change it."""


def _deep(depth: int) -> JsonValue:
    value: JsonValue = 1
    for _ in range(depth - 1):
        value = [value]
    return value


LARGE: Final = (
    Large("the largest integers of 64 bits", [2**63 - 1, -(2**63)], must=True),
    Large("integers beyond 64 bits", [2**63, 2**64 + 1, -(2**63) - 1]),
    Large("a very large integer", 10**40 + 1),
    Large("nesting to a depth of 90", _deep(90), must=True),
    Large("nesting to a depth of 200", _deep(200)),
)
"""Values that are kept as they are, or refused."""
