"""No two records share a key."""

from itertools import product

from clawdesk_sochdb.keys import COUNTS, METADATA, SESSIONS, VECTORS, key_of, message_key

IDS = ["a", "a/", "/", "a\x01", "aa", "m/", "\U0001f600", "é", "e\u0301", "0" * 8, "a" * 1024]


def test_keys_are_distinct() -> None:
    """Every kind, id and number has a key of its own, hostile ids included."""
    kinds = (SESSIONS, COUNTS, VECTORS, METADATA)
    keys = [key_of(kind, id) for kind, id in product(kinds, IDS)]
    keys += [message_key(id, number) for id, number in product(IDS, (0, 1, 255, 256, 2**40))]
    assert len(set(keys)) == len(keys)


def test_message_keys_are_in_order() -> None:
    """The keys of one conversation are in the order of the messages' numbers."""
    keys = [message_key("a", number) for number in (0, 1, 9, 10, 255, 256, 65_536)]
    assert sorted(keys) == keys
