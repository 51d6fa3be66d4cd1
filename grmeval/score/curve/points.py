"""Points of scaling curves: what each vote earned at each k, its paired differences, its cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isnan

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import slope_coefficients
from grmeval.score.arrays import RunArrays
from grmeval.score.cost import Cost, per_item
from grmeval.score.verdicts import DRAWS, NAN, Column, Contrasts, Frame, Part, Verdicts

__all__ = ["Curve", "CurveRow", "Point", "Slope", "curve_lines"]


@dataclass(frozen=True)
class CurveRow:
    """One point: accuracy of `vote` at k, with paired differences and what it costs.

    `gain`: to the same vote at k=1 (what the paper prints as "(+x)"); `over_greedy`: to the greedy run;
    `over_first`: to the first run at the same vote and k; each with its 95 % limits, NaN where there is
    no such number. `tied`: share of its votes whose top is shared by best and other responses, items
    weighed as in `value`; NaN where that is no accuracy. `noise`: standard error from drawing subsets.
    `tokens`, `prompt_tokens` and `seconds` of k judgements of one item, by what the run's judgements took
    on average; `price` of 1,000 items, the meta RM's part with it.
    """

    run: str
    run_id: str
    vote: str
    level: str
    name: str
    metric: str
    k: int
    value: float
    low: float
    high: float
    error: float
    gain: float
    gain_low: float
    gain_high: float
    over_greedy: float
    over_greedy_low: float
    over_greedy_high: float
    over_first: float
    over_first_low: float
    over_first_high: float
    tied: float
    items: int
    clusters: int
    noise: float
    subsets: str
    tokens: float
    prompt_tokens: float
    seconds: float
    price: float


@dataclass(frozen=True)
class Slope:
    """Accuracy gained with each doubling of k: the least-squares slope of a curve on log2 k."""

    run: str
    run_id: str
    vote: str
    level: str
    name: str
    ks: tuple[int, ...]
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One k of one vote of one run: its verdicts at ks[at], its column in the common units."""

    verdicts: Verdicts
    at: int
    column: Column

    @property
    def k(self) -> int:
        """Samples of the vote."""
        return self.verdicts.ks[self.at]


@dataclass(frozen=True)
class Curve:
    """A vote of one run over its ks; `places` are the units of the first run among its own, `cost` by k."""

    run: RunArrays
    label: str
    vote: str
    first: bool
    points: tuple[Point, ...]
    places: NDArray[np.int64]
    cost: Mapping[int, Cost]


def curve_lines(
    frame: Frame,
    part: Part,
    curves: Sequence[Curve],
    reference: Column | None,
    bootstrap: int | None,
) -> tuple[list[CurveRow], list[Slope]]:
    """One line of the benchmark (overall, a section, a view) under all curves."""
    columns = [point.column for curve in curves for point in curve.points]
    made = frame.panel([*columns, *([reference] if reference else [])], part.units, part.level)
    rng = np.random.default_rng([int(frame.run.record["identity"]["seed"]), 5])
    contrasts = Contrasts(made, bootstrap, rng)
    numbered = iter(range(len(columns)))
    # vote and k -> column of the first run
    firsts: dict[tuple[str, int], int] = {}
    rows, slopes = [], []
    for curve in curves:
        at_k = {point.k: next(numbered) for point in curve.points}
        if curve.run is frame.run:
            firsts |= {(curve.vote, k): at for k, at in at_k.items()}
        for point in curve.points:
            at = at_k[point.k]
            differences = {
                "gain": contrasts.difference(at, at_k.get(1)),
                "over_greedy": contrasts.difference(at, len(columns) if reference else None),
                "over_first": contrasts.difference(at, firsts.get((curve.vote, point.k))),
            }
            resampled = contrasts.combined({at: 1.0}) if bootstrap else (NAN, NAN, NAN)
            rows.append(_row(curve, point, part, differences, resampled))
        if len(at_k) > 1:
            weights = slope_coefficients(list(at_k)).tolist()
            slope = contrasts.combined(dict(zip(at_k.values(), weights, strict=True)))
            who = curve.label, curve.run.path.name, curve.vote
            slopes.append(Slope(*who, part.level, part.name, tuple(at_k), *slope))
    return rows, slopes


def _row(
    curve: Curve,
    point: Point,
    part: Part,
    differences: dict[str, tuple[float, float, float]],
    resampled: tuple[float, float, float],
) -> CurveRow:
    """`resampled`: the number and its limits by resamples, which stand where it is of all the run's units."""
    run, verdicts = curve.run, point.verdicts
    units = curve.places[part.units]
    found = verdicts.estimate(run, point.at, units, part.level)
    noise = verdicts.monte_carlo(run, point.at, units, part.level)
    whole = isclose(resampled[0], found.value, abs_tol=1e-9)
    low, high = resampled[1:] if whole else (found.low, found.high)
    named = {
        name + ending: value
        for name, values in differences.items()
        for ending, value in zip(("", "_low", "_high"), values, strict=True)
    }
    return CurveRow(
        run=curve.label,
        run_id=run.path.name,
        vote=curve.vote,
        level=part.level,
        name=part.name,
        metric=verdicts.metric(run, units),
        k=point.k,
        value=found.value,
        low=low,
        high=high,
        error=found.error,
        **named,
        tied=verdicts.tied(run, point.at, units, part.level),
        items=found.items,
        clusters=found.clusters,
        noise=noise,
        subsets=_how(curve, point.k, noise),
        **_costs(curve.cost[point.k]),
    )


def _how(curve: Curve, k: int, noise: float) -> str:
    if curve.first:
        return "the first k"
    if (curve.run.depth == k).all():
        return "1 subset"
    if isnan(noise):
        return f"{DRAWS} subsets"
    return "exact" if noise == 0 else f"Monte Carlo ±{100 * noise:.2f}"


def _costs(cost: Cost) -> dict[str, float]:
    """Tokens and seconds of an item, and the price; NaN where they are not known."""
    found = {
        "tokens": cost.tokens_per_item,
        "prompt_tokens": per_item(cost.of_judgements("prompt_tokens"), cost.items),
        "seconds": per_item(cost.of_judgements("seconds"), cost.items),
        "price": cost.price,
    }
    return {name: NAN if value is None else value for name, value in found.items()}
