"""The search in memory agrees with brute force."""

import operator
import random
from array import array

from clawdesk_storage import unit_vector

from clawdesk_sochdb.matrix import Matrix


def test_equal_vectors_come_by_id() -> None:
    """Equal vectors get equal scores wherever they stand, and so are ordered by id."""
    chance = random.Random(1)
    vector = unit_vector([chance.gauss(0, 1) for _ in range(301)])
    ids = [f"{number:03}" for number in range(200)]
    shuffled = chance.sample(ids, len(ids))
    matrix = Matrix((id, vector) for id in shuffled)
    query = unit_vector([chance.gauss(0, 1) for _ in range(301)])
    assert ids[:20] == [id for id, _ in matrix.best(query, 20)]


def test_random_changes_keep_the_search_exact() -> None:
    """After puts, replacements and removals the best are those that a plain loop finds."""
    chance = random.Random(2)
    expected: dict[str, array[float]] = {}
    matrix = Matrix([])
    for _ in range(600):
        id = str(chance.randrange(80))
        if chance.random() < 0.3:
            matrix.remove(id)
            expected.pop(id, None)
        else:
            expected[id] = unit_vector([chance.gauss(0, 1) for _ in range(8)])
            matrix.put(id, expected[id])
    query = unit_vector([chance.gauss(0, 1) for _ in range(8)])
    scores = {id: sum(map(operator.mul, query, vector)) for id, vector in expected.items()}
    best = sorted(scores, key=lambda id: -scores[id])
    assert best == [id for id, _ in matrix.best(query, 1000)]


def test_empty_matrix_finds_nothing() -> None:
    """Without vectors there is nothing to find, after the last one was removed too."""
    matrix = Matrix([])
    matrix.put("a", unit_vector([1.0, 0.0]))
    matrix.remove("a")
    assert matrix.best(unit_vector([1.0, 0.0]), 3) == []
