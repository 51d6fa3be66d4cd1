"""Intervals: Wilson against scipy, the clustered error by hand, and coverage by simulation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest, hypergeom, norm, t

from grmeval.measure import Estimate, estimate, wilson

Draw = Callable[[np.random.Generator], tuple[Estimate, float]]

ONE = np.ones(1)


def single(credit: Any, cluster: Any = None, weight: Any = None, level: float = 0.95) -> Estimate:
    credit = np.asarray(credit, dtype=float)
    cluster = np.arange(len(credit)) if cluster is None else np.asarray(cluster)
    weight = np.ones(len(credit)) if weight is None else np.asarray(weight, dtype=float)
    return estimate(credit, weight, cluster, np.zeros(len(credit), int), ONE, level)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (1, 10), (27, 28), (28, 28), (700, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_wilson_agrees_with_scipy(right: int, n: int, level: float) -> None:
    expected = binomtest(right, n).proportion_ci(level, method="wilson")
    assert wilson(right, n, level) == pytest.approx(tuple(expected), abs=1e-12)


def test_wilson_ends_are_exact_and_no_trial_says_nothing() -> None:
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
    assert np.isnan(wilson(0, 0)).all()


@pytest.mark.parametrize(("right", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_wilson_refuses_impossible_counts(right: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match="must lie between"):
        wilson(right, n, level)


def test_independent_right_and_wrong_items_get_wilson() -> None:
    found = single([1, 1, 0, 1])
    assert (found.value, found.items, found.clusters, found.method) == (0.75, 4, 4, "wilson")
    assert (found.low, found.high) == wilson(3, 4)
    assert found.error == pytest.approx((0.75 * 0.25 / 4) ** 0.5)


@pytest.mark.parametrize(
    "found",
    [
        single([1, 0, 0.5]),
        single([1, 0, 1], cluster=[7, 7, 9]),
        single([1, 0, 1], weight=[1, 1, 0.5]),
        estimate(np.array([1.0, 0]), np.ones(2), np.arange(2), np.arange(2), np.ones(2)),
    ],
)
def test_anything_else_is_clustered(found: Estimate) -> None:
    assert found.method == "clustered"
    assert 0 <= found.low < found.value < found.high <= 1


def unseen(ratio: float, squares: float, clusters: int, own: float = 1.0) -> float:
    """What z^2 / 2 pseudo-clusters at 0 and at 1 add to a variance: `squares` are seen, in clusters.

    `own`: the square of a cluster whose items have nothing in common; more, where those seen have; both
    two standard errors up.
    """
    half = norm.ppf(0.975) ** 2 / 2
    middle = (clusters * ratio + half) / (clusters + 2 * half)
    added = clusters * (ratio - middle) ** 2 + half * ((1 - middle) ** 2 + middle**2)
    near = min(max(ratio, 0.5 / (clusters + 1)), 1 - 0.5 / (clusters + 1))
    most = clusters * near * (1 - near)
    together = max(own, squares / most) * (1 + 2 * (2 / clusters) ** 0.5)
    added_of = min(1.0, together) * added
    return float(max(0.0, (squares + added_of) / (most + added) * most - squares) / clusters**2)


def test_one_section_has_the_textbook_clustered_error_and_pseudo_clusters() -> None:
    rng = np.random.default_rng(3)
    credit, cluster = rng.random(50), rng.integers(0, 12, 50)
    found = single(credit, cluster)
    sums = [(credit[cluster == c] - credit.mean()).sum() for c in np.unique(cluster)]
    seen = len(sums) / (len(sums) - 1) * np.square(sums).sum() / 50**2
    squares = np.square(np.array(sums) * len(sums) / 50).sum()
    expected = seen + unseen(credit.mean(), squares, len(sums), len(sums) / 50)
    assert found.error**2 == pytest.approx(expected)
    assert (found.items, found.clusters) == (50, len(sums))


def test_sections_without_shared_prompts_add_their_variances() -> None:
    rng = np.random.default_rng(4)
    section = np.repeat([0, 1], [40, 10])
    credit = (rng.random(50) < 0.6).astype(float)
    found = estimate(credit, np.ones(50), np.arange(50), section, np.array([3.0, 1.0]))
    first, second = credit[:40], credit[40:]
    assert found.value == pytest.approx(0.75 * first.mean() + 0.25 * second.mean())
    expected = 0.75**2 * first.var(ddof=1) / 40 + 0.25**2 * second.var(ddof=1) / 10
    assert found.error**2 == pytest.approx(expected)


def test_a_prompt_shared_by_two_sections_is_one_cluster() -> None:
    rng = np.random.default_rng(5)
    half = (rng.random(30) < 0.7).astype(float)
    credit, section = np.tile(half, 2), np.repeat([0, 1], 30)
    shared = estimate(credit, np.ones(60), np.tile(np.arange(30), 2), section, np.ones(2))
    apart = estimate(credit, np.ones(60), np.arange(60), section, np.ones(2))
    assert (shared.clusters, apart.clusters) == (30, 60)
    assert shared.error == pytest.approx(apart.error * 2**0.5)


def test_the_clustered_error_follows_its_formula_one_cluster_at_a_time() -> None:
    rng = np.random.default_rng(9)
    credit, weight = rng.random(60), rng.choice([0.5, 1.0], 60)
    cluster, section = np.repeat(np.arange(30), 2), rng.integers(0, 2, 60)
    section[cluster == 0] = 2
    share = np.array([0.5, 0.3, 0.2])
    found = estimate(credit * weight, weight, cluster, section, share * 10)

    strata: dict[frozenset[int], list[float]] = {}
    for name in range(30):
        linear = 0.0
        for i in np.flatnonzero(cluster == name):
            same = section == section[i]
            ratio = (credit * weight)[same].sum() / weight[same].sum()
            linear += share[section[i]] * weight[i] * (credit[i] - ratio) / weight[same].sum()
        strata.setdefault(frozenset(section[cluster == name].tolist()), []).append(linear)
    assert sorted(map(len, strata.values()))[0] == 1
    several = [np.array(linear) for linear in strata.values() if len(linear) > 1]
    variance = sum(len(linear) * linear.var(ddof=1) for linear in several)
    for number in range(3):
        whole = weight[section == number].sum()
        ratio = np.average(credit[section == number], weights=weight[section == number])
        mine = set(cluster[section == number].tolist())
        squares = 0.0
        for name in mine:
            inside = (section == number) & (cluster == name)
            squares += ((credit[inside] - ratio) @ weight[inside] / whole * len(mine)) ** 2
        own = len(mine) * (weight[section == number] ** 2).sum() / whole**2
        variance += share[number] ** 2 * unseen(ratio, squares, len(mine), own)
    assert found.error**2 == pytest.approx(variance)


def test_dropped_items_leave_the_ratio_and_the_counts() -> None:
    found = single([1, 0, 0.4, 0], weight=[1, 1, 0.5, 0])
    assert found.value == pytest.approx(1.4 / 2.5)
    assert (found.items, found.clusters) == (3, 3)


def test_a_section_without_items_has_no_say() -> None:
    found = estimate(
        np.array([1.0, 0.0, 1.0]), np.ones(3), np.arange(3), np.array([2, 2, 2]), np.ones(4)
    )
    assert found.value == pytest.approx(2 / 3)
    assert found.method == "wilson"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_alike_still_has_a_width(value: float) -> None:
    clusters = np.repeat(np.arange(14), 2)
    one = single(np.full(28, value), clusters)
    assert one.value == value
    assert one.high - one.low > wilson(14, 14)[1] - wilson(14, 14)[0]
    two = estimate(np.full(28, value), np.ones(28), np.arange(28), clusters % 2, np.ones(2))
    assert two.high - two.low > 0.1


def test_a_small_section_that_is_all_right_is_not_known_exactly() -> None:
    rng = np.random.default_rng(6)
    large = (rng.random(1000) < 0.9).astype(float)
    credit, section = np.append(large, np.ones(28)), np.repeat([0, 1], [1000, 28])
    found = estimate(credit, np.ones(1028), np.arange(1028), section, np.ones(2))
    assert found.error > 2 * large.std() / 1000**0.5 / 2


def test_equal_fractions_still_have_a_width() -> None:
    found = single(np.full(20, 0.5))
    assert found.value == 0.5
    assert found.error**2 == pytest.approx(unseen(0.5, 0.0, 20))
    assert 0.1 < found.high - found.low < 0.3


@pytest.mark.parametrize("right", [26, 14, 27])
def test_fractions_next_to_0_and_1_are_as_good_as_those(right: int) -> None:
    """Means over subsets of many samples hardly ever are 0 or 1: nothing may hang on that."""
    whole = np.repeat([1.0, 0.0], [right, 28 - right])
    near = np.clip(whole, 1e-9, 1 - 1e-9)
    exact, found = single(whole), single(near)
    assert (exact.method, found.method) == ("wilson", "clustered")
    # One takes the normal quantile, the other that of 27 degrees of freedom.
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.014)


@pytest.mark.parametrize("items", [10, 28, 100])
def test_votes_of_8_from_32_samples_hide_no_lost_item(items: int) -> None:
    """3 % of the items are lost: the interval used to cover 60 % (10 items), 64 % (28), 92 % (100)."""
    rng = np.random.default_rng(items)
    of_8 = np.asarray(hypergeom.sf(4, 32, np.arange(33), 8))
    truth = 0.03 * binom.sf(4, 8, 0.05) + 0.97 * binom.sf(4, 8, 0.9)
    covered = 0
    for _ in range(REPLICATES):
        odds = np.where(rng.random(items) < 0.03, 0.05, 0.9)
        found = single(of_8[rng.binomial(32, odds)])
        covered += found.low <= truth <= found.high
    assert covered >= binom.interval(0.999, REPLICATES, 0.95)[0]


def test_one_cluster_says_next_to_nothing() -> None:
    found = single([1, 0, 1], cluster=[4, 4, 4])
    assert found.low < 0.02
    assert found.high > 0.98


def test_no_item_is_not_a_number() -> None:
    found = single([])
    assert (found.items, found.clusters) == (0, 0)
    assert np.isnan([found.value, found.low, found.high, found.error]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"credit": np.array([1.0, np.nan])}, "NaN"),
        ({"weight": np.array([1.0, -1.0])}, "negative"),
        ({"section": np.array([0, 1])}, r"0\.\.0"),
        ({"cluster": np.array([0])}, "one shape"),
        ({"level": 95.0}, "level"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    given = {
        "credit": np.ones(2),
        "weight": np.ones(2),
        "cluster": np.arange(2),
        "section": np.zeros(2, int),
        "section_weights": ONE,
    }
    with pytest.raises(ValueError, match=message):
        estimate(**{**given, **change})


REPLICATES = 800


def prompts_of_several_items(rng: np.random.Generator) -> tuple[Estimate, float]:
    sizes = rng.integers(1, 6, 80)
    skill = rng.beta(2.8, 1.2, 80)
    cluster = np.repeat(np.arange(80), sizes)
    credit = (rng.random(len(cluster)) < skill[cluster]).astype(float)
    section = np.arange(len(cluster)) % 3
    return estimate(credit, np.ones(len(credit)), cluster, section, np.ones(3)), 0.7


def two_sections_of_unequal_weight(rng: np.random.Generator) -> tuple[Estimate, float]:
    section = np.repeat([0, 1], [150, 60])
    credit = (rng.random(210) < np.array([0.7, 0.5])[section]).astype(float)
    found = estimate(credit, np.ones(210), np.arange(210), section, np.array([3.0, 1.0]))
    return found, 0.65


@pytest.mark.parametrize("draw", [prompts_of_several_items, two_sections_of_unequal_weight])
def test_coverage_is_nominal(draw: Draw) -> None:
    rng = np.random.default_rng(7)
    drawn = [draw(rng) for _ in range(REPLICATES)]
    covered = sum(found.low <= truth <= found.high for found, truth in drawn)
    least, most = binom.interval(0.999, REPLICATES, 0.95)
    assert least <= covered <= most


@pytest.mark.long
@pytest.mark.parametrize("right", [0.85, 0.92, 0.97])
def test_small_sections_near_the_end_do_not_break_the_interval(right: float) -> None:
    rng = np.random.default_rng(8)
    section = np.repeat([0, 1], [1000, 28])
    covered = 0
    for _ in range(REPLICATES):
        credit = (rng.random(1028) < np.array([0.9, right])[section]).astype(float)
        found = estimate(credit, np.ones(1028), np.arange(1028), section, np.ones(2))
        covered += found.low <= (0.9 + right) / 2 <= found.high
    assert covered >= binom.interval(0.999, REPLICATES, 0.95)[0]


def test_the_limits_of_one_section_are_wilsons_at_the_effective_size() -> None:
    rng = np.random.default_rng(12)
    credit = rng.random(200) ** 0.2
    found = single(credit, np.arange(200) // 4)
    size = found.value * (1 - found.value) / found.error**2
    # Two parts of the variance, what is seen and what is not, told by the same 50 clusters.
    sums = np.bincount(np.arange(200) // 4, credit - found.value) / 200
    seen = 50 / 49 * (sums**2).sum()
    assert seen < found.error**2
    square = t.ppf(0.975, 49) ** 2
    for limit in (found.low, found.high):
        assert (found.value - limit) ** 2 == pytest.approx(square * limit * (1 - limit) / size)


def test_the_limits_of_sections_solve_the_score_equation() -> None:
    """Sections apart: the variance at a limit is that of ratios moved along their slopes."""
    rng = np.random.default_rng(13)
    section = np.repeat([0, 1, 2], [300, 100, 40])
    credit = (rng.random(440) < np.array([0.6, 0.9, 0.95])[section]).astype(float)
    share = np.array([0.5, 0.3, 0.2])
    found = estimate(credit, np.ones(440), np.arange(440), section, share)
    ratio = np.array([credit[section == s].mean() for s in range(3)])
    assert 0 < ratio[2] < 1
    size = np.array([299, 99, 39])
    parts = share**2 * ratio * (1 - ratio) / size
    variance = parts.sum()
    freedom = variance**2 / (parts**2 / size).sum()
    for limit in (found.low, found.high):
        moved = ratio + parts / share / variance * (limit - found.value)
        assert share @ moved == pytest.approx(limit)
        at_limit = (share**2 * moved * (1 - moved) / size).sum()
        assert abs(found.value - limit) == pytest.approx(t.ppf(0.975, freedom) * at_limit**0.5)


def test_many_small_sections_do_not_skew_the_interval() -> None:
    """Twenty sections of 25: limits that bent each by itself would cover 93 %."""
    rng = np.random.default_rng(14)
    odds, section = np.repeat([0.8, 0.95], 10), np.repeat(np.arange(20), 25)
    below = above = 0
    for _ in range(REPLICATES):
        credit = (rng.random(500) < odds[section]).astype(float)
        found = estimate(credit, np.ones(500), np.arange(500), section, np.ones(20))
        below, above = below + (odds.mean() < found.low), above + (odds.mean() > found.high)
    least, most = binom.interval(0.999, REPLICATES, 0.05)
    assert least <= below + above <= most


def test_a_section_that_others_outweigh_leaves_limits_inside() -> None:
    """Prompts in which one section is right where the other is wrong, nearly always."""
    rng = np.random.default_rng(15)
    first = (rng.random(40) < 0.5).astype(float)
    second = np.where(rng.random(40) < 0.95, 1 - first, first)
    cluster, section = np.tile(np.arange(40), 2), np.repeat([0, 1], 40)
    credit = np.append(first, second)
    found = estimate(credit, np.ones(80), cluster, section, np.array([3.0, 2.0]))
    assert 0 < found.low < found.value < found.high < 1


@pytest.mark.parametrize("sections", range(1, 13))
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_end_is_an_end_for_any_number_of_sections(sections: int, value: float) -> None:
    rng = np.random.default_rng(sections)
    for weights in (np.ones(sections), rng.random(sections) + 0.1):
        section = np.repeat(np.arange(sections), 20)
        items = len(section)
        found = estimate(np.full(items, value), np.ones(items), np.arange(items), section, weights)
        assert found.value == value
        assert 0 < found.high - found.low < 0.4


def test_sections_that_cancel_in_every_prompt_still_have_a_width() -> None:
    credit, cluster = np.array([1.0, 0, 0, 1]), np.array([0, 0, 1, 1])
    found = estimate(credit, np.ones(4), cluster, np.array([0, 1, 0, 1]), np.ones(2))
    assert (found.value, found.error) == (0.5, 0.0)
    assert found.high - found.low > 0.9


def test_sections_of_the_same_clusters_count_as_one_sample() -> None:
    """Five figures of the same 51 prompts, all right, say no more than one figure of 51 does."""
    clusters, sections = np.tile(np.arange(51), 5), np.repeat(np.arange(5), 51)
    ones = np.ones(255)
    found = estimate(ones, ones, clusters, sections, np.array([0.3, 0.3, 0.2, 0.2, 0.01]))
    alone = estimate(ones[:51], ones[:51], np.arange(51), sections[:51], np.ones(1))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(alone.low, abs=0.01)
    assert found.low < 0.94
