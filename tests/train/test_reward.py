"""The reward of training, by hand-worked tables."""

import pytest

from grmeval.train.reward import correct, reward, singles_out

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "quality", "expected"),
    [
        # pairs: the best strictly highest
        ((8, 6), (1, 0), 1),
        ((6, 8), (1, 0), -1),
        ((6, 8), (0, 1), 1),
        ((7, 7), (1, 0), -1),  # a tie is wrong
        ((1, 0), (1, 0), 1),  # a judge that picks
        ((-2.5, -3.0), (1, 0), 1),  # a head
        # one best of several
        ((9, 4, 8), (1, 0, 0), 1),
        ((9, 4, 9), (1, 0, 0), -1),  # a tie at the top
        ((9, 4, 4), (1, 0, 0), 1),  # a tie below it
        ((3, 4, 2), (1, 0, 0), -1),
        # several equally good best ones: one of them on top is enough
        ((9, 9, 4), (1, 1, 0), 1),
        ((9, 3, 4), (1, 1, 0), 1),
        ((9, 3, 9), (1, 1, 0), -1),
        ((3, 3, 4), (1, 1, 0), -1),
        # labels of more than two values: the best is the highest
        ((9, 4, 5), (2, 1, 0), 1),
        ((4, 9, 5), (2, 1, 0), -1),
        # labels that single out none
        ((9, 4), (1, 1), -1),
        ((5, 5), (1, 1), -1),
        ((9, 4), (0, 0), -1),
        # unreadable, whole or in part
        (None, (1, 0), -1),
        ((9, None), (1, 0), -1),
        ((9, NAN), (1, 0), -1),
        (None, (0,), -1),
        ((NAN,), (0,), -1),
    ],
)
def test_reward_of_a_judgement(
    scores: tuple[float | None, ...] | None, quality: tuple[int, ...], expected: int
) -> None:
    assert reward(scores, quality) == expected
    assert correct(scores, quality) == (expected == 1)


@pytest.mark.parametrize(
    ("score", "truth", "threshold", "expected"),
    [
        # 1 to 10: at or above the threshold is called right
        (9, 1, 5.5, 1),
        (6, 1, 5.5, 1),
        (5, 1, 5.5, -1),
        (9, 0, 5.5, -1),
        (5, 0, 5.5, 1),
        (5, 1, 5.0, 1),
        (5, 0, 5.0, -1),
        # 0 and 1, the paper's own prompt: S_1 = r_1
        (1, 1, 0.5, 1),
        (0, 0, 0.5, 1),
        (1, 0, 0.5, -1),
        (0, 1, 0.5, -1),
    ],
)
def test_one_response_is_compared_with_the_truth(
    score: float, truth: int, threshold: float, expected: int
) -> None:
    assert reward((score,), (truth,), threshold) == expected


def test_labels_that_single_out_none_make_nothing_correct() -> None:
    assert [singles_out(q) for q in [(1,), (0,), (1, 0), (1, 1, 0), (1, 1), (0, 0, 0)]] == [
        *(True, True, True, True, False, False)
    ]


def test_scores_and_labels_must_be_of_the_same_responses() -> None:
    with pytest.raises(ValueError, match="3 scores for 2 labelled responses"):
        correct((1, 2, 3), (1, 0))
    with pytest.raises(ValueError, match="no response is labelled"):
        correct(None, ())
