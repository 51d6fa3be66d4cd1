"""Split of the variance: deletion by brute force, the exact curve, and simulations of a known split."""

from itertools import combinations

import numpy as np
import pytest

from grmeval.measure.outcomes import judge_single, judge_totals
from grmeval.measure.scaling import vote_curve
from grmeval.measure.split import VoteNoise, vote_noise
from grmeval.measure.votes import totals


def drawn_scores(
    seed: int, items: int, samples: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scores, valid, best) of random pairs or more, some samples unreadable."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(1, 8, (items, samples, n)).astype(float)
    valid = rng.random((items, samples)) < 0.85
    best = np.zeros((items, n), dtype=bool)
    best[:, 0] = True
    if n == 1:
        best[:, 0] = rng.random(items) < 0.5
    return scores, valid, best


def noise(
    seed: int, scores: np.ndarray, valid: np.ndarray, best: np.ndarray, k: int, **more: bool
) -> VoteNoise:
    return vote_noise(
        "sum",
        scores,
        valid,
        np.ones(valid.shape, dtype=bool),
        best,
        k,
        balanced=more.get("balanced", False),
        rng=np.random.default_rng(seed),
    )


def credit_of(scores: np.ndarray, valid: np.ndarray, best: np.ndarray) -> float:
    """Credit of one vote [N, n]: shared ties, a random pick where nothing can be read."""
    found = totals("sum", scores[None], valid[None])
    n = len(best)
    out = judge_single(found, best[:1], "sum", 5.5) if n == 1 else judge_totals(found, best[None])
    chance = 0.5 if n == 1 else best.mean()
    return float((out.win + out.share + out.void * chance)[0])


@pytest.mark.parametrize(("n", "k"), [(1, 2), (2, 3), (2, 1), (3, 2)])
def test_it_is_the_jackknife_that_deletes_one_sample_after_another(n: int, k: int) -> None:
    scores, valid, best = drawn_scores(n, 6, 7, n)
    found = noise(0, scores, valid, best, k)
    for item in range(6):

        def mean_over_subsets(kept: list[int], item: int = item) -> float:
            return float(
                np.mean(
                    [
                        credit_of(scores[item, list(s)], valid[item, list(s)], best[item])
                        for s in combinations(kept, k)
                    ]
                )
            )

        left = np.array([mean_over_subsets([j for j in range(7) if j != s]) for s in range(7)])
        assert found.credit[item] == pytest.approx(mean_over_subsets(list(range(7))))
        assert found.variance[item] == pytest.approx(6 / 7 * ((left - left.mean()) ** 2).sum())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_for_one_sample_it_is_the_variance_of_the_mean_in_each_order(n: int) -> None:
    scores, valid, best = drawn_scores(9, 5, 6 * n, n)
    found = noise(0, scores, valid, best, 1, balanced=True)
    for item in range(5):
        one = np.array(
            [credit_of(scores[item, [j]], valid[item, [j]], best[item]) for j in range(6 * n)]
        )
        inside = [one[r::n].var(ddof=1) / 6 for r in range(n)]
        assert found.credit[item] == pytest.approx(one.mean())
        assert found.variance[item] == pytest.approx(sum(inside) / n**2)


@pytest.mark.parametrize(
    ("n", "k", "balanced"), [(2, 4, True), (2, 3, True), (2, 5, False), (1, 4, True)]
)
def test_credit_and_ties_are_those_of_the_exact_curve(n: int, k: int, balanced: bool) -> None:
    scores, valid, best = drawn_scores(4, 12, 10, n)
    everything = np.ones(valid.shape, dtype=bool)
    found = noise(0, scores, valid, best, k, balanced=balanced)
    rng = np.random.default_rng(0)
    exact = vote_curve(
        scores, valid, everything, best, [k], vote="sum", balanced=balanced, rng=rng
    ).outcomes
    chance = 0.5 if n < 3 else 1 / n
    expected = exact.win + exact.share + exact.void * chance
    assert found.credit == pytest.approx(expected[:, 0], abs=1e-9)
    assert found.tie == pytest.approx(exact.tie[:, 0], abs=1e-9)


def test_drawn_subsets_stand_for_all() -> None:
    scores, valid, best = drawn_scores(5, 400, 16, 2)
    everything = np.ones(valid.shape, dtype=bool)
    results = [
        vote_noise(
            "sum",
            scores,
            valid,
            everything,
            best,
            6,
            balanced=False,
            rng=np.random.default_rng(1),
            subsets=subsets,
        )
        for subsets in (256, 10_000)
    ]
    few, every = results  # C(16, 6) is 8,008
    assert few.credit.mean() == pytest.approx(every.credit.mean(), abs=0.005)
    assert few.variance.mean() == pytest.approx(every.variance.mean(), rel=0.05)


def test_without_a_sample_to_spare_there_is_no_variance() -> None:
    scores, valid, best = drawn_scores(6, 4, 4, 2)
    whole = noise(0, scores, valid, best, 4)
    assert np.isnan(whole.variance).all()
    assert not np.isnan(whole.credit).any()
    assert np.isnan(noise(0, scores, valid, best, 5).credit).all()
    assert np.isnan(noise(0, scores[:, :2], valid[:, :2], best, 1, balanced=True).variance).all()


def simulated(
    rng: np.random.Generator, skill: np.ndarray, samples: int, k: int, lean: float = 0.0
) -> VoteNoise:
    """Pairs whose best response wins a sample with probability `skill`, more when it is shown first."""
    shown = np.where(np.arange(samples) % 2 == 0, lean, -lean)
    right = rng.random((len(skill), samples)) < np.clip(skill[:, None] + shown, 0, 1)
    scores = np.stack([right, ~right], axis=2).astype(float)
    valid, best = np.ones(right.shape, dtype=bool), np.array([[True, False]] * len(skill))
    return vote_noise("sum", scores, valid, valid, best, k, balanced=True, rng=rng, subsets=512)


@pytest.mark.parametrize("lean", [0.0, 0.3])
def test_of_one_sample_the_split_is_known(lean: float) -> None:
    # Mean over items of p (1 - p) / N in each order; unbiased, so 400 runs of 50 items must hit it.
    rng = np.random.default_rng(8)
    skill = np.random.default_rng(9).beta(3, 2, 50) * 0.4 + 0.3
    found = [simulated(rng, skill, 8, 1, lean).variance.mean() for _ in range(400)]
    inside = float(np.mean([(skill + s) * (1 - skill - s) for s in (lean, -lean)])) / 8
    assert abs(np.mean(found) - inside) < 3.29 * np.std(found) / np.sqrt(400)
    # What the accuracy of the same items really does from run to run.
    values = [simulated(rng, skill, 8, 1, lean).credit.mean() for _ in range(400)]
    assert np.var(values) * 50 == pytest.approx(inside, rel=3.29 * np.sqrt(2 / 400))


def test_of_a_vote_it_is_what_redrawn_samples_do_or_a_little_more() -> None:
    rng = np.random.default_rng(10)
    skill = np.random.default_rng(11).beta(6, 4, 40)
    runs = [simulated(rng, skill, 16, 4, 0.1) for _ in range(400)]
    real = np.var([run.credit.mean() for run in runs]) * 40
    found = np.mean([run.variance.mean() for run in runs])
    band = 3.29 * np.sqrt(2 / 400)
    assert real * (1 - band) < found < real * (1.25 + band)
