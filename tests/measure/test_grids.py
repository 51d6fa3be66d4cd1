"""Scores on a grid of halves, tenths ... are counted exactly: against every subset, added in fractions."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import Extra, vote_curve
from grmeval.measure.margins import margins
from grmeval.measure.votes import Bools, Floats

SAMPLES, KS = 6, (1, 2, 3, 4, 5, 6)
PAIR = np.array([[True, False]])


def whole(n: int, part: int) -> tuple[Any, Bools]:
    """Scores [I, N, n] in parts of 1, about 5, and which are valid."""
    rng = np.random.default_rng(n * part)
    valid = rng.random((10, SAMPLES)) < 0.8
    valid[0] = False
    return rng.integers(5 * part - 4, 5 * part + 5, (10, SAMPLES, n)), valid


def sign(leads: list[Fraction]) -> int:
    return (sum(leads) > 0) - (sum(leads) < 0)


def subsets(k: int, balanced: bool) -> Iterator[tuple[float, tuple[int, ...]]]:
    """(probability, subset): order counts of a fresh run weigh alike, and so do subsets inside them."""
    alike: dict[int, list[tuple[int, ...]]] = {}
    for subset in combinations(range(SAMPLES), k):
        first = sum(j % 2 == 0 for j in subset)
        if not balanced or abs(2 * first - k) <= 1:
            alike.setdefault(first if balanced else 0, []).append(subset)
    for same in alike.values():
        for subset in same:
            yield 1 / len(alike) / len(same), subset


def slow(
    leads: list[Fraction],
    valid: list[bool],
    reward: list[float],
    how: tuple[str, bool, bool, int],
    k: int,
) -> dict[str, float]:
    """P of the sign of an item's vote: "1", "0", "-1" or "void"."""
    vote, balanced, games, n = how
    found: dict[str, float] = defaultdict(float)
    for weight, subset in subsets(k, balanced):
        if not any(valid[j] for j in subset):
            found["void"] += weight
            continue
        if vote == "meta":
            order = sorted(subset, key=lambda j: (not valid[j], -reward[j], j))
            subset = tuple(order[: max(1, k // 2)])
        parts = [[j for j in subset if j % 2 == g] for g in (0, 1)] if games else [list(subset)]
        ballots = [[leads[j] for j in part if valid[j]] for part in parts]
        if vote in ("majority", "borda"):
            ballots = [[Fraction(sign([lead]) or (n == 1)) for lead in each] for each in ballots]
        found[str(sign([Fraction(sign(each)) for each in ballots]))] += weight
    return found


CASES = [
    (n, vote, balanced, games)
    for n, balanced, games in [
        (1, False, False),
        (2, True, False),
        (2, False, False),
        (2, True, True),
    ]
    for vote in ("sum", "mean", "majority", "borda", "meta")
    if not (vote == "borda" and n == 1) and not (vote == "meta" and games)
]


@pytest.mark.parametrize(("n", "vote", "balanced", "games"), CASES)
@pytest.mark.parametrize("part", [2, 4, 10])
@pytest.mark.parametrize("unit", [1.0, 1e-10, 1e6])
def test_agrees_with_every_subset_in_fractions(
    n: int, vote: str, balanced: bool, games: bool, part: int, unit: float
) -> None:
    numbers, valid = whole(n, part)
    reward = np.random.default_rng(part).permuted(np.tile(np.arange(6.0), (10, 1)), axis=1)
    best = np.tile(PAIR[:, :n], (10, 1))
    curve = vote_curve(
        numbers / part * unit,
        valid,
        np.ones_like(valid),
        best,
        KS,
        vote=vote,
        balanced=balanced,
        games=games,
        threshold=5 * unit,
        rng=np.random.default_rng(0),
        enumerate_at_most=1,  # so that it is exact only by counting
        permutations=2,
        extra=Extra(reward=reward),
    )
    assert curve.exact.all()
    for item in range(10):
        other = numbers[item, :, 1].tolist() if n == 2 else [5 * part] * SAMPLES
        leads = [
            Fraction(one - two, part)
            for one, two in zip(numbers[item, :, 0].tolist(), other, strict=True)
        ]
        for column, k in enumerate(KS):
            how = vote, balanced, games, n
            mass = slow(leads, valid[item].tolist(), reward[item].tolist(), how, k)
            level_wins = n == 1 and vote != "majority"
            wins = mass["1"] + mass["0"] * level_wins
            ties = mass["0"] * (n == 2)
            found = [part[item, column] for part in curve.outcomes]
            assert_allclose(found, [wins, ties, ties / 2, mass["void"]], atol=1e-12)


def leads(*values: float, size: float = 0.0) -> Floats:
    """Scores of one item whose leads these are, all about `size`."""
    return np.array([[[size + value, size] for value in values]])


@pytest.mark.parametrize(
    ("scores", "steps"),
    [
        (leads(1, -3, 0), [1, -3, 0]),
        (leads(0.5, -1.5, 0.25), [2, -6, 1]),
        (leads(0.1, 0.2, -0.3, size=7.2), [1, 2, -3]),
        (leads(0.07, 0.35), [1, 5]),
        (leads(1 / 3, 0.5, size=1), [2, 3]),
        (leads(3e-10, -2e-10, size=5e-10), [3, -2]),
        (leads(3e6, -2e6), [3, -2]),
        (leads(0, 0), [0, 0]),
        (leads(0.123, 1.2), [41, 400]),
        (leads(0.5, 0.123456789), None),
        (leads(2**0.5, 1), None),
        (leads(1e-13, 1, size=1), None),  # a lead of one sample, however small, is no tie
        (leads(1e-13, 1, size=0), None),
        (leads(0.5, 0.25, size=1e12), None),  # sums of such scores are not known to a quarter
        (leads(0.0001, 1.0001), None),  # more than 10,000 steps
    ],
)
def test_the_widest_grid_that_holds_all_leads(scores: Floats, steps: list[int] | None) -> None:
    valid = np.ones(scores.shape[:2], bool)
    found = margins(scores, valid, PAIR, "sum", 5.5)
    assert (None if found is None else found[0].tolist()) == steps


def test_unreadable_samples_have_no_part_in_the_grid() -> None:
    scores = leads(0.5, 0.123456789, 1.5)
    valid = np.array([[True, False, True]])
    found = margins(scores, valid, PAIR, "mean", 5.5)
    assert found is not None
    assert found.tolist() == [[1, 0, 3]]


def test_a_single_response_is_that_far_from_the_threshold() -> None:
    scores = np.array([[[7.2], [7.3], [6.9], [8.0]]])
    found = margins(scores, np.ones((1, 4), bool), PAIR[:, :1], "mean", 7.2)
    assert found is not None
    assert found.tolist() == [[0, 1, -3, 8]]


def test_real_valued_scores_are_drawn() -> None:
    scores = np.random.default_rng(0).normal(size=(50, 20, 2))
    yes, best = np.ones((50, 20), bool), np.tile(PAIR, (50, 1))
    curve = vote_curve(
        scores, yes, yes, best, [10], vote="sum", balanced=False, rng=np.random.default_rng(0)
    )
    assert not curve.exact.any()
