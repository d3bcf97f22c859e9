"""The verdict on growth, of costs whose growth is known."""

from collections.abc import Callable
from math import exp, log
from random import Random

import pytest

from clawdesk_storage.bench import Growth

DECADES = (100, 1_000, 10_000, 100_000)
ONE_DECADE = (100, 316, 1_000)

SHAPES: dict[str, tuple[str, Callable[[int], float]]] = {
    "constant": ("flat", lambda size: 50),
    "falling": ("flat", lambda size: 50 / log(size)),
    "tree": ("logarithmic", log),
    "scan": ("linear", lambda size: size),
    "sort": ("linear", lambda size: size * log(size)),
    "scan behind a fixed cost": ("linear", lambda size: 50 + 0.01 * size),
    "scan seen at the end only": ("linear", lambda size: 50 + 0.0005 * size),
    "pairs": ("worse", lambda size: size**2),
    "pairs behind a fixed cost": ("worse", lambda size: 1e4 + size**2),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_verdict_names_the_shape(shape: str) -> None:
    """A cost that has exactly this shape gets exactly this word."""
    verdict, cost = SHAPES[shape]
    growth = Growth.of({size: cost(size) for size in DECADES})
    assert growth
    assert verdict == growth.verdict


@pytest.mark.parametrize("shape", ["constant", "scan", "sort", "pairs"])
@pytest.mark.parametrize("sizes", [DECADES, DECADES[:3], ONE_DECADE], ids=len)
def test_noise_of_a_tenth_does_not_change_it(shape: str, sizes: tuple[int, ...]) -> None:
    """Of two hundred noisy runs nearly all agree, be the sizes many or few."""
    verdict, cost = SHAPES[shape]
    random = Random(7)
    noisy = [
        Growth.of({size: cost(size) * exp(random.gauss(0, 0.1)) for size in sizes})
        for _ in range(200)
    ]
    assert 190 <= sum(one is not None and one.verdict == verdict for one in noisy)


def test_the_exponent_is_that_of_the_power() -> None:
    """A cost of size^0.5 has 0.5, whatever its factor."""
    growth = Growth.of({size: 7 * size**0.5 for size in DECADES})
    assert growth
    assert pytest.approx(0.5) == growth.exponent


def test_the_exponent_looks_at_the_large_sizes() -> None:
    """What a fixed cost hides at a hundred shows at a hundred thousand."""
    growth = Growth.of({100: 50, 1_000: 50, 10_000: 500, 100_000: 5_000})
    assert growth
    assert pytest.approx(1) == growth.exponent


def test_two_sizes_say_nothing() -> None:
    """A line goes through any two points."""
    assert Growth.of({100: 1, 1_000: 10}) is None
