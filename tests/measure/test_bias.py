"""Bias: differences with intervals against t tests and simulation, flips by counting."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, spearmanr, ttest_1samp, ttest_ind

from grmeval.measure.bias import contrast, flip_rates, in_slots, rank_correlation
from tests.measure.test_intervals import unseen

SIGNS = np.array([1.0, -1.0])


def test_a_paired_difference_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(3, 1, 40), rng.normal(1, 2, 40)
    cluster, part = np.tile(np.arange(40), 2), np.repeat([0, 1], 40)
    values = np.concatenate([first, second])
    found = contrast(values, np.ones(80), cluster, part, SIGNS, shares=False)
    test = ttest_1samp(first - second, 0).confidence_interval(0.95)
    assert found.value == pytest.approx((first - second).mean())
    assert (found.low, found.high) == pytest.approx((test.low, test.high))
    assert (found.items, found.clusters) == (80, 40)


def test_an_unpaired_difference_is_welchs_t_test() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(3, 1, 30), rng.normal(1, 2, 50)
    values, part = np.concatenate([first, second]), np.repeat([0, 1], [30, 50])
    found = contrast(values, np.ones(80), np.arange(80), part, SIGNS, shares=False)
    test = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((test.low, test.high), rel=1e-6)


def test_shares_that_all_agree_still_have_an_error() -> None:
    part = np.repeat([0, 1], 10)
    found = contrast(1.0 - part, np.ones(20), np.arange(20), part, SIGNS)
    assert (found.value, found.high) == (1, 1)
    assert found.error**2 == pytest.approx(2 * unseen(1.0, 0.0, 10))
    assert found.low < 0.85


def test_what_cannot_be_compared_is_no_number() -> None:
    part = np.array([0, 0, 1])
    empty = contrast(np.ones(3), np.array([1.0, 1, 0]), np.arange(3), part, SIGNS)
    assert np.isnan(empty.value)
    assert empty.items == 0
    alone = contrast(np.array([1.0, 1, 0]), np.ones(3), np.zeros(3, int), part, SIGNS)
    assert alone.value == 1
    assert np.isnan(alone.low)
    with pytest.raises(ValueError, match="one shape"):
        contrast(np.ones(3), np.ones(2), np.arange(3), part, SIGNS)
    with pytest.raises(ValueError, match="NaN"):
        contrast(np.full(3, np.nan), np.ones(3), np.arange(3), part, SIGNS)


def test_the_interval_of_a_difference_covers_it() -> None:
    # 0/1 credits of a judge that leans by 10 points, three items a prompt, in both slots each.
    rng = np.random.default_rng(2)
    covered, trials = 0, 2000
    for _ in range(trials):
        skill = rng.beta(4, 2, 60)
        chance = np.clip(np.repeat(skill, 3)[:, None] + [0.05, -0.05], 0, 1)
        credit = (rng.random((180, 2)) < chance).astype(float)
        truth = 0.1 - np.clip(skill - 0.95, 0, 1).mean() - np.clip(0.05 - skill, 0, 1).mean()
        cluster = np.repeat(np.arange(60), 6)
        part = np.tile([0, 1], 180)
        found = contrast(credit.ravel(), np.ones(360), cluster, part, SIGNS)
        covered += found.low <= truth <= found.high
    low, high = binom.interval(0.999, trials, 0.95)
    assert low <= covered <= high


def test_values_go_where_their_responses_stood() -> None:
    order = np.array([[[1, 0], [0, 1], [-1, -1]]])
    scores = np.array([[[3.0, 8], [4, 5], [1, 2]]])
    found = in_slots(scores, order)
    assert found[0, :2].tolist() == [[8, 3], [4, 5]]
    assert np.isnan(found[0, 2]).all()
    best = in_slots(np.array([[[1.0, 0]]]), order)
    assert best[0, :2].tolist() == [[0, 1], [1, 0]]


def test_flips_are_those_of_every_two_samples() -> None:
    rng = np.random.default_rng(4)
    verdict, shown = rng.integers(-1, 2, (30, 7)), rng.integers(0, 2, (30, 7))
    read = rng.random((30, 7)) < 0.7
    read[0], shown[1] = False, 1
    opposite, same = flip_rates(verdict, shown, read)
    for item in range(30):
        pairs = [(a, b) for a, b in combinations(np.flatnonzero(read[item]), 2)]
        for rate, reverse in ((opposite[item], True), (same[item], False)):
            mine = [(a, b) for a, b in pairs if (shown[item, a] != shown[item, b]) == reverse]
            differ = [verdict[item, a] != verdict[item, b] for a, b in mine]
            expected = np.mean(differ) if differ else np.nan
            assert rate == pytest.approx(expected, nan_ok=True)
    assert np.isnan([opposite[0], same[0], opposite[1]]).all()


def test_rank_correlation_is_scipys_and_its_interval_covers() -> None:
    rng = np.random.default_rng(5)
    # Of a normal pair with correlation r, Spearman's is 6 / pi asin(r / 2) (Pearson 1907).
    truth, covered, trials = 6 / np.pi * np.arcsin(0.6 / 2), 0, 2000
    for _ in range(trials):
        x = rng.normal(size=80)
        y = np.asarray(0.6 * x + 0.8 * rng.normal(size=80), np.float64)
        found = rank_correlation(x, y, np.arange(80))
        covered += found.low <= truth <= found.high
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    low, high = binom.interval(0.999, trials, 0.95)
    assert low <= covered <= high


def test_no_rank_correlation_where_one_side_is_all_alike() -> None:
    x: NDArray[np.float64] = np.array([0.0, 1, 2, 3, 4])
    assert np.isnan(rank_correlation(x, np.ones(5), np.arange(5)).value)
    assert np.isnan(rank_correlation(x[:1], x[:1], np.arange(1)).value)
    few = rank_correlation(x, x[[1, 0, 2, 3, 4]], np.array([0, 0, 1, 1, 2]))
    assert few.value == pytest.approx(0.9)
    assert np.isnan(few.low)
    whole = rank_correlation(x, np.asarray(2 * x, np.float64), np.arange(5))
    assert whole.value == pytest.approx(1)
    assert np.isnan(whole.low)
