"""Scaling curves: accuracy of each vote over k, from the samples that runs already hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.errors import ConfigError
from grmeval.measure import slope_coefficients
from grmeval.runs.store import RunFolder
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.ballots import check_votes, own_votes
from grmeval.score.columns import NAN, Column, Contrasts, Frame, Part, column, unit_keys
from grmeval.score.footer import about, footer
from grmeval.score.ranked import DRAWS
from grmeval.score.rules import Rules
from grmeval.score.several import (
    check_same,
    common_limit,
    deepest,
    labels,
    records,
    said_once,
    title,
)
from grmeval.score.verdicts import Verdicts, judge_run

__all__ = ["CurveRow", "Scaling", "Slope", "scale"]


@dataclass(frozen=True)
class CurveRow:
    """One point: accuracy of `vote` at k, with paired differences and what it costs.

    `gain`: to the same vote at k=1 (what the paper prints as "(+x)"); `over_greedy`: to the greedy run;
    `over_first`: to the first run at the same vote and k; each with its 95 % limits, NaN where there is
    no such number. `noise`: standard error from drawing subsets. `tokens`, `prompt_tokens` and
    `seconds` of k judgements of one item, by what the run's judgements took on average.
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
    items: int
    clusters: int
    noise: float
    subsets: str
    tokens: float
    prompt_tokens: float
    seconds: float


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
class Scaling:
    """All that a curve's report prints."""

    title: str
    rows: tuple[CurveRow, ...]
    slopes: tuple[Slope, ...]
    footer: tuple[str, ...]
    about: dict[str, Any]
    """What every row has in common: limit, rules, the greedy run."""
    run: dict[str, Any]
    """Identity and launches; of several runs, by run-id."""


@dataclass(frozen=True)
class _Point:
    """One k of one vote of one run: its verdicts at ks[at], its column in the common units."""

    verdicts: Verdicts
    at: int
    column: Column

    @property
    def k(self) -> int:
        return self.verdicts.ks[self.at]


@dataclass(frozen=True)
class _Curve:
    """A vote of one run over its ks; `places` are the units of the first run among its own."""

    run: RunArrays
    label: str
    vote: str
    first: bool
    points: tuple[_Point, ...]
    places: NDArray[np.int64]


def scale(
    *folders: RunFolder,
    ks: Sequence[int] | None = None,
    limit: int | None = None,
    votes: Sequence[str] | None = None,
    protocol: str = "official",
    ties: str | None = None,
    on_invalid: str | None = None,
    first: bool = False,
    greedy: RunFolder | None = None,
    bootstrap: int | None = None,
    k_meta: int | None = None,
) -> Scaling:
    """Curves of runs over ks (default: powers of two up to what every item has).

    Without `votes`: sum and majority; of judges that have not both, all of theirs. Several runs must have
    judged the same rows: all differences are paired. `first`: of the first k
    samples alone, as most published curves are, not of all subsets of k. `greedy`: a run whose number
    at k=1 stands beside. `bootstrap`: limits are percentiles over so many resamples of clusters, the same
    for all points, instead of the closed form (docs/statistics.md). `k_meta`: see `score`.
    """
    everyone = [*folders, *([greedy] if greedy else [])]
    limit = limit or common_limit(everyone)
    check_same(everyone, limit)
    rules = Rules.choose(folders[0].record["spec"], protocol, ties, on_invalid)
    curves: list[_Curve] = []
    for folder, label in zip(folders, labels(folders), strict=True):
        run = read_run(folder, None, limit, k_meta=k_meta)
        for vote in check_votes(votes or _usual(folders), k_meta):
            points = list(_points(run, vote, _ks(run, ks, len(folders) > 1), rules, first))
            frame = Frame(curves[0].run, curves[0].points[0].verdicts) if curves else None
            curves.append(_curve(frame, run, label, vote, first, points))
    frame = Frame(curves[0].run, curves[0].points[0].verdicts)
    reference = _greedy(frame, greedy, limit, rules) if greedy else None
    everything = [point.column for curve in curves for point in curve.points]
    lacking = frame.lacking([*everything, *([reference] if reference else [])])
    rows, slopes = [], []
    for part in frame.parts():
        found = _lines(frame, part, curves, reference, bootstrap)
        rows += found[0]
        slopes += found[1]
    return Scaling(
        title=title(folders),
        rows=tuple(rows),
        slopes=tuple(slopes),
        footer=tuple(_notes(curves, lacking, rules, limit, greedy, bootstrap)),
        about=_about(curves, rules, limit, greedy),
        run=records(folders),
    )


def _usual(folders: Sequence[RunFolder]) -> tuple[str, ...]:
    """Votes that make sense for every run."""
    common, *others = (own_votes(folder.record["identity"]) for folder in folders)
    shared = tuple(vote for vote in common if all(vote in votes for votes in others))
    usual = ("sum", "majority")
    return usual if set(usual) <= set(shared) else shared or ("majority",)


def _ks(run: RunArrays, ks: Sequence[int] | None, several: bool) -> tuple[int, ...]:
    """The ks of a run's curve; of several runs each goes as far as it can."""
    most = deepest(run)
    chosen = tuple(sorted(set(ks))) if ks else _powers(most)
    if several and chosen[0] >= 1:
        chosen = tuple(k for k in chosen if k <= most)
    if not chosen or chosen[0] < 1 or chosen[-1] > most:
        asked = ",".join(map(str, ks or chosen))
        raise ConfigError(f"--ks {asked}: {run.path} has 1 to {most} samples an item")
    return chosen


def _powers(most: int) -> tuple[int, ...]:
    ks = [1]
    while ks[-1] * 2 <= most:
        ks.append(ks[-1] * 2)
    return tuple(ks if ks[-1] == most else [*ks, most])


def _points(
    run: RunArrays, vote: str, ks: Sequence[int], rules: Rules, first: bool
) -> Iterator[_Point]:
    groups = [(run.first(k), [k]) for k in ks] if first else [(run, ks)]
    for part, chosen in groups:
        verdicts = judge_run(part, vote, chosen, rules)
        for at in range(len(chosen)):
            yield _Point(verdicts, at, column(part, verdicts, at))


def _curve(
    frame: Frame | None, run: RunArrays, label: str, vote: str, first: bool, points: list[_Point]
) -> _Curve:
    """A curve with its columns in the units of the frame, which is the first run's."""
    frame = frame or Frame(run, points[0].verdicts)
    places = frame.places(unit_keys(run, points[0].verdicts))
    aligned = (_Point(p.verdicts, p.at, p.column.at(places)) for p in points)
    return _Curve(run, label, vote, first, tuple(aligned), places)


def _greedy(frame: Frame, folder: RunFolder, limit: int | None, rules: Rules) -> Column:
    """The greedy run's one judgement of every unit."""
    if folder.record["identity"].get("temperature") != 0:
        raise ConfigError(f"--greedy {folder.path}: not a greedy run (`grmeval run --greedy`)")
    run = read_run(folder, None, limit)
    points = list(_points(run, "sum", _ks(run, [1], False), rules, True))
    return _curve(frame, run, "greedy", "sum", True, points).points[0].column


def _lines(
    frame: Frame,
    part: Part,
    curves: Sequence[_Curve],
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
    curve: _Curve,
    point: _Point,
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
        items=found.items,
        clusters=found.clusters,
        noise=noise,
        subsets=_how(curve, point.k, noise),
        **_cost(run, point.k),
    )


def _how(curve: _Curve, k: int, noise: float) -> str:
    if curve.first:
        return "the first k"
    if (curve.run.depth == k).all():
        return "one subset"
    if isnan(noise):
        return f"{DRAWS} subsets"
    return "exact" if noise == 0 else f"Monte Carlo ±{100 * noise:.2f}"


def _cost(run: RunArrays, k: int) -> dict[str, float]:
    """Tokens and seconds of k judgements of an item; NaN where the run does not know."""
    counted = int(run.samples.sum())
    if not counted or run.record["identity"].get("engine") == "import":
        return dict.fromkeys(("tokens", "prompt_tokens", "seconds"), NAN)
    per_item = k * float(run.width.mean())
    launches = [each for each in run.record["launches"] if each.get("samples")]
    made = sum(each["samples"] for each in launches)
    seconds = sum(each.get("sample_seconds", NAN) for each in launches)
    return {
        "tokens": per_item * float(run.tokens.sum()) / counted,
        "prompt_tokens": per_item * float(run.prompt_tokens.sum()) / counted,
        "seconds": per_item * seconds / made if made else NAN,
    }


def _notes(
    curves: Sequence[_Curve],
    lacking: Sequence[str],
    rules: Rules,
    limit: int | None,
    greedy: RunFolder | None,
    bootstrap: int | None,
) -> Iterator[str]:
    """What the numbers are, then each run's own footer."""
    yield from said_once({curve.label: [_policy(curve)] for curve in curves})
    yield "differences are paired: the same items, clusters and subsets"
    yield from (f"left out of differences: {what}" for what in lacking)
    if bootstrap:
        yield f"95 %: percentiles over {bootstrap:,} resamples of clusters, the same for all points"
    if greedy:
        yield f"vs greedy: run {greedy.path.name}"
    footers: dict[str, list[str]] = {}
    for curve in curves:
        most = int(curve.run.depth.min())
        exact = all(bool(point.verdicts.exact.all()) for point in curve.points)
        present = curve.points[0].verdicts.sections(curve.run, 0)
        lines = footer(curve.run, rules, most, limit, exact, present, [curve.vote])
        footers[curve.label] = list(dict.fromkeys([*footers.get(curve.label, []), *lines]))
    yield from said_once(footers)


def _policy(curve: _Curve) -> str:
    if curve.first:
        return "vote@k: of the first k samples alone"
    policy = "subsets with a fresh run's order counts" if curve.run.balanced else "all subsets"
    return f"vote@k: mean over {policy}; where all samples are in it, one subset: the plain vote"


def _about(
    curves: Sequence[_Curve], rules: Rules, limit: int | None, greedy: RunFolder | None
) -> dict[str, Any]:
    common = about(curves[0].run, rules, limit)
    common.pop("run_id")  # each row says its own
    return common | {"greedy": greedy.path.name if greedy else None}
