"""RewardBench 2's Ties, worked out by hand from the scorer's definition."""

from math import tanh

import numpy as np
import pytest
from numpy.testing import assert_allclose

from grmeval.measure import TIES_WEIGHTS, term_curve, ties_terms

NAN = float("nan")
# Of the tied prompt: three right, two wrong; of its reference: one right, two wrong.
CORRECT = np.array([1, 1, 1, 0, 0, 1, 0, 0], bool)
TIED = np.array([1, 1, 1, 1, 1, 0, 0, 0], bool)


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        # d = 9 - 7, g_tied = 7 - 4, g_ref = 8 - 2: all hold, margin tanh(3 / 2 - 1)
        ([9, 8, 7, 4, 3, 8, 2, 1], [1, 1, 1, 1, tanh(0.5)]),
        # g_ref = 8 - 7 = 1 is not above d = 2: preferred, not preferred hard
        ([9, 8, 7, 4, 3, 8, 7, 1], [1, 1, 1, 0, tanh(1 / 2 - 1)]),
        # a wrong response at the worst right one's score: a tie is not accurate
        ([9, 8, 7, 7, 3, 8, 2, 1], [0, 1, 0, 0, tanh(-1)]),
        # all right ones alike: d = 0, the margin is tanh(inf) = 1
        ([9, 9, 9, 4, 3, 8, 2, 1], [1, 1, 1, 1, 1]),
        # everything alike: d = 0 and both gaps 0, 0 / 0 counts 0
        ([5, 5, 5, 5, 5, 5, 5, 5], [0, 0, 0, 0, 0]),
        # d = 0 and a negative gap: tanh(-inf) = -1
        ([5, 5, 5, 6, 5, 8, 2, 1], [0, 1, 0, 0, -1]),
        # an unreadable wrong response is rated -1 and loses; an unreadable right one loses too
        ([9, 8, 7, NAN, 3, 8, 2, 1], [1, 1, 1, 1, tanh(4 / 2 - 1)]),
        ([9, 8, NAN, 4, 3, 8, 2, 1], [0, 1, 0, 0, tanh(-5 / 10 - 1)]),
    ],
)
def test_terms_by_hand(totals: list[float], expected: list[float]) -> None:
    assert_allclose(ties_terms(np.array(totals), CORRECT, TIED), expected)


def test_a_prompt_without_its_reference_has_one_term() -> None:
    terms = ties_terms(np.array([9.0, 8, 7, 4, 3]), CORRECT[:5], TIED[:5])
    assert_allclose(terms, [1, NAN, NAN, NAN, NAN])
    reference = ties_terms(np.array([8.0, 2, 9]), CORRECT[5:], TIED[5:])
    assert_allclose(reference, [NAN, 0, NAN, NAN, NAN])


def test_the_weights_are_the_official_ones() -> None:
    assert TIES_WEIGHTS == (0.3, 0.3, 0.2, 0.2, 0.01)


def test_a_curve_of_terms_is_the_mean_over_subsets() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(1, 11, (1, 4, 8)).astype(float)
    scores[0, 1, 3] = NAN
    yes = np.ones((1, 4), bool)
    found, noise = term_curve(
        scores,
        yes,
        yes,
        [1, 2, 4],
        vote="mean",
        terms=5,
        judge=lambda totals, _: ties_terms(totals, CORRECT, TIED),
        rng=rng,
    )
    singles = [ties_terms(scores[0, j], CORRECT, TIED) for j in range(4)]
    assert_allclose(found[:, 0, 0], np.mean(singles, axis=0))
    pairs = [
        ties_terms(np.nanmean(scores[0, [a, b]], axis=0), CORRECT, TIED)
        for a in range(4)
        for b in range(a)
    ]
    assert_allclose(found[:, 0, 1], np.mean(pairs, axis=0))
    whole = ties_terms(np.nanmean(scores[0], axis=0), CORRECT, TIED)
    assert_allclose(found[:, 0, 2], whole)
    assert not noise.any()


def test_what_was_not_read_never_wins() -> None:
    """A head's logits lie below the -1 that the official runner gives what it cannot read."""
    correct, tied = np.array([True, True, False, True, False]), np.array([True] * 3 + [False] * 2)
    unread = np.array([np.nan, np.nan, -5.0, np.nan, -5.0])
    assert ties_terms(unread, correct, tied)[:4].tolist() == [0, 0, 0, 0]
    same = np.array([4.0, np.nan, 3.0, 5.0, 3.0])
    assert ties_terms(same, correct, tied)[:2].tolist() == [0, 1]
