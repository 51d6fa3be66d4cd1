"""Metrics: other figures from the same samples."""

import numpy as np

from grmeval.measure.votes import Bools, Floats


def roc_auc(score: Floats, positive: Bools) -> float:
    """Probability that a positive outscores a negative, ties counting half (Mann and Whitney).

    `score` float [I], `positive` bool [I]. All scores equal: 0.5. One class absent, or no item:
    NaN. ValueError: shapes differ, or a score is NaN (the caller says what a missing one means).
    """
    if score.ndim != 1 or score.shape != positive.shape:
        raise ValueError(
            f"score and positive must have one shape [I]: {score.shape}, {positive.shape}"
        )
    if np.isnan(score).any():
        raise ValueError("score holds NaN: leave out or fill items without a score first")
    high, low = score[positive], np.sort(score[~positive])
    if not len(high) or not len(low):
        return float("nan")
    beaten = np.searchsorted(low, high, side="left") + np.searchsorted(low, high, side="right")
    return float(beaten.mean() / (2 * len(low)))
