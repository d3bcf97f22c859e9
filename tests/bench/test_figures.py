"""Quantiles of the time of calls, and ratios of rates."""

from array import array

from clawdesk_storage.bench import Latency, Throughput


def test_quantiles_are_taken_over_all_rounds_together() -> None:
    """Ninety quick calls in one round and ten slow ones in another: p95 is slow, p50 is not."""
    rounds = [array("d", [1.0] * 90), array("d", [2.0] * 9 + [3.0])]
    assert Latency(p50=1.0, p95=2.0, p99=2.0, max=3.0) == Latency.of(rounds)


def test_of_a_single_call_every_quantile_is_its_time() -> None:
    """There is nothing else to say."""
    assert Latency(4.0, 4.0, 4.0, 4.0) == Latency.of([array("d", [4.0])])


def test_a_ratio_is_that_within_a_round() -> None:
    """The machine became slow after the first round: what is twice as fast stays so."""
    ours, theirs = Throughput([200.0, 20.0, 20.0]), Throughput([100.0, 10.0, 10.0])
    assert 2.0 == ours.times(theirs)


def test_a_ratio_takes_the_rounds_that_both_did() -> None:
    """The slower one may have done fewer."""
    assert 2.0 == Throughput([2.0, 9.0, 9.0]).times(Throughput([1.0]))
