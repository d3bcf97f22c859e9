"""The sizes of storages."""

import pytest

from clawdesk_storage.bench.sizes import sizes


def test_every_power_of_ten_is_a_size() -> None:
    """From a hundred messages to a hundred thousand."""
    assert [100, 1_000, 10_000, 100_000] == sizes("conversations", 1)


def test_a_larger_scale_adds_sizes() -> None:
    """The small ones stay."""
    assert [100, 1_000, 10_000, 100_000] == sizes("sessions", 10)


@pytest.mark.parametrize("port", ["sessions", "conversations", "vectors"])
@pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 1, 100])
def test_there_are_enough_for_a_verdict(port: str, scale: float) -> None:
    """Three different ones at least, none of them smaller than a page of a list."""
    made = sizes(port, scale)
    assert (True, True, made) == (len(made) >= 3, min(made) >= 100, sorted(set(made)))
