"""Paired: several numbers of the same units, their differences and slopes with uncertainty.

Two runs of one benchmark, or one run at many k, err together: what is hard for one is hard for the
other. A panel keeps what every cluster (prompt) adds to each of M numbers, so that the error of any
linear contrast of them sees how they move together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grmeval.measure.intervals import (
    Labels,
    check_level,
    pooled,
    strata,
    strata_variances,
)
from grmeval.measure.metrics import placements
from grmeval.measure.votes import Bools, Floats

# Pseudo-clusters that differ, and the least that a section's clusters do.
_ADDED, _LEAST = 2.0, 1.0


class Contrast(NamedTuple):
    """A linear contrast of several numbers, its confidence limits and standard error.

    freedom: Satterthwaite's degrees of freedom of the error. items: units with a weight in some column.
    clusters: distinct prompts among them. Nothing to compare: NaN and 0 items.
    """

    value: float
    low: float
    high: float
    error: float
    freedom: float
    items: int
    clusters: int


def slope_coefficients(ks: ArrayLike) -> Floats:
    """Coefficients [K] of the least-squares slope on log2 k: the gain of a doubling of the samples.

    `ks` [K]: at least two different ones, each at least 1, else ValueError.
    """
    given = np.asarray(ks, dtype=np.float64)
    if not (given >= 1).all() or len(np.unique(given)) < 2:
        raise ValueError(f"a slope needs two different k of at least 1, not {given.tolist()}")
    doublings = np.log2(given)
    centred: Floats = doublings - doublings.mean()
    return centred / float(centred @ centred)


@dataclass(frozen=True, eq=False)
class Panel:
    """M numbers of the same units. Made by `panel` or `auc_panel`.

    values: float [M]. items: units with a weight in some column. The rest is one entry for each of P
    pairs (cluster, section) that have units, ordered by section: `credit` and `weight` [M, P] are
    sums over their units, `section` and `cluster` [P]; `share` [S] is the weight of a section in
    the number, `stratum` [C] which clusters touch the same sections, `alike` [S] which sections have
    the same clusters.
    """

    values: Floats
    items: int
    credit: Floats
    weight: Floats
    section: Labels
    cluster: Labels
    share: Floats
    stratum: Labels
    alike: Labels

    @property
    def clusters(self) -> int:
        """Distinct prompts."""
        return len(self.stratum)

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """Where the pairs of each section begin, [S]."""
        return np.searchsorted(self.section, np.arange(len(self.share)))

    @cached_property
    def whole(self) -> Floats:
        """The weight of every section, [M, S]."""
        return np.add.reduceat(self.weight, self.starts, axis=1)

    @cached_property
    def residual(self) -> Floats:
        """What is left of the credits without their section's ratio, [M, P]."""
        ratio = np.add.reduceat(self.credit, self.starts, axis=1) / self.whole
        residual: Floats = self.credit - ratio[:, self.section] * self.weight
        return residual

    def contrast(self, coefficients: ArrayLike, level: float = 0.95) -> Contrast:
        """sum_m coefficients[m] values[m] with its limits; (1, -1) is the difference of two numbers.

        The variance is that of `estimate`, of the contrast of each cluster's linearised
        contributions: the limit of infinitely many paired resamples, without a seed. To it is added
        what a few clusters cannot show (`_unseen`). The limits are value -+ t error and
        may pass what a number can reach. ValueError: not M finite coefficients, a level outside (0, 1).
        """
        from scipy.special import stdtrit

        check_level(level)
        c = self.coefficients(coefficients)
        if not self.clusters:
            nan = float("nan")
            return Contrast(nan, nan, nan, nan, nan, 0, 0)
        value = float(c @ self.values)
        variance, freedom = self._variance(c)
        error = sqrt(variance)
        reach = float(stdtrit(freedom, (1 + level) / 2)) * error
        low, high = value - reach, value + reach
        return Contrast(value, low, high, error, freedom, self.items, self.clusters)

    def coefficients(self, given: ArrayLike) -> Floats:
        """Those of a contrast, checked: ValueError, not M finite ones, or all 0."""
        c = np.asarray(given, dtype=np.float64)
        if c.shape != self.values.shape or not (np.isfinite(c).all() and c.any()):
            raise ValueError(f"a contrast of {len(self.values)} numbers takes as many, not all 0")
        return c

    def of_clusters(self, c: Floats, parts: Floats) -> tuple[Floats, Floats]:
        """The contrast of `parts` [M, P] as each pair's, [P], and as each cluster's, [C]."""
        scale = (self.share / self.whole)[:, self.section]
        mine: Floats = c @ (parts * scale)
        return mine, np.bincount(self.cluster, mine, self.clusters).astype(np.float64)

    def _variance(self, c: Floats) -> tuple[float, float]:
        """Variance of the contrast and its degrees of freedom, pooled from all its terms."""
        mine, total = self.of_clusters(c, self.residual)
        variances, free = strata_variances(total, self.stratum)
        alone, few = self._unseen(c, mine, total)
        variance, freedom = pooled(np.append(variances, alone), np.append(free, few))
        return variance, min(freedom, max(self.clusters - 1.0, 1.0))

    def _unseen(self, c: Floats, mine: Floats, total: Floats) -> tuple[Floats, Floats]:
        """Variance that a few clusters do not show, of sections, and its freedom, [A] each.

        Two pseudo-clusters that differ entirely, one each way (Bonett and Price, 2012, for paired
        proportions), in the section where they weigh most: many small sections do not count them many
        times, and a small one of large weight counts them whole. All is by value, never by how many
        clusters differ: votes that are means over subsets of many samples differ everywhere, by next
        to nothing, and the rare prompt that is lost may be absent. So the two count the less the nearer
        the clusters' own mean square is to the largest there can be. A section whose squares add up
        to less than one cluster's is filled up to it. Sections of the same clusters differ together,
        at worst.
        """
        scale = self.share / self.whole[c != 0].mean(axis=0)
        mass = scale[self.section] * self.weight[c != 0].mean(axis=0)
        square = np.add.reduceat(mass**2, self.starts) / np.bincount(self.section)
        entirely = max(c[c > 0].sum(), -c[c < 0].sum())
        most = (np.bincount(self.cluster, mass) ** 2).sum() * entirely**2
        added = _ADDED * (1 - min(1.0, float((total**2).sum() / most)))
        seen = np.add.reduceat(mine**2, self.starts) / (square * entirely**2)
        lacks = np.maximum(_LEAST - seen, 0.0)
        heaviest = self.alike == np.bincount(self.alike, np.sqrt(square)).argmax()
        lacks = np.where(heaviest, np.maximum(lacks, added), lacks)
        errors = np.sqrt(lacks * square) * entirely
        touches = np.bincount(self.section)
        free = np.ones(self.alike.max() + 1)
        free[self.alike] = np.maximum(touches - 1, 1)
        alone = np.bincount(self.alike, errors) ** 2
        return alone.astype(np.float64), free


def panel(
    credit: Floats, weight: Floats, cluster: Labels, section: Labels, section_weights: Floats
) -> Panel:
    """M accuracies of the same I units: sum_s w_s (sum credit / sum weight)_s / sum_s w_s each.

    `credit` and `weight` float [M, I] (`outcomes.credit`; a unit may have weight 0 in some columns),
    `cluster` int [I] (units with one prompt), `section` int [I] in 0..S-1, `section_weights` float
    [S]. Credits need not lie in [0, 1]. No unit with a weight: values NaN.

    ValueError: shapes, NaN, negative weights, a section outside S; a section that has weight in one
    column and none in another: its numbers are not of the same things.
    """
    _check(credit, weight, cluster, section, section_weights)
    kept = (weight > 0).any(axis=0) & (section_weights[section] > 0)
    if not kept.any():
        return _empty(len(credit))
    present, section = np.unique(section[kept], return_inverse=True)
    share = section_weights[present] / section_weights[present].sum()
    found = _pairs(credit[:, kept], weight[:, kept], cluster[kept], section, share)
    if not (found.whole > 0).all():
        lacking = present[(found.whole == 0).any(axis=0)]
        raise ValueError(f"sections {lacking.tolist()} have no verdict in some of the columns")
    ratio = np.add.reduceat(found.credit, found.starts, axis=1) / found.whole
    found.values[:] = ratio @ share
    return found


def auc_panel(scores: Sequence[Floats], positive: Bools, cluster: Labels) -> Panel:
    """M ROC-AUCs of the same I items, each the mean over the draws of its scores.

    `scores`: M arrays [I] or [S_m, I] (draws of one set of items, such as subsets of its votes),
    `positive` bool [I], `cluster` int [I]. The AUC is the mean placement of either class and its
    error the sum of both classes' (DeLong, DeLong and Clarke-Pearson, 1988): two sections of
    weight 1. A NaN score is a tie with every other. One class absent: values NaN. ValueError: shapes.
    """
    if cluster.shape != positive.shape:
        raise ValueError(f"cluster must have shape {positive.shape}, not {cluster.shape}")
    placed = [placements(score, positive) for score in scores]
    if positive.all() or not positive.any():
        return _empty(len(placed))
    credit = np.array(placed)
    found = _pairs(credit, np.ones_like(credit), cluster, positive.astype(np.intp), np.ones(2))
    found.values[:] = credit[:, positive].mean(axis=1)
    return found


def _pairs(
    credit: Floats, weight: Floats, cluster: Labels, section: Labels, share: Floats
) -> Panel:
    """A panel without values: units summed by cluster and section."""
    cluster = np.unique(cluster, return_inverse=True)[1].ravel()
    clusters = int(cluster.max()) + 1
    pair, unit = np.unique(section * clusters + cluster, return_inverse=True)
    of_section, of_cluster = np.divmod(pair, clusters)
    stratum, alike = strata(of_cluster, of_section)

    def summed(given: Floats) -> Floats:
        return np.array([np.bincount(unit, one, len(pair)) for one in given])

    return Panel(
        values=np.empty(len(credit)),
        items=credit.shape[1],
        credit=summed(credit),
        weight=summed(weight),
        section=of_section,
        cluster=of_cluster,
        share=share,
        stratum=stratum,
        alike=alike,
    )


def _empty(columns: int) -> Panel:
    none, nothing = np.zeros(0, dtype=np.intp), np.zeros((columns, 0))
    return Panel(
        values=np.full(columns, np.nan),
        items=0,
        credit=nothing,
        weight=nothing,
        section=none,
        cluster=none,
        share=np.zeros(0),
        stratum=none,
        alike=none,
    )


def _check(
    credit: Floats, weight: Floats, cluster: Labels, section: Labels, section_weights: Floats
) -> None:
    if credit.ndim != 2 or not len(credit) or credit.shape != weight.shape:
        raise ValueError(
            f"credit and weight must have one shape [M, I]: {credit.shape}, {weight.shape}"
        )
    if not (cluster.shape == section.shape == credit.shape[1:]):
        raise ValueError(f"cluster and section must have shape {credit.shape[1:]}")
    if np.isnan(credit).any() or np.isnan(weight).any():
        raise ValueError("credit or weight holds NaN: leave out items that did not reach this k")
    if (weight < 0).any() or (section_weights < 0).any():
        raise ValueError("weights must not be negative")
    if len(section) and not 0 <= section.min() <= section.max() < len(section_weights):
        raise ValueError(f"section must lie in 0..{len(section_weights) - 1}")
