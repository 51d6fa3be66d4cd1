"""Calibration: does a vote that most samples agree with come true as often as they agree?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.agreement import picks
from grmeval.measure.intervals import Estimate, estimate
from grmeval.measure.votes import Bools, Floats, totals

Labels = NDArray[np.integer]

# A share may lie this much below the edge of its bin by rounding.
_EDGE = 1e-9


class Bin(NamedTuple):
    """Votes whose confidence lies in [low, high) (the last bin: [low, 1]): how sure, how often right."""

    low: float
    high: float
    votes: int
    confidence: float
    right: Estimate


def vote_confidence(
    vote: str, scores: Floats, valid: Bools, best: Bools, threshold: float = 5.5
) -> tuple[Floats, Floats]:
    """(confidence [V], right [V]) of V votes of k samples each: `scores` [V, k, n], `best` [V, n].

    Confidence, the predicted probability of being right: the share of readable samples that pick the
    vote's winner; a sample that ties gives each of its picks an equal part (of two: a half), and a tied
    vote has the mean over its winners. One response: the share of samples on the vote's side of the
    threshold; `best` says if it is right. Right: the share of the vote's winners that are best. NaN:
    no readable sample, or a response without a score.
    """
    picked = picks(scores, valid, threshold)
    read = picked.sum(axis=(1, 2))
    total = totals(vote, scores, valid, threshold=threshold)
    if scores.shape[2] == 1:
        above = total[:, :1] > 0 if vote == "majority" else total[:, :1] >= threshold
        winners = np.hstack([above, ~above])
        best = np.hstack([best, ~best])
    else:
        winners = total == total.max(axis=1, keepdims=True)
    count = np.maximum(winners.sum(axis=1), 1)
    known = (read > 0) & ~np.isnan(total).any(axis=1)
    agreeing = (picked.sum(axis=1) * winners).sum(axis=1) / count
    right = (winners & best).sum(axis=1) / count
    confidence = np.clip(agreeing / np.maximum(read, 1.0), 0.0, 1.0)
    return np.where(known, confidence, np.nan), np.where(known, right, np.nan)


def reliability(
    confidence: Floats, right: Floats, cluster: Labels, bins: int = 10
) -> tuple[tuple[Bin, ...], float]:
    """(bins of equal width that hold a vote, expected calibration error) of votes [V] without NaN.

    ECE (Naeini and others 2015): sum over bins of votes / V x |mean right - mean confidence|. It is
    never below 0, so noise adds to it. NaN without votes.
    """
    number = np.minimum((confidence * bins + _EDGE).astype(np.intp), bins - 1)
    found, error = [], 0.0
    for each in np.unique(number):
        mine = number == each
        one = np.zeros(int(mine.sum()), dtype=np.intp)
        hit = estimate(right[mine], np.ones(len(one)), cluster[mine], one, np.ones(1))
        mean = float(confidence[mine].mean())
        found.append(Bin(each / bins, (each + 1) / bins, len(one), mean, hit))
        error += len(one) * abs(hit.value - mean)
    return tuple(found), error / len(right) if len(right) else float("nan")
