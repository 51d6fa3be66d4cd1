"""Intervals: one accuracy, plain or weighted over sections, with its uncertainty."""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.votes import Floats

Labels = NDArray[np.integer]

# Contributions of a section whose items all agree are 0 up to rounding.
_NO_SPREAD = 1e-12


class Estimate(NamedTuple):
    """A share in [0, 1], an accuracy or an AUC, its confidence limits and standard error.

    items: those with a positive weight. clusters: distinct prompts among them. method: "wilson",
    "clustered" or "auc-clustered". NaN everywhere and 0 items: nothing to estimate from.
    """

    value: float
    low: float
    high: float
    error: float
    items: int
    clusters: int
    method: str


def _score_interval(value: float, size: float, quantile: float) -> tuple[float, float]:
    """Wilson's (1927) limits for a proportion `value` of `size` trials."""
    square = quantile * quantile / size
    centre = (value + square / 2) / (1 + square)
    reach = sqrt(max(value * (1 - value), 0.0) * square + square * square / 4) / (1 + square)
    # At the ends the limit is the end itself; rounding would leave it a hair inside. A score that passes
    # an end (RewardBench 2's Ties, by 0.01) is its own limit.
    low = value if value <= 0.0 else max(0.0, centre - reach)
    high = value if value >= 1.0 else min(1.0, centre + reach)
    return low, high


def check_level(level: float) -> None:
    """ValueError: a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")


def wilson(right: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's (1927) score interval for `right` of `n` independent 0/1 outcomes.

    None or all right still has a width. n = 0: (NaN, NaN). ValueError: right outside 0..n.
    """
    from scipy.special import ndtri

    check_level(level)
    if not 0 <= right <= n:
        raise ValueError(f"right must lie between 0 and n = {n}, not {right}")
    if n == 0:
        return float("nan"), float("nan")
    return _score_interval(right / n, n, float(ndtri((1 + level) / 2)))


def contributions(
    credit: Floats, weight: Floats, cluster: Labels, section: Labels, share: Floats
) -> tuple[Floats, Floats]:
    """The ratio of each section, [S], and what each cluster adds to the error through it, [C, S].

    Taylor linearisation of the weighted sum of ratios sum(credit) / sum(weight).
    """
    weights = np.bincount(section, weight, len(share))
    ratio = np.bincount(section, credit, len(share)) / weights
    residual = share[section] * (credit - ratio[section] * weight) / weights[section]
    parts = np.zeros((int(cluster.max()) + 1, len(share)))
    np.add.at(parts, (cluster, section), residual)
    return ratio, parts


def strata(cluster: Labels, section: Labels) -> tuple[Labels, Labels]:
    """Which clusters touch the same sections, [C], and which sections the same clusters, [S].

    `cluster` and `section` int [I], each without gaps from 0.
    """
    touched = np.zeros((int(cluster.max()) + 1, int(section.max()) + 1), dtype=np.bool_)
    touched[cluster, section] = True
    rows = np.packbits(touched, axis=1)
    stratum = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    alike = np.unique(np.packbits(touched, axis=0), axis=1, return_inverse=True)[1].ravel()
    return stratum, alike


def strata_variances(total: Floats, stratum: Labels) -> tuple[Floats, Floats]:
    """Variance of the sum of `total` [C] through each stratum, [H], and its degrees of freedom, [H]."""
    free = np.maximum(np.bincount(stratum) - 1.0, 1.0)
    squares = np.bincount(stratum, _spread(total, stratum) ** 2).astype(np.float64)
    return squares * _factor(stratum), free


def through_sections(parts: Floats, stratum: Labels) -> Floats:
    """The same variance through each section, [S]: the covariances of `parts` [C, S] with their sum."""
    spread = _spread(parts.sum(axis=1), stratum) * _factor(stratum)[stratum]
    covariances: Floats = spread @ parts
    return covariances


def _spread(total: Floats, stratum: Labels) -> Floats:
    """How far each cluster is from its stratum's mean, [C].

    A stratum of one cluster has no spread of its own and counts uncentred, too large on average.
    """
    size = np.bincount(stratum)
    mean = np.where(size > 1, np.bincount(stratum, total) / size, 0.0)
    spread: Floats = total - mean[stratum]
    return spread


def _factor(stratum: Labels) -> Floats:
    """n / (n - 1) of the n clusters of each stratum, [H]; 1 of one."""
    size = np.bincount(stratum)
    factor: Floats = size / np.maximum(size - 1.0, 1.0)
    return factor


def pooled(variances: Floats, free: Floats) -> tuple[float, float]:
    """The sum of independent variances, and its degrees of freedom after Satterthwaite (1946).

    Not clusters - strata: a small section of large weight can carry the variance alone.
    """
    variance = float(variances.sum())
    if variance == 0:
        return 0.0, max(1.0, float(free.sum()))
    return variance, float(variance**2 / (variances**2 / free).sum())


def unseen(
    ratio: Floats,
    share: Floats,
    parts: Floats,
    touches: Floats,
    own: Floats,
    alike: Labels,
    level: float,
) -> Floats:
    """Variance, [S], of sections that the spread of their clusters in this sample may not show.

    A small section at 100 % is not known without error; nor is one of votes that are means over subsets of
    many samples, all near 1, in which the rare prompt that is lost may be absent. How much less the
    C = `touches` clusters differ than if each were all right or all wrong, r = SS / (C p (1 - p)), is taken
    with pseudo-clusters: z^2 / 2 right and as many wrong (after Agresti and Coull, 1998), which move r up.
    Where each cluster is one item, right or wrong, r is 1 already, and nothing is added. A pseudo-cluster
    of several items has the share of its largest square that items each by itself have, `own` (C sum w^2 /
    (sum w)^2: 1 where a cluster is one item), or those seen, where items of a cluster go together; two
    standard errors of a variance above it. Sections that are `alike` (one number) have the same
    clusters: at worst they err together.
    """
    near = shrunk(ratio, touches)
    whole = touches * near * (1 - near)
    seen = (touches / share) ** 2 * (parts**2).sum(axis=0)
    together = np.minimum(np.maximum(own, seen / whole) * (1 + 2 * np.sqrt(2 / touches)), 1.0)
    more = pseudo(ratio, touches, level)
    expected = (seen + together * more) / (whole + more) * whole
    errors = share / touches * np.sqrt(np.maximum(expected - seen, 0.0))
    found: Floats = np.bincount(alike, errors)[alike] * errors
    return found


def pseudo(ratio: Floats, touches: Floats, level: float) -> Floats:
    """Sum of squares, [S], that z^2 / 2 pseudo-clusters at 0 and as many at 1 add to a section's."""
    from scipy.special import ndtri

    half = float(ndtri((1 + level) / 2)) ** 2 / 2
    inside = np.clip(ratio, 0.0, 1.0)
    middle = (touches * inside + half) / (touches + 2 * half)
    added: Floats = touches * (inside - middle) ** 2 + half * (middle**2 + (1 - middle) ** 2)
    return added


def shrunk(ratio: Floats, touches: Floats) -> Floats:
    """Ratios [S], at most so near to an end as half a cluster of C + 1 (Jeffreys)."""
    end = 0.5 / (touches + 1)
    near: Floats = np.clip(ratio, end, 1 - end)
    return near


def limits(
    value: float,
    variance: float,
    freedom: float,
    share: Floats,
    touches: Floats,
    alike: Labels,
    level: float,
) -> tuple[float, float]:
    """The Wilson formula at the effective size value (1 - value) / variance, with a t quantile.

    After Korn and Graubard (1998). At exactly 0 or 1, or where the contributions of every cluster
    cancel, the effective size is Kish's (1965), 1 / sum(share_s^2 / C_s), where sections that are `alike`
    share their clusters and count as one: never of no width.
    """
    from scipy.special import stdtrit

    seen = 0 < value < 1 and variance > _NO_SPREAD**2
    errors = np.bincount(alike, share / np.sqrt(touches))
    size = value * (1 - value) / variance if seen else 1 / (errors**2).sum()
    return _score_interval(value, float(size), float(stdtrit(freedom, (1 + level) / 2)))


def score_limits(
    value: float, through: Floats, freedom: float, ratio: Floats, share: Floats, level: float
) -> tuple[float, float]:
    """Limits of the weighted mean `value` of section ratios; of one section those of `limits`.

    The theta with (value - theta)^2 = t^2 V(theta), as Wilson's are for one proportion. `through` [S]:
    the part of the variance V that comes through each section. `ratio` [S], inside (0, 1): where the
    mean moves by D, the ratio p of a section moves by g D, g = through / (share V), its slope on the
    mean, and its part of V in proportion to p(1 - p). So a small section near an end skews the
    interval; the skews of many sections even out.
    """
    from scipy.special import stdtrit

    # A section that others outweigh in every prompt has a part below 0, and no slope to follow.
    parts = np.maximum(through, 0.0)
    parts *= through.sum() / parts.sum()
    variance, square = float(parts.sum()), float(stdtrit(freedom, (1 + level) / 2)) ** 2
    slope = parts / (share * variance)
    curve = parts / (ratio * (1 - ratio))
    linear = square * float((curve * slope) @ (1 - 2 * ratio)) / 2
    scale = 1 + square * float(curve @ slope**2)
    reach = sqrt(linear**2 + scale * square * variance)
    return max(0.0, value + (linear - reach) / scale), min(1.0, value + (linear + reach) / scale)


def estimate(
    credit: Floats,
    weight: Floats,
    cluster: Labels,
    section: Labels,
    section_weights: Floats,
    level: float = 0.95,
) -> Estimate:
    """Accuracy sum_s w_s (sum credit / sum weight)_s / sum_s w_s over sections that have items.

    `credit` and `weight` float [I] (`outcomes.credit`; items of weight 0 are left out), `cluster`
    int [I] (items with one prompt, also across sections), `section` int [I] in 0..S-1,
    `section_weights` float [S].

    "wilson" when there is one section, one item a cluster, and credits are 0/1 with weight 1;
    `error` is then the binomial one, 0 at the ends. Otherwise "clustered": the linearised
    cluster-robust error (strata: the sections a cluster touches) plus `unseen`, and `score_limits`, or
    at exactly 0 or 1 `limits`: inside [0, 1], never of no width.

    No item: NaN. One cluster: nearly (0, 1). ValueError: shapes, NaN, negative weights, a section
    outside S, level outside (0, 1).
    """
    check_level(level)
    _check(credit, weight, cluster, section, section_weights)
    kept = (weight > 0) & (section_weights[section] > 0)
    if not kept.any():
        nan = float("nan")
        return Estimate(nan, nan, nan, nan, 0, 0, "clustered")
    credit, weight = credit[kept], weight[kept]
    names, cluster = np.unique(cluster[kept], return_inverse=True)
    present, section = np.unique(section[kept], return_inverse=True)
    items, clusters = len(credit), len(names)
    plain = (weight == 1).all() and np.isin(credit, (0, 1)).all()
    if plain and len(present) == 1 and clusters == items:
        value = float(credit.mean())
        error = sqrt(value * (1 - value) / items)
        low, high = wilson(float(credit.sum()), items, level)
        return Estimate(value, low, high, error, items, clusters, "wilson")

    share = section_weights[present] / section_weights[present].sum()
    ratio, parts = contributions(credit, weight, cluster, section, share)
    stratum, alike = strata(cluster, section)
    touches = np.bincount(np.unique(section * clusters + cluster) // clusters).astype(np.float64)
    variances, free = strata_variances(parts.sum(axis=1), stratum)
    squares, weights = np.bincount(section, weight**2), np.bincount(section, weight)
    own = touches * squares / weights**2
    alone = unseen(ratio, share, parts, touches, own, alike, level)
    few = np.maximum(touches - 1, 1)
    variance, freedom = pooled(np.append(variances, alone), np.append(free, few))
    freedom = min(freedom, max(clusters - 1, 1))  # what is not seen is told by the same clusters
    value = float(share @ ratio)
    # Shares add up to 1 only within rounding: an end is an end.
    value = next((end for end in (0.0, 1.0) if abs(value - end) < _NO_SPREAD), value)
    if 0 < value < 1 and variance > _NO_SPREAD**2:
        through = through_sections(parts, stratum) + alone
        near = shrunk(ratio, touches)
        low, high = score_limits(value, through, freedom, near, share, level)
    else:
        low, high = limits(value, variance, freedom, share, touches, alike, level)
    return Estimate(value, low, high, sqrt(variance), items, clusters, "clustered")


def _check(
    credit: Floats, weight: Floats, cluster: Labels, section: Labels, section_weights: Floats
) -> None:
    if credit.ndim != 1 or not (credit.shape == weight.shape == cluster.shape == section.shape):
        raise ValueError("credit, weight, cluster and section must have one shape [I]")
    if np.isnan(credit).any() or np.isnan(weight).any():
        raise ValueError("credit or weight holds NaN: leave out items that did not reach this k")
    if (weight < 0).any() or (section_weights < 0).any():
        raise ValueError("weights must not be negative")
    if len(section) and not 0 <= section.min() <= section.max() < len(section_weights):
        raise ValueError(f"section must lie in 0..{len(section_weights) - 1}")
