"""Scaling curves: accuracy of each vote over k, from the samples that runs already hold."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from grmeval.errors import ConfigError
from grmeval.measure import VOTE_TABLE
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.cost import Cost, Prices, cost_of
from grmeval.score.curve.points import Curve, CurveRow, Point, Slope, curve_lines
from grmeval.score.table import about, footer, labels, records, said_once, title
from grmeval.score.verdicts import (
    Column,
    Common,
    Frame,
    Rules,
    ask,
    check_same,
    check_votes,
    column,
    common_limit,
    deepest,
    judge_run,
    own_votes,
    rules_of,
    unit_keys,
)
from grmeval.store import RunFolder

__all__ = ["CurveRow", "Scaling", "Slope", "scale"]

_FALL = 0.005
"""The least fall that is worth a word."""


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
    dip: str = ""
    """Why a curve falls where ties are paid as wrong; also in the footer. Empty: none does."""
    usual: bool = True
    """Whether it is the curve that is drawn unless told otherwise."""


def scale(
    *folders: RunFolder,
    ks: Sequence[int] | None = None,
    limit: int | None = None,
    votes: Sequence[str] | None = None,
    protocol: str | None = None,
    ties: str | None = None,
    on_invalid: str | None = None,
    first: bool = False,
    greedy: RunFolder | None = None,
    bootstrap: int | None = None,
    k_meta: int | None = None,
    prices: Prices | None = None,
) -> Scaling:
    """Curves of runs over ks (default: powers of two up to what every item has).

    Without `votes`: sum and majority; of judges that have not both, all of theirs; where items stopped
    early (`--adaptive`), the votes that they stopped under. Items and, of one run,
    rules are those of the record unless told otherwise. Several runs must have judged the same rows: all
    differences are paired. `first`: of the first k samples alone, as most published curves are, not of all
    subsets of k. `greedy`: a run whose number at k=1 stands beside. `bootstrap`: limits are percentiles over
    so many resamples of clusters, the same for all points, instead of the closed form (docs/statistics.md).
    `k_meta`: see `score`. `prices`: see `read_prices`.
    """
    everyone = [*folders, *([greedy] if greedy else [])]
    limit = limit or common_limit(everyone)
    common = check_same(everyone, limit)
    only = common and common.rows
    rules = _rules(folders, protocol, ties, on_invalid)
    usual = [limit == common_limit(folders), rules[:2] == _rules(folders)[:2]]
    usual += [not (first or bootstrap or k_meta)]
    curves: list[Curve] = []
    for folder, label in zip(folders, labels(folders), strict=True):
        run = read_run(folder, None, limit, k_meta=k_meta, only=only)
        drawn = check_votes(votes or _usual(folders, run), k_meta)
        chosen = _ks(run, ks, len(folders) > 1, drawn)
        usual += [set(drawn) == set(_usual(folders, run)), chosen == _powers(int(run.depth.min()))]
        by_first = first or bool(run.stopped.any())
        for vote in drawn:
            points = list(_points(run, vote, chosen, rules, first))
            frame = Frame(curves[0].run, curves[0].points[0].verdicts) if curves else None
            cost = {point.k: cost_of(run, point.k, vote, prices) for point in points}
            curves.append(_curve(frame, run, label, vote, by_first, points, cost))
    frame = Frame(curves[0].run, curves[0].points[0].verdicts)
    reference = _greedy(frame, greedy, limit, only, rules) if greedy else None
    everything = [point.column for curve in curves for point in curve.points]
    lacking = frame.lacking([*everything, *([reference] if reference else [])])
    rows, slopes = [], []
    for part in frame.parts():
        found = curve_lines(frame, part, curves, reference, bootstrap)
        rows += found[0]
        slopes += found[1]
    dip = _dip(rows) if rules.ties == "wrong" else ""
    return Scaling(
        title=title(folders),
        rows=tuple(rows),
        slopes=tuple(slopes),
        footer=tuple(_notes(curves, dip, common, lacking, rules, limit, greedy, bootstrap)),
        about=_about(curves, rules, limit, greedy, prices),
        run=records(folders),
        dip=dip,
        usual=all(usual),
    )


def _dip(rows: Sequence[CurveRow]) -> str:
    """Where the overall falls by no more than its ties grow, in a sentence; empty: nowhere.

    Two samples that differ tie, so even k, and k = 2 most, have more ties than odd ones.
    """
    curves: dict[tuple[str, str], list[CurveRow]] = {}
    for row in rows:
        if row.level == "overall":
            curves.setdefault((row.run_id, row.vote), []).append(row)
    falls = [
        (before.value - row.value, before, row)
        for points in curves.values()
        for before, row in pairwise(points)
        if _FALL <= before.value - row.value <= row.tied - before.tied
    ]
    if not falls:
        return ""
    _, before, row = max(falls, key=lambda fall: fall[0])
    ks = ", ".join(map(str, sorted({fall[2].k for fall in falls})))
    votes = ", ".join(dict.fromkeys(fall[2].vote for fall in falls))
    return (
        f"falls at k={ks} ({votes}): more votes tie there ({row.vote}: {100 * row.tied:.1f} % at "
        f"k={row.k}, {100 * before.tied:.1f} % at k={before.k}), and a tie is paid as wrong"
    )


def _rules(
    folders: Sequence[RunFolder],
    protocol: str | None = None,
    ties: str | None = None,
    on_invalid: str | None = None,
) -> Rules:
    """Of one run what is not said is its record's; of several they are the official ones, as compared."""
    spec = folders[0].record["spec"]
    if len(folders) == 1:
        asked = ask(folders[0], protocol=protocol, ties=ties, on_invalid=on_invalid)
        return rules_of(spec, asked)
    return Rules.choose(spec, protocol or "official", ties, on_invalid)


def _usual(folders: Sequence[RunFolder], run: RunArrays) -> tuple[str, ...]:
    """Votes that make sense for every run, and for the items that they have in common; where items stopped
    early, those that they stopped under.
    """
    single = any(block.best.shape[1] == 1 for block in run.blocks)
    common, *others = (own_votes(folder.record["identity"]) for folder in folders)
    shared = tuple(
        vote
        for vote in common
        if all(vote in votes for votes in others) and (VOTE_TABLE[vote].single or not single)
    )
    if run.stopped.any() and (held := tuple(vote for vote in shared if vote in run.decided)):
        return held
    usual = ("sum", "majority")
    return usual if set(usual) <= set(shared) else shared or ("majority",)


def _ks(
    run: RunArrays, ks: Sequence[int] | None, several: bool, votes: Sequence[str]
) -> tuple[int, ...]:
    """The ks of a run's curve; of several runs each goes as far as it can.

    Where items stopped early, as far as none had, unless told otherwise.
    """
    most = min(deepest(run, vote) for vote in votes)
    chosen = tuple(sorted(set(ks))) if ks else _powers(min(most, int(run.depth.min())))
    if several and chosen[0] >= 1:
        chosen = tuple(k for k in chosen if k <= most)
    if not chosen or chosen[0] < 1 or chosen[-1] > most:
        asked = ",".join(map(str, ks or chosen))
        _check_stopped(run, asked, most, votes)
        raise ConfigError(f"--ks {asked}: {run.path} has 1 to {most} samples an item")
    return chosen


def _check_stopped(run: RunArrays, asked: str, most: int, votes: Sequence[str]) -> None:
    """ConfigError where it is a vote under which items did not stop that ends the curve."""
    short = [vote for vote in votes if deepest(run, vote) == most]
    further = [vote for vote in run.decided if deepest(run, vote) > most]
    if further:
        held = ", ".join(further)
        raise ConfigError(
            f"--ks {asked}: {run.path}: items stopped under {held}: --vote {further[0]} goes on beyond "
            f"k={most}, {', '.join(short)} has no verdict"
        )


def _powers(most: int) -> tuple[int, ...]:
    ks = [1]
    while ks[-1] * 2 <= most:
        ks.append(ks[-1] * 2)
    return tuple(ks if ks[-1] == most else [*ks, most])


def _points(
    run: RunArrays, vote: str, ks: Sequence[int], rules: Rules, first: bool
) -> Iterator[Point]:
    groups = [(run.first(k), [k]) for k in ks] if first else [(run, ks)]
    for part, chosen in groups:
        verdicts = judge_run(part, vote, chosen, rules)
        for at in range(len(chosen)):
            yield Point(verdicts, at, column(part, verdicts, at))


def _curve(
    frame: Frame | None,
    run: RunArrays,
    label: str,
    vote: str,
    first: bool,
    points: list[Point],
    cost: Mapping[int, Cost],
) -> Curve:
    """A curve with its columns in the units of the frame, which is the first run's."""
    frame = frame or Frame(run, points[0].verdicts)
    places = frame.places(unit_keys(run, points[0].verdicts))
    aligned = (Point(p.verdicts, p.at, p.column.at(places)) for p in points)
    return Curve(run, label, vote, first, tuple(aligned), places, cost)


def _greedy(
    frame: Frame,
    folder: RunFolder,
    limit: int | None,
    only: Collection[tuple[str, str]] | None,
    rules: Rules,
) -> Column:
    """The greedy run's one judgement of every unit."""
    if folder.record["identity"].get("temperature") != 0:
        raise ConfigError(f"--greedy {folder.path}: not a greedy run (`grmeval run --greedy`)")
    run = read_run(folder, None, limit, only=only)
    points = list(_points(run, "sum", _ks(run, [1], False, ["sum"]), rules, True))
    return _curve(frame, run, "greedy", "sum", True, points, {}).points[0].column


def _notes(
    curves: Sequence[Curve],
    dip: str,
    common: Common | None,
    lacking: Sequence[str],
    rules: Rules,
    limit: int | None,
    greedy: RunFolder | None,
    bootstrap: int | None,
) -> Iterator[str]:
    """What the numbers are, then each run's own footer."""
    yield from said_once({curve.label: [_policy(curve)] for curve in curves})
    if dip:
        yield f"{dip}; --ties share draws the curve without that"
    if common:
        yield common.note
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
        most = max(most, *(point.k for point in curve.points)) if curve.run.stopped.any() else most
        present = curve.points[0].verdicts.sections(curve.run, 0)
        lines = footer(curve.run, rules, most, limit, exact, present, [curve.vote])
        *story, identity = [*footers.get(curve.label, []), *lines]
        unpriced = [note for cost in curve.cost.values() for note in cost.notes]
        footers[curve.label] = list(dict.fromkeys([*story, *unpriced, identity]))
    yield from said_once(footers)


def _policy(curve: Curve) -> str:
    if early := int(curve.run.stopped.sum()):
        fewest, last = int(curve.run.depth.min()), curve.points[-1].k
        beyond = int((curve.run.depth < last).sum())
        return (
            f"vote@k: of the first k samples alone, as {early:,} items stopped early (--adaptive)"
            + (
                f"; beyond k={fewest} of those that an item has, at k={last} {beyond:,} of "
                f"{len(curve.run.n):,} items"
                if beyond
                else f"; all have k={fewest}, --ks goes on with what stopped as it stands"
            )
        )
    if curve.first:
        return "vote@k: of the first k samples alone"
    policy = "subsets with a fresh run's order counts" if curve.run.balanced else "all subsets"
    if curve.run.judges > 1:
        orders = " and order counts" if curve.run.balanced else ""
        policy = f"subsets with a fresh panel's counts of each member{orders}"
    return f"vote@k: mean over {policy}; where all samples are in it, one subset: the plain vote"


def _about(
    curves: Sequence[Curve],
    rules: Rules,
    limit: int | None,
    greedy: RunFolder | None,
    prices: Prices | None,
) -> dict[str, Any]:
    common = about(curves[0].run, rules, limit)
    common.pop("run_id")  # each row says its own
    priced = {"currency": prices.currency} if prices else {}
    return common | {"greedy": greedy.path.name if greedy else None} | priced
