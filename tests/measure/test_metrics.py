"""ROC-AUC against every pair, one by one."""

from typing import Any

import numpy as np
import pytest

from grmeval.measure import roc_auc


def every_pair(score: Any, positive: Any) -> Any:
    high = [s for s, p in zip(score, positive, strict=True) if p]
    low = [s for s, p in zip(score, positive, strict=True) if not p]
    return sum((h > g) + (h == g) / 2 for h in high for g in low) / (len(high) * len(low))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_counting_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(1, 6, 60).astype(float)
    positive = rng.random(60) < 0.3
    assert roc_auc(score, positive) == pytest.approx(every_pair(score, positive), abs=1e-12)


@pytest.mark.parametrize(
    ("score", "positive", "expected"),
    [
        ([1, 2], [0, 1], 1.0),
        ([2, 1], [0, 1], 0.0),
        ([3, 3, 3], [0, 1, 1], 0.5),
    ],
)
def test_by_hand(score: list[float], positive: list[bool], expected: Any) -> None:
    assert roc_auc(np.array(score, float), np.array(positive, bool)) == expected


@pytest.mark.parametrize("positive", [[True, True], [False, False], []])
def test_one_class_alone_has_no_auc(positive: list[bool]) -> None:
    assert np.isnan(roc_auc(np.arange(len(positive), dtype=float), np.array(positive, bool)))


def test_a_missing_score_or_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        roc_auc(np.array([1.0, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="one shape"):
        roc_auc(np.array([1.0]), np.array([True, False]))
