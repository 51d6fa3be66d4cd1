"""Significance: p-values of differences, also of many at once, and what could be seen."""

from math import atanh, isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from grmeval.measure.intervals import Estimate
from grmeval.measure.paired import Contrast, Panel
from grmeval.measure.votes import Floats

# Sums of equal credits differ by rounding.
_SAME = 1e-12
# Coins of a chunk of permutations.
_CHUNK = 2**22


class Significance(NamedTuple):
    """A two-sided p-value and the test it is of: "mcnemar" (exact), "sign-flip" or "t"."""

    p: float
    method: str


def mcnemar(credit_a: Floats, credit_b: Floats) -> float:
    """Exact two-sided p-value of McNemar's (1947) test of two columns of paired 0/1 credits [I].

    Items that only one of the two has right are a fair coin under the hypothesis of no difference.
    None: 1. ValueError: shapes, or a credit that is neither 0 nor 1.
    """
    from scipy.stats import binomtest

    if credit_a.ndim != 1 or credit_a.shape != credit_b.shape:
        raise ValueError(f"credits must have one shape [I]: {credit_a.shape}, {credit_b.shape}")
    if not (np.isin(credit_a, (0, 1)).all() and np.isin(credit_b, (0, 1)).all()):
        raise ValueError("McNemar's test takes credits of 0 and 1")
    ahead, behind = int((credit_a > credit_b).sum()), int((credit_a < credit_b).sum())
    return float(binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0


def sign_flip(
    panel: Panel, coefficients: ArrayLike, permutations: int, rng: np.random.Generator
) -> float:
    """Two-sided p-value of "the contrast is 0": the signs of whole clusters flipped at random.

    Under the hypothesis that the columns could be swapped in any cluster each sign is as likely
    as the other. p = (1 + b) / (1 + B), b of B flips at least as far from 0 (Phipson and Smyth,
    2010). For a difference, coefficients (1, -1); of an AUC its placements are swapped. Nothing
    differs: 1. ValueError: not M finite coefficients.
    """
    c = panel.coefficients(coefficients)
    if not panel.clusters:
        return float("nan")
    total = panel.of_clusters(c, panel.credit)[1]
    size = float(np.abs(total).sum())
    total = total[np.abs(total) > _SAME * size]
    least = abs(total.sum()) - _SAME * 1e3 * size
    rows, beyond = max(1, _CHUNK // max(len(total), 1)), 0
    for at in range(0, permutations, rows):
        count = min(rows, permutations - at)
        coins = count * len(total)
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-coins // 8)), np.uint8), count=coins)
        flipped = bits.reshape(count, len(total)) @ total
        beyond += int((np.abs(total.sum() - 2 * flipped) >= least).sum())
    return (1 + beyond) / (1 + permutations)


def compare_columns(
    panel: Panel,
    a: int,
    b: int,
    permutations: int,
    rng: np.random.Generator,
    alike: bool = True,
) -> Significance:
    """Test of "numbers a and b of the panel are equal", exact where it can be.

    One section, every cluster one item, credits 0/1 of weight 1: McNemar's, which asks nothing of `rng`.
    Otherwise `sign_flip`. Not `alike`: one judge's columns could not be swapped either, since one is a vote
    and the other a mean over many; then t = value / error of the contrast, which agrees with its limits.
    """
    difference = np.zeros(len(panel.values))
    difference[a] += 1
    difference[b] -= 1
    if not alike:
        return Significance(t_test(panel.contrast(difference)), "t")
    credit, weight = panel.credit[[a, b]], panel.weight[[a, b]]
    apart = len(panel.share) == 1 and panel.items == panel.clusters
    if apart and (weight == 1).all() and np.isin(credit, (0, 1)).all():
        return Significance(mcnemar(credit[0], credit[1]), "mcnemar")
    return Significance(sign_flip(panel, difference, permutations, rng), "sign-flip")


def t_test(found: Contrast, above: bool = False) -> float:
    """p-value of "the contrast is 0" by the t that its limits come from; `above`: of "it is not above 0".

    Never under what coins say, one flip a cluster: 2^-C that all show one side (two-sided twice that). So a
    few clusters that happen to agree, whose spread is 0, are no proof. NaN: no limits.
    """
    if isnan(found.error):
        return float("nan")
    from scipy.special import stdtr

    with np.errstate(divide="ignore"):
        t = float(np.divide(found.value, found.error)) if found.value else 0.0
    tail = float(stdtr(found.freedom, -t if above else -abs(t)))
    tail = max(tail, 0.5**found.clusters)
    return tail if above else min(1.0, 2 * tail)


def correlation_test(found: Estimate) -> float:
    """Two-sided p-value of "the rank correlation is 0" by the z that its limits come from; NaN: no limits."""
    if isnan(found.error):
        return float("nan")
    from scipy.special import ndtr

    z = atanh(found.value) * (1 - found.value**2) / found.error
    return 2 * float(ndtr(-abs(z)))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """p-values [T] adjusted by Benjamini and Hochberg (1995).

    Those at most q: of the differences so declared a share of q is expected to be none.
    """
    from scipy.stats import false_discovery_control

    given = np.asarray(p, dtype=np.float64)
    return np.asarray(false_discovery_control(given)) if given.size else given


def holm(p: ArrayLike) -> Floats:
    """p-values [T] adjusted by Holm (1979): at most alpha, the odds of any false one are at most alpha."""
    given = np.asarray(p, dtype=np.float64)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("p-values must lie in [0, 1]")
    order = np.argsort(given)
    adjusted = np.empty_like(given)
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def detectable(error: float, freedom: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true difference that a two-sided test at `alpha` finds with probability `power`.

    (t_{1 - alpha/2} + t_{power}) error, 2.8 standard errors in large samples (Bloom, 1995).
    """
    from scipy.special import stdtrit

    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power must lie between 0 and 1, not {alpha} and {power}")
    return float(stdtrit(freedom, 1 - alpha / 2) + stdtrit(freedom, power)) * error
