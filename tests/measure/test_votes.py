"""Votes: totals by hand, and the rows that have nothing to add up."""

from collections.abc import Sequence
from math import exp
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from grmeval.measure import (
    VOTE_TABLE,
    Extra,
    judge_single,
    judge_totals,
    subset_totals,
    totals,
)
from grmeval.measure.votes import Bools, Floats
from tests.measure.oracle import judgements, plain_totals, stored_samples, votes_for

NAN = float("nan")
CASES = [(n, vote) for n in (1, 2, 3) for vote in votes_for(n)]
Rows = Sequence[Sequence[float] | None]


def one_item(rows: Rows) -> tuple[Floats, Bools]:
    """Scores [1, N, n] and valid [1, N]; None is an invalid sample."""
    width = len(next(row for row in rows if row))
    scores = np.array([[row or [NAN] * width for row in rows]], dtype=float)
    return scores, np.array([[row is not None for row in rows]])


PAIR: Rows = [[8, 3], [5, 5], None, [2, 7], [9, 1]]
TRIPLE: Rows = [[8, 8, 1], [3, 2, 1], [1, 2, 9], None]
SINGLE: Rows = [[9], [5], [4], None]


@pytest.mark.parametrize(
    ("vote", "rows", "expected"),
    [
        ("sum", PAIR, [24, 16]),
        ("mean", PAIR, [6, 4]),
        ("majority", PAIR, [2, 1]),
        ("sum", TRIPLE, [12, 12, 11]),
        ("mean", TRIPLE, [4, 4, 11 / 3]),
        ("majority", TRIPLE, [1, 0, 1]),
        ("sum", SINGLE, [6]),
        ("mean", SINGLE, [6]),
        ("majority", SINGLE, [-1]),
        ("sum", [[4, 4]], [4, 4]),
        ("majority", [[4, 4], [6, 6]], [0, 0]),
        ("median", PAIR, [6.5, 4]),  # 2 5 8 9 and 1 3 5 7
        ("median", TRIPLE, [3, 2, 1]),
        ("median", SINGLE, [5]),
        ("max", PAIR, [9, 7]),
        ("max", TRIPLE, [8, 8, 9]),
        ("max", SINGLE, [9]),
        ("borda", PAIR, [2.5, 1.5]),
        ("borda", TRIPLE, [1.5 + 2 + 0, 1.5 + 1 + 1, 0 + 0 + 2]),
        ("borda", [[4, 4, 4]], [1, 1, 1]),
    ],
)
def test_totals_by_hand(vote: str, rows: Rows, expected: Any) -> None:
    assert_array_equal(totals(vote, *one_item(rows)), [expected])


def test_majority_of_one_response_counts_a_score_at_the_threshold_as_above() -> None:
    scores, valid = one_item([[5], [4]])
    assert_array_equal(totals("majority", scores, valid, threshold=5.0), [[0.0]])
    assert_array_equal(totals("majority", scores, valid, threshold=5.5), [[-2.0]])


def test_token_prob_adds_the_probability_of_each_pick() -> None:
    picks, valid = one_item([[1, 0], [0, 1], [0, 1], None, [1, 0]])
    weight = np.array([[0.9, 0.5, 0.625, 1.0, NAN]])  # one without a probability: no ballot
    assert_array_equal(totals("token-prob", picks, valid, extra=Extra(weight)), [[0.9, 1.125]])
    assert_array_equal(totals("majority", picks, valid), [[2, 2]])


def test_meta_keeps_the_better_half_of_the_papers_toy_example() -> None:
    """Figure 3: totals of 17 to 25 become 5 to 13, since samples 1 and 3 are kept."""
    scores, valid = one_item([[1, 5], [5, 6], [4, 8], [7, 6]])
    extra = Extra(reward=np.array([[1.5, -0.5, 0.75, -2.0]]))
    assert_array_equal(totals("sum", scores, valid), [[17, 25]])
    assert_array_equal(totals("meta", scores, valid, extra=extra), [[5, 13]])


ROWS: Rows = [[1, 2], [10, 20], None, [100, 200], [1000, 2000]]


@pytest.mark.parametrize(
    ("reward", "k_meta", "expected"),
    [
        ([3, 2, 9, 1, 0], None, [11, 22]),  # 2 of 5; the best reward is of an unreadable sample
        ([0, 1, 9, 1, 1], None, [110, 220]),  # equal rewards: the first ones
        ([NAN, -9, 9, NAN, NAN], None, [11, 22]),  # any reward comes before none
        ([NAN, NAN, NAN, NAN, NAN], 3, [111, 222]),
        ([0, 0, 9, 0, 5], 1, [1000, 2000]),
        ([0, 0, 9, 0, 5], 4, [1111, 2222]),
        ([0, 0, 9, 0, 5], 5, [1111, 2222]),  # the unreadable one comes last
        ([0, 0, 9, 0, 5], 99, [1111, 2222]),
    ],
)
def test_who_is_kept_by_meta(reward: list[float], k_meta: int | None, expected: list[int]) -> None:
    extra = Extra(reward=np.array([reward], dtype=float), k_meta=k_meta)
    assert_array_equal(totals("meta", *one_item(ROWS), extra=extra), [expected])


def test_meta_of_one_sample_is_that_sample_and_of_one_response_the_mean() -> None:
    assert_array_equal(
        totals("meta", *one_item([[3, 4]]), extra=Extra(reward=np.array([[-9.0]]))), [[3, 4]]
    )
    extra = Extra(reward=np.array([[0.0, 2.0, 1.0, 5.0]]), k_meta=3)
    assert_array_equal(totals("meta", *one_item(SINGLE), extra=extra), [[6]])


def test_meta_weighted_adds_sigmoids_and_no_logit_is_too_large() -> None:
    scores, valid = one_item([[2, 1], [4, 8], [9, 9], [1, 3], None])
    reward = np.array([[0.0, 800.0, -800.0, NAN, 1.0]])
    found = totals("meta-weighted", scores, valid, extra=Extra(reward=reward))
    assert_allclose(found, [[0.5 * 2 + 4, 0.5 + 8]])
    single, valid = one_item([[2], [8]])
    found = totals("meta-weighted", single, valid, extra=Extra(reward=np.array([[0.0, 1.0]])))
    right = 1 / (1 + exp(-1))
    assert_allclose(found, [[(0.5 * 2 + right * 8) / (0.5 + right)]])


def test_samples_without_what_a_weight_is_made_of_are_silence() -> None:
    scores, valid = one_item([[1, 0], [1, 0]])
    nothing = Extra(np.full((1, 2), NAN), np.full((1, 2), NAN))
    for vote in ("token-prob", "meta-weighted"):
        assert np.isnan(totals(vote, scores, valid, extra=nothing)).all()
    assert_array_equal(totals("meta", scores, valid, extra=nothing), [[1, 0]])


@pytest.mark.parametrize(("responses", "vote"), CASES)
@pytest.mark.parametrize("samples", [0, 2])
def test_an_item_without_a_valid_sample_has_no_totals(
    responses: int, vote: str, samples: int
) -> None:
    scores = np.full((2, samples, responses), NAN)
    extra = Extra(np.ones((2, samples)), np.ones((2, samples)))
    found = totals(vote, scores, np.zeros((2, samples), dtype=bool), extra=extra)
    assert found.shape == (2, responses)
    assert np.isnan(found).all()


@pytest.mark.parametrize("vote", votes_for(2))
def test_no_items_have_no_totals(vote: str) -> None:
    none = np.zeros((0, 3))
    found = totals(vote, np.zeros((0, 3, 2)), none > 0, extra=Extra(none, none))
    assert found.shape == (0, 2)


@pytest.mark.parametrize(("responses", "vote"), CASES)
@pytest.mark.parametrize("k_meta", [None, 2])
def test_totals_are_those_of_a_slow_count(responses: int, vote: str, k_meta: int | None) -> None:
    block = stored_samples(np.random.default_rng(3), 40, 7, responses, holes=False)
    extra = block.extra._replace(k_meta=k_meta)
    found = totals(vote, block.scores, block.valid, threshold=2.5, extra=extra)
    for item, row in enumerate(found):
        slow = plain_totals(vote, judgements(block, item), responses, 2.5, k_meta)
        assert_allclose(row, [NAN] * responses if slow is None else slow)


@pytest.mark.parametrize(("responses", "vote"), CASES)
def test_equal_scores_tie(responses: int, vote: str) -> None:
    scores, valid = np.full((1, 4, responses), 7.0), np.ones((1, 4), bool)
    extra = Extra(np.array([[0.1, 0.2, 0.3, 0.7]]), np.array([[0.3, -1.7, 2.0, 5.5]]))
    found = totals(vote, scores, valid, extra=extra)
    if responses > 1:
        best = np.arange(responses) == 0
        assert judge_totals(found, best).tie.tolist() == [1]
    else:
        assert judge_single(found, np.array([True]), vote, 7.0).win.tolist() == [1]


@pytest.mark.parametrize(("responses", "vote"), CASES)
def test_a_subset_votes_like_a_run_that_holds_only_those_samples(responses: int, vote: str) -> None:
    block = stored_samples(np.random.default_rng(1), 5, 6, responses)
    chosen = np.random.default_rng(1).integers(0, 2, (7, 6)).astype(float)
    together = subset_totals(vote, block.scores, block.valid, chosen, extra=block.extra)
    for subset, row in zip(together, chosen, strict=True):
        kept = row > 0
        alone = totals(
            vote, block.scores[:, kept], block.valid[:, kept], extra=block.extra.at(np.s_[:, kept])
        )
        assert_allclose(subset, alone)


def test_many_subsets_of_many_items_are_counted_in_parts() -> None:
    block = stored_samples(np.random.default_rng(2), 30, 16, 2)
    chosen = (np.random.default_rng(2).random((4096, 16)) < 0.5).astype(float)
    for vote in ("median", "max", "meta"):
        found = subset_totals(vote, block.scores, block.valid, chosen, extra=block.extra)
        one = subset_totals(
            vote, block.scores[29:], block.valid[29:], chosen, extra=block.extra.at(np.s_[29:])
        )
        assert_array_equal(found[:, 29:], one)


def test_single_scores_may_be_missing() -> None:
    """Responses judged apart: the mean over a response's own scores, times the samples."""
    scores, valid = one_item([[1, 2], [10, NAN], [NAN, 4]])
    assert_array_equal(totals("sum", scores, valid), [[5.5 * 3, 3 * 3]])
    assert_array_equal(totals("mean", scores, valid), [[5.5, 3]])
    assert_array_equal(totals("majority", scores, valid), [[0, 1]])  # only the first compares both
    assert_array_equal(totals("borda", scores, valid), [[0, 1]])
    assert_array_equal(totals("median", scores, valid), [[5.5, 3]])
    assert_array_equal(totals("max", scores, valid), [[10, 4]])
    extra = Extra(np.array([[0.5, 0.25, 0.25]]), np.array([[1.0, 2.0, 3.0]]), 2)
    weighted = [[(0.5 * 1 + 0.25 * 10) / 0.75, (0.5 * 2 + 0.25 * 4) / 0.75]]
    assert_allclose(totals("token-prob", scores, valid, extra=extra), weighted)
    assert_array_equal(totals("meta", scores, valid, extra=extra), [[10 * 2, 4 * 2]])


def test_a_response_without_any_score_makes_the_item_void() -> None:
    scores, valid = one_item([[1, NAN], [10, NAN]])
    assert np.isnan(totals("sum", scores, valid)).all()
    apart = subset_totals("sum", scores, valid, np.ones((1, 2)), apart=True)
    assert_array_equal(apart[0], [[11, NAN]])


def test_an_invalid_sample_keeps_its_scores_out() -> None:
    scores, valid = one_item([[1, 2], [10, 1]])
    valid[0, 1] = False
    assert_array_equal(totals("sum", scores, valid), [[1, 2]])


@pytest.mark.parametrize(
    ("vote", "scores", "valid", "message"),
    [
        ("best", np.ones((1, 2, 2)), np.ones((1, 2), bool), "sum, mean, majority"),
        ("sum", np.ones((1, 2, 2)), np.ones((1, 3), bool), r"\[I, N, n\]"),
        ("sum", np.ones((1, 2, 0)), np.ones((1, 2), bool), "at least one response"),
        ("sum", np.full((1, 2, 2), np.inf), np.ones((1, 2), bool), "must be finite"),
        ("token-prob", np.ones((1, 2, 2)), np.ones((1, 2), bool), "'token-prob' needs `weight`"),
        ("meta", np.ones((1, 2, 2)), np.ones((1, 2), bool), "'meta' needs `reward`"),
        ("meta-weighted", np.ones((1, 2, 2)), np.ones((1, 2), bool), "needs `reward`"),
        ("borda", np.ones((1, 2, 1)), np.ones((1, 2), bool), "nothing to compare"),
        ("token-prob", np.ones((1, 2, 1)), np.ones((1, 2), bool), "nothing to compare"),
    ],
)
def test_bad_input_is_refused(vote: str, scores: Floats, valid: Bools, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        totals(vote, scores, valid)


@pytest.mark.parametrize(
    ("vote", "extra", "message"),
    [
        ("meta", Extra(reward=np.ones((1, 3))), r"reward must have shape \(1, 2\)"),
        ("meta", Extra(reward=np.full((1, 2), np.inf)), "a reward must be finite"),
        ("token-prob", Extra(-np.ones((1, 2))), "must not be negative"),
        ("meta", Extra(reward=np.ones((1, 2)), k_meta=0), "k_meta must be at least 1"),
    ],
)
def test_odd_extras_are_refused(vote: str, extra: Extra, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        totals(vote, np.ones((1, 2, 2)), np.ones((1, 2), bool), extra=extra)


def test_the_table_says_what_each_vote_needs() -> None:
    needs = {name: vote.needs for name, vote in VOTE_TABLE.items() if vote.needs}
    assert needs == {"token-prob": "weight", "meta": "reward", "meta-weighted": "reward"}
    assert all(vote.about and "\n" not in vote.about for vote in VOTE_TABLE.values())
