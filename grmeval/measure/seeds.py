"""Seeds: the mean of runs that differ in nothing but their seed, with the noise of items and of seeds.

Items and seeds are crossed: every seed judged the same items. So the variance of a mean over both has two
parts that share one: what a fresh draw of samples makes of an item is in either.
"""

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np

from grmeval.measure.intervals import Estimate, check_level, strata_variances
from grmeval.measure.paired import Contrast, Panel
from grmeval.measure.votes import Floats

__all__ = ["limits_over_seeds", "over_seeds", "spread"]


def spread(values: Floats) -> float:
    """Standard deviation over seeds [R], of the population they are drawn from (R - 1); NaN of one."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def over_seeds(
    panel: Panel,
    plus: Sequence[int],
    minus: Sequence[int] = (),
    alike: bool = False,
    level: float = 0.95,
) -> Contrast:
    """The mean of the columns `plus` (runs of one setting, a seed each), less that of `minus`, if any.

    Its variance holds items and seeds, two ways of clustering (Cameron, Gelbach and Miller, 2011):

        V = V_items + max(0, V_seeds - V_both)

    V_items: `Panel.contrast`'s, of prompts; it holds what fresh samples of every item make. V_seeds: the
    variance of the seeds' numbers by R, which holds that too. V_both: how large V_seeds would be were that
    all, from how the seeds differ inside prompts. `alike`: column r of both has the same seed, so that
    differences are taken seed by seed. Degrees of freedom: Satterthwaite's, R - 1 of V_seeds.

    Fewer than two columns of either, or nothing to compare: NaN limits. ValueError: `alike` columns of
    unlike number, a level outside (0, 1).
    """
    from scipy.special import stdtrit

    check_level(level)
    if alike and len(plus) != len(minus):
        raise ValueError(f"seeds go in pairs: {len(plus)} and {len(minus)}")
    groups = [(list(columns), sign) for columns, sign in ((plus, 1.0), (minus, -1.0)) if columns]
    mean = sum(_weights(panel, columns, sign / len(columns)) for columns, sign in groups)
    found = panel.contrast(mean, level)
    if not panel.clusters or any(len(columns) < 2 for columns, _ in groups):
        nan = float("nan")
        return found._replace(low=nan, high=nan, error=nan, freedom=nan)
    samples = _paired(panel, plus, minus) if alike else [_alone(panel, c, s) for c, s in groups]
    extra, squares = _of_seeds(panel, samples)
    variance = found.error**2 + extra
    parts = found.error**4 / found.freedom + (squares if extra else 0.0)
    freedom = variance**2 / parts if parts else found.freedom
    error = sqrt(variance)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    return found._replace(
        low=found.value - reach, high=found.value + reach, error=error, freedom=freedom
    )


def limits_over_seeds(
    panel: Panel, columns: Sequence[int], items: Estimate, level: float = 0.95
) -> tuple[float, float]:
    """Limits in [0, 1] of the mean of `columns`, runs of one setting with a seed each.

    `items`: the estimate from each item's mean credit, whose limits take the seeds as they are. Each side is
    widened by what seeds do to all items alike, as the limits of a sum are made of those of its terms (MOVER:
    Zou and Donner, 2008). Fewer than two columns, or no item: NaN.
    """
    from scipy.special import stdtrit

    if len(columns) < 2 or not items.items:
        return float("nan"), float("nan")
    extra, _ = _of_seeds(panel, [_alone(panel, columns, 1.0)])
    reach = float(stdtrit(len(columns) - 1, (1 + level) / 2)) * sqrt(extra)
    low = items.value - hypot(items.value - items.low, reach)
    high = items.value + hypot(items.high - items.value, reach)
    return max(low, min(0.0, items.value)), min(high, max(1.0, items.value))


def _of_seeds(panel: Panel, samples: Sequence[Floats]) -> tuple[float, float]:
    """(max(0, V_seeds - V_both), the sum of V_seeds' squares by their degrees of freedom).

    `samples` [R, M] each: a seed's own number is one of these contrasts of the panel.
    """
    seeds = both = squares = 0.0
    for each in samples:
        count = len(each)
        own = float((each @ panel.values).var(ddof=1)) / count
        apart = each - each.mean(axis=0)
        both += sum(_of_prompts(panel, one) for one in apart) / (count * (count - 1))
        seeds, squares = seeds + own, squares + own**2 / (count - 1)
    return max(0.0, seeds - both), squares


def _weights(panel: Panel, columns: Sequence[int], weight: float) -> Floats:
    weights = np.zeros(len(panel.values))
    np.add.at(weights, list(columns), weight)
    return weights


def _alone(panel: Panel, columns: Sequence[int], sign: float) -> Floats:
    """A contrast [R, M] a seed of one setting."""
    return np.array([_weights(panel, [column], sign) for column in columns])


def _paired(panel: Panel, plus: Sequence[int], minus: Sequence[int]) -> list[Floats]:
    """A contrast [R, M] a seed: one setting less the other."""
    return [_alone(panel, plus, 1.0) + _alone(panel, minus, -1.0)]


def _of_prompts(panel: Panel, coefficients: Floats) -> float:
    """Variance of a contrast that prompts make, without what a few of them may not show."""
    _, total = panel.of_clusters(coefficients, panel.residual)
    return float(strata_variances(total, panel.stratum)[0].sum())
