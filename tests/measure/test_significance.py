"""Tests of two runs: McNemar and its coin, adjusted p-values by hand, the detectable difference."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, hypergeom, nct, ttest_1samp, ttest_ind
from scipy.stats import t as student

from grmeval.measure import (
    Panel,
    auc_panel,
    benjamini_hochberg,
    compare_columns,
    correlation_test,
    decide,
    detectable,
    holm,
    mcnemar,
    panel,
    sign_flip,
    t_test,
)
from grmeval.measure.bias import contrast, rank_correlation


def plain(*columns: Any, **change: Any) -> Panel:
    credit = np.array(columns, dtype=float)
    given = {
        "weight": np.ones_like(credit),
        "cluster": np.arange(credit.shape[1]),
        "section": np.zeros(credit.shape[1], int),
        "section_weights": np.ones(2),
    }
    return panel(credit, **{**given, **change})


def test_mcnemar_tosses_a_coin_for_every_item_that_differs() -> None:
    a, b = np.repeat([1.0, 0, 1, 0], [8, 2, 30, 5]), np.repeat([0.0, 1, 1, 0], [8, 2, 30, 5])
    # 8 or more heads, or tails, of 10: 2 (45 + 10 + 1) / 1024.
    assert mcnemar(a, b) == mcnemar(b, a) == pytest.approx(112 / 1024)
    assert mcnemar(a, a) == 1


@pytest.mark.parametrize("bad", [np.array([0.5, 1]), np.array([np.nan, 1]), np.ones(3)])
def test_mcnemar_refuses_other_credits(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"0 and 1|one shape"):
        mcnemar(bad, np.ones(2))


def test_the_exact_test_is_taken_where_it_is_exact() -> None:
    rng = np.random.default_rng(0)
    a, b, c = (rng.random((3, 40)) < [[0.8], [0.5], [0.6]]).astype(float)
    found = compare_columns(plain(a, b, c), 0, 2, 100, rng)
    assert found == (mcnemar(a, c), "mcnemar")


@pytest.mark.parametrize(
    "change",
    [
        {"cluster": np.arange(40) // 2},
        {"section": np.arange(40) % 2},
        {"weight": np.where(np.arange(40) == 7, [[0.5], [1.0]], 1.0)},
    ],
)
def test_elsewhere_signs_of_clusters_are_flipped(change: dict[str, Any]) -> None:
    a, b = (np.random.default_rng(1).random((2, 40)) < [[0.8], [0.5]]).astype(float)
    numbers = plain(a, b, **change)
    found = compare_columns(numbers, 0, 1, 200, np.random.default_rng(2))
    assert found.method == "sign-flip"
    assert found.p == sign_flip(numbers, (1, -1), 200, np.random.default_rng(2))


def test_fractions_and_areas_are_flipped() -> None:
    rng = np.random.default_rng(3)
    assert compare_columns(plain(rng.random(9), rng.random(9)), 0, 1, 9, rng).method == "sign-flip"
    area = auc_panel(list(rng.random((2, 20))), np.arange(20) % 2 == 1, np.arange(20))
    assert compare_columns(area, 1, 0, 9, rng).method == "sign-flip"


@pytest.mark.parametrize("size", [1, 3])
def test_equal_models_are_called_different_at_most_one_time_in_twenty(size: int) -> None:
    rng = np.random.default_rng(4)
    cluster, below = np.arange(90) // size, 0
    for _ in range(400):
        odds = rng.beta(3, 1, 90 // size)[cluster]
        numbers = plain(*(rng.random((2, 90)) < odds).astype(float), cluster=cluster)
        below += compare_columns(numbers, 0, 1, 199, rng).p <= 0.05
    assert below <= binom.ppf(0.999, 400, 0.05)


def test_holm_by_hand() -> None:
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm([0.9, 0.8]), [1, 1])
    assert holm([0.2]) == [0.2]
    assert len(holm([])) == 0
    for bad in ([1.2], [-0.1], [np.nan]):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            holm(bad)


def test_benjamini_hochberg_by_hand() -> None:
    assert_allclose(benjamini_hochberg([0.01, 0.04, 0.03, 0.005]), [0.02, 0.04, 0.04, 0.02])
    assert len(benjamini_hochberg([])) == 0


@pytest.mark.parametrize("freedom", [20, 1000])
@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.9)])
def test_the_detectable_difference_is_found_with_that_power(
    freedom: float, alpha: float, power: float
) -> None:
    effect = detectable(0.01, freedom, alpha, power)
    # The exact power, of the noncentral t.
    beyond = student.ppf(1 - alpha / 2, freedom)
    assert nct.sf(beyond, freedom, effect / 0.01) == pytest.approx(power, abs=0.015)
    with pytest.raises(ValueError, match="alpha and power"):
        detectable(0.01, freedom, 0.0, power)


# --- more samples stored in one run than in the other ---


def vote_of_8(rng: np.random.Generator, odds: Any, stored: int) -> Any:
    """The vote of 8, a tie being wrong, as the mean over subsets of the stored samples."""
    of_8 = np.asarray(hypergeom.sf(4, stored, np.arange(stored + 1), 8))
    return of_8[rng.binomial(stored, odds)]


def beside(rng: np.random.Generator, new: Any, old: Any) -> Any:
    """A night of 8 samples beside a baseline of 32."""
    credit = np.stack([vote_of_8(rng, new, 8), vote_of_8(rng, old, 32)])
    items = credit.shape[1]
    return panel(credit, np.ones_like(credit), np.arange(items), np.zeros(items, int), np.ones(1))


NIGHTS = 600
MOST = binom.ppf(0.9995, NIGHTS, 0.05)


@pytest.mark.long
@pytest.mark.parametrize("items", [10, 28, 100, 300])
def test_one_model_with_more_samples_is_no_better(items: int) -> None:
    """It was significantly so in 70, 56, 13 and 7 % of tries, and "improved" as often."""
    rng = np.random.default_rng(items)
    odds = np.full(items, 0.85)
    significant = improved = 0
    for _ in range(NIGHTS):
        made = beside(rng, odds, odds)
        found = compare_columns(made, 0, 1, 999, rng, alike=False)
        assert found.method == "t"
        whole = made.contrast((1, -1))
        # The test and the interval are one.
        assert (found.p < 0.05) == (not whole.low < 0 < whole.high)
        significant += found.p < 0.05
        improved += decide(made.contrast((1, -1), level=0.9), 0.01) == "improved"
    assert significant <= MOST
    assert improved <= MOST


@pytest.mark.parametrize("items", [10, 28, 100, 300])
def test_a_drop_of_the_margin_made_of_lost_items_seldom_passes(items: int) -> None:
    """It passed 12 to 53 % of the nights."""
    rng = np.random.default_rng(100 + items)
    lost = 0.06
    drop = lost * float(binom.sf(4, 8, 0.85) - binom.sf(4, 8, 0.05))
    passed = 0
    for _ in range(NIGHTS):
        new = np.where(rng.random(items) < lost, 0.05, 0.85)
        found = beside(rng, new, np.full(items, 0.85)).contrast((1, -1), level=0.9)
        passed += decide(found, drop) in ("passed", "improved")
    assert passed <= MOST


# ---------------------------------------------------------------------- a contrast, a correlation


def test_a_contrast_is_tested_as_by_scipy() -> None:
    rng = np.random.default_rng(6)
    first, second = rng.normal(0.5, 1, 30), rng.normal(0, 2, 30)
    values, part = np.concatenate([first, second]), np.repeat([0, 1], 30)
    signs, ones = np.array([1.0, -1.0]), np.ones(60)
    paired = contrast(values, ones, np.tile(np.arange(30), 2), part, signs, shares=False)
    assert t_test(paired) == pytest.approx(ttest_1samp(first - second, 0).pvalue)
    more = ttest_1samp(first - second, 0, alternative="greater").pvalue
    assert t_test(paired, above=True) == pytest.approx(more)
    apart = contrast(values, ones, np.arange(60), part, signs, shares=False)
    assert t_test(apart) == pytest.approx(ttest_ind(first, second, equal_var=False).pvalue)


def test_a_few_clusters_that_agree_are_no_proof() -> None:
    def tested(values: list[float], above: bool = False) -> float:
        size = len(values)
        zeros, ones = np.zeros(size, np.intp), np.ones(size)
        return t_test(
            contrast(np.array(values), ones, np.arange(size), zeros, np.ones(1), shares=False),
            above,
        )

    # Three coins that all fall one way: 2 / 8.
    assert tested([1.0, 1, 1]) == tested([-1.0, -1, -1]) == 0.25
    assert (tested([1.0, 1, 1], True), tested([-1.0, -1, -1], True)) == (0.125, 1)
    assert tested([2.0, 2, 2, 3]) == 0.125
    assert tested([0.0, 0, 0]) == 1
    assert np.isnan(tested([1.0]))


def test_a_correlation_is_found_where_its_interval_leaves_out_0() -> None:
    rng = np.random.default_rng(7)
    below = 0
    for _ in range(2000):
        x, y = rng.normal(size=(2, 20))
        found = rank_correlation(x, y, np.arange(20))
        p = correlation_test(found)
        assert (p < 0.05) == (found.low > 0 or found.high < 0)
        below += p < 0.05
    assert below <= binom.ppf(0.999, 2000, 0.05)
    assert np.isnan(correlation_test(rank_correlation(x[:3], y[:3], np.arange(3))))
