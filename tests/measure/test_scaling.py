"""Vote curves against a slow oracle: every admissible subset, one at a time, in exact fractions."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import VOTES, judge_single, judge_totals, totals, vote_curve
from grmeval.measure.votes import Bools, Floats

Block = tuple[Floats, Bools, Bools, Bools]  # scores, valid, drawn, best


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def fresh_order_counts(k: int, n: int, balanced: bool) -> Any:
    """The order counts that a fresh run of k samples can have, each once."""
    if not balanced:
        return None
    return {tuple(sorted(Counter((start + j) % n for j in range(k)).items())) for start in range(n)}


def subsets_with_weight(
    stored: list[int], k: int, n: int, balanced: bool
) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """(subset, probability): allowed order counts weigh the same, subsets inside them too."""
    wanted = fresh_order_counts(k, n, balanced)
    by_counts: dict[Any, list[tuple[int, ...]]] = {}
    for subset in combinations(stored, k):
        counts = tuple(sorted(Counter(j % n for j in subset).items())) if balanced else None
        if wanted is None or counts in wanted:
            by_counts.setdefault(counts, []).append(subset)
    for same in by_counts.values():
        for subset in same:
            yield subset, Fraction(1, len(by_counts) * len(same))


def verdict(rows: Any, best: Bools, vote: str, threshold: float) -> tuple[Any, Any, Any, Any]:
    """(win, tie, share, void) of one subset's readable samples."""
    if not rows:
        return 0, 0, 0, 1
    n = len(best)
    if n == 1:
        values = [row[0] for row in rows]
        if vote == "majority":
            judged = sum(value >= threshold for value in values) * 2 > len(values)
        else:
            judged = sum(values) >= Fraction(threshold) * len(values)
        return int(judged == best[0]), 0, 0, 0
    if vote == "majority":
        alone = [row.index(max(row)) for row in rows if row.count(max(row)) == 1]
        total = [alone.count(r) for r in range(n)]
    else:
        total = [sum(row[r] for row in rows) for r in range(n)]
    winners = [bool(best[r]) for r in range(n) if total[r] == max(total)]
    share = Fraction(sum(winners), len(winners))
    return int(share == 1), int(0 < share < 1), share if share < 1 else 0, 0


def oracle(item: Block, k: int, vote: str, balanced: bool, threshold: float = 5.5) -> list[float]:
    scores, valid, drawn, best = item
    stored = [j for j in range(len(drawn)) if drawn[j]]
    masses = [Fraction(0)] * 4
    reached = False
    for subset, weight in subsets_with_weight(stored, k, len(best), balanced):
        reached = True
        rows = [[Fraction(score) for score in scores[j].tolist()] for j in subset if valid[j]]
        found = verdict(rows, best, vote, threshold)
        masses = [mass + weight * value for mass, value in zip(masses, found, strict=True)]
    return [float(mass) for mass in masses] if reached else [np.nan] * 4


def stored_samples(
    rng: np.random.Generator, items: int, samples: int, n: int, holes: bool = True
) -> Block:
    """Few score levels, so that ties are common; some samples invalid, some never drawn."""
    scores = rng.integers(1, 5, (items, samples, n)).astype(float)
    drawn = np.ones((items, samples), bool)
    if holes:
        drawn[items // 2 :] = rng.random((items - items // 2, samples)) < 0.7
    valid = drawn & (rng.random((items, samples)) < 0.75)
    valid[0] = False
    scores[~valid] = np.nan
    best = rng.random((items, n)) < 0.5
    return scores, valid, drawn, best


@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("step", [1.0, 0.25])
def test_agrees_with_every_subset_one_at_a_time(
    vote: str, balanced: bool, n: int, step: float
) -> None:
    scores, valid, drawn, best = stored_samples(np.random.default_rng(n), 12, 7, n)
    # A step of 0.25 leaves no integer margin, so pairs and singles take the general way too.
    scores, threshold = scores * step, 2.5 * step
    ks = range(1, 9)
    curve = vote_curve(
        scores,
        valid,
        drawn,
        best,
        ks,
        vote=vote,
        balanced=balanced,
        threshold=threshold,
        rng=generator(),
    )
    expected = np.array(
        [
            [oracle(item, k, vote, balanced, threshold) for k in ks]
            for item in zip(scores, valid, drawn, best, strict=True)
        ]
    )
    assert_allclose(np.stack(curve.outcomes, axis=-1), expected, atol=1e-12)
    assert (curve.reached == ~np.isnan(expected[..., 0])).all()
    assert curve.exact.all()
    assert not curve.noise.any()


@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(("n", "samples"), [(1, 6), (2, 8), (2, 9), (3, 7)])
def test_all_samples_are_the_plain_vote(vote: str, balanced: bool, n: int, samples: int) -> None:
    scores, valid, drawn, best = stored_samples(generator(), 30, samples, n, holes=False)
    curve = vote_curve(
        scores, valid, drawn, best, [samples], vote=vote, balanced=balanced, rng=generator()
    )
    voted = totals(vote, scores, valid)
    plain = judge_single(voted, best[:, 0], vote, 5.5) if n == 1 else judge_totals(voted, best)
    for found, expected in zip(curve.outcomes, plain, strict=True):
        assert (found[:, 0] == expected).all()


def test_majority_of_a_pair_follows_the_hypergeometric_formula() -> None:
    ahead, behind, level, k = 13, 9, 10, 8
    samples = ahead + behind + level
    scores = np.array([[[2.0, 1.0]] * ahead + [[1.0, 2.0]] * behind + [[3.0, 3.0]] * level])
    full = np.ones((1, samples), bool)
    curve = vote_curve(
        scores,
        full,
        full,
        np.array([[True, False]]),
        [k],
        vote="majority",
        balanced=False,
        rng=generator(),
    )
    mass = {True: 0, False: 0}
    for i in range(k + 1):
        for j in range(i + 1):
            if i + j <= k:
                mass[i > j] += comb(ahead, i) * comb(behind, j) * comb(level, k - i - j)
    assert curve.outcomes.win[0, 0] == mass[True] / comb(samples, k)
    assert curve.outcomes.tie[0, 0] == mass[False] / comb(samples, k)


def test_counts_beyond_int64_keep_their_precision() -> None:
    samples, k = 80, 40
    rng = generator()
    scores = rng.integers(4, 7, (1, samples, 2)).astype(float)
    counts = [Counter({0: 1})] + [Counter() for _ in range(k)]
    for margin in (scores[0, :, 0] - scores[0, :, 1]).astype(int).tolist():
        for size in range(k, 0, -1):
            for total, number in counts[size - 1].items():
                counts[size][total + margin] += number
    full = np.ones((1, samples), bool)
    best = np.array([[True, False]])
    curve = vote_curve(scores, full, full, best, [k], vote="sum", balanced=False, rng=rng)
    assert comb(samples, k) > 2**63
    win = sum(number for total, number in counts[k].items() if total > 0)
    assert_allclose(curve.outcomes.win[0, 0], win / comb(samples, k), rtol=1e-13)
    assert_allclose(curve.outcomes.tie[0, 0], counts[k][0] / comb(samples, k), rtol=1e-13)


def test_order_bias_stays_out_of_balanced_subsets() -> None:
    scores = np.array([[[2.0, 1.0], [1.0, 2.0]] * 2])
    full, best = np.ones((1, 4), bool), np.array([[True, False]])

    def at_two(balanced: bool) -> tuple[float, float]:
        curve = vote_curve(
            scores, full, full, best, [2], vote="sum", balanced=balanced, rng=generator()
        )
        return curve.outcomes.win[0, 0], curve.outcomes.tie[0, 0]

    assert at_two(True) == (0.0, 1.0)
    assert at_two(False) == pytest.approx((1 / 6, 4 / 6))


@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_nothing_readable_is_void_and_nothing_drawn_is_unreached(vote: str, n: int) -> None:
    blank = np.full((2, 6, n), np.nan)
    none, drawn = np.zeros((2, 6), bool), np.zeros((2, 6), bool)
    drawn[0] = True
    best = np.ones((2, n), bool)
    curve = vote_curve(blank, none, drawn, best, [1, 3], vote=vote, balanced=True, rng=generator())
    assert (curve.outcomes.void[0] == 1).all()
    assert not any(part[0].any() for part in curve.outcomes[:3])
    assert np.isnan(curve.outcomes.win[1]).all()
    assert curve.reached.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("best", "win", "tie"), [((1, 0), 0, 1), ((0, 1), 0, 1), ((1, 1), 1, 0), ((0, 0), 0, 0)]
)
def test_equal_scores_tie_unless_the_truth_does_too(best: list[int], win: int, tie: int) -> None:
    full = np.ones((1, 6), bool)
    curve = vote_curve(
        np.full((1, 6, 2), 7.0),
        full,
        full,
        np.array([best], bool),
        [1, 2, 6],
        vote="sum",
        balanced=True,
        rng=generator(),
    )
    assert (curve.outcomes.win == win).all()
    assert (curve.outcomes.tie == tie).all()
    assert (curve.outcomes.share == tie / 2).all()


@pytest.mark.parametrize("items", [0, 3])
@pytest.mark.parametrize("samples", [0, 2])
def test_empty_blocks_have_empty_curves(items: int, samples: int) -> None:
    flags = np.zeros((items, samples), bool)
    curve = vote_curve(
        np.full((items, samples, 2), np.nan),
        flags,
        flags,
        np.ones((items, 2), bool),
        [1, 2],
        vote="sum",
        balanced=True,
        rng=generator(),
    )
    assert curve.outcomes.win.shape == (items, 2)
    assert not curve.reached.any()
    assert curve.exact.all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vote": "best"}, "sum, mean, majority"),
        ({"ks": [0]}, "at least 1"),
        ({"drawn": np.zeros((1, 2), bool)}, "must be drawn"),
        ({"best": np.ones((1, 3), bool)}, "best must have shape"),
        ({"scores": np.ones((1, 2))}, r"\[I, N, n\]"),
        ({"scores": np.full((1, 2, 2), np.nan)}, "finite score"),
        ({"permutations": 1}, "permutations must be at least 2"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    given = {
        "scores": np.ones((1, 2, 2)),
        "valid": np.ones((1, 2), bool),
        "drawn": np.ones((1, 2), bool),
        "best": np.ones((1, 2), bool),
        "ks": [1],
        "vote": "sum",
        "balanced": True,
        "rng": generator(),
    }
    with pytest.raises(ValueError, match=message):
        vote_curve(**{**given, **change})
