"""Calibration: confidence of a vote by hand, bins by hand, and judges of known calibration."""

import numpy as np
import pytest

from grmeval.measure.calibration import reliability, vote_confidence

nan = float("nan")


def test_confidence_is_the_share_of_samples_that_pick_the_winner() -> None:
    scores = np.array(
        [
            [[8.0, 2], [3, 4], [5, 5], [9, 1]],  # 0 wins: 2 of 4 pick it, one half
            [[2.0, 9], [6, 4], [0, 0], [0, 0]],  # 1 wins by sum, though each is picked once
            [[7.0, 7], [4, 4], [3, 6], [6, 3]],  # a tie
            [[0.0, 0], [0, 0], [0, 0], [0, 0]],
        ]
    )
    valid = np.array([[True] * 4, [True, True, False, False], [True] * 4, [False] * 4])
    best = np.array([[True, False]] * 4)
    confidence, right = vote_confidence("sum", scores, valid, best)
    assert confidence == pytest.approx([2.5 / 4, 0.5, 0.5, nan], nan_ok=True)
    assert right == pytest.approx([1, 0, 0.5, nan], nan_ok=True)
    majority, _ = vote_confidence("majority", scores, valid, best)
    assert majority[0] == pytest.approx(2.5 / 4)


def test_one_response_is_on_a_side_of_the_threshold() -> None:
    scores = np.array([[[8.0], [4], [6]], [[2.0], [3], [9]], [[5.0], [6], [0]]])
    valid = np.array([[True] * 3, [True] * 3, [True, True, False]])
    good = np.array([[True], [True], [False]])
    confidence, right = vote_confidence("sum", scores, valid, good)
    assert confidence == pytest.approx([2 / 3, 2 / 3, 1 / 2])
    assert right.tolist() == [1, 0, 0]  # means 6, 4.67 and 5.5, which is at the threshold
    _, right = vote_confidence("majority", scores, valid, good)
    assert right.tolist() == [1, 0, 1]  # a draw of samples is no vote for it


def test_three_responses_share() -> None:
    scores = np.array([[[9.0, 9, 1], [9, 1, 1], [1, 1, 9]]])
    best = np.array([[True, True, False]])
    confidence, right = vote_confidence("sum", scores, np.ones((1, 3), bool), best)
    assert confidence == pytest.approx(
        [0.5]
    )  # totals 19, 11, 11: picked by one and a half of three
    assert right.tolist() == [1]


def test_bins_by_hand() -> None:
    confidence = np.array([0.5, 0.55, 0.6, 1.0, 0.95])
    right = np.array([1.0, 0, 1, 1, 0.5])
    bins, error = reliability(confidence, right, np.arange(5))
    assert [(b.low, b.votes) for b in bins] == [(0.5, 2), (0.6, 1), (0.9, 2)]
    assert bins[0].confidence == pytest.approx(0.525)
    assert bins[0].right.value == 0.5
    assert error == pytest.approx((2 * 0.025 + 0.4 + 2 * 0.225) / 5)
    assert np.isnan(reliability(confidence[:0], right[:0], np.arange(0))[1])


def test_a_share_that_rounding_left_below_an_edge_is_in_its_bin() -> None:
    third = np.array([0.1 + 0.2, 0.7 - 1e-16])
    bins, _ = reliability(third, np.ones(2), np.arange(2))
    assert [round(b.low, 1) for b in bins] == [0.3, 0.7]


@pytest.mark.parametrize(("lean", "off"), [(0.0, 0.0), (-0.2, 0.2)])
def test_a_judge_of_known_calibration(lean: float, off: float) -> None:
    rng = np.random.default_rng(7)
    confidence = rng.uniform(0.5, 1, 40_000)
    right = (rng.random(40_000) < confidence + lean).astype(float)
    bins, error = reliability(confidence, right, np.arange(40_000))
    assert len(bins) == 5
    for each in bins:
        assert abs(each.right.value - each.confidence - lean) < 4 * each.right.error
    # Noise adds at most the mean of |normal| at each bin's standard error, about 0.004.
    assert off - 0.01 < error < off + 0.01
