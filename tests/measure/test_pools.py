"""Best of the first K: by hand, and against a loop over every prefix."""

from typing import Any

import numpy as np
import pytest

from grmeval.measure import best_of_first, curve_figures, oracle_of_first

NAN = float("nan")


@pytest.mark.parametrize(
    ("totals", "correct", "expected"),
    [
        ([5], [1], [1]),
        ([5, 7, 6], [0, 1, 0], [0, 1, 1]),
        ([5, 5, 5], [1, 0, 0], [1, 1 / 2, 1 / 3]),
        ([5, 7, 7], [1, 1, 0], [1, 1, 1 / 2]),
        ([NAN, 1, 2], [1, 0, 1], [1, 0, 1]),
        ([NAN, NAN, NAN], [0, 1, 1], [0, 1 / 2, 2 / 3]),
        ([3, NAN, 1], [1, 0, 0], [1, 1, 1]),
        ([9e-17, 8e-11], [0, 1], [0, 1]),
        ([-3, -2], [1, 0], [1, 0]),
    ],
)
def test_a_pool_by_hand(totals: list[float], correct: list[int], expected: Any) -> None:
    found = best_of_first(np.array(totals, float), np.array(correct, bool))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("own", [True, False])
def test_agrees_with_a_loop_over_every_prefix(own: bool) -> None:
    rng = np.random.default_rng(1)
    totals = rng.integers(1, 5, (2, 7, 9)).astype(float)
    totals[rng.random(totals.shape) < 0.3] = np.nan
    correct = rng.random(totals.shape if own else 9) < 0.4
    found = best_of_first(totals, correct)
    for *at, k in np.ndindex(totals.shape):
        first = totals[*at][: k + 1]
        right = (correct[*at] if own else correct)[: k + 1]
        read = [(s, r) for s, r in zip(first, right, strict=True) if not np.isnan(s)]
        winners = [r for s, r in read if s == max(read)[0]] if read else list(right)
        assert found[*at, k] == pytest.approx(sum(winners) / len(winners))


def test_the_oracle_stays_right_once_it_is() -> None:
    correct = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 1]], bool)
    assert oracle_of_first(correct).tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 1]]


def test_nobody_beats_the_oracle_and_truth_reaches_it() -> None:
    rng = np.random.default_rng(2)
    correct = rng.random((50, 8)) < 0.3
    oracle = oracle_of_first(correct)
    assert (best_of_first(rng.random((50, 8)), correct) <= oracle).all()
    assert (best_of_first(correct.astype(float), correct) == oracle).all()


def test_the_figures_of_a_curve_by_hand() -> None:
    figures = curve_figures(np.array([0.2, 0.6, 0.4]), np.array([0.2, 0.7, 0.8]))
    assert figures == pytest.approx((0.4, 0.6, 0.4, (0.01 + 0.16) / 3))
    assert figures._fields == ("area", "most", "end", "loss")


@pytest.mark.parametrize(
    ("totals", "correct"),
    [(np.ones((2, 3)), np.ones(2, bool)), (np.ones(3), np.ones((2, 3), bool))],
)
def test_shapes_that_do_not_fit_are_refused(totals: Any, correct: Any) -> None:
    with pytest.raises(ValueError, match="correct must be"):
        best_of_first(totals, correct)


def test_a_pool_without_responses_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one response"):
        best_of_first(np.ones((4, 0)), np.ones((4, 0), bool))
    with pytest.raises(ValueError, match="at least one response"):
        oracle_of_first(np.ones((4, 0), bool))
    with pytest.raises(ValueError, match="at least one response"):
        curve_figures(np.ones(0), np.ones(0))


@pytest.mark.parametrize("shape", [(3,), (2, 2)])
def test_curves_of_two_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        curve_figures(np.ones((2, 2)), np.ones(shape))
