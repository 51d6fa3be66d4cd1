"""When an item needs no more samples: what cannot change never does, and what hardly can hardly does."""

from itertools import product

import numpy as np
import pytest

from grmeval.measure import Scale, Spread, games, prospects, totals

LOW, HIGH = 1, 3
SCALE = Scale(LOW, HIGH, threshold=2)
NOTHING = Spread()


def leaders(vote: str, scores: np.ndarray) -> set[int]:
    """Who is ahead in items [F, m, n] by the vote itself; -1: nobody alone. Rows of NaN are invalid."""
    found = totals(vote, scores, ~np.isnan(scores).all(axis=2), threshold=2)
    if found.shape[1] == 1:
        below = found[:, 0] <= 0 if vote == "majority" else found[:, 0] < 2
        return set(below.astype(int).tolist())
    alone = (found == found.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return set(np.where(alone, found.argmax(axis=1), -1).tolist())


def futures(responses: int, left: int) -> np.ndarray:
    """Everything that may come [F, left, n]: each sample any scores, or invalid."""
    one = [*product(range(LOW, HIGH + 1), repeat=responses), (np.nan,) * responses]
    return np.array(list(product(one, repeat=left)), dtype=float)


@pytest.mark.parametrize(
    ("vote", "responses"),
    [(v, n) for v in ("sum", "mean", "median", "majority") for n in (1, 2)]
    + [("borda", 2), ("sum", 3), ("majority", 3), ("borda", 3)],
)
def test_sure_is_what_no_future_changes(vote: str, responses: int) -> None:
    rng = np.random.default_rng(1)
    left = 2 if responses < 3 else 1
    every, seen = futures(responses, left), set()
    for made in (1, 2, 3, 4):
        for _ in range(20):
            scores = rng.integers(LOW, HIGH + 1, (made, responses)).astype(float)
            scores[rng.random(made) < 0.15] = np.nan
            if np.isnan(scores).all():
                continue
            valid = ~np.isnan(scores[None]).all(axis=2)
            found = prospects(vote, scores[None], valid, made + left, NOTHING, SCALE)
            before = np.broadcast_to(scores, (len(every), *scores.shape))
            ends = leaders(vote, np.concatenate([before, every], axis=1))
            fixed = len(ends) == 1 and ends != {-1}
            sure = bool(found.sure[0])
            seen.add(sure)
            # A total AT the threshold is on the upper side, and counts as nobody's here.
            assert sure == fixed if responses > 1 else not sure or fixed, (scores, ends)
            if sure:
                assert ends == {int(found.ahead[0])}
    assert seen == {True, False}


def test_a_weighted_pick_is_sure_where_full_weights_cannot_overturn_it() -> None:
    picks = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    valid, unit = np.ones((1, 3), bool), Scale(0, 1)
    for weight, most, sure in (
        ([0.9, 0.9, 0.2], 4, True),
        ([0.9, 0.5, 0.5], 4, False),
        ([0.9, 0.9, np.nan], 4, True),
    ):
        found = prospects("token-prob", picks, valid, most, NOTHING, unit, np.array([weight]))
        assert (bool(found.sure[0]), found.ahead[0]) == (sure, 0)
    with pytest.raises(ValueError, match="weight"):
        prospects("token-prob", picks, valid, 4, NOTHING, unit)


def test_nothing_is_sure_of_scores_without_bounds_or_of_a_tie() -> None:
    scores, valid = np.array([[[9.0, 1.0]] * 7]), np.ones((1, 7), bool)
    assert prospects("sum", scores, valid, 8, NOTHING, Scale(1, 10)).sure[0]
    assert not prospects("sum", scores, valid, 8, NOTHING, Scale()).sure[0]
    assert not prospects("median", scores[:, :3], valid[:, :3], 8, NOTHING, Scale()).sure[0]
    tie = prospects("sum", np.full((1, 7, 2), 5.0), valid, 8, Spread(10, 10, 5, 9, 1), Scale(1, 10))
    assert (tie.ahead[0], tie.sure[0], tie.change[0]) == (-1, False, 1.0)
    last = prospects("sum", np.full((1, 7, 2), 5.0), valid, 7, NOTHING, Scale(1, 10))
    assert last.sure[0]
    assert last.change[0] == 0
    assert prospects("sum", scores[:, :0], valid[:, :0], 8, NOTHING, Scale(1, 10)).change[0] == 1
    with pytest.raises(ValueError, match="'max' has no bound"):
        prospects("max", scores, valid, 8, NOTHING, Scale(1, 10))


def test_a_score_that_is_missing_beside_others_counts_as_its_own_mean() -> None:
    """As in the vote: responses judged one by one, of which the second failed once."""
    scores = np.array([[[8.0, 4.0], [8.0, np.nan], [8.0, 5.0], [8.0, 4.0]]])
    valid = np.ones((1, 4), bool)
    found = prospects("sum", scores, valid, 5, Spread(40, 40, 10, 90, 2), Scale(1, 10))
    assert found.ahead[0] == 0
    assert found.told.squares[0] == pytest.approx(np.var([4, 8 - 13 / 3, 3, 4]) * 4)
    nobody = prospects(
        "sum", np.array([[[8.0, np.nan]]]), valid[:, :1], 5, Spread(4, 4, 4, 9, 2), SCALE
    )
    assert nobody.ahead[0] == -1


def test_the_chance_is_normal_with_the_error_of_its_own_mean() -> None:
    """By hand: leads 3 and 1 (mean 2, squares 2), k = 8, m = 2; 40 items of 2 samples tell a variance of 4
    inside (160 / 40), and 5 between (mean square 7, less 4 / 2)."""
    from scipy.stats import norm

    scores, every = np.array([[[6.0, 3.0], [5.0, 4.0]]]), Spread(160.0, 40.0, 40.0, 280.0, 20.0)
    assert every.variances() == (4.0, 5.0)
    found = prospects("sum", scores, np.ones((1, 2), bool), 8, every, Scale(1, 10))
    variance = (2 + 4 * 4) / (1 + 4)
    shrunk = 5 / (5 + variance / 2)
    spread = np.sqrt(6 * variance + 36 * shrunk * variance / 2)
    assert found.change[0] == pytest.approx(norm.sf((2 * 2 + 6 * shrunk * 2) / spread))
    assert found.told == (2, 1, 1, 4, 0.5)
    # With items as far apart as can be nothing is drawn back, and `needed` samples bring it to epsilon.
    needed = found.needed(8, 0.02)
    assert norm.sf(16 / np.sqrt(variance * (8 - needed) * 8 / needed)) <= 0.02
    before = needed - 1
    assert norm.sf(16 / np.sqrt(variance * (8 - before) * 8 / before)) > 0.02
    # Every rival may overtake.
    three = np.concatenate([scores, scores[..., 1:]], axis=2)
    both = prospects("sum", three, np.ones((1, 2), bool), 8, every, Scale(1, 10))
    assert both.change[0] == pytest.approx(2 * found.change[0])


def test_few_items_tell_nothing_of_how_far_apart_items_lie() -> None:
    """Then as if they lay nowhere apart: all of the lead is drawn back, and items stop late."""
    few, many = (Spread(4.0 * n, n, n, 7.0 * n, n / 2) for n in (31, 32))
    assert few.variances() == (4.0, 0.0)
    assert many.variances() == (4.0, 5.0)
    leads = np.array([[[6.0, 3.0], [5.0, 4.0]]]), np.ones((1, 2), bool), 8
    late, soon = (prospects("sum", *leads, each, Scale(1, 10)).change[0] for each in (few, many))
    assert late > soon


@pytest.mark.parametrize("items", [3, 10])
def test_fewer_verdicts_change_than_epsilon_says_where_items_are_few(items: int) -> None:
    """Samples that are right or wrong by the same lead: what took 8 % of verdicts of 3 items, at 2 %."""
    rng, epsilon, most, changed, runs = np.random.default_rng(3), 0.02, 16, 0, 300 // items
    for _ in range(runs):
        right = rng.random((items, most)) < rng.beta(4, 2, (items, 1))
        scores = np.where(right[..., None], [8.0, 4.0], [4.0, 8.0])
        valid, made, spread = np.ones((items, most), bool), np.full(items, most), NOTHING
        ahead = prospects("sum", scores, valid, most, spread, Scale(1, 10)).ahead
        for m in range(2, most, 2):
            spread = prospects("sum", scores[:, :m], valid[:, :m], most, spread, SCALE).told.total()
            found = prospects("sum", scores[:, :m], valid[:, :m], most, spread, Scale(1, 10))
            stops = (made == most) & (found.sure | (found.change <= epsilon))
            changed += int((found.ahead[stops] != ahead[stops]).sum())
            made[stops] = m
    wanted = epsilon * items * runs
    assert changed <= wanted + 3 * np.sqrt(wanted), changed


def test_two_games_are_sure_where_both_are() -> None:
    """Order 0: 9 to 1 each time. Order 1: the same, or the other way round."""
    same = np.array([[[9.0, 1.0]] * 6])
    valid = np.ones((1, 6), bool)
    found = games("sum", same, valid, 8, Spread(40.0, 10.0, 10.0, 70.0, 5.0), Scale(1, 10))
    assert (found.ahead[0], found.sure[0]) == (0, True)
    torn = same.copy()
    torn[0, 1::2] = [1.0, 9.0]
    found = games("sum", torn, valid, 8, Spread(40.0, 10.0, 10.0, 70.0, 5.0), Scale(1, 10))
    assert (found.ahead[0], found.sure[0], found.change[0]) == (-1, False, 1.0)


@pytest.mark.parametrize(("vote", "most"), [("sum", 8), ("sum", 20), ("majority", 12)])
def test_fewer_verdicts_change_than_epsilon_says(vote: str, most: int) -> None:
    """Items of unlike difficulty, whole scores: of 2,000 items few stop at what is not their verdict at k."""
    rng, items, epsilon = np.random.default_rng(5), 2000, 0.02
    gap = rng.normal(0, 1.5, (items, 1, 1)) * np.array([0.5, -0.5, -1.0])
    scores = np.clip(np.rint(5.5 + gap + rng.normal(0, 1.3, (items, most, 3))), 1, 10)
    valid = rng.random((items, most)) > 0.03
    kept = Scale(1, 10)
    made, ahead, spread = np.full(items, most), np.full(items, -1), NOTHING
    for m in range(2, most):
        found = prospects(vote, scores[:, :m], valid[:, :m], most, spread, kept)
        spread = found.told.total()
        found = prospects(vote, scores[:, :m], valid[:, :m], most, spread, kept)
        stops = (made == most) & (found.sure | (found.change <= epsilon))
        made[stops], ahead[stops] = m, found.ahead[stops]
    full = prospects(vote, scores, valid, most, spread, kept).ahead
    early = made < most
    changed = int((full[early] != ahead[early]).sum())
    assert changed <= epsilon * items + 3 * np.sqrt(epsilon * items), changed
    assert changed > 0  # it is a chance that is taken
    assert made.mean() < 0.8 * most
