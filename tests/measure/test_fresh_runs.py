"""A judge with an order bias and informative meta rewards: 32 stored samples tell what k fresh ones do."""

import numpy as np
import pytest
from scipy.stats import t as student

from grmeval.measure import Extra, judge_totals, totals, vote_curve
from tests.measure.oracle import Block

KS = (1, 2, 4, 5, 8, 16)
NAMES = ("win", "tie")
ITEMS, STORED_RUNS, FRESH_RUNS = 250, 30, 400
CASES = [(vote, balanced) for vote in ("sum", "majority", "meta") for balanced in (True, False)]
# In Student errors: all comparisons together fail one seed in a thousand.
REACH = student.isf(0.001 / (2 * len(KS) * len(NAMES) * len(CASES)), STORED_RUNS - 1)


def judged(rng: np.random.Generator, runs: int, samples: int, balanced: bool) -> Block:
    """Runs x items, run by run. The first slot gains a point and a half, and 5 % cannot be read."""
    skill = np.tile(np.random.default_rng(8).normal(0.5, 1.0, ITEMS), runs)[:, None]
    shape = (runs * ITEMS, samples)
    if balanced:
        base = rng.integers(0, 2, (runs * ITEMS, 1))
        second = (base + np.arange(samples)) % 2
    else:
        second = rng.integers(0, 2, shape)
    truth = skill + np.where(second == 1, -1.5, 1.5) + rng.normal(0, 2.0, shape)
    best = np.clip(np.round(6 + truth / 2), 1, 10)
    other = np.clip(np.round(6 - truth / 2 + rng.normal(0, 0.5, shape)), 1, 10)
    valid = rng.random(shape) >= 0.05
    scores = np.where(valid[..., None], np.stack([best, other], axis=-1), np.nan)
    # A logit of being right that is itself half noise, and missing now and then.
    reward = np.sign(truth) + rng.normal(0, 1.0, shape).round(1)
    reward[rng.random(shape) < 0.02] = np.nan
    truths = np.tile([True, False], (len(scores), 1))
    return Block(scores, valid, np.ones(shape, bool), truths, Extra(reward=reward))


def by_run(
    wins: np.ndarray[tuple[int, ...], np.dtype[np.float64]], runs: int
) -> tuple[float, float]:
    """(mean, its standard error) of the accuracies of the runs."""
    accuracy = wins.reshape(runs, ITEMS).mean(axis=1)
    return float(accuracy.mean()), float(accuracy.std(ddof=1) / runs**0.5)


@pytest.mark.long
@pytest.mark.parametrize(("vote", "balanced"), CASES)
def test_the_curve_is_that_of_fresh_runs(vote: str, balanced: bool) -> None:
    rng = np.random.default_rng(2024)
    stored = judged(rng, STORED_RUNS, 32, balanced)
    curve = vote_curve(
        stored.scores,
        stored.valid,
        stored.drawn,
        stored.best,
        KS,
        vote=vote,
        balanced=balanced,
        rng=rng,
        extra=stored.extra,
    )
    assert curve.exact.all()
    for column, k in enumerate(KS):
        fresh = judged(rng, FRESH_RUNS, k, balanced)
        outcome = judge_totals(
            totals(vote, fresh.scores, fresh.valid, extra=fresh.extra), fresh.best
        )
        for name in NAMES:
            told, error = by_run(getattr(curve.outcomes, name)[:, column], STORED_RUNS)
            found, spread = by_run(getattr(outcome, name), FRESH_RUNS)
            assert abs(told - found) <= REACH * (error**2 + spread**2) ** 0.5, (k, name)
