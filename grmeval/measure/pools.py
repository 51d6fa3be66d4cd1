"""Pools: one question with R responses judged one by one, of which the best judged is taken."""

from typing import NamedTuple

import numpy as np

from grmeval.measure.votes import Bools, Floats


class PoolFigures(NamedTuple):
    """A best-of-K curve in four numbers, as PPE (arXiv 2410.14872) reports it.

    area: mean over K. most: maximum. end: value at K = R. loss: mean over K of
    (oracle - curve)^2.
    """

    area: float
    most: float
    end: float
    loss: float


def best_of_first(totals: Floats, correct: Bools) -> Floats:
    """Expected correctness of the best judged among the first K responses, [..., R] for K = 1..R.

    `totals` float [..., R], `correct` bool [R] or [..., R]. Responses that share the highest total
    share the credit: winners that are correct / winners. A NaN total (nothing readable) never wins;
    where all of the first K are NaN the pick is random: the share of correct among them.
    ValueError: no response, or shapes that do not fit.
    """
    _check(totals.shape)
    if correct.shape not in (totals.shape, totals.shape[-1:]):
        raise ValueError(f"correct must be [R] or {totals.shape}, not {correct.shape}")
    top = np.fmax.accumulate(totals, axis=-1)
    credit = np.empty(totals.shape)
    for k in range(1, totals.shape[-1] + 1):
        best = top[..., k - 1 : k]
        winners = (totals[..., :k] == best) | np.isnan(best)
        credit[..., k - 1] = (winners & correct[..., :k]).sum(axis=-1) / winners.sum(axis=-1)
    return credit


def oracle_of_first(correct: Bools) -> Floats:
    """1.0 where any of the first K responses is correct, else 0.0: [..., R] for K = 1..R.

    `correct` bool [..., R]. ValueError: no response.
    """
    _check(correct.shape)
    return np.logical_or.accumulate(correct, axis=-1).astype(np.float64)


def curve_figures(curve: Floats, oracle: Floats) -> PoolFigures:
    """The figures of a best-of-K curve [R] against the oracle's [R], both over K = 1..R.

    Definitions from the paper: PPE's own code was not at hand to compare with. ValueError: no
    value, or shapes that differ.
    """
    _check(curve.shape)
    if curve.ndim != 1 or curve.shape != oracle.shape:
        raise ValueError(f"curve and oracle must have one shape [R]: {curve.shape}, {oracle.shape}")
    loss = np.square(oracle - curve).mean()
    return PoolFigures(float(curve.mean()), float(curve.max()), float(curve[-1]), float(loss))


def _check(shape: tuple[int, ...]) -> None:
    if not shape or shape[-1] == 0:
        raise ValueError(f"a pool needs at least one response: [..., R], not {shape}")
