"""Rounding: what is equal on paper is equal, what differs in one sample differs, and no figure has a unit."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from grmeval.measure import (
    VOTE_TABLE,
    Extra,
    best_of_first,
    judge_single,
    judge_totals,
    roc_auc,
    subset_totals,
    term_curve,
    ties_terms,
    totals,
    vote_curve,
)
from grmeval.measure.agreement import picks
from grmeval.measure.calibration import vote_confidence
from grmeval.measure.rounding import adds_exactly, at_threshold, settled
from grmeval.measure.votes import Bools, Floats
from tests.measure.oracle import Block, stored_samples, votes_for

NAN = float("nan")
CASES = [(n, vote) for n in (1, 2, 4) for vote in votes_for(n)]
STEPS = [1e-10, *(pytest.param(step, marks=pytest.mark.long) for step in (1e-3, 1e6))]
HAIR = 2.0**-52


# ---------------------------------------------------------------------- the rule, by hand


@pytest.mark.parametrize(
    ("total", "added", "expected"),
    [
        ([1 + HAIR, 1], [1, 1], [1, 1]),
        ([1 + HAIR, 1], [0, 0], [1 + HAIR, 1]),  # nothing was added
        ([1 + HAIR, 1], [0, 1], [1, 1]),
        ([3e-16, -1e-16], [2, 2], [-1e-16, -1e-16]),  # what is left of 2 - 2
        ([8e-11, 9e-17], [8e-11, 9e-17], [8e-11, 9e-17]),
        ([1, NAN], [1, 1], [1, NAN]),
        ([1 + HAIR, NAN, 2, 1, 2 + 2 * HAIR, 3], [1, 1, 1, 1, 1, 1], [1, NAN, 2, 1, 2, 3]),
        ([1 + 1.8e-12, 1, 1 + 9e-13], [1, 1, 1], [1, 1, 1]),  # a chain
        ([1 + HAIR, 1, 5e3], [0, 0, 5e3], [1 + HAIR, 1, 5e3]),  # a large rival is none of theirs
        ([4], [4], [4]),
    ],
)
def test_totals_that_differ_by_rounding(
    total: list[float], added: list[float], expected: list[float]
) -> None:
    found = settled(np.array([total, total], float), np.array([added, added], float))
    assert_array_equal(found, [expected, expected])


def test_a_threshold_is_met_within_rounding() -> None:
    found = at_threshold(np.array([0.3 + HAIR, 0.3 + HAIR, 0.31, NAN]), np.array([1, 0, 1, 1]), 0.3)
    assert_array_equal(found, [0.3, 0.3 + HAIR, 0.31, NAN])


@pytest.mark.parametrize(
    ("terms", "exactly"),
    [
        ([3, -2], True),
        ([0.5, 0.25], True),
        ([0.1], False),
        ([2e10], True),
        ([2e10, 0.5], True),
        ([2e13, 0.5], False),
        ([1e16], False),
        ([NAN], False),
    ],
)
def test_whole_halves_and_quarters_add_exactly(terms: list[float], exactly: bool) -> None:
    assert adds_exactly(np.array([terms])) == exactly
    assert adds_exactly(np.zeros((0, 2)))


# ---------------------------------------------------------------------- numbers that were wrong


def full(scores: Any) -> tuple[Floats, Bools]:
    found = np.array(scores, dtype=float)
    return found, np.ones(found.shape[:2], bool)


@pytest.mark.parametrize("vote", ["sum", "mean", "median", "max", "majority", "borda"])
def test_probabilities_far_below_1e_9_are_no_ties(vote: str) -> None:
    """Products of step scores: what counts is their ratio, as in the ranks of an item."""
    scores, valid = full([[[8e-11, 9e-17]] * 3])
    assert judge_totals(totals(vote, scores, valid), np.array([True, False])).win.tolist() == [1]


def test_one_sample_votes_alike_by_sum_and_by_majority() -> None:
    rng = np.random.default_rng(0)
    scores, valid = full(10 ** rng.uniform(-30, 0, (500, 4, 2)))
    scores[::5, :, 1] = scores[::5, :, 0]
    scores[1::5, :, 1] = scores[1::5, :, 0] * (1 + HAIR)  # a hair is a lead in one sample
    best = np.tile([True, False], (500, 1))
    found = [
        vote_curve(scores, valid, valid, best, [1], vote=vote, balanced=False, rng=rng).outcomes
        for vote in ("sum", "mean", "median", "max", "majority")
    ]
    for outcomes in found:
        assert_allclose(outcomes, found[-1])
    assert found[0].tie[::5].all()
    assert not found[0].tie[1::5].any()


def test_a_small_weight_of_all_samples_changes_no_verdict() -> None:
    """sigmoid(-23.5) is 6e-11."""
    scores, valid = full(np.random.default_rng(1).integers(1, 11, (200, 4, 2)))
    best = np.array([True, False])
    low = Extra(reward=np.full((200, 4), -23.5))
    found = judge_totals(totals("meta-weighted", scores, valid, extra=low), best)
    assert_array_equal(found, judge_totals(totals("sum", scores, valid), best))


def auc(vote: str, scores: Floats, valid: Bools, right: Bools, extra: Extra) -> float:
    """Over all samples."""
    everything = np.ones((1, valid.shape[1]))
    found = subset_totals(vote, scores, valid, everything, ranked=True, extra=extra)
    return roc_auc(found[0, :, 0], right)


def test_means_that_are_equal_on_paper_rank_alike() -> None:
    rows = [*permutations((7.1, 7.2, 7.3)), *permutations((6.4, 7.2, 8.0)), (7.2, 7.2, 7.2)]
    scores, valid = full(np.array(rows)[..., None])
    assert len(np.unique(scores.mean(axis=1))) > 1
    assert auc("mean", scores, valid, np.arange(len(rows)) % 3 == 0, Extra()) == 0.5


def test_weighted_means_of_the_same_score_rank_alike() -> None:
    rng = np.random.default_rng(2)
    score = rng.integers(5, 9, 300).astype(float)
    scores, valid = np.repeat(score[:, None, None], 8, axis=1), rng.random((300, 8)) < 0.5
    valid[:, 0] = True
    reward, right = rng.normal(size=(300, 8)), rng.random(300) < 0.5
    found = auc("meta-weighted", scores, valid, right, Extra(reward=reward))
    assert found == roc_auc(score, right)


def test_one_sample_ranks_exactly() -> None:
    score = np.array([7.2, 7.2 * (1 + HAIR), 7.2, 1e-30, 2e-30])
    scores, valid = full(score[:, None, None])
    right = np.array([False, True, True, False, True])
    for vote in ("mean", "median", "max", "meta-weighted"):
        extra = Extra(reward=np.array([[0.3], [-1.7], [2.0], [0.1], [5.5]]))
        assert auc(vote, scores, valid, right, extra) == roc_auc(score, right)


def test_a_mean_at_the_threshold_is_at_it() -> None:
    scores, valid = full([[[7.1], [7.2], [7.3]], [[0.1], [0.2], [21.3]], [[7.1], [7.2], [7.29999]]])
    found = totals("mean", scores, valid, threshold=7.2)[:, 0]
    assert (found >= 7.2).tolist() == [True, True, False]
    weighted, valid = full([[[7.2]]] * 50)
    extra = Extra(reward=np.linspace(-3, 3, 50)[:, None])
    for vote in ("meta-weighted", "meta"):
        alone = totals(vote, weighted, valid, threshold=7.2, extra=extra)
        assert (alone == 7.2).all()


# ---------------------------------------------------------------------- no figure has a unit


def stored(n: int, partial: bool = False) -> Block:
    """Whole scores: nothing is rounded. Some samples invalid or never drawn; `partial`: some scores too."""
    block = stored_samples(np.random.default_rng(n), 16, 6, n)
    if partial:
        holes = np.random.default_rng(7).random(block.scores.shape) < 0.2
        holes &= ~(holes.all(axis=2, keepdims=True))
        block.scores[holes] = NAN
    return block


@pytest.mark.parametrize(
    ("n", "vote", "partial"),
    [(n, vote, partial) for n, vote in CASES for partial in (False, True)[: 1 + (n > 1)]],
)
@pytest.mark.parametrize("step", STEPS)
def test_a_vote_has_no_unit(n: int, vote: str, partial: bool, step: float) -> None:
    block = stored(n, partial)

    def found(step: float) -> list[Floats]:
        scores, threshold = block.scores * step, 3.0 * step
        voted = totals(vote, scores, block.valid, threshold=threshold, extra=block.extra)
        ranks = (voted[:, None, :] > voted[:, :, None]).sum(axis=2)
        judged = (
            judge_single(voted, block.best[:, 0], vote, threshold)
            if n == 1
            else judge_totals(voted, block.best)
        )
        at_random = {"rng": np.random.default_rng(3), "enumerate_at_most": 8, "permutations": 16}
        curves = [
            vote_curve(
                scores,
                block.valid,
                block.drawn,
                block.best,
                [1, 2, 3, 4, 6],
                vote=vote,
                balanced=balanced,
                games=games,
                threshold=threshold,
                extra=block.extra,
                **at_random,  # type: ignore[arg-type]
            )
            for balanced, games in [(True, False), (False, False), (True, True)][: 2 + (n == 2)]
        ]
        return [ranks, *judged, *(part for curve in curves for part in curve.outcomes)]

    for one, other in zip(found(1.0), found(step), strict=True):
        assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("vote", votes_for(1))
@pytest.mark.parametrize("step", STEPS)
def test_an_auc_has_no_unit(vote: str, step: float) -> None:
    block = stored_samples(np.random.default_rng(4), 60, 6, 1, holes=False)
    chosen = (np.random.default_rng(5).random((20, 6)) < 0.5).astype(float)

    def found(step: float) -> Floats:
        given = block.scores * step, block.valid, chosen
        ranked = subset_totals(vote, *given, threshold=3 * step, ranked=True, extra=block.extra)[
            ..., 0
        ]
        return np.array([roc_auc(each, block.best[:, 0]) for each in ranked])

    assert_allclose(found(1.0), found(step))


@pytest.mark.parametrize("step", STEPS)
def test_pools_and_ties_have_no_unit(step: float) -> None:
    rng = np.random.default_rng(6)
    scores: Floats = rng.integers(1, 6, (20, 5, 8)).astype(float)
    scores[..., :3] += 3  # the tied prompt's right responses
    yes, correct = np.ones((20, 5), bool), np.array([1, 1, 1, 0, 0, 1, 0, 0], bool)
    tied = np.arange(8) < 5

    def found(vote: str, step: float) -> list[Floats]:
        judges = {
            5: lambda totals, _: ties_terms(totals, correct, tied),
            8: lambda totals, _: np.moveaxis(best_of_first(totals, correct), -1, 0),
        }
        return [
            term_curve(
                scores * step,
                yes,
                yes,
                [1, 2, 3, 5],
                vote=vote,
                terms=terms,
                judge=judge,
                prompt=np.where(tied, 0, 1),
                rng=np.random.default_rng(0),
            )[0]
            for terms, judge in judges.items()
        ]

    for vote in ("sum", "mean", "median", "majority", "borda", "max"):
        for one, other in zip(found(vote, 1.0), found(vote, step), strict=True):
            assert_allclose(one, other, atol=1e-9)
            assert len(np.unique(one)) > 1


@pytest.mark.parametrize(
    ("n", "vote"), [(n, vote) for n, vote in CASES if VOTE_TABLE[vote].needs is None]
)
@pytest.mark.parametrize("step", STEPS)
def test_confidence_and_picks_have_no_unit(n: int, vote: str, step: float) -> None:
    block = stored(n)
    scores = block.scores * step
    given = block.valid, block.best
    for one, other in zip(
        vote_confidence(vote, block.scores, *given, threshold=3.0),
        vote_confidence(vote, scores, *given, threshold=3 * step),
        strict=True,
    ):
        assert_allclose(one, other)
    assert_array_equal(
        picks(block.scores, block.valid, 3.0), picks(scores, block.valid, 3.0 * step)
    )


@pytest.mark.parametrize("samples", [1, 8])
def test_large_whole_scores_are_added_exactly(samples: int) -> None:
    """8 x (1e13 + 5) is a float64: a lead of 40 in 8e13 is no rounding."""
    scores = np.full((1, samples, 2), 1e13)
    scores[..., 0] += 5
    found = judge_totals(
        totals("sum", scores, np.ones((1, samples), bool)), np.array([[True, False]])
    )
    assert (found.win[0], found.tie[0]) == (1, 0)
