"""Two games, one an order (JudgeBench), against every subset one at a time; and by hand."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import judge_games, vote_curve
from grmeval.measure.votes import Floats

PAIR = np.array([True, False])


def game(total: list[float]) -> Floats:
    return np.array([total])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([9, 1], [9, 1], "win"),
        ([9, 1], [5, 5], "win"),  # +1 and 0
        ([9, 1], [1, 9], "tie"),  # +1 and -1
        ([5, 5], [5, 5], "tie"),
        ([1, 9], [5, 5], "lost"),
        ([9, 1], [np.nan, np.nan], "win"),  # the official scorer counts a missing decision as 0
        ([1, 9], [np.nan, np.nan], "lost"),
        ([np.nan, np.nan], [np.nan, np.nan], "void"),
        ([90, 1], [8, 9], "tie"),  # a large lead in one order is one game all the same
    ],
)
def test_the_sum_of_two_games(first: list[float], second: list[float], expected: str) -> None:
    found = judge_games([game(first), game(second)], PAIR)
    masses = {"win": found.win[0], "tie": found.tie[0], "void": found.void[0]}
    assert masses == {name: float(name == expected) for name in masses}


@pytest.mark.parametrize("off", [0.0, 2**0.5])
@pytest.mark.parametrize("vote", ["sum", "mean", "majority"])
def test_the_curve_is_the_mean_over_subsets(vote: str, off: float) -> None:
    """Exact counting (scores on a grid) and enumeration (others) against a slow loop."""
    rng = np.random.default_rng(5)
    scores: Floats = rng.integers(1, 5, (15, 6, 2)).astype(float) * 0.3
    scores[:, 0, 0] += off
    valid = rng.random((15, 6)) < 0.7
    drawn = np.ones((15, 6), bool)
    best = np.where(rng.random((15, 1)) < 0.5, [[True, False]], [[False, True]])
    ks = [1, 2, 3, 4, 6]
    found = vote_curve(
        scores, valid, drawn, best, ks, vote=vote, balanced=True, games=True, rng=rng
    )
    for item in range(15):
        for column, k in enumerate(ks):
            masses = slow(scores[item], valid[item], best[item], k, vote)
            assert_allclose([m[item, column] for m in found.outcomes], masses, atol=1e-12)


def slow(scores: Floats, valid: Floats, best: Floats, k: int, vote: str) -> list[float]:
    """Subsets with k // 2 of each order, for odd k one more of either; each start weighs the same."""
    starts = []
    for extra in (0, 1) if k % 2 else (None,):
        take = [k // 2 + (extra == order) for order in (0, 1)]
        if any(t > 3 for t in take):
            continue
        results = []
        for even in combinations((0, 2, 4), take[0]):
            for odd in combinations((1, 3, 5), take[1]):
                results.append(verdict(scores, valid, best, (even, odd), vote))
        starts.append(np.mean(results, axis=0))
    masses: list[float] = np.mean(starts, axis=0).tolist()
    return masses


def verdict(
    scores: Floats,
    valid: Floats,
    best: Floats,
    games: tuple[tuple[int, ...], tuple[int, ...]],
    vote: str,
) -> list[float]:
    balance, read = 0, False
    for js in games:
        leads = [scores[j, 0] - scores[j, 1] for j in js if valid[j]]
        if vote == "majority":
            leads = [np.sign(round(lead, 9)) for lead in leads]
        read = read or bool(leads)
        total = round(sum(leads) if vote != "mean" or not leads else np.mean(leads), 9)
        balance += int(np.sign(total)) * (1 if best[0] else -1)
    if not read:
        return [0, 0, 0, 1]
    return [balance > 0, balance == 0, (balance == 0) / 2, 0]


def test_games_are_of_balanced_pairs() -> None:
    ones, yes = np.ones((1, 2, 3)), np.ones((1, 2), bool)
    best = np.array([[True, False, False]])
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="balanced orders"):
        vote_curve(ones, yes, yes, best, [1], vote="sum", balanced=True, games=True, rng=rng)
