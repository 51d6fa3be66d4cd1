"""Rejection, by hand-worked tables: each sample's fate."""

import pytest

from grmeval.train.select.rejection import (
    INCORRECT,
    KEPT,
    NO_BEST,
    RULES,
    TOO_EASY,
    UNREADABLE,
    Scores,
    reject,
)

RIGHT, WRONG, TIE = (8, 6), (6, 8), (7, 7)
"""Scores of a pair whose first response is the best."""


@pytest.mark.parametrize(
    ("plain", "hinted", "fates", "of_hinted"),
    [
        # Some are right: those are kept.
        ([RIGHT, WRONG, RIGHT], [RIGHT], [KEPT, INCORRECT, KEPT], [KEPT]),
        # A tie and an unreadable text are wrong, so the query is not too easy.
        ([RIGHT, TIE, RIGHT], [TIE], [KEPT, INCORRECT, KEPT], [INCORRECT]),
        ([RIGHT, None, RIGHT], [None], [KEPT, UNREADABLE, KEPT], [UNREADABLE]),
        ([RIGHT, (8, None), RIGHT], [], [KEPT, INCORRECT, KEPT], []),
        # All N are right: too easy, but for the hinted one.
        ([RIGHT, RIGHT, RIGHT], [RIGHT], [TOO_EASY] * 3, [KEPT]),
        ([RIGHT, RIGHT, RIGHT], [WRONG], [TOO_EASY] * 3, [INCORRECT]),
        # None is right: the hinted one may be all that there is.
        ([WRONG, TIE, None], [RIGHT], [INCORRECT, INCORRECT, UNREADABLE], [KEPT]),
        # Samples are missing: nobody knows whether all would be right.
        ([RIGHT, RIGHT], [RIGHT], [KEPT, KEPT], [KEPT]),
        ([RIGHT, WRONG], [], [KEPT, INCORRECT], []),
        ([], [RIGHT], [], [KEPT]),
        ([], [], [], []),
    ],
)
def test_a_pair_asked_three_times(
    plain: list[Scores], hinted: list[Scores], fates: list[str], of_hinted: list[str]
) -> None:
    assert reject((1, 0), plain, hinted, wanted=3) == (fates, of_hinted)


def test_too_easy_is_judged_by_the_samples_that_were_wanted() -> None:
    assert reject((1, 0), [RIGHT], wanted=1) == ([TOO_EASY], [])
    assert reject((1, 0), [RIGHT] * 4, wanted=3) == ([TOO_EASY] * 4, [])


@pytest.mark.parametrize(
    ("truth", "scores", "fates"),
    [
        (1, [9, 6, 5], [KEPT, KEPT, INCORRECT]),
        (0, [9, 6, 5], [INCORRECT, INCORRECT, KEPT]),
        (0, [1, 2, 5], [TOO_EASY] * 3),
    ],
)
def test_one_response_is_held_against_the_truth(
    truth: int, scores: list[int], fates: list[str]
) -> None:
    assert reject((truth,), [(score,) for score in scores], wanted=3) == (fates, [])


def test_scores_of_nought_and_one_are_the_truth_or_not() -> None:
    found = reject((0,), [(0,), (1,), (0,)], [(0,)], wanted=3, threshold=0.5)
    assert found == ([KEPT, INCORRECT, KEPT], [KEPT])


def test_several_equally_good_responses_and_labels_that_single_out_none() -> None:
    both = [(9, 9, 4), (9, 3, 9), (3, 8, 7)]
    assert reject((1, 1, 0), both, wanted=3) == ([KEPT, INCORRECT, KEPT], [])
    assert reject((1, 1), [(9, 8), None], [(9, 8)], wanted=2) == ([NO_BEST] * 2, [NO_BEST])


def test_every_rule_has_words() -> None:
    assert {NO_BEST, UNREADABLE, INCORRECT, TOO_EASY} < RULES.keys()
