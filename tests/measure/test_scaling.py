"""Vote curves against a slow oracle: every admissible subset, one at a time, in exact fractions."""

from collections import Counter
from math import comb
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import Extra, judge_single, judge_totals, totals, vote_curve
from tests.measure.oracle import expected, in_games, stored_samples, votes_for

CASES = [(n, vote) for n in (1, 2, 3) for vote in votes_for(n)]


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize(("n", "vote"), CASES)
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(("step", "off"), [(1.0, 0.0), (0.25, 0.0), (1.0, 2**0.5)])
def test_agrees_with_every_subset_one_at_a_time(
    n: int, vote: str, balanced: bool, step: float, off: float
) -> None:
    block = stored_samples(np.random.default_rng(n), 12, 7, n)
    block, threshold = block._replace(scores=block.scores * step), 2.5 * step
    # A score on no grid leaves nothing to count, so pairs and singles take the general way too.
    block.scores[:, 0, 0] += off
    ks = range(1, 9)
    curve = vote_curve(
        block.scores,
        block.valid,
        block.drawn,
        block.best,
        ks,
        vote=vote,
        balanced=balanced,
        threshold=threshold,
        rng=generator(),
        extra=block.extra,
    )
    masses = expected(block, ks, vote, balanced, threshold)
    assert_allclose(np.stack(curve.outcomes, axis=-1), masses, atol=1e-12)
    assert (curve.reached == ~np.isnan(masses[..., 0])).all()
    assert curve.exact.all()
    assert not curve.noise.any()


@pytest.mark.parametrize("vote", votes_for(2))
@pytest.mark.parametrize("k_meta", [None, 1, 3])
def test_games_are_votes_inside_each_order(vote: str, k_meta: int | None) -> None:
    block = stored_samples(generator(), 10, 6, 2)
    block = block._replace(extra=block.extra._replace(k_meta=k_meta))
    scores, valid, drawn, best, extra = block
    ks = range(1, 7)
    curve = vote_curve(
        scores,
        valid,
        drawn,
        best,
        ks,
        vote=vote,
        balanced=True,
        games=True,
        rng=generator(),
        extra=extra,
    )
    masses = expected(block, ks, vote, True, judge=in_games)
    assert_allclose(np.stack(curve.outcomes, axis=-1), masses, atol=1e-12)


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(
    ("n", "samples", "vote"),
    [(n, most, vote) for n, most in ((1, 6), (2, 8), (2, 9), (3, 7)) for vote in votes_for(n)],
)
def test_all_samples_are_the_plain_vote(balanced: bool, n: int, samples: int, vote: str) -> None:
    scores, valid, drawn, best, extra = stored_samples(generator(), 30, samples, n, holes=False)
    curve = vote_curve(
        scores,
        valid,
        drawn,
        best,
        [samples],
        vote=vote,
        balanced=balanced,
        rng=generator(),
        extra=extra,
    )
    voted = totals(vote, scores, valid, extra=extra)
    plain = judge_single(voted, best[:, 0], vote, 5.5) if n == 1 else judge_totals(voted, best)
    for found, wanted in zip(curve.outcomes, plain, strict=True):
        assert (found[:, 0] == wanted).all()


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


@pytest.mark.parametrize(("n", "vote"), CASES)
def test_nothing_readable_is_void_and_nothing_drawn_is_unreached(n: int, vote: str) -> None:
    blank = np.full((2, 6, n), np.nan)
    none, drawn = np.zeros((2, 6), bool), np.zeros((2, 6), bool)
    drawn[0] = True
    best = np.ones((2, n), bool)
    extra = Extra(np.full((2, 6), 0.5), np.zeros((2, 6)))
    curve = vote_curve(
        blank, none, drawn, best, [1, 3], vote=vote, balanced=True, rng=generator(), extra=extra
    )
    assert (curve.outcomes.void[0] == 1).all()
    assert not any(part[0].any() for part in curve.outcomes[:3])
    assert np.isnan(curve.outcomes.win[1]).all()
    assert curve.reached.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("best", "win", "tie"), [((1, 0), 0, 1), ((0, 1), 0, 1), ((1, 1), 1, 0), ((0, 0), 0, 0)]
)
@pytest.mark.parametrize("vote", votes_for(2))
def test_equal_scores_tie_unless_the_truth_does_too(
    vote: str, best: list[int], win: int, tie: int
) -> None:
    full = np.ones((1, 6), bool)
    curve = vote_curve(
        np.full((1, 6, 2), 7.0),
        full,
        full,
        np.array([best], bool),
        [1, 2, 6],
        vote=vote,
        balanced=True,
        rng=generator(),
        extra=Extra(np.full((1, 6), 0.5), np.arange(6, dtype=float)[None]),
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
        ({"vote": "meta"}, "'meta' needs `reward`"),
        ({"vote": "token-prob", "extra": Extra(reward=np.ones((1, 2)))}, "needs `weight`"),
        ({"vote": "meta", "extra": Extra(reward=np.ones((1, 3)))}, "reward must have shape"),
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
