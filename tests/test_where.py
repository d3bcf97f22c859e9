"""The filter language: each decision, and all of them against a naive reading of the table."""

import copy
import math
import pickle
from enum import StrEnum
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawdesk_storage import (
    And,
    Compares,
    Contains,
    Equals,
    Exists,
    JsonValue,
    Not,
    Or,
    Where,
    decode,
    encode,
    matches,
)

_LEAVES: list[Where] = [
    Equals("a", None),
    Equals("a", 0),
    Compares("a", "<", 1),
    Contains("a", 1),
    Exists("a"),
]


@pytest.mark.parametrize("where", _LEAVES, ids=repr)
@pytest.mark.parametrize("metadata", [{}, {"b": 0}, None, 0, "a", [], ["a"], [{"a": 0}], True])
def test_where_a_key_is_missing_every_leaf_is_false(where: Where, metadata: JsonValue) -> None:
    """Metadata that is no object has no keys at all."""
    assert not matches(where, metadata)


@pytest.mark.parametrize("between", [None, 0, "b", [], [{"b": 0}], ["b"]])
def test_a_step_into_what_is_no_object_finds_nothing(between: JsonValue) -> None:
    """Not into an array either, nor by its index."""
    assert not matches(Exists(("a", "b")), {"a": between})
    assert not matches(Exists(("a", "0")), {"a": between})


def test_null_is_a_value() -> None:
    """It is there, and equals null."""
    assert matches(Equals("a", None) & Exists("a"), {"a": None})


def test_missing_is_not_null() -> None:
    """Nothing is there."""
    assert matches(~Equals("a", None) & ~Exists("a"), {})


@pytest.mark.parametrize(
    ("stored", "operand"),
    [(True, 1), (1, True), (False, 0), (0, False), (1.0, True), (None, False), (None, 0), ("1", 1)],
)
def test_unlike_kinds_are_never_equal(stored: Any, operand: Any) -> None:
    """Booleans are not numbers, and null is neither."""
    assert not matches(Equals("a", operand), {"a": stored})
    assert not matches(Contains("a", operand), {"a": [stored]})


@pytest.mark.parametrize(
    ("stored", "operand", "equal"),
    [
        (1, 1.0, True),
        (1.0, 1, True),
        (0.0, -0.0, True),
        (2**53 + 1, 2**53, False),
        (2**53 + 1, float(2**53), False),
        (2**63 - 1, 2**63 - 1, True),
        (2**63 - 1, float(2**63), False),
        (-(2**63), float(-(2**63)), True),
        (0.1, 0.1, True),
    ],
)
def test_numbers_are_compared_by_their_mathematical_value(
    stored: float, operand: float, equal: bool
) -> None:
    """1 is 1.0, and neighbours beyond 2^53 differ."""
    assert equal == matches(Equals("a", operand), {"a": stored})


@pytest.mark.parametrize("stored", ["A", "a ", "é", "e\u0301", "a\0", "", "\U0001f642"])
def test_text_is_compared_by_code_point(stored: str) -> None:
    """Without folding, trimming or normalisation."""
    assert not matches(Equals("a", "a") | Equals("a", "\u00e9\u0301"), {"a": stored})
    assert matches(Equals("a", stored), {"a": stored})


def test_text_is_ordered_by_code_point() -> None:
    """A character beyond the basic plane comes after all of it, which UTF-16 denies."""
    assert matches(Compares("a", ">", "\uffff"), {"a": "\U0001f642"})
    assert matches(Compares("a", ">", "a"), {"a": "a\0"})


@pytest.mark.parametrize(
    ("sign", "answers"),
    [("<", [1, 0, 0]), ("<=", [1, 1, 0]), (">", [0, 0, 1]), (">=", [0, 1, 1])],
)
def test_each_sign_means_what_it_says(sign: Any, answers: list[int]) -> None:
    """Numbers as numbers: 10 is more than 9."""
    assert answers == [matches(Compares("a", sign, 10), {"a": stored}) for stored in (9, 10.0, 11)]


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
@pytest.mark.parametrize(
    ("stored", "operand"),
    [("1", 1), (1, "1"), (True, 1), (1, True), (None, None), (True, True), ([], 1), ({}, "a")],
)
def test_what_is_unlike_or_has_no_order_does_not_compare(
    sign: Any, stored: Any, operand: Any
) -> None:
    """False, never an error; and null has no order even with itself."""
    assert not matches(Compares("a", sign, operand), {"a": stored})


@pytest.mark.parametrize("stored", [1, "1", {"1": 1}, [[1]], [], None, [True], ["1"]])
def test_only_an_array_with_the_element_contains_it(stored: JsonValue) -> None:
    """A text contains no text, an object no key, and an array not its elements' elements."""
    assert not matches(Contains("a", 1), {"a": stored})
    assert matches(Contains("a", 1), {"a": [stored, 1.0]})


@pytest.mark.parametrize(
    "key", ["", "$eq", "a.b", "0", "'", '"', "%", "\\", "a\0b", "[0]", "__class__", "\U0001f642"]
)
def test_a_hostile_key_is_a_key(key: str) -> None:
    """Nothing is split, escaped or looked up elsewhere."""
    assert matches(Equals(key, 1) & Equals(("x", key), 2), {key: 1, "x": {key: 2}})
    assert not matches(Exists(key), {"a": {"b": 1}})


def test_a_single_text_stands_for_one_key() -> None:
    """It is the same node."""
    assert Equals(("a.b",), 1) == Equals("a.b", 1)


def test_without_parts_and_is_true_and_or_is_false() -> None:
    """As `all` and `any` are."""
    assert [True, False] == [matches(And(), {}), matches(Or(), {})]


def test_a_thousand_parts_are_one_node() -> None:
    """A chain of operators is no deeper than a list."""
    parts: list[Where] = [Equals("a", number) for number in range(1000)]
    either = parts[0]
    for part in parts[1:]:
        either = either | part
    assert Or(parts) == either
    assert [True, False] == [matches(either, {"a": 999}), matches(either, {"a": 1000})]
    assert repr(either).count("Equals") == len(parts)


@pytest.mark.parametrize("levels", [16, 99])
def test_many_levels_are_answered(levels: int) -> None:
    """Each `Not` turns the answer around."""
    where: Where = Exists("a")
    for _ in range(levels):
        where = And([~where]) if levels < 20 else ~where
    assert (levels % 2 == 0) == matches(where, {"a": 1})
    assert where == pickle.loads(pickle.dumps(where)) == copy.deepcopy(where)


def test_beyond_a_hundred_levels_a_filter_is_refused() -> None:
    """So that nobody who reads one needs a deeper stack."""
    where: Where = Exists("a")
    for _ in range(99):
        where = ~where
    with pytest.raises(ValueError, match="nested beyond 100 levels"):
        ~where  # noqa: B018  # pyright: ignore[reportUnusedExpression]


class _Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("given", "plain"),
    [(_Colour.RED, "red"), (np.int64(5), 5), (np.float64(0.5), 0.5), (True, True)],
)
def test_an_operand_is_kept_as_a_plain_value(given: Any, plain: Any) -> None:
    """No backend meets a subclass."""
    value = Equals("a", given).value
    assert (type(plain), plain) == (type(value), value)


def _less(path: str, value: Any) -> Where:
    return Compares(path, "<", value)


@pytest.mark.parametrize(
    "bad",
    [
        math.nan,
        math.inf,
        -math.inf,
        [],
        {},
        (1,),
        b"a",
        Ellipsis,
        2**63 + 1,
        -(2**64),
        "\ud800",
        1j,
    ],
    ids=repr,
)
@pytest.mark.parametrize("node", [Equals, Contains, _less])
def test_what_is_no_operand_is_refused(node: Any, bad: Any) -> None:
    """When the node is made, not when it is used."""
    with pytest.raises(ValueError, match=r"number|metadata|integer|text"):
        node("a", bad)


@pytest.mark.parametrize(
    "path", [(), [], (1,), (None,), ("a", 0), "\ud800", ("a", "\udfff"), (b"a",)]
)
def test_what_is_no_path_is_refused(path: Any) -> None:
    """One key or more, each a text that can be stored."""
    with pytest.raises(ValueError, match="path"):
        Exists(path)


@pytest.mark.parametrize("sign", ["=", "==", "!=", "<>", "", None])
def test_what_is_no_sign_is_refused(sign: Any) -> None:
    """Equality has a node of its own."""
    with pytest.raises(ValueError, match="the sign must be one of < <= > >="):
        Compares("a", sign, 1)


@pytest.mark.parametrize("bad", [None, "a", True, {"a": 1}])
def test_what_is_no_filter_is_refused_as_a_part(bad: Any) -> None:
    """When the node is made."""
    for make in (lambda: And([bad]), lambda: Or([bad]), lambda: Not(bad)):
        with pytest.raises(ValueError, match="a part must be a filter"):
            make()


def test_a_node_is_frozen() -> None:
    """It can be shared, kept in a set, and is what it was made as."""
    node: Any = Equals("a", 1)
    with pytest.raises(AttributeError):
        node.value = 2
    assert len({node, Equals("a", 1.0), Equals("a", True)}) == 2


def test_nodes_of_unlike_operands_differ() -> None:
    """For Python True is 1; a cache that is keyed by filters must not think so."""
    assert Equals("a", True) != Equals("a", 1)
    assert Not(Contains("a", False)) != Not(Contains("a", 0))


def test_a_list_that_is_changed_later_changes_no_filter() -> None:
    """Parts and path are copied."""
    parts: list[Where] = [Exists("a")]
    path = ["a"]
    both, there = And(parts), Exists(path)
    parts.clear()
    path.append("b")
    assert (And([Exists("a")]), Exists("a")) == (both, there)


_KEYS = st.sampled_from(["a", "b", "a.b", "0", ""])
_SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, -1, 0.0, 1.0, 0.5, 2**53, 2**53 + 1, 2.0**53, 2**63, 1e300, "", "a"]
) | st.sampled_from(["A", "b", "\0", "\uffff", "\U0001f642", "1", "true", "null"])
_METADATA: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)
_PATHS = st.lists(_KEYS, min_size=1, max_size=3)
_FILTERS: st.SearchStrategy[Any] = st.recursive(
    st.builds(Equals, _PATHS, _SCALARS)
    | st.builds(Compares, _PATHS, st.sampled_from(["<", "<=", ">", ">="]), _SCALARS)
    | st.builds(Contains, _PATHS, _SCALARS)
    | st.builds(Exists, _PATHS),
    lambda inner: (
        st.builds(And, st.lists(inner, max_size=3))
        | st.builds(Or, st.lists(inner, max_size=3))
        | st.builds(Not, inner)
    ),
    max_leaves=8,
)


def _naive(where: Any, metadata: Any) -> bool:
    """The table once more, read as it is written."""
    if isinstance(where, And):
        return min([_naive(part, metadata) for part in where.parts], default=True)
    if isinstance(where, Or):
        return max([_naive(part, metadata) for part in where.parts], default=False)
    if isinstance(where, Not):
        return not _naive(where.part, metadata)
    return _naive_leaf(where, metadata)


def _naive_leaf(where: Any, metadata: Any) -> bool:
    for key in where.path:
        if type(metadata) is not dict or key not in metadata:
            return False
        metadata = cast("dict[str, Any]", metadata)[key]
    if isinstance(where, Exists):
        return True
    if isinstance(where, Contains):
        found = cast("list[Any]", metadata) if type(metadata) is list else []
        return any(_naive_order(element, where.value) == 0 for element in found)
    order = _naive_order(metadata, where.value)
    if isinstance(where, Equals):
        return order == 0
    ordered = type(where.value) in (int, float, str)
    return ordered and order in {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[where.sign]


def _naive_order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 for two of a kind, and None for what is unlike."""
    kinds = [
        "number" if type(value) in (int, float) else type(value).__name__ for value in (left, right)
    ]
    if kinds[0] != kinds[1] or kinds[0] in ("list", "dict"):
        return None
    if left is None:
        return 0
    if kinds[0] == "str":
        left, right = [[ord(character) for character in text] for text in (left, right)]
    return (left > right) - (left < right)


@settings(max_examples=1000, deadline=None)
@given(_FILTERS, _METADATA)
def test_every_answer_is_the_table_s(where: Where, metadata: JsonValue) -> None:
    """Whatever the filter and the metadata, `Not` is the complement too."""
    assert _naive(where, metadata) == matches(where, metadata)
    assert matches(where, metadata) != matches(~where, metadata)


@settings(max_examples=200, deadline=None)
@given(_FILTERS, _METADATA)
def test_storing_changes_no_answer(where: Where, metadata: JsonValue) -> None:
    """What is filtered has been written and read."""
    assert matches(where, metadata) == matches(where, decode(JsonValue, encode(metadata)))


@settings(max_examples=200, deadline=None)
@given(_FILTERS)
def test_a_copied_filter_is_equal(where: Where) -> None:
    """It crosses processes."""
    copied = pickle.loads(pickle.dumps(where))
    assert (where, hash(where)) == (copied, hash(copied))
