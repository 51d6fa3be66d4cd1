"""Bias: what moves a judge besides quality: where a response stood, and how long it is."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.intervals import (
    Estimate,
    check_level,
    contributions,
    pooled,
    strata,
    strata_variances,
    unseen,
)
from grmeval.measure.paired import Contrast
from grmeval.measure.votes import Bools, Floats

Labels = NDArray[np.integer]


def contrast(
    credit: Floats,
    weight: Floats,
    cluster: Labels,
    part: Labels,
    signs: Floats,
    level: float = 0.95,
    shares: bool = True,
) -> Contrast:
    """sum_p signs_p (sum credit / sum weight)_p: a difference of means, or one mean, of either sign.

    All [R] but `signs` [P]: rows of weight 0 are left out; rows of one `cluster` are drawn together, so a
    difference inside clusters is paired. Error: linearised, cluster-robust (strata: the parts that a
    cluster touches), limits by a t quantile. `shares`: credits lie in [0, 1]: a part whose rows hardly
    differ still has an error (see `intervals.unseen`), and limits stay where a contrast can lie. `items`:
    rows.
    NaN: a part without rows, or limits of one cluster. ValueError: shapes, NaN.
    """
    check_level(level)
    if credit.ndim != 1 or not (credit.shape == weight.shape == cluster.shape == part.shape):
        raise ValueError("credit, weight, cluster and part must have one shape [R]")
    if np.isnan(credit).any() or np.isnan(weight).any() or (weight < 0).any():
        raise ValueError("credit or weight holds NaN, or a weight is negative")
    kept = weight > 0
    credit, weight, part = credit[kept], weight[kept], part[kept]
    names, cluster = np.unique(cluster[kept], return_inverse=True)
    nan = float("nan")
    if len(np.unique(part)) < len(signs):
        return Contrast(nan, nan, nan, nan, nan, 0, 0)
    ratio, parts = contributions(credit, weight, cluster, part, signs)
    value = float(signs @ ratio)
    if len(names) == 1:
        return Contrast(value, nan, nan, nan, nan, len(credit), 1)
    stratum, alike = strata(cluster, part)
    variances, free = strata_variances(parts.sum(axis=1), stratum)
    touches = np.bincount(np.unique(part * len(names) + cluster) // len(names)).astype(np.float64)
    own = touches * np.bincount(part, weight**2) / np.bincount(part, weight) ** 2
    alone = unseen(ratio, np.abs(signs), parts, touches, own, alike, level) * shares
    few = np.maximum(touches - 1, 1)
    variance, freedom = pooled(np.append(variances, alone), np.append(free, few))
    from scipy.special import stdtrit

    reach = sqrt(variance) * float(stdtrit(freedom, (1 + level) / 2))
    low, high = value - reach, value + reach
    if shares:
        low, high = (
            max(low, float(signs[signs < 0].sum())),
            min(high, float(signs[signs > 0].sum())),
        )
    return Contrast(value, low, high, sqrt(variance), freedom, len(credit), len(names))


def in_slots(values: Floats, order: Labels) -> Floats:
    """Values [I, N, n] of responses -> of slots: that of the response shown there, `order[i, j, slot]`.

    NaN where the order is not known (-1). `values` may be [I, 1, n], alike for all samples.
    """
    shown = np.broadcast_to(values, (*order.shape[:2], values.shape[2])).astype(np.float64)
    found: Floats = np.take_along_axis(shown, np.maximum(order, 0).astype(np.intp), axis=2)
    return np.where(order >= 0, found, np.nan)


def flip_rates(verdict: Labels, shown: Labels, read: Bools) -> tuple[Floats, Floats]:
    """How often two samples of a pair differ in their verdict: (opposite orders [I], same order [I]).

    `verdict` [I, N]: -1, 0 (a tie) or 1; `shown` [I, N]: which response stood first, 0 or 1. Of all pairs
    of `read` samples inside an item; NaN where there is none. The second is what noise alone does.
    """
    counts = np.stack(
        [
            [((shown == first) & (verdict == said) & read).sum(axis=1) for said in (-1, 0, 1)]
            for first in (0, 1)
        ]
    ).astype(np.float64)
    sizes = counts.sum(axis=1)
    crossed = sizes[0] * sizes[1]
    opposite = crossed - (counts[0] * counts[1]).sum(axis=0)
    pairs = (sizes * (sizes - 1) / 2).sum(axis=0)
    same = pairs - (counts * (counts - 1) / 2).sum(axis=(0, 1))
    return _ratio(opposite, crossed), _ratio(same, pairs)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1.0), np.nan)


def rank_correlation(x: Floats, y: Floats, cluster: Labels, level: float = 0.95) -> Estimate:
    """Spearman's rank correlation of x and y [I], with limits by Fisher's z.

    Error of z: sqrt((1 + r^2 / 2) / (C - 3)) (Bonett and Wright 2000) with C clusters, not items: items
    of one prompt count once, which is wide at worst. NaN: fewer than two items, or one side all alike;
    limits: fewer than four clusters, or a correlation of 1 or -1.
    """
    check_level(level)
    from scipy.special import ndtri
    from scipy.stats import spearmanr

    nan, items, clusters = float("nan"), len(x), len(np.unique(cluster))
    if items < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Estimate(nan, nan, nan, nan, 0, 0, "fisher")
    value = float(np.clip(spearmanr(x, y).statistic, -1.0, 1.0))
    if clusters < 4 or abs(value) > 1 - 1e-12:
        return Estimate(value, nan, nan, nan, items, clusters, "fisher")
    error = sqrt((1 + value**2 / 2) / (clusters - 3))
    reach = error * float(ndtri((1 + level) / 2))
    low, high = np.tanh(np.arctanh(value) + np.array([-reach, reach]))
    return Estimate(
        value, float(low), float(high), (1 - value**2) * error, items, clusters, "fisher"
    )
