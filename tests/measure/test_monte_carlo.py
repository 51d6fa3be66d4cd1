"""Monte Carlo: where no exact way is left, the noise is as stated and bounded."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import Curve, Extra, vote_curve
from grmeval.measure.votes import Bools, Floats

Block = tuple[Floats, Bools, Bools, Bools]  # scores, valid, drawn, best


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def test_a_table_too_large_for_memory_goes_to_monte_carlo() -> None:
    scores = generator().integers(1, 10_000, (1, 40, 2)).astype(float)
    full, best = np.ones((1, 40), bool), np.array([[True, False]])
    curve = vote_curve(
        scores, full, full, best, [1, 20], vote="sum", balanced=False, rng=generator()
    )
    assert curve.exact.tolist() == [True, False]
    assert curve.outcomes.win[0, 0] == (scores[0, :, 0] > scores[0, :, 1]).mean()
    assert curve.noise[0, 1] > 0


def three_way(items: int = 150, samples: int = 12) -> Block:
    """Items so alike that one batch is too noisy, after three that are right with certainty."""
    rng = np.random.default_rng(21)
    scores = rng.integers(1, 6, (items, samples, 3)).astype(float)
    scores[:, :, 0] += rng.integers(0, 2, (items, 1))
    scores[:3] = [9, 1, 1]
    valid = rng.random((items, samples)) < 0.9
    valid[:3] = True
    scores[~valid] = np.nan
    best = np.zeros((items, 3), bool)
    best[:, 0] = True
    return scores, valid, np.ones_like(valid), best


@pytest.mark.long
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("vote", ["sum", "meta"])
def test_monte_carlo_is_as_noisy_as_it_says(vote: str, balanced: bool) -> None:
    """Whoever votes is common to all items of a subset (sum), or each item's own choice (meta)."""
    arrays, ks, ratios = three_way(), [2, 4, 5], []
    extra = Extra(reward=np.random.default_rng(22).normal(size=arrays[1].shape))
    exact = vote_curve(*arrays, ks, vote=vote, balanced=balanced, rng=generator(), extra=extra)
    assert exact.exact.all()
    rng = generator()
    for _ in range(20):
        drawn = vote_curve(
            *arrays,
            ks,
            vote=vote,
            balanced=balanced,
            rng=rng,
            enumerate_at_most=0,
            extra=extra,
        )
        assert not drawn.exact.any()
        assert (drawn.outcomes.win[:3] == 1).all()
        error = drawn.outcomes.win - exact.outcomes.win
        noise = (drawn.noise**2).mean(axis=0)
        assert (noise**0.5 <= 0.1 * drawn.outcomes.win.std(axis=0)).all()
        ratios.append((error**2).mean(axis=0) / noise)
    # Items share permutations, so one run is about 11 degrees of freedom: 20 runs, sd about 0.1.
    assert_allclose(np.mean(ratios, axis=0), 1.0, atol=0.35)


def test_monte_carlo_stops_at_the_bound_and_depends_only_on_the_generator() -> None:
    arrays = three_way()
    exact = vote_curve(*arrays, [3], vote="sum", balanced=True, rng=generator())
    open_item = np.abs(exact.outcomes.win[:, 0] - 0.5).argmin()
    scores, valid, drawn, best = arrays
    one = [open_item]

    def run(permutations: int) -> Curve:
        return vote_curve(
            scores[one],
            valid[one],
            drawn[one],
            best[one],
            [3, 12],
            vote="sum",
            balanced=True,
            rng=generator(),
            enumerate_at_most=1,
            permutations=permutations,
        )

    short, long = run(100), run(4096)
    win = short.outcomes.win[0, 0]
    assert short.noise[0, 0] == pytest.approx((win * (1 - win) / 99) ** 0.5)
    assert 0 < long.noise[0, 0] < short.noise[0, 0] / 5
    assert (short.exact == [False, True]).all()
    assert (run(100).outcomes.win == short.outcomes.win).all()
