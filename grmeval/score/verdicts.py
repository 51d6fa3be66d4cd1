"""Arrays of a run -> the outcome of every item and group at each k, under one vote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import Outcomes, credit, estimate, vote_curve
from grmeval.measure.intervals import Estimate
from grmeval.score.arrays import RunArrays
from grmeval.score.rules import Rules

__all__ = ["Verdicts", "judge_run"]


@dataclass(frozen=True)
class Verdicts:
    """Units (items, or groups whose every item must be won) x ks; NaN where k was not reached.

    `first` is a unit's first item; credit and weight follow the rules; `noise` is the Monte Carlo
    standard error of a unit's win.
    """

    ks: tuple[int, ...]
    first: NDArray[np.int64]
    outcomes: Outcomes
    credit: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise: NDArray[np.float64]
    exact: NDArray[np.bool_]

    def sections(self, run: RunArrays, at: int) -> list[int]:
        """The sections that have a verdict at ks[at]."""
        return sorted(set(run.section[self.first[~np.isnan(self.credit[:, at])]].tolist()))

    def monte_carlo(self, run: RunArrays, at: int, units: NDArray[Any], level: str) -> float:
        """Standard error of an accuracy at ks[at] that comes from drawing subsets; 0 where exact."""
        part, weights = _parts(run, self.first[units], level)
        count = np.bincount(part, minlength=len(weights))
        share = np.where(count > 0, weights, 0)
        each = (share / share.sum())[part] / count[part]
        return float(np.sqrt((each**2 * self.noise[units, at] ** 2).sum()))

    def estimate(self, run: RunArrays, at: int, units: NDArray[Any], level: str) -> Estimate:
        """Accuracy of some units at ks[at]: plain in a subset, else the weighted mean of its parts."""
        paid = self.credit[units, at]
        reached = ~np.isnan(paid)
        first = self.first[units][reached]
        part, weights = _parts(run, first, level)
        weight = self.weight[units, at][reached]
        return estimate(paid[reached], weight, run.cluster[first], part, weights)


def _parts(
    run: RunArrays, items: NDArray[np.int64], level: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The part of each item, and each part's weight at this level.

    Overall, the parts that a section has share the section's weight, so that a subset without a
    verdict makes its section incomplete and no other section heavier.
    """
    if level == "subset":
        return np.zeros(len(items), dtype=np.int64), np.ones(1)
    part, weights = run.part[items], run.part_weight.copy()
    if level == "overall":
        present = np.isin(np.arange(len(weights)), part)
        for number, section in enumerate(run.record["spec"]["sections"]):
            mine = present & (run.part_section == number)
            if mine.any():
                weights[mine] *= section["weight"] / weights[mine].sum()
    return part, weights


def judge_run(run: RunArrays, vote: str, ks: Sequence[int], rules: Rules) -> Verdicts:
    """Expected outcome of each unit for a fresh run of k samples, for every k in ks.

    Where a run holds exactly k samples that is the plain vote; where it holds more, the mean over
    the admissible subsets of size k (statistics: `grmeval.measure.scaling`).
    """
    shape = (len(run.n), len(ks))
    masses = {name: np.full(shape, np.nan) for name in Outcomes._fields}
    noise, exact = np.zeros(shape), np.ones(len(ks), dtype=bool)
    chance = np.zeros(len(run.n))
    seed = int(run.record["identity"]["seed"])
    for block in run.blocks:
        known = run.labelled[block.items]
        if not known.any():
            continue
        curve = vote_curve(
            block.scores[known],
            block.valid[known],
            block.drawn[known],
            block.best[known],
            ks,
            vote=vote,
            balanced=run.balanced,
            threshold=run.record["spec"]["threshold"],
            rng=np.random.default_rng([seed, block.best.shape[1]]),
        )
        for name, values in zip(Outcomes._fields, curve.outcomes, strict=True):
            masses[name][block.items[known]] = values
        noise[block.items[known]] = curve.noise
        exact &= curve.exact
        # A random pick earns the share of best responses; a single is right or wrong by a coin.
        chance[block.items] = block.best.mean(axis=1) if block.best.shape[1] > 1 else 0.5
    first, outcomes, noise, chance = _by_unit(run.unit, Outcomes(**masses), noise, chance)
    uniform = np.random.default_rng([seed, 0]).random(len(first))
    paid, weight = credit(
        outcomes, ties=rules.ties, on_invalid=rules.on_invalid, chance=chance, uniform=uniform
    )
    return Verdicts(tuple(ks), first, outcomes, paid, weight, noise, exact)


def _by_unit(
    unit: NDArray[np.int64],
    outcomes: Outcomes,
    noise: NDArray[np.float64],
    chance: NDArray[np.float64],
) -> tuple[NDArray[np.int64], Outcomes, NDArray[np.float64], NDArray[np.float64]]:
    """Join the items of a group: all must be won. Their samples are independent, so masses multiply."""
    _, first = np.unique(unit, return_index=True)
    if len(first) == len(unit):
        return first, Outcomes(*(m[first] for m in outcomes)), noise[first], chance[first]

    def product(values: NDArray[np.float64]) -> NDArray[np.float64]:
        joined = np.ones((len(first), *values.shape[1:]))
        np.multiply.at(joined, unit, values)
        return joined

    win, not_lost = product(outcomes.win), product(outcomes.win + outcomes.tie)
    joined = Outcomes(
        win=win,
        tie=not_lost - win,
        share=product(outcomes.win + outcomes.share) - win,
        # A group is void only while none of its items is lost outright.
        void=product(outcomes.win + outcomes.tie + outcomes.void) - not_lost,
    )
    squared = np.zeros((len(first), noise.shape[1]))
    np.add.at(squared, unit, noise**2)
    return first, joined, np.sqrt(squared), product(chance)
