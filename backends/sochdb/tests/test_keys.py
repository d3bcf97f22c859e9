"""No two records share a key."""

from collections import defaultdict
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from clawdesk_sochdb.keys import (
    CONFIG,
    DIMENSION,
    FLOOR,
    FORMAT,
    HEADS,
    METADATA,
    SESSIONS,
    VECTORS,
    key_of,
    message_key,
    message_prefix,
)

KINDS = (SESSIONS, HEADS, VECTORS, METADATA)
IDS = ["a", "a/", "/", "a\x01", "aa", "m/", "\U0001f600", "é", "e\u0301", "0" * 8, "a" * 1024]

# Few characters, so that ids often begin alike and hold what keys are made of.
hostile_ids = st.text(
    st.sampled_from("\x00\x01\x02a/smcd\u0161\U0001f600"), min_size=1, max_size=12
)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | hostile_ids
numbers = st.integers(0, 2**64 - 1) | st.integers(0, 300)


def keys_of(id: str, number: int) -> dict[tuple[object, ...], bytes]:
    """Return the keys of everything that one id can stand for, by what it is."""
    keys: dict[tuple[object, ...], bytes] = {(kind, id): key_of(kind, id) for kind in KINDS}
    keys["message", id, number] = message_key(id, number)
    return keys


def test_keys_are_distinct() -> None:
    """Every kind, id and number has a key of its own, hostile ids included."""
    keys = [key_of(kind, id) for kind, id in product(KINDS, IDS)]
    keys += [message_key(id, number) for id, number in product(IDS, (0, 1, 255, 256, 2**40))]
    assert len(set(keys)) == len(keys)


@settings(deadline=None)
@given(st.lists(st.tuples(ids, numbers), min_size=2, max_size=8))
def test_different_records_have_different_keys(records: list[tuple[str, int]]) -> None:
    """Whatever the ids and numbers, a key belongs to one record."""
    owners: dict[bytes, set[tuple[object, ...]]] = defaultdict(set)
    for key in (CONFIG, DIMENSION, FLOOR, FORMAT):
        owners[key].add((key,))
    for id, number in records:
        for owner, key in keys_of(id, number).items():
            owners[key].add(owner)
    assert all(len(who) == 1 for who in owners.values())


@settings(deadline=None)
@given(ids, ids, numbers)
def test_prefix_holds_one_conversation(id: str, other: str, number: int) -> None:
    """A message's key begins with its own conversation's prefix, and with no other's."""
    assert (id == other) == message_key(id, number).startswith(message_prefix(other))


@settings(deadline=None)
@given(ids, numbers, numbers)
def test_message_keys_are_in_order(id: str, one: int, other: int) -> None:
    """The keys of one conversation are in the order of the messages' numbers."""
    assert (one < other) == (message_key(id, one) < message_key(id, other))
