"""Votes: rules that turn an item's samples into one total per response."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# (scores [I, N, n], 0 where invalid; valid [I, N]; chosen [S, N]; threshold) -> totals [S, I, n]
Rule = Callable[[Floats, Bools, Floats, float], Floats]


def _added(ballots: Floats, chosen: Floats) -> Floats:
    # One matrix product a response: the axis of n, two to ten long, must not be the inner one.
    summed = np.empty((ballots.shape[2], len(chosen), len(ballots)))
    np.matmul(chosen, ballots.transpose(2, 1, 0), out=summed)
    return summed.transpose(1, 2, 0)


def _readable(valid: Bools, chosen: Floats) -> Floats:
    return _added(valid[..., None].astype(np.float64), chosen)


def _mean(scores: Floats, valid: Bools, chosen: Floats, threshold: float) -> Floats:
    readable = _readable(valid, chosen)
    mean: Floats = _added(scores, chosen) / np.where(readable > 0, readable, 1.0)
    return mean


def _sum(scores: Floats, valid: Bools, chosen: Floats, threshold: float) -> Floats:
    if scores.shape[2] == 1:
        # A threshold compares scores across items, where a missing sample must not count as 0.
        return _mean(scores, valid, chosen, threshold)
    return _added(scores, chosen)


def _majority(scores: Floats, valid: Bools, chosen: Floats, threshold: float) -> Floats:
    if scores.shape[2] == 1:
        side = np.where(scores >= threshold, 1.0, -1.0)
        return _added(side * valid[..., None], chosen)
    leads = scores == scores.max(axis=2, keepdims=True)
    alone = leads.sum(axis=2, keepdims=True) == 1
    return _added((leads & alone).astype(np.float64), chosen)


_RULES: dict[str, Rule] = {"sum": _sum, "mean": _mean, "majority": _majority}

VOTES: tuple[str, ...] = tuple(_RULES)


def subset_totals(
    vote: str, scores: Floats, valid: Bools, chosen: Floats, *, threshold: float = 5.5
) -> Floats:
    """Totals [S, I, n] of S subsets of the samples, the same subsets for every item.

    `scores` [I, N, n] and `valid` [I, N] as in `totals`; `chosen` [S, N] is 1.0 where a subset
    holds the sample, else 0.0. An item none of whose chosen samples is valid has NaN totals.
    """
    if vote not in _RULES:
        raise ValueError(f"unknown vote {vote!r}: choose one of {', '.join(VOTES)}")
    if scores.ndim != 3 or valid.shape != scores.shape[:2]:
        raise ValueError(
            f"scores must be [I, N, n] and valid [I, N], not {scores.shape} and {valid.shape}"
        )
    if scores.shape[2] == 0:
        raise ValueError("an item needs at least one response")
    filled = np.where(valid[..., None], scores, 0.0)
    if not np.isfinite(filled).all():
        raise ValueError("a valid sample needs a finite score for every response")
    summed = _RULES[vote](filled, valid, chosen, threshold)
    summed[_readable(valid, chosen)[..., 0] == 0] = np.nan
    return summed


def totals(vote: str, scores: Floats, valid: Bools, *, threshold: float = 5.5) -> Floats:
    """One total per response, [I, n], from all valid samples of each item.

    `scores` float [I, N, n]; entries of an invalid sample are ignored. `valid` bool [I, N]: drawn
    and readable. An item without a valid sample (also N = 0) has a row of NaN.

    - sum: S*_i = sum over samples of S_ij (arXiv 2504.02495, Eq. 14); for n = 1 the mean.
    - mean: the mean valid score.
    - majority: samples in which this response alone has the highest score; a shared top votes for
      nobody. For n = 1: samples at or above `threshold` minus samples below it.

    With one sample sum and mean are that sample's scores. ValueError: unknown vote, wrong shapes, a
    NaN score in a valid sample.
    """
    everything = np.ones((1, valid.shape[1]))
    summed: Floats = subset_totals(vote, scores, valid, everything, threshold=threshold)[0]
    return summed
