"""What every item and group earned at each k, under one vote: by subset, section and overall."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import (
    TIES_WEIGHTS,
    Outcomes,
    estimate,
)
from grmeval.measure.intervals import Estimate
from grmeval.score.arrays import RunArrays
from grmeval.score.verdicts.roc_auc import Ranked
from grmeval.score.verdicts.ties_subset import TERMS

__all__ = ["Verdicts"]

_WHOLE = ("overall", "view")
"""Levels that the benchmark's own rule forms from sections or items."""


_METRICS = {"accuracy": "accuracy", "ties": "ties-score", "best-of-k": "best-of-k-area"}


@dataclass(frozen=True)
class Verdicts:
    """Units (items, groups whose every item must be won, terms of Ties) x ks; NaN: k was not reached.

    `first` is a unit's first item, `stands` for how many items it is counted; credit and weight follow
    the rules; `noise` is the Monte Carlo standard error of a unit's win. `part` numbers what a section is
    the weighted mean of. `ranked`: scores of one-response items, where their ROC-AUC is the metric.
    """

    ks: tuple[int, ...]
    first: NDArray[np.int64]
    stands: NDArray[np.int64]
    outcomes: Outcomes
    credit: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise: NDArray[np.float64]
    exact: NDArray[np.bool_]
    part: NDArray[np.int64]
    part_section: NDArray[np.int64]
    part_weight: NDArray[np.float64]
    ranked: Ranked | None

    def metric(self, run: RunArrays, units: NDArray[Any]) -> str:
        """What `estimate` gives of these units: of several kinds together it is called an accuracy."""
        if self.ranked:
            return "roc-auc"
        rules = {run.spec.sections[number].rule for number in run.section[self.first[units]]}
        return _METRICS[rules.pop()] if len(rules) == 1 else "accuracy"

    def terms(self, run: RunArrays) -> list[str | None]:
        """The name of each unit's term of Ties; None of other units."""
        number = self.part - len(run.part_weight)
        return [TERMS[each % len(TERMS)] if each >= 0 else None for each in number.tolist()]

    def sections(self, run: RunArrays, at: int) -> list[int]:
        """The sections that have a verdict at ks[at]."""
        told = self._told(np.arange(len(self.first)), at)
        return sorted(set(run.section[self.first[told]].tolist()))

    def _told(self, units: NDArray[Any], at: int) -> NDArray[Any]:
        """Those of the units that have a verdict at ks[at], and were not dropped."""
        told: NDArray[Any] = units[~np.isnan(self.credit[units, at]) & (self.weight[units, at] > 0)]
        return told

    def overall_name(self, run: RunArrays, at: int) -> str:
        """`overall`, or how much of it there is: a mean of fewer sections is another number."""
        name = "overall" if "only" not in run.record else "these alone"
        present, of = len(self.sections(run, at)), len(run.record["spec"]["sections"])
        if present == of or not run.labelled.any():
            return name
        return f"{name} ({present} of {of} sections)"

    def monte_carlo(self, run: RunArrays, at: int, units: NDArray[Any], level: str) -> float:
        """Standard error of an accuracy at ks[at] that comes from drawing subsets; 0 where exact.

        NaN: an AUC over drawn subsets, whose error is not known apart.
        """
        if self.ranked:
            return 0.0 if self.exact[at] else float("nan")
        units, each = self.shares(run, at, units, level)
        return float(np.sqrt((each**2 * self.noise[units, at] ** 2).sum()))

    def shares(
        self, run: RunArrays, at: int, units: NDArray[Any] | None = None, level: str = "overall"
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """(units that a number at ks[at] is made of, how much each counts in it); by default overall."""
        units = self._told(np.arange(len(self.first)) if units is None else units, at)
        units, _, part, weights = self.weighed(run, units, level)
        count = np.bincount(part, minlength=len(weights))
        share = np.where(count > 0, weights, 0)
        each: NDArray[np.float64] = share[part] / (share.sum() * count[part])
        return units, each

    def estimate(self, run: RunArrays, at: int, units: NDArray[Any], level: str) -> Estimate:
        """The benchmark's metric over some units at ks[at].

        Accuracy: plain in a subset, else the weighted mean of its parts. ROC-AUC: over all of them.
        """
        if self.ranked:
            return self.ranked.estimate(run, at, self.first[units])
        units, scale, part, weights = self.weighed(run, self._told(units, at), level)
        weight = self.weight[units, at]
        cluster = run.cluster[self.first[units]]
        found = estimate(scale * self.credit[units, at], weight, cluster, part, weights)
        return found._replace(items=int(self.stands[units].sum()))

    def tied(self, run: RunArrays, at: int, units: NDArray[Any], level: str) -> float:
        """Share of an accuracy's verdicts at ks[at] whose top is shared by best and other responses.

        Units weigh what they weigh in `estimate`; the terms of Ties are left out. NaN: another metric, or
        no verdict.
        """
        if self.metric(run, units) != "accuracy":
            return float("nan")
        units = units[~np.isnan(self.outcomes.tie[units, at])]
        units, _, part, weights = self.weighed(run, units, level)
        whole = np.bincount(part, self.weight[units, at], len(weights))
        ties = np.bincount(part, self.outcomes.tie[units, at], len(weights))
        there = whole > 0
        if not there.any():
            return float("nan")
        return float(weights[there] @ (ties[there] / whole[there]) / weights[there].sum())

    def weighed(
        self, run: RunArrays, units: NDArray[Any], level: str
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """How the metric weighs units at a level: (those that count, what their credit is multiplied
        by, the part of each, the parts' weights). None of `units` may be without a verdict, or dropped.
        """
        units = units[self._counted(run, units, level)]
        scale = np.ones(len(units))
        if self._is_micro(run, level):
            scale[self._is_term(run, units)] = 1 / sum(TIES_WEIGHTS)
        return units, scale, *self._parts(run, units, level)

    def _is_micro(self, run: RunArrays, level: str) -> bool:
        return level in _WHOLE and run.spec.overall == "micro"

    def _counted(self, run: RunArrays, units: NDArray[Any], level: str) -> NDArray[np.bool_]:
        """Units that a level is made of: a micro average has of Ties what says if a prompt is right."""
        found: NDArray[np.bool_] = (self.stands[units] > 0) | (not self._is_micro(run, level))
        return found

    def _is_term(self, run: RunArrays, units: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether a unit is a term of Ties."""
        found: NDArray[np.bool_] = self.part[units] >= len(run.part_weight)
        return found

    def _parts(
        self, run: RunArrays, units: NDArray[Any], level: str
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The part of each unit, and each part's weight at this level.

        Overall, and in a view, the parts that a section has share the section's weight, so that a subset
        without a verdict makes its section incomplete and no other section heavier.
        """
        part, weights = self.part[units], self.part_weight.copy()
        # Ties is a weighted mean of terms at every level.
        plain = level == "subset" and not self._is_term(run, units).any()
        if plain or self._is_micro(run, level):
            return np.zeros(len(units), dtype=np.int64), np.ones(1)
        if level in _WHOLE:
            present = np.isin(np.arange(len(weights)), part)
            for number, section in enumerate(run.spec.sections):
                mine = present & (self.part_section == number)
                if mine.any():
                    weights[mine] *= section.weight / weights[mine].sum()
        return part, weights
