"""Significance: p-values of the difference of two numbers of the same units, and what could be seen."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from grmeval.measure.paired import Panel
from grmeval.measure.votes import Floats


class Significance(NamedTuple):
    """A two-sided p-value and the test it is of: "mcnemar" (exact) or "sign-flip"."""

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


def compare_columns(
    panel: Panel, a: int, b: int, permutations: int, rng: np.random.Generator
) -> Significance:
    """Test of "numbers a and b of the panel are equal", exact where it can be.

    One section, every cluster one item, credits 0/1 of weight 1: McNemar's, which asks nothing of `rng`.
    Otherwise `Panel.sign_flip`.
    """
    credit, weight = panel.credit[[a, b]], panel.weight[[a, b]]
    apart = len(panel.share) == 1 and panel.items == panel.clusters
    if apart and (weight == 1).all() and np.isin(credit, (0, 1)).all():
        return Significance(mcnemar(credit[0], credit[1]), "mcnemar")
    difference = np.zeros(len(panel.values))
    difference[a] += 1
    difference[b] -= 1
    return Significance(panel.sign_flip(difference, permutations, rng), "sign-flip")


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
