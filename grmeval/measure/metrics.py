"""Metrics: the area under the ROC curve, with and without its uncertainty."""

from math import sqrt

import numpy as np

from grmeval.measure.intervals import (
    Estimate,
    Labels,
    check_level,
    contributions,
    limits,
    pooled,
    shrunk,
    strata_variances,
)
from grmeval.measure.votes import Bools, Floats


def roc_auc(score: Floats, positive: Bools) -> float:
    """Probability that a positive outscores a negative, ties counting half (Mann and Whitney).

    `score` float [I], `positive` bool [I]. All scores equal: 0.5. A NaN score is a tie with every
    other. One class absent, or no item: NaN. ValueError: shapes differ.
    """
    placement = placements(score[None], positive)
    if positive.all() or not positive.any():
        return float("nan")
    return float(placement[positive].mean())


def auc_inside(score: Floats, positive: Bools, group: Labels) -> tuple[float, int]:
    """(the mean over groups of the ROC-AUC inside each, how many groups that is the mean of).

    `score` float [I], `positive` bool [I], `group` int [I]. A group without one of the classes tells nothing,
    and is left out; where that is all of them: NaN and 0. ValueError: shapes differ.
    """
    if group.shape != positive.shape:
        raise ValueError(f"group must have shape {positive.shape}, not {group.shape}")
    found = [
        roc_auc(score[mine], positive[mine]) for mine in (group == g for g in np.unique(group))
    ]
    known = [auc for auc in found if not np.isnan(auc)]
    return (float(np.mean(known)) if known else float("nan")), len(known)


def auc_estimate(score: Floats, positive: Bools, cluster: Labels, level: float = 0.95) -> Estimate:
    """The ROC-AUC, or its mean over S draws of the scores, with its clustered uncertainty.

    `score` float [I] or [S, I] (draws of one set of items, such as subsets of its votes),
    `positive` bool [I], `cluster` int [I] (items with one prompt).

    Error: the placement values of DeLong, DeLong and Clarke-Pearson (1988), averaged over draws,
    in the clustered variance of Obuchowski (1997, Biometrics 53): each class by its own clusters,
    plus twice the covariance of the two inside clusters. One item a cluster gives DeLong's
    variance exactly. A class whose placements all agree, or all but reach
    0 or 1, has at least the variance of a proportion, kept half an item from its end (Jeffreys). The
    degrees of freedom are Satterthwaite's over the classes, at most clusters - 1. The interval is
    that of `limits`: inside [0, 1], never of no width. method: "auc-clustered".

    A NaN score is a tie with every other. One class absent, or no item: NaN and 0 items. ValueError:
    shapes, no draw, level outside (0, 1).
    """
    check_level(level)
    if cluster.shape != positive.shape:
        raise ValueError(f"cluster must have shape {positive.shape}, not {cluster.shape}")
    placement = placements(score, positive)
    if positive.all() or not positive.any():
        nan = float("nan")
        return Estimate(nan, nan, nan, nan, 0, 0, "auc-clustered")
    value = float(placement[positive].mean())

    # The AUC is the mean placement of either class; its error is the sum of both classes' errors.
    weight, share, side = np.ones(len(placement)), np.ones(2), positive.astype(np.intp)
    names, cluster = np.unique(cluster, return_inverse=True)
    ratio, parts = contributions(placement, weight, cluster, side, share)
    touched = np.zeros(parts.shape, dtype=np.bool_)
    touched[cluster, side] = True
    touches = touched.sum(axis=0).astype(np.float64)
    # A stratum a class: their variances, which the covariance inside clusters then ties together.
    variance, freedom = pooled(*strata_variances(parts[touched], touched.nonzero()[1]))
    others = max(len(names) - 1, 1)
    variance += 2 * len(names) / others * float(parts[:, 0] @ parts[:, 1])
    apart = np.arange(2)  # the two classes
    variance = max(variance, 0.0) + float(_unseen(ratio, parts, touches).sum())
    low, high = limits(value, variance, min(freedom, others), share, touches, apart, level)
    return Estimate(value, low, high, sqrt(variance), len(positive), len(names), "auc-clustered")


def _unseen(ratio: Floats, parts: Floats, touches: Floats) -> Floats:
    """Variance, [2], that a class lacks whose placements all agree, or all but reach 0 or 1."""
    near = shrunk(ratio, touches)
    seen = (parts**2).sum(axis=0)
    flat = (np.abs(parts).max(axis=0) <= 1e-12) | (near != ratio)
    lacks: Floats = flat * np.maximum(near * (1 - near) / touches - seen, 0.0)
    return lacks


def placements(score: Floats, positive: Bools) -> Floats:
    """Share of the other class that an item stands on the right side of, mean over draws, [I].

    `score` float [I] or [S, I], `positive` bool [I]. A NaN score is a tie with every other. An item
    without any of the other class: NaN. ValueError: shapes, no draw.
    """
    draws = np.atleast_2d(score)
    _check(draws, positive)
    if positive.all() or not positive.any():
        return np.full(len(positive), np.nan)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    summed = np.zeros(len(positive))
    for score in draws:
        read = ~np.isnan(score)
        levels, at = np.unique(score[read], return_inverse=True)
        high = np.bincount(at[positive[read]], minlength=len(levels))
        low = np.bincount(at[~positive[read]], minlength=len(levels))
        silent = (negatives - low.sum()) / 2, (positives - high.sum()) / 2
        below = (np.cumsum(low) - low / 2 + silent[0]) / negatives
        above = (high.sum() - np.cumsum(high) + high / 2 + silent[1]) / positives
        summed[read] += np.where(positive[read], below[at], above[at])
        summed[~read] += 0.5
    return summed / len(draws)


def _check(draws: Floats, positive: Bools) -> None:
    if draws.ndim != 2 or not len(draws) or draws.shape[1:] != positive.shape:
        raise ValueError(
            f"score and positive must have one shape [I]: {draws.shape[1:]}, {positive.shape}"
        )
