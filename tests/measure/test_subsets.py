"""Subsets: the order counts of a fresh run, by hand and as dealt."""

from typing import Any

import numpy as np
import pytest

from grmeval.measure.subsets import admissible, dealt, every, shuffled


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize(
    ("counts", "k", "expected"),
    [
        ((2, 2), 2, [(1, 1)]),
        ((2, 2), 3, [(2, 1), (1, 2)]),
        ((2, 1), 3, [(2, 1)]),
        ((3, 0), 2, []),
        ((2, 2, 2), 4, [(2, 1, 1), (1, 2, 1), (1, 1, 2)]),
        ((2, 2, 1), 5, [(2, 2, 1)]),
        ((5,), 6, []),
    ],
)
def test_order_counts_by_hand(counts: tuple[int, ...], k: int, expected: Any) -> None:
    assert admissible(counts, k) == expected


@pytest.mark.parametrize("counts", [(4, 4, 4), (5, 4, 4), (3, 5, 2), (7,)])
def test_dealt_and_enumerated_subsets_are_admissible(counts: tuple[int, ...]) -> None:
    edges = np.cumsum(counts)[:-1]
    ranks = shuffled(counts, 60, generator())
    for k in range(1, sum(counts) + 1):
        takes = admissible(counts, k)
        for chosen, start in [dealt(ranks, counts, takes), every(counts, takes)] if takes else []:
            held = [part.sum(axis=1) for part in np.split(chosen, edges, axis=1)]
            assert (np.stack(held, axis=1) == np.array(takes)[start]).all()
            assert set(start.tolist()) == set(range(len(takes)))


def test_subsets_of_one_shuffle_are_nested() -> None:
    counts = (4, 4)
    ranks = shuffled(counts, 20, generator())
    smaller, _ = dealt(ranks, counts, admissible(counts, 3))
    larger, _ = dealt(ranks, counts, admissible(counts, 5))
    assert (smaller <= larger).all()
