"""Two or more runs of the same rows: paired differences, tests, and the units that flipped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from grmeval.errors import ConfigError
from grmeval.measure import benjamini_hochberg, compare_columns, detectable
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.cost import Cost, Prices, cost_lines, cost_of, unlike_effort
from grmeval.score.table import (
    SeedsRow,
    about,
    footer,
    labels,
    records,
    said_once,
    seed_groups,
    seeds_rows,
    title,
)
from grmeval.score.verdicts import (
    NAN,
    Column,
    Common,
    Contrasts,
    Frame,
    Part,
    Rules,
    UnitKey,
    check_same,
    check_votes,
    common_limit,
    deepest,
    framed,
    judge_run,
    unit_keys,
    usual_vote,
)
from grmeval.store import RunFolder, record_of

__all__ = ["Comparison", "Flip", "Gap", "compare", "flipped"]

PERMUTATIONS = 10_000
FLIPPED = 0.5
"""Credits further apart than this are a flip: a verdict that went from wrong to right, or back."""


@dataclass(frozen=True)
class Gap:
    """One number of a run less that of the first run, in [-1, 1].

    `p`: two-sided, by `test`: mcnemar, exact, where every item is one prompt with 0/1 credits and equal
    weights; else sign-flip over clusters; t where one run stores more samples than the other. `q`: `p` of
    subsets after Benjamini and Hochberg (1995), over the subsets of this run and vote. `detectable`: the
    difference that would be found (5 %, two-sided) in four of five such comparisons. `won` and `lost` count
    flips, in which a verdict changed by more than a half. NaN where there is no such number.
    """

    run: str
    run_id: str
    vote: str
    level: str
    name: str
    metric: str
    k: int
    first: float
    value: float
    difference: float
    low: float
    high: float
    error: float
    p: float
    test: str
    q: float
    detectable: float
    items: int
    clusters: int
    won: int
    lost: int


@dataclass(frozen=True)
class Flip:
    """A unit whose credit, as in verdicts.parquet, changed by more than a half."""

    run: str
    run_id: str
    vote: str
    subset: str
    id: str
    term: str
    first: float
    value: float


class Flipped(NamedTuple):
    """By unit its credit in a run less that in the run called `before`, at one k, limit and vote."""

    changes: dict[UnitKey, float]
    before: str
    vote: str
    k: int
    limit: int | None


@dataclass(frozen=True)
class Comparison:
    """All that a report of a comparison prints."""

    title: str
    rows: tuple[Gap, ...]
    flips: tuple[Flip, ...]
    footer: tuple[str, ...]
    about: dict[str, Any]
    """What every row has in common: the first run, limit, rules."""
    run: dict[str, Any]
    """Identity and launches by run-id."""
    cost: Mapping[str, Mapping[str, Cost]] = field(default_factory=dict)
    """By run, as rows name it (and the first), and vote."""
    seeds: tuple[SeedsRow, ...] = ()
    """Runs alike but for their seed, group by group; empty where there are none."""


def compare(
    *folders: RunFolder,
    k: int | None = None,
    limit: int | None = None,
    votes: Sequence[str] | None = None,
    protocol: str = "official",
    ties: str | None = None,
    on_invalid: str | None = None,
    bootstrap: int | None = None,
    k_meta: int | None = None,
    prices: Prices | None = None,
) -> Comparison:
    """Every run less the first, at one k (default: the smallest of their records).

    Without `votes`: `usual_vote`. A run that holds more samples is read by subsets of k. ConfigError: fewer
    than two runs, other rows, or a k that some run does not hold. `prices`: see `read_prices`.
    """
    if len(folders) < 2 or len({folder.path.resolve() for folder in folders}) < len(folders):
        raise ConfigError("a comparison takes two or more different runs")
    limit = limit or common_limit(folders)
    common = check_same(folders, limit)
    k = k or min(record_of(folder).k for folder in folders)
    rules = Rules.choose(folders[0].record["spec"], protocol, ties, on_invalid)
    names = labels(folders)
    usual = [usual_vote(*(folder.record["identity"] for folder in folders))]
    votes = check_votes(votes or usual, k_meta)
    runs = [_read(folder, k, limit, k_meta, common, votes) for folder in folders]
    cost = {
        name: {vote: cost_of(run, k, vote, prices) for vote in votes}
        for name, run in zip(names, runs, strict=True)
    }
    groups, seeds = seed_groups(folders), list[SeedsRow]()
    rows: list[Gap] = []
    flips: list[Flip] = []
    lacking: list[str] = [common.note] if common else []
    footers: dict[str, Sequence[str]] = {}
    for vote in votes:
        judged = [judge_run(run, vote, [k], rules) for run in runs]
        frame, columns = framed(runs, judged)
        seeds += seeds_rows(frame, columns, groups, vote, k) if groups else ()
        for run, name, verdicts in zip(runs, names, judged, strict=True):
            exact, present = bool(verdicts.exact.all()), verdicts.sections(run, 0)
            lines = footer(run, rules, k, limit, exact, present, [vote])
            footers[name] = list(dict.fromkeys([*footers.get(name, ()), *lines]))
        for number in range(1, len(runs)):
            absent = frame.lacking([columns[0], columns[number]])
            lacking += [f"{names[number]} less the first leaves out {what}" for what in absent]
            pair = _Pair(frame, columns[0], columns[number], names[number], runs[number], vote, k)
            rows += pair.gaps(bootstrap)
            flips += pair.flips()
    for name, spent in cost.items():
        footers[name] = [*footers[name], *cost_lines(spent.values())]
    effort = unlike_effort({name: spent[votes[0]] for name, spent in cost.items()})
    of_all = about(runs[0], rules, limit)
    of_all["first_run"] = of_all.pop("run_id")  # each row says its own
    return Comparison(
        title=title(folders) + f" · k={k}",
        rows=tuple(rows),
        flips=tuple(flips),
        footer=tuple(_notes(names, effort, lacking, footers, bootstrap, bool(groups))),
        about=of_all,
        run=records(folders),
        cost=cost,
        seeds=tuple(seeds),
    )


def flipped(
    first: RunFolder,
    other: RunFolder,
    *,
    k: int | None = None,
    limit: int | None = None,
    vote: str | None = None,
    protocol: str = "official",
    ties: str | None = None,
    on_invalid: str | None = None,
    k_meta: int | None = None,
) -> Flipped:
    """The flips of `compare` alone; of single responses by the threshold, where their number is ROC-AUC."""
    if first.path.resolve() == other.path.resolve():
        raise ConfigError(f"{other.path}: nothing flips between a run and itself: name another run")
    limit = limit or common_limit([first, other])
    common = check_same([first, other], limit)
    k = k or min(record_of(folder).k for folder in (first, other))
    rules = Rules.choose(first.record["spec"], protocol, ties, on_invalid)
    usual = usual_vote(first.record["identity"], other.record["identity"])
    (vote,) = check_votes([vote or usual], k_meta)
    pair = first, other
    runs = [_by_verdict(_read(folder, k, limit, k_meta, common, [vote])) for folder in pair]
    frame, (mine, theirs) = framed(runs, [judge_run(run, vote, [k], rules) for run in runs])
    before, label = labels([first, other])
    flips = _Pair(frame, mine, theirs, label, runs[1], vote, k).flips()
    changes = {(flip.subset, flip.id, flip.term): flip.value - flip.first for flip in flips}
    return Flipped(changes, before, vote, k, limit)


def _by_verdict(run: RunArrays) -> RunArrays:
    """A run whose single responses have verdicts, by the threshold, and are not ranked."""
    ranked = run.spec.overall == "roc-auc"
    return replace(run, spec=run.spec.model_copy(update={"overall": "micro"})) if ranked else run


def _read(
    folder: RunFolder,
    k: int,
    limit: int | None,
    k_meta: int | None,
    common: Common | None,
    votes: Sequence[str],
) -> RunArrays:
    run = read_run(folder, k, limit, k_meta=k_meta, only=common and common.rows)
    most = min(deepest(run, vote) for vote in votes)
    if most < k:
        raise ConfigError(
            f"--k {k}: {folder.path} has {most} samples of some items; take --k {most}"
        )
    return run


@dataclass(frozen=True)
class _Pair:
    """A run beside the first one, under one vote."""

    frame: Frame
    first: Column
    other: Column
    label: str
    run: RunArrays
    vote: str
    k: int

    def gaps(self, bootstrap: int | None) -> list[Gap]:
        """One row for overall, each section, subset and view."""
        rows = [self._gap(part, bootstrap) for part in self.frame.parts(subsets=True)]
        tested = [at for at, row in enumerate(rows) if row.level == "subset" and not isnan(row.p)]
        adjusted = benjamini_hochberg([rows[at].p for at in tested]) if tested else ()
        for at, q in zip(tested, adjusted, strict=True):
            rows[at] = replace(rows[at], q=float(q))
        return rows

    def _gap(self, part: Part, bootstrap: int | None) -> Gap:
        made = self.frame.panel([self.first, self.other], part.units, part.level)
        seed = int(self.frame.run.record["identity"]["seed"])
        rng = np.random.default_rng([seed, 6])
        found = made.contrast((-1, 1))
        difference, low, high = Contrasts(made, bootstrap, rng).difference(1, 0)
        plain = self.run.plain(self.k) and self.frame.run.plain(self.k)
        alike = plain or np.array_equal(self.run.depth, self.frame.run.depth)
        test = compare_columns(made, 1, 0, PERMUTATIONS, rng, alike) if found.items else None
        changed = self._changes()[part.units]
        return Gap(
            run=self.label,
            run_id=self.run.path.name,
            vote=self.vote,
            level=part.level,
            name=part.name,
            metric=self.frame.verdicts.metric(self.frame.run, part.units),
            k=self.k,
            first=float(made.values[0]),
            value=float(made.values[1]),
            difference=difference,
            low=low,
            high=high,
            error=found.error,
            p=test.p if test else NAN,
            test=test.method if test else "",
            q=NAN,
            detectable=detectable(found.error, found.freedom) if found.items else NAN,
            items=found.items,
            clusters=found.clusters,
            won=int((changed > FLIPPED).sum()),
            lost=int((changed < -FLIPPED).sum()),
        )

    def _changes(self) -> Any:
        """The credit of each unit less that of the first run; 0 where there is no verdict to compare.

        Of the terms of Ties only those count that say whether a prompt is right.
        """
        if self.frame.verdicts.ranked:  # scores, which have no right and wrong of their own
            return np.zeros(len(self.first.weight))
        counted = (
            (self.first.weight > 0) & (self.other.weight > 0) & (self.frame.verdicts.stands > 0)
        )
        return np.where(counted, np.nan_to_num(self.other.credit - self.first.credit), 0.0)

    def flips(self) -> Iterator[Flip]:
        """The units that changed, the lost ones first."""
        changed = self._changes()
        keys = unit_keys(self.frame.run, self.frame.verdicts)
        for at in np.argsort(changed, kind="stable").tolist():
            if abs(changed[at]) > FLIPPED:
                before, after = float(self.first.credit[at]), float(self.other.credit[at])
                subset, name, term = keys[at]
                who = self.label, self.run.path.name, self.vote
                yield Flip(*who, subset, name, term, before, after)


def _notes(
    names: Sequence[str],
    effort: str | None,
    lacking: Sequence[str],
    footers: dict[str, Sequence[str]],
    bootstrap: int | None,
    seeds: bool,
) -> Iterator[str]:
    yield f"differences are paired, each run less the first ({names[0]})"
    if effort:
        yield effort
    yield from dict.fromkeys(lacking)
    if seeds:
        yield (
            "seeds: runs alike but for --seed; SD: over seeds; 95 % and p hold the noise of items and seeds"
        )
    if bootstrap:
        yield f"95 %: percentiles over {bootstrap:,} resamples of clusters"
    yield (
        "p: exact McNemar where items are single 0/1 prompts, else sign flips of clusters, or t where one "
        "run has more samples; q: subsets after Benjamini-Hochberg"
    )
    yield from said_once(footers)
