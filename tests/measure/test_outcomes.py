"""Outcomes and credit: tables worked by hand."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import Outcomes, credit, judge_single, judge_totals

NAN = float("nan")


@pytest.mark.parametrize(
    ("totals", "best", "expected"),
    [
        ([3, 2], [1, 0], (1, 0, 0, 0)),
        ([2, 3], [1, 0], (0, 0, 0, 0)),
        ([3, 3], [1, 0], (0, 1, 1 / 2, 0)),
        ([3, 3], [1, 1], (1, 0, 0, 0)),
        ([3, 3], [0, 0], (0, 0, 0, 0)),
        ([3, 3, 3], [1, 0, 0], (0, 1, 1 / 3, 0)),
        ([3, 3, 1], [0, 0, 1], (0, 0, 0, 0)),
        ([3, 3, 1], [1, 1, 0], (1, 0, 0, 0)),
        ([3, 3, 3, 1], [1, 1, 0, 0], (0, 1, 2 / 3, 0)),
        ([NAN, NAN], [1, 1], (0, 0, 0, 1)),
        ([8e-11, 9e-17], [1, 0], (1, 0, 0, 0)),
    ],
)
def test_a_verdict_by_hand(totals: list[float], best: list[int], expected: Any) -> None:
    outcome = judge_totals(np.array([totals], float), np.array([best], bool))
    assert [part.tolist() for part in outcome] == [[part] for part in expected]


def test_best_is_broadcast_over_leading_axes() -> None:
    totals = np.array([[[3.0, 2.0], [2.0, 3.0]], [[2.0, 3.0], [1.0, 1.0]]])
    outcome = judge_totals(totals, np.array([[True, False], [False, True]]))
    assert outcome.win.tolist() == [[1, 1], [0, 0]]
    assert outcome.tie.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("total", "good", "vote", "expected"),
    [
        (5.5, True, "mean", (1, 0, 0, 0)),
        (5.4, True, "sum", (0, 0, 0, 0)),
        (5.4, False, "mean", (1, 0, 0, 0)),
        (0.0, True, "majority", (0, 0, 0, 0)),
        (0.0, False, "majority", (1, 0, 0, 0)),
        (1.0, True, "majority", (1, 0, 0, 0)),
        (NAN, True, "mean", (0, 0, 0, 1)),
        (NAN, False, "mean", (0, 0, 0, 1)),
        (NAN, False, "majority", (0, 0, 0, 1)),
    ],
)
def test_one_response_by_hand(total: float, good: bool, vote: str, expected: Any) -> None:
    outcome = judge_single(np.array([[total]]), np.array([good]), vote, 5.5)
    assert tuple(float(part[0]) for part in outcome) == expected


def test_each_judge_refuses_the_other_shape() -> None:
    with pytest.raises(ValueError, match="judge_single"):
        judge_totals(np.ones((2, 1)), np.ones((2, 1), bool))
    with pytest.raises(ValueError, match=r"\[\.\.\., 1\]"):
        judge_single(np.ones((2, 3)), np.ones(2, bool), "mean", 5.5)


# One item: 40 % right, 20 % tied (a quarter of the winners right), 10 % unreadable, 30 % wrong.
MIXED = Outcomes(*(np.array([[value]]) for value in (0.4, 0.2, 0.05, 0.1)))


@pytest.mark.parametrize(
    ("ties", "on_invalid", "expected", "weight"),
    [
        ("wrong", "wrong", 0.4, 1),
        ("share", "wrong", 0.45, 1),
        ("half", "wrong", 0.5, 1),
        ("wrong", "share", 0.4 + 0.1 / 3, 1),
        ("wrong", "half", 0.45, 1),
        ("share", "drop", 0.45, 0.9),
    ],
)
def test_credit_by_hand(ties: str, on_invalid: str, expected: Any, weight: float) -> None:
    paid, weighed = credit(MIXED, ties=ties, on_invalid=on_invalid, chance=np.array([1 / 3]))
    assert_allclose(paid, [[expected]])
    assert_allclose(weighed, [[weight]])


@pytest.mark.parametrize(("uniform", "expected"), [(0.0, 0.6), (0.24, 0.6), (0.26, 0.4)])
def test_a_random_tie_pays_all_or_nothing(uniform: float, expected: Any) -> None:
    paid, _ = credit(
        MIXED,
        ties="random",
        on_invalid="wrong",
        chance=np.array([0.5]),
        uniform=np.array([uniform]),
    )
    assert_allclose(paid, [[expected]])


def test_a_random_pick_is_worth_its_share_on_average() -> None:
    rng = np.random.default_rng(2)
    tied = judge_totals(np.ones((20_000, 3)), np.array([True, False, False]))
    shared, _ = credit(tied, ties="share", on_invalid="wrong", chance=np.array([1 / 3]))
    picked, _ = credit(
        tied,
        ties="random",
        on_invalid="wrong",
        chance=np.array([1 / 3]),
        uniform=rng.random(20_000),
    )
    assert set(picked) == {0.0, 1.0}
    assert abs(picked.mean() - shared.mean()) < 4 * (2 / 9 / 20_000) ** 0.5


def test_chance_and_uniform_are_per_item_on_a_curve() -> None:
    cells = np.full((2, 3), 0.5)
    outcomes = Outcomes(0 * cells, cells, cells / 2, cells)
    paid, _ = credit(
        outcomes,
        ties="random",
        on_invalid="share",
        chance=np.array([0.5, 1.0]),
        uniform=np.array([0.9, 0.1]),
    )
    assert_allclose(paid, [[0.25] * 3, [1.0] * 3])


def test_a_cell_that_was_not_reached_stays_unknown() -> None:
    blank = Outcomes(*(np.array([NAN]) for _ in range(4)))
    for ties in ("wrong", "share", "half", "random"):
        paid, _ = credit(
            blank, ties=ties, on_invalid="wrong", chance=np.array([0.5]), uniform=np.array([0.5])
        )
        assert np.isnan(paid).all()


@pytest.mark.parametrize(
    ("ties", "on_invalid", "message"),
    [
        ("lucky", "wrong", "wrong, share, half, random"),
        ("wrong", "lucky", "wrong, share, drop, half"),
        ("random", "wrong", "uniform"),
    ],
)
def test_an_unknown_rule_names_the_allowed_ones(ties: str, on_invalid: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        credit(MIXED, ties=ties, on_invalid=on_invalid, chance=np.array([0.5]))


def test_rounding_leaves_no_weight_below_0() -> None:
    """Masses are sums of fractions: of a group that is silent all of them may be a hair above 1."""
    void = np.array([1.0 + 2**-52, 1.0, 1.0 - 2**-53, 0.75, NAN])
    none = np.where(np.isnan(void), NAN, 0.0)
    _, weight = credit(
        Outcomes(none, none, none, void), ties="wrong", on_invalid="drop", chance=np.full(5, 0.5)
    )
    assert weight.tolist()[:4] == [0, 0, 0, 0.25]
    assert np.isnan(weight[4])
