"""Agreement: how alike the samples of one item are, as verdicts and as scores."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.intervals import Estimate, check_level
from grmeval.measure.votes import Bools, Floats

Labels = NDArray[np.integer]

LEVELS: tuple[str, ...] = ("nominal", "ordinal", "interval")


def picks(scores: Floats, valid: Bools, threshold: float = 5.5) -> Floats:
    """What each sample picks, [I, N, m]: 1 for the response it scores highest, shared by equals.

    `scores` [I, N, n], `valid` [I, N]. m = n; one response is picked as right (column 0: at or above
    `threshold`) or as wrong (column 1), so m = 2. All 0: not valid, or a score is missing. ValueError:
    shapes.
    """
    if scores.ndim != 3 or valid.shape != scores.shape[:2]:
        raise ValueError(f"scores [I, N, n] and valid [I, N]: {scores.shape}, {valid.shape}")
    read = valid & ~np.isnan(scores).any(axis=2)
    if scores.shape[2] == 1:
        above = scores >= threshold
        return np.concatenate([above, ~above], axis=2) * read[..., None].astype(np.float64)
    filled = np.where(read[..., None], scores, 0.0)
    leads = filled == filled.max(axis=2, keepdims=True)
    return np.where(read[..., None], leads / leads.sum(axis=2, keepdims=True), 0.0)


def agreement(picked: Floats) -> Floats:
    """Probability [I] that two different samples of an item pick the same response.

    `picked` [I, N, m] of `picks`; a sample that shares its pick draws one of them. NaN: fewer than two
    readable samples.
    """
    read = picked.sum(axis=2).round().sum(axis=1)
    same = (picked.sum(axis=1) ** 2).sum(axis=1) - (picked**2).sum(axis=(1, 2))
    return np.where(read > 1, same / np.maximum(read * (read - 1), 1.0), np.nan)


def krippendorff(
    ratings: Floats, cluster: Labels, level: str = "ordinal", confidence: float = 0.95
) -> Estimate:
    """Krippendorff's alpha (Content Analysis, 2nd ed. 2004, chapter 11): 1 - observed / expected.

    `ratings` [U, R], units x raters, NaN where missing; units with fewer than two ratings are left out.
    The ordinal difference of two values is that of their mid-ranks, so ordinal is interval on mid-ranks;
    nominal is interval on one indicator a value, summed: no table of values x values is needed.
    `cluster` [U]: units that share one (a prompt) are drawn together. Limits: delete-one-cluster
    jackknife with a t quantile; ranks stay those of all. `items` are units. NaN: no unit with two
    ratings, or all values alike. ValueError: an unknown level, shapes.
    """
    check_level(confidence)
    if level not in LEVELS:
        raise ValueError(f"unknown level {level!r}: choose one of {', '.join(LEVELS)}")
    if ratings.ndim != 2 or cluster.shape != ratings.shape[:1]:
        raise ValueError(f"ratings [U, R] and cluster [U]: {ratings.shape}, {cluster.shape}")
    several = (~np.isnan(ratings)).sum(axis=1) > 1
    ratings, cluster = ratings[several], np.unique(cluster[several], return_inverse=True)[1]
    nan, clusters = float("nan"), int(cluster.max(initial=-1)) + 1
    if not clusters:
        return Estimate(nan, nan, nan, nan, 0, 0, "jackknife")
    sums = _cluster_sums(ratings, cluster.ravel(), level)
    whole = sums.sum(axis=0)
    value = float(_alpha(whole))
    if clusters == 1 or np.isnan(value):
        return Estimate(value, nan, nan, nan, len(ratings), clusters, "jackknife")
    left_out = _alpha(whole - sums)
    left_out = left_out[~np.isnan(left_out)]
    spread = float(((left_out - left_out.mean()) ** 2).sum())
    error = sqrt((clusters - 1) / clusters * spread)
    from scipy.special import stdtrit

    reach = error * float(stdtrit(clusters - 1, (1 + confidence) / 2))
    low, high = value - reach, min(1.0, value + reach)
    return Estimate(value, low, high, error, len(ratings), clusters, "jackknife")


def _cluster_sums(ratings: Floats, cluster: Labels, level: str) -> Floats:
    """By cluster [C, 3 + V]: ratings; disagreement inside units; sum of squares; V sums of values."""
    read = ~np.isnan(ratings)
    size = read.sum(axis=1)
    whole = np.zeros((3, int(cluster.max()) + 1))
    whole[0] = np.bincount(cluster, size)
    sums = []
    for column in _columns(ratings[read], level):
        values = np.zeros(ratings.shape)
        values[read] = column - column.mean()
        first, second = values.sum(axis=1), (values**2).sum(axis=1)
        inside = (second - first**2 / size) * size / (size - 1)
        whole[1] += np.bincount(cluster, inside)
        whole[2] += np.bincount(cluster, second)
        sums.append(np.bincount(cluster, first))
    return np.vstack([whole, *sums]).T


def _columns(values: Floats, level: str) -> list[Floats]:
    """Numbers whose squared differences, summed, are the level's (up to a factor)."""
    if level == "interval":
        return [values]
    if level == "nominal":
        return [(values == each).astype(np.float64) for each in np.unique(values)]
    from scipy.stats import rankdata

    return [np.asarray(rankdata(values), dtype=np.float64)]


def _alpha(sums: Floats) -> Floats:
    """Alpha [...] of sums [..., 3 + V]; NaN where all values are alike."""
    size, inside, square, first = sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3:]
    whole = square - (first**2).sum(axis=-1) / np.maximum(size, 1)
    known = whole > 1e-12 * np.maximum(square, 1e-300)
    ratio = (size - 1) * inside / np.where(known, size * whole, 1.0)
    return np.where(known, 1 - ratio, np.nan)
