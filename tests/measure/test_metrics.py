"""ROC-AUC against every pair, one by one; its error by its formulas, and coverage by simulation."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, norm

from grmeval.measure import Estimate, auc_estimate, auc_inside, roc_auc


def every_pair(score: Any, positive: Any) -> Any:
    high = [s for s, p in zip(score, positive, strict=True) if p]
    low = [s for s, p in zip(score, positive, strict=True) if not p]
    return sum((h > g) + (h == g) / 2 for h in high for g in low) / (len(high) * len(low))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_counting_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(1, 6, 60).astype(float)
    positive = rng.random(60) < 0.3
    assert roc_auc(score, positive) == pytest.approx(every_pair(score, positive), abs=1e-12)


@pytest.mark.parametrize(
    ("score", "positive", "expected"),
    [
        ([1, 2], [0, 1], 1.0),
        ([2, 1], [0, 1], 0.0),
        ([3, 3, 3], [0, 1, 1], 0.5),
        ([-np.inf, 0, np.inf], [0, 1, 0], 0.5),
    ],
)
def test_by_hand(score: list[float], positive: list[bool], expected: Any) -> None:
    assert roc_auc(np.array(score, float), np.array(positive, bool)) == expected


@pytest.mark.parametrize("positive", [[True, True], [False, False], []])
def test_one_class_alone_has_no_auc(positive: list[bool]) -> None:
    score, labels = np.arange(len(positive), dtype=float), np.array(positive, bool)
    assert np.isnan(roc_auc(score, labels))
    found = auc_estimate(score, labels, np.arange(len(positive)))
    assert np.isnan([found.value, found.low, found.high, found.error]).all()
    assert (found.items, found.clusters, found.method) == (0, 0, "auc-clustered")


def test_a_missing_score_ties_with_every_other() -> None:
    # Pairs: 5 beats 3, 5 ties with the missing; the missing positive ties with both.
    score, labels = np.array([5.0, np.nan, 3.0, np.nan]), np.array([True, True, False, False])
    assert roc_auc(score, labels) == (1 + 0.5 + 0.5 + 0.5) / 4
    found = auc_estimate(score, labels, np.arange(4))
    assert found.value == roc_auc(score, labels)
    assert roc_auc(np.full(4, np.nan), labels) == 0.5


def test_the_auc_inside_groups_by_hand() -> None:
    # Between the groups the scores are the wrong way round; inside them 1, 0.5, and nothing to tell.
    score = np.array([9.0, 8.0, 3.0, 2.0, 2.0, 7.0, 7.5])
    labels = np.array([True, False, False, True, False, True, True])
    group = np.array([0, 0, 1, 1, 1, 2, 2])
    assert auc_inside(score, labels, group) == ((1 + 0.25) / 2, 2)
    assert np.isnan(auc_inside(score[5:], labels[5:], group[5:])[0])
    assert auc_inside(score[5:], labels[5:], group[5:])[1] == 0
    with pytest.raises(ValueError, match="group must have shape"):
        auc_inside(score, labels, group[1:])


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        roc_auc(np.array([1.0]), np.array([True, False]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.array([1.0])}, "one shape"),
        ({"score": np.ones((0, 2))}, "one shape"),
        ({"score": np.ones((1, 1, 2))}, "one shape"),
        ({"cluster": np.array([0])}, "cluster"),
        ({"level": 1.0}, "level"),
    ],
)
def test_an_estimate_refuses_bad_input(change: dict[str, Any], message: str) -> None:
    given = {"score": np.ones(2), "positive": np.array([True, False]), "cluster": np.arange(2)}
    with pytest.raises(ValueError, match=message):
        auc_estimate(**{**given, **change})


def placements(score: Any, positive: Any) -> Any:
    """Each item against every item of the other class; above it for a positive, else below."""
    side = np.where(positive, 1, -1)
    return np.array(
        [
            np.mean([(np.sign(s - t) * side[i] + 1) / 2 for t in score[positive != positive[i]]])
            for i, s in enumerate(score)
        ]
    )


def test_four_independent_items_by_hand() -> None:
    # Positives 4 and 2 beat 2 and 1 of the negatives 3 and 1: placements 1 and 1/2; the
    # negatives': 1/2 and 1. DeLong: variance 1/8 in each class, halved by its two items.
    found = auc_estimate(np.array([4.0, 2, 3, 1]), np.array([1, 1, 0, 0], bool), np.arange(4))
    assert (found.value, found.items, found.clusters) == (0.75, 4, 4)
    assert found.error**2 == pytest.approx(1 / 8 / 2 + 1 / 8 / 2)
    assert 0 < found.low < 0.75 < found.high < 1


@pytest.mark.parametrize("seed", range(3))
def test_independent_items_have_delongs_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, positive = rng.integers(1, 8, 50).astype(float), rng.random(50) < 0.4
    score += positive
    found = auc_estimate(score, positive, rng.permutation(50))
    each = placements(score, positive)
    variance = sum(each[side].var(ddof=1) / side.sum() for side in (positive, ~positive))
    assert found.value == pytest.approx(every_pair(score, positive), abs=1e-12)
    assert found.error**2 == pytest.approx(variance)
    assert (found.items, found.clusters, found.method) == (50, 50, "auc-clustered")


def obuchowski(placement: Any, positive: Any, cluster: Any) -> Any:
    """Each class by its own clusters, and twice the covariance of the classes over all of them."""
    names, variance, sums = np.unique(cluster), 0.0, []
    for side in (positive, ~positive):
        each = (placement - placement[side].mean()) / side.sum() * side
        own = np.array([each[cluster == name].sum() for name in names])
        count = len(np.unique(cluster[side]))
        variance += count / (count - 1) * (own**2).sum()
        sums.append(own)
    return variance + 2 * len(names) / (len(names) - 1) * (sums[0] * sums[1]).sum()


def test_clusters_have_obuchowskis_variance() -> None:
    rng = np.random.default_rng(3)
    cluster, positive = rng.integers(0, 15, 60), rng.random(60) < 0.5
    positive[cluster == 0], positive[cluster == 1] = True, False
    score = rng.standard_normal(60) + rng.standard_normal(15)[cluster] + positive
    found = auc_estimate(score, positive, cluster)
    expected = obuchowski(placements(score, positive), positive, cluster)
    assert found.error**2 == pytest.approx(expected)
    assert (found.items, found.clusters) == (60, len(np.unique(cluster)))


def test_prompts_that_come_twice_are_worth_one() -> None:
    rng = np.random.default_rng(4)
    positive = rng.random(40) < 0.5
    score = rng.standard_normal(40) + positive
    once = auc_estimate(score, positive, np.arange(40))
    twice = auc_estimate(np.tile(score, 2), np.tile(positive, 2), np.tile(np.arange(40), 2))
    assert (twice.clusters, twice.items) == (40, 80)
    assert twice[:4] == pytest.approx(once[:4])


def test_draws_are_averaged_before_their_error() -> None:
    rng = np.random.default_rng(5)
    positive, cluster = rng.random(30) < 0.5, np.arange(30) // 2
    draws = rng.integers(1, 6, (4, 30)) + positive.astype(float)
    found = auc_estimate(draws, positive, cluster)
    assert found.value == pytest.approx(np.mean([every_pair(d, positive) for d in draws]))
    placement = np.mean([placements(draw, positive) for draw in draws], axis=0)
    assert found.error**2 == pytest.approx(obuchowski(placement, positive, cluster))
    same = auc_estimate(np.tile(draws[0], (3, 1)), positive, cluster)
    assert same[:4] == pytest.approx(auc_estimate(draws[0], positive, cluster)[:4])


@pytest.mark.parametrize("end", [0.0, 1.0])
@pytest.mark.parametrize("size", [1, 2])
def test_an_end_still_has_a_width(end: float, size: int) -> None:
    positive = np.arange(40) % 2 == 1
    found = auc_estimate(
        np.where(positive, end, 1 - end),
        positive,
        np.random.default_rng(6).integers(0, 40 // size, 40),
    )
    assert found.value == end
    assert 0 < found.error < 0.2
    assert 0.1 < found.high - found.low < 0.5
    assert end in (found.low, found.high)


def test_equal_scores_are_a_coin_that_is_not_known_exactly() -> None:
    found = auc_estimate(np.ones(40), np.arange(40) < 10, np.arange(40))
    assert found.value == 0.5
    assert found.error**2 == pytest.approx(0.25 / 10 + 0.25 / 30)


def test_one_positive_says_next_to_nothing() -> None:
    score = np.arange(100).astype(float)
    found = auc_estimate(score, score == 70, np.arange(100))
    assert found.value == pytest.approx(70 / 99)
    assert found.high - found.low > 0.8


def test_one_cluster_says_next_to_nothing() -> None:
    found = auc_estimate(np.array([1.0, 2, 0]), np.array([0, 1, 1], bool), np.zeros(3, int))
    assert found.clusters == 1
    assert found.high - found.low > 0.95


def test_classes_that_cancel_in_every_prompt_still_have_a_width() -> None:
    # Each prompt's positive stands just above its own negative, and prompts lie far apart.
    found = auc_estimate(np.array([4.0, 3, 2, 1]), np.array([1, 0, 1, 0], bool), np.arange(4) // 2)
    assert (found.value, found.error) == (0.75, 0.0)
    assert found.high - found.low > 0.9


REPLICATES = 400


def drawn(rng: np.random.Generator, items: int, size: int, auc: float) -> Estimate:
    """Normal scores, half of whose variance is the prompt's where it has several items."""
    cluster, positive = np.arange(items) // size, rng.random(items) < 0.5
    shared = 0.5 if size > 1 else 0.0
    noise = (1 - shared) ** 0.5 * rng.standard_normal(items)
    noise += shared**0.5 * rng.standard_normal(items // size)[cluster]
    return auc_estimate(noise + 2**0.5 * norm.ppf(auc) * positive, positive, cluster)


@pytest.mark.parametrize("auc", [0.6, 0.9])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("items", [60, 150])
def test_coverage_is_nominal(items: int, size: int, auc: float) -> None:
    rng = np.random.default_rng(7)
    found = [drawn(rng, items, size, auc) for _ in range(REPLICATES)]
    covered = sum(one.low <= auc <= one.high for one in found)
    least, most = binom.interval(0.999, REPLICATES, 0.95)
    assert least <= covered <= most
