"""Columns: what every unit of a benchmark earned in a run under one vote at one k, made to be paired."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import holds
from grmeval.measure import Estimate, Panel, auc_panel, panel, resampled
from grmeval.score.arrays import RunArrays
from grmeval.score.verdicts.verdicts import Verdicts

__all__ = ["Column", "Contrasts", "Frame", "Part", "UnitKey", "column", "framed", "unit_keys"]

NAN = float("nan")
LEVEL = 0.95

UnitKey = tuple[str, str, str]
"""(subset, id of the first item, term of Ties or "")."""


class Column(NamedTuple):
    """`credit` float [U], NaN without a verdict; or scores [S, U] in S subsets (ROC-AUC).

    A NaN score ties with every other. `weight` float [U]: how much of a unit counts (`on_invalid` drop).
    """

    credit: NDArray[np.float64]
    weight: NDArray[np.float64]

    def at(self, places: NDArray[np.int64]) -> "Column":
        """The column of other units: of these, in this order; at -1 without a verdict."""
        there = places >= 0
        credit = np.where(there, self.credit[..., places], np.nan)
        return Column(credit, np.where(there, self.weight[places], 0.0))


class Part(NamedTuple):
    """Units that get a number of their own."""

    level: str
    name: str
    units: NDArray[np.int64]


def unit_keys(run: RunArrays, verdicts: Verdicts) -> list[UnitKey]:
    """Every unit's key: runs of one benchmark and layout have the same."""
    first, terms = verdicts.first, verdicts.terms(run)
    subsets, ids = run.subset[first].tolist(), run.id[first].tolist()
    return [(s, i, term or "") for s, i, term in zip(subsets, ids, terms, strict=True)]


def column(run: RunArrays, verdicts: Verdicts, at: int) -> Column:
    """The column of a run at ks[at]."""
    if not verdicts.ranked:
        return Column(verdicts.credit[:, at], verdicts.weight[:, at])
    place = np.full(len(run.n), -1)
    place[verdicts.first] = np.arange(len(verdicts.first))
    found = verdicts.ranked.scores[at]
    scores = np.full((max(len(found), 1), len(verdicts.first)), -np.inf)
    if len(found):
        scores[:, place[verdicts.ranked.items]] = found
    dropped = np.isneginf(scores).all(axis=0)
    return Column(np.where(dropped, np.nan, scores), np.where(dropped, 0.0, 1.0))


@dataclass(frozen=True)
class Frame:
    """The units that columns share, and how the benchmark's metric weighs them; those of one run."""

    run: RunArrays
    verdicts: Verdicts

    def parts(self, subsets: bool = False) -> Iterator[Part]:
        """Overall, sections (with their subsets, if asked), views; only those that have units."""
        run, first = self.run, self.verdicts.first
        subset, section = run.subset[first], run.section[first]
        name = self.verdicts.overall_name(run, 0)
        yield Part("overall", name, np.arange(len(first)))
        for number, spec in enumerate(run.spec.sections):
            units = np.flatnonzero(section == number)
            if len(units):
                yield Part("section", spec.name, units)
            if subsets:
                for each in sorted(set(subset[units].tolist())):
                    yield Part("subset", each, units[subset[units] == each])
        for view in run.spec.views:
            units = np.flatnonzero([holds(view.subsets, each) for each in subset])
            if len(units):
                yield Part("view", view.name, units)

    def panel(self, columns: Sequence[Column], units: NDArray[Any], level: str) -> Panel:
        """The metric of every column over the units that have a verdict in all of them.

        A unit that some column drops (`on_invalid`) is in none: numbers of other things have no difference.
        """
        run, verdicts = self.run, self.verdicts
        if verdicts.ranked:
            units = units[np.all([each.weight[units] > 0 for each in columns], axis=0)]
            items = verdicts.first[units]
            place = np.full(len(run.n), -1)
            place[verdicts.ranked.items] = np.arange(len(verdicts.ranked.items))
            right = verdicts.ranked.right[place[items]]
            scores = [each.credit[..., units] for each in columns]
            return auc_panel(scores, right, run.cluster[items])
        credit, weight = (np.array(each) for each in zip(*columns, strict=True))
        units, scale, part, weights = verdicts.weighed(run, self._told(columns, units), level)
        cluster = run.cluster[verdicts.first[units]]
        made = panel(scale * credit[:, units], weight[:, units], cluster, part, weights)
        return replace(made, items=int(verdicts.stands[units].sum()))

    def mean(self, columns: Sequence[Column], units: NDArray[Any], level: str) -> Estimate:
        """The metric of the units' mean credits, over those that have a verdict in every column.

        Not of ROC-AUC, which is no mean of what units earn.
        """
        credit, weight = (np.mean(each, axis=0)[:, None] for each in zip(*columns, strict=True))
        one = replace(self.verdicts, credit=credit, weight=weight)
        return one.estimate(self.run, 0, self._told(columns, units), level)

    def _told(self, columns: Sequence[Column], units: NDArray[Any]) -> NDArray[Any]:
        """Those of the units that have a verdict in every column."""
        there = [~np.isnan(each.credit[units]) & (each.weight[units] > 0) for each in columns]
        told: NDArray[Any] = units[np.all(there, axis=0)]
        return told

    def lacking(self, columns: Sequence[Column]) -> list[str]:
        """What differences of the columns leave out because some of them drop it (`on_invalid`), in words."""
        first, dropped = self.verdicts.first, np.array([~(each.weight > 0) for each in columns])
        some = dropped.any(axis=0) & ~dropped.all(axis=0) & (self.verdicts.stands > 0)
        if not some.any():
            return []
        whole = []
        for part in () if self.verdicts.ranked else np.unique(self.verdicts.part[some]):
            if dropped[:, self.verdicts.part == part].all(axis=1).any():
                at = first[self.verdicts.part == part][0]
                section = self.run.spec.sections[self.run.section[at]]
                whole.append(str(self.run.subset[at]) if section.weights else section.name)
        units = "responses" if self.verdicts.ranked else "items"
        names = f", all of {', '.join(whole)} among them" if whole else ""
        return [f"{int(some.sum()):,} {units} that only some could read{names}"]

    def places(self, keys: Sequence[UnitKey]) -> NDArray[np.int64]:
        """Where this frame's units are among `keys`; -1 for one that is not there."""
        known = {key: at for at, key in enumerate(keys)}
        mine = unit_keys(self.run, self.verdicts)
        return np.array([known.get(key, -1) for key in mine], dtype=np.int64)


def framed(runs: Sequence[RunArrays], judged: Sequence[Verdicts]) -> tuple[Frame, list[Column]]:
    """The units of the first run, and in them each run's column at its one k."""
    frame = Frame(runs[0], judged[0])
    pairs = zip(runs, judged, strict=True)
    return frame, [column(r, v, 0).at(frame.places(unit_keys(r, v))) for r, v in pairs]


class Contrasts:
    """Weighted sums of a panel's numbers with their limits.

    Limits are closed form, or where `bootstrap` says how many, percentiles of resamples.
    """

    def __init__(self, made: Panel, bootstrap: int | None, rng: np.random.Generator) -> None:
        self.made = made
        self.drawn = resampled(made, bootstrap, rng) if bootstrap and made.items else None

    def difference(self, plus: int | None, minus: int | None) -> tuple[float, float, float]:
        """(value, low, high) of one column less another; NaN where there is no such column.

        Limits stay inside what the difference of two shares can be.
        """
        if plus is None or minus is None:
            return NAN, NAN, NAN
        if plus == minus:
            return float(self.made.values[plus] - self.made.values[minus]), NAN, NAN
        value, low, high = self.combined({plus: 1.0, minus: -1.0})
        return value, max(low, min(-1.0, value)), min(high, max(1.0, value))

    def combined(self, coefficients: dict[int, float]) -> tuple[float, float, float]:
        """(value, low, high) of the sum."""
        weights = np.zeros(len(self.made.values))
        weights[list(coefficients)] = list(coefficients.values())
        if self.drawn is not None:
            low, high = np.quantile(self.drawn @ weights, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            return float(self.made.values @ weights), float(low), float(high)
        found = self.made.contrast(weights, LEVEL)
        return found.value, found.low, found.high
