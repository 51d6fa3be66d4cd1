"""Means over seeds: by hand, against an oracle written out, and how often limits hold the truth."""

from math import isnan, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from grmeval.measure import estimate, limits_over_seeds, over_seeds, panel, spread
from grmeval.measure.paired import Panel

Floats = NDArray[np.float64]


def made(credit: Floats, cluster: "NDArray[np.int64] | None" = None) -> Panel:
    """Runs [M, I] of one section."""
    items = np.arange(credit.shape[1]) if cluster is None else cluster
    return panel(credit, np.ones_like(credit), items, np.zeros_like(items), np.ones(1))


def oracle(
    credit: Floats, plus: list[int], minus: list[int], alike: bool
) -> tuple[float, float, float]:
    """(value, error, freedom) of one item a cluster, from the definition; the items' part is the panel's."""
    size = credit.shape[1]
    groups = [(g, s) for g, s in ((plus, 1.0), (minus, -1.0)) if g]
    weights = np.zeros(len(credit))
    for group, sign in groups:
        weights[group] += sign / len(group)
    items = made(credit).contrast(weights)
    sets = [credit[plus] - credit[minus]] if alike else [credit[group] for group, _ in groups]
    seeds = both = squares = 0.0
    for each in sets:
        count = len(each)
        means = [sum(row) / size for row in each]
        centre = sum(means) / count
        own = sum((m - centre) ** 2 for m in means) / (count - 1) / count
        for r in range(count):
            deviations = [each[r][i] - sum(each[:, i]) / count for i in range(size)]
            middle = sum(deviations) / size
            square = sum((d - middle) ** 2 for d in deviations)
            both += square / (size - 1) / size / (count * (count - 1))
        seeds, squares = seeds + own, squares + own**2 / (count - 1)
    extra = max(0.0, seeds - both)
    variance = items.error**2 + extra
    freedom = variance**2 / (items.error**4 / items.freedom + (squares if extra else 0))
    return items.value, sqrt(variance), freedom


def test_seeds_that_differ_by_a_constant_are_all_in_the_spread() -> None:
    """Nothing differs inside items, so V is the items' part and the whole variance of the seeds' means."""
    base = np.array([0.2, 0.4, 0.4, 0.6, 0.1, 0.3])
    credit = np.array([base, base + 0.1, base + 0.2])
    found, items = over_seeds(made(credit), [0, 1, 2]), made(credit).contrast([1 / 3] * 3)
    assert found.value == pytest.approx(base.mean() + 0.1)
    assert spread(made(credit).values) == pytest.approx(0.1)
    own = 0.1**2 / 3
    assert found.error**2 == pytest.approx(items.error**2 + own)
    freedom = found.error**4 / (items.error**4 / items.freedom + own**2 / 2)
    assert found.freedom == pytest.approx(freedom)
    reach = student.ppf(0.975, freedom) * found.error
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))


def test_seeds_that_differ_inside_items_alone_add_nothing() -> None:
    """Each seed is right on as many items, on others: the items' part has seen that."""
    credit = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=float)
    found, items = over_seeds(made(credit), [0, 1, 2]), made(credit).contrast([1 / 3] * 3)
    assert (found.error, found.freedom) == pytest.approx((items.error, items.freedom))
    assert spread(made(credit).values) == 0


@pytest.mark.parametrize("alike", [False, True])
def test_it_is_the_oracles(alike: bool) -> None:
    rng = np.random.default_rng(3)
    extra = 0
    for shift in (0.0, 0.1, 0.3):
        odds = rng.random((1, 40)) + shift * rng.normal(size=(6, 1))
        credit = (rng.random((6, 40)) < odds).astype(float)
        for plus, minus in (([0, 1, 2], [3, 4, 5]), ([4, 0], [2, 5])):
            found = over_seeds(made(credit), plus, minus, alike)
            value, error, freedom = oracle(credit, plus, minus, alike)
            assert (found.value, found.error, found.freedom) == pytest.approx(
                (value, error, freedom)
            )
            extra += found.freedom < 39
    assert extra  # in some of them seeds have a part of their own
    assert over_seeds(made(credit), [0, 1]).error == pytest.approx(
        oracle(credit, [0, 1], [], False)[1]
    )


def test_pairs_of_seeds_cancel_what_they_have_in_common() -> None:
    rng = np.random.default_rng(4)
    common = 0.1 * rng.normal(size=(3, 1))
    one, other = (0.5 + common + 0.05 * rng.normal(size=(3, 60)) for _ in range(2))
    both = made(np.concatenate([one, other]))
    paired, apart = (over_seeds(both, [0, 1, 2], [3, 4, 5], alike) for alike in (True, False))
    assert paired.value == apart.value
    assert paired.error < apart.error


def test_one_seed_has_no_spread_and_no_limits() -> None:
    credit = np.array([[1.0, 0, 1], [1, 1, 0], [0, 1, 1]])
    for plus, minus in (([0], []), ([0, 1], [2]), ([0], [1, 2])):
        found = over_seeds(made(credit), plus, minus)
        assert not isnan(found.value)
        assert all(map(isnan, (found.low, found.high, found.error)))
    assert isnan(spread(np.array([0.5])))
    nothing = over_seeds(made(np.zeros((4, 0))), [0, 1], [2, 3])
    assert (nothing.items, isnan(nothing.value), isnan(nothing.low)) == (0, True, True)


def test_what_cannot_be_asked() -> None:
    both = made(np.eye(4))
    with pytest.raises(ValueError, match="seeds go in pairs: 2 and 1"):
        over_seeds(both, [0, 1], [2], alike=True)
    with pytest.raises(ValueError, match="level"):
        over_seeds(both, [0, 1], level=1.0)


@pytest.mark.parametrize(("shared", "least"), [(0.0, 0.95), (0.08, 0.92)])
def test_its_limits_hold_the_truth(shared: float, least: float) -> None:
    """Fresh items and fresh seeds every time; `shared`: what a seed does to all items alike.

    Limits of items alone hold it less often where seeds do something; perf/seeds.py has the table.
    """
    rng, count, replicates = np.random.default_rng(8), 4, 300
    held = alone = 0
    for _ in range(replicates):
        odds = 0.2 + 0.6 * rng.random(100)
        moved = odds + shared * rng.uniform(
            -1.7, 1.7, size=(2 * count, 1)
        )  # of mean 0: the truth is 0
        credit = (rng.random((2 * count, 100)) < np.clip(moved, 0, 1)).astype(float)
        both, one, other = made(credit), range(count), range(count, 2 * count)
        found = over_seeds(both, one, other)
        items = both.contrast(np.repeat([1, -1], count) / count)
        held += found.low <= 0 <= found.high
        alone += items.low <= 0 <= items.high
    assert held / replicates >= least - 3.3 * sqrt(least * (1 - least) / replicates)
    assert alone <= held
    assert shared == 0 or alone / replicates < 0.85


def test_limits_of_a_mean_are_those_of_its_items_widened_by_the_seeds() -> None:
    """33 of 40 right over two seeds of 20 items: the limits of a share, not of a difference."""
    rng = np.random.default_rng(1)
    credit = (rng.random((2, 20)) < 0.8).astype(float)
    items = estimate(
        credit.mean(axis=0), np.ones(20), np.arange(20), np.zeros(20, np.int64), np.ones(1)
    )
    calm = np.array([credit[0], credit[0]])  # seeds that change nothing
    same = items._replace(value=float(calm.mean()))
    assert limits_over_seeds(made(calm), [0, 1], same) == pytest.approx((items.low, items.high))
    shifted = np.array([credit[0] * 0.9, credit[0] * 0.9 + 0.1])  # all items alike: SD 0.1 / sqrt 2
    mean = items._replace(value=float(shifted.mean()))
    low, high = limits_over_seeds(made(shifted), [0, 1], mean)
    reach = float(student.ppf(0.975, 1)) * 0.05
    assert low == pytest.approx(max(0, mean.value - sqrt((mean.value - mean.low) ** 2 + reach**2)))
    assert high == 1.0
    assert all(isnan(limit) for limit in limits_over_seeds(made(calm), [0], items))
