"""A run folder as arrays: items in one order, samples in blocks of items with equally many responses."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec
from grmeval.score.arrays.columns import Items, Rows
from grmeval.score.arrays.rewards import Read, Rewards, read_rewards
from grmeval.score.arrays.tokens import Taken, taken
from grmeval.store import RunFolder, damaged, judged_responses, reading_judge, stops_of

__all__ = ["Block", "RunArrays", "read_run"]


@dataclass(frozen=True)
class Block:
    """Items with n responses: `items` are their places in RunArrays, scores are [I, N, n].

    Scores are NaN where `valid` [I, N] is False; `drawn` [I, N] says which samples exist. `pooled`:
    responses were judged one by one, so a single score of a valid sample may be NaN too. `rewards` [I, N] by
    meta model, NaN where a sample has none. `weight` [I, N]: the probability of the judge's pick, NaN where a
    sample has none; None where no sample has one.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    valid: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    best: NDArray[np.bool_]
    pooled: bool
    rewards: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    weight: NDArray[np.float64] | None = None

    def first(self, k: int) -> "Block":
        """The first k samples alone."""
        scores, valid, drawn = self.scores[:, :k], self.valid[:, :k], self.drawn[:, :k]
        rewards = {name: reward[:, :k] for name, reward in self.rewards.items()}
        weight = None if self.weight is None else self.weight[:, :k]
        return replace(
            self, scores=scores, valid=valid, drawn=drawn, rewards=rewards, weight=weight
        )


@dataclass(frozen=True)
class RunArrays:
    """Everything that scoring reads of a run; items are those inside the limit, in (subset, id) order.

    A pool, responses that were judged one by one, is ONE item here, with its pool's name for an id;
    `width`: how many judgements a sample of an item is made of. `labelled`: whether an item's truth tells
    its responses apart; if not it gets votes and ranks, no verdict. `samples`, `invalid` and `reasons`
    count judgements j < k, by why they are invalid, `tokens` are what those wrote, `taken` all that they
    took, by the member of a panel that gave them (None: no panel), `rewarded` by meta model what rewards of
    them took, `forms` count all readable ones by how their scores were written; `reparsed`: readings that
    differ from the stored ones, None where those were taken; `quotable`: without the responses at hand, so
    that a quote of one may have been read. `part` numbers what a section is the weighted mean of: its
    subsets where the benchmark weighs them, else the section itself. `unit` numbers what gets a verdict: an
    item, or a group of items. `parsers`: the versions of the parser that read the counted judgements.
    `limited`: --limit left items out. `decided` by vote [I]: the most samples whose verdict is taken to be
    that of those which an item has (`--adaptive`); 0: no more than it has. `k_meta`: samples that the vote
    `meta` keeps; None: half of k. `damaged`: what is to be said of lines that could not be read.
    """

    path: Path
    record: dict[str, Any]
    spec: BenchSpec
    limited: bool
    subset: NDArray[Any]
    id: NDArray[Any]
    meta: tuple[str, ...]
    section: NDArray[np.int64]
    part: NDArray[np.int64]
    part_section: NDArray[np.int64]
    part_weight: NDArray[np.float64]
    n: NDArray[np.int64]
    width: NDArray[np.int64]
    cluster: NDArray[np.int64]
    unit: NDArray[np.int64]
    flagged: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    blocks: tuple[Block, ...]
    samples: NDArray[np.int64]
    invalid: NDArray[np.int64]
    tokens: NDArray[np.int64]
    taken: Mapping[str | None, Taken]
    rewarded: Mapping[str, Read]
    reasons: dict[str, NDArray[np.int64]]
    forms: dict[str, int]
    launches: tuple[str, ...]
    parsers: tuple[int, ...]
    reparsed: int | None
    quotable: bool = False
    k_meta: int | None = None
    damaged: tuple[str, ...] = ()
    decided: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether a judge's sample i shows rotation i mod n."""
        return bool(self.record["identity"]["orders"] == "balanced")

    @property
    def judges(self) -> int:
        """How many judges take turns: sample j is number j // judges of judge j mod judges."""
        return len(self.record["identity"]["judge"].get("members", ["one"]))

    @property
    def played_in_games(self) -> bool:
        """Whether pairs are voted on inside each response order, as the benchmark asks."""
        apart = self.record["identity"].get("layout") == "single"
        return self.spec.games and self.balanced and not apart and self.judges == 1

    @property
    def depth(self) -> NDArray[np.int64]:
        """Samples of each item, up to its first gap."""
        found = np.zeros(len(self.n), dtype=np.int64)
        for block in self.blocks:
            found[block.items] = block.drawn.sum(axis=1)
        return found

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Items that stopped before others: they have fewer samples than what they count for under some
        vote.
        """
        found = np.zeros(len(self.n), dtype=bool)
        for most in self.decided.values():
            found |= most > self.depth
        return found

    def plain(self, k: int) -> bool:
        """Whether k is counted by one vote an item, and by no mean over subsets."""
        return bool(self.stopped.any() or (self.depth == k).all())

    def reach(self, vote: str) -> NDArray[np.int64]:
        """The largest k at which each item has a verdict under a vote: its samples, or what it stopped
        for.
        """
        depth = self.depth
        return np.maximum(depth, self.decided.get(_counts_as(vote), depth))

    def needed(self, k: int, *votes: str) -> NDArray[np.int64]:
        """The samples of each item that k samples of it are counted by: fewer where it stopped under
        these votes.
        """
        depth = self.depth
        settled = np.min([self.reach(vote) for vote in votes or ("",)], axis=0) >= k
        return np.where(settled, np.minimum(depth, k), k)

    def missing(self, k: int, *votes: str) -> NDArray[np.int64]:
        """Judgements of each item that were not made; `samples` are then those of j < k."""
        lacking: NDArray[np.int64] = np.maximum(
            self.needed(k, *votes) * self.width - self.samples, 0
        )
        return lacking

    def first(self, k: int) -> "RunArrays":
        """The same run, as if its first k samples were all."""
        return replace(self, blocks=tuple(block.first(k) for block in self.blocks))

    def ruled(self, rule: str) -> NDArray[np.bool_]:
        """Items of the sections that have this rule."""
        mine = [number for number, s in enumerate(self.spec.sections) if s.rule == rule]
        return np.isin(self.section, mine)


def read_run(
    folder: RunFolder,
    k: int | None = None,
    limit: int | None = None,
    reparse: bool = False,
    k_meta: int | None = None,
    only: Collection[tuple[str, str]] | None = None,
) -> RunArrays:
    """Read a run; `limit` keeps the items that `--limit` would take, `reparse` reads every text anew.

    `only`: the items (subset, id) that are read; None: all.

    Judgements are counted among the first k samples (among all where k is None), since only those were
    asked for; the blocks hold every sample before an item's first gap: in an unfinished run the ones
    beyond it are there because they were short.
    """
    table = folder.items(limit)
    limited = limit is not None and len(table) < len(folder.items())
    if only is not None:
        keys = zip(table["subset"].to_pylist(), table["id"].to_pylist(), strict=True)
        table = table.filter([key in only for key in keys])
    items = Items(table)
    judge = reading_judge(folder) if reparse else None
    responses = judged_responses(folder) if judge and not judge.head else {}
    rows = Rows.read(folder, items, judge, responses or {})
    counted = rows.j < (k if k is not None else np.iinfo(np.int64).max)
    size = len(items.id)

    def count(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(rows.item[counted & mask], minlength=size)

    def total(column: NDArray[np.int64]) -> NDArray[np.int64]:
        # Sums of whole numbers below 2**53 are exact.
        return np.bincount(rows.item, column * counted, size).astype(np.int64)

    spec = folder.spec()
    section = np.array(items.section, dtype=np.int64)
    # Responses that are all equally good, or all bad, can be ranked, not judged.
    labelled = np.array(
        [
            bool(t) and (len(t) == 1 or 0 < sum(t) < len(t) or spec.sections[s].rule == "best-of-k")
            for t, s in zip((q or [] for q in items.quality), items.section, strict=True)
        ],
        dtype=np.bool_,
    )
    known = labelled.tolist()
    groups = [
        (s, "g", g) if g is not None and sure else (s, "i", i)
        for s, i, g, sure in zip(items.subset, items.id, items.group, known, strict=True)
    ]
    part, part_section, part_weight = _parts(spec, section, items.subset)
    rewards = read_rewards(folder.path, {key: items.item[row] for key, row in items.place.items()})
    found = RunArrays(
        path=folder.path,
        record=folder.record,
        spec=spec,
        limited=limited,
        subset=np.array(items.subset, dtype=object),
        id=np.array(items.id, dtype=object),
        meta=tuple(items.meta),
        section=section,
        part=part,
        part_section=part_section,
        part_weight=part_weight,
        n=items.n,
        width=np.where(items.pooled, items.n, 1),
        cluster=_numbered(items.cluster),
        unit=_numbered(groups),
        flagged=np.array(items.flagged, dtype=bool),
        labelled=labelled,
        blocks=tuple(
            _block(int(size), pooled, items, rows, rewards)
            for pooled in (False, True)
            for size in np.unique(items.n[items.pooled == pooled])
        ),
        samples=count(np.ones_like(counted)),
        invalid=count(~rows.valid),
        tokens=total(rows.tokens),
        taken=taken(folder.record, rows, counted, size),
        rewarded={name: found.read(k) for name, found in rewards.items()},
        reasons={name: count(rows.invalid == at) for name, at in rows.used(rows.invalid).items()},
        forms=_tally(rows.form[counted & rows.valid], rows.names),
        launches=tuple(rows.used(rows.launch)),
        parsers=tuple(np.unique(rows.parser[counted]).tolist()),
        reparsed=int(rows.changed.sum()) if reparse else None,
        quotable=responses is None,
        k_meta=k_meta,
        damaged=tuple(damaged(folder)),
    )
    return replace(found, decided=_decided(folder.path, items, found.depth))


def _decided(path: Path, items: Items, depth: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """What items stopped for, by vote; a stop is void where a sample that it was made from is missing."""
    names = zip(items.subset, items.pooled.tolist(), items.id, strict=True)
    place = {name: at for at, name in enumerate(names)}
    found: dict[str, NDArray[np.int64]] = {}
    for stop in stops_of(path):
        at = place.get(stop.name)
        if at is not None and depth[at] >= stop.k:
            for vote in stop.votes:
                most = found.setdefault(_counts_as(vote), np.zeros(len(items.n), dtype=np.int64))
                most[at] = max(most[at], stop.most)
    return found


def _counts_as(vote: str) -> str:
    """A mean is ahead where its sum is."""
    return "sum" if vote == "mean" else vote


def _parts(
    spec: BenchSpec, section: NDArray[np.int64], subset: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    known: dict[tuple[int, str | None], int] = {}
    weights = []
    part = np.zeros(len(subset), dtype=np.int64)
    for at, (number, name) in enumerate(zip(section.tolist(), subset, strict=True)):
        weighed = spec.sections[number].weights
        key = (number, name if weighed else None)
        if key not in known:
            known[key] = len(known)
            weights.append(weighed[name] if weighed else 1.0)
        part[at] = known[key]
    return part, np.array([key[0] for key in known], dtype=np.int64), np.array(weights)


def _block(
    size: int, pooled: bool, items: Items, rows: Rows, rewards: Mapping[str, Rewards]
) -> Block:
    places = np.flatnonzero((items.n == size) & (items.pooled == pooled))
    here = np.full(len(items.n), -1)
    here[places] = np.arange(len(places))
    mine = np.flatnonzero(here[rows.item] >= 0)
    at, j, slot = here[rows.item[mine]], rows.j[mine], rows.slot[mine]
    width = size if pooled else 1
    shape = (len(places), int(j.max()) + 1 if len(j) else 0, width)
    drawn, valid = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    drawn[at, j, slot] = True
    valid[at, j, slot] = rows.valid[mine]
    before_gap: NDArray[np.bool_] = np.logical_and.accumulate(drawn.all(axis=2), axis=1)
    valid &= before_gap[..., None]
    scores = np.full((*shape[:2], size), np.nan)
    readable = valid[at, j, slot]
    at, j, slot, start = at[readable], j[readable], slot[readable], rows.start[mine[readable]]
    if pooled:
        scores[at, j, slot] = rows.values[start]
    else:
        scores[at, j] = rows.values[start[:, None] + np.arange(size)]
    best = np.array([items.quality[i] or [0] * size for i in places], dtype=bool)
    best = best.reshape(len(places), size)
    read = np.array(valid.any(axis=2))
    if pooled:
        return Block(places, scores, read, before_gap, best, pooled)
    launch = np.full(shape[:2], None, dtype=object)
    if rewards:
        launch[here[rows.item[mine]], rows.j[mine]] = np.array(rows.names)[rows.launch[mine]]
    voted = {name: _laid(each, here, launch) for name, each in rewards.items()}
    weight = np.full(shape[:2], np.nan)
    weight[at, j] = rows.weight[mine[readable]]
    known = None if np.isnan(weight).all() else weight
    return Block(places, scores, read, before_gap, best, pooled, voted, known)


def _laid(
    found: Rewards, here: NDArray[np.int64], launch: NDArray[np.object_]
) -> NDArray[np.float64]:
    """Rewards [I, N] of a block's items; `here` says where each item is in the block.

    A reward of a sample that was drawn anew since (by another `launch` [I, N]) is of another text: none.
    """
    mine = np.flatnonzero((here[found.item] >= 0) & (found.j < launch.shape[1]))
    at, j = here[found.item[mine]], found.j[mine]
    pairs = zip(found.launch[mine].tolist(), launch[at, j].tolist(), strict=True)
    same = np.array([told in (None, now) for told, now in pairs], dtype=bool)
    laid = np.full(launch.shape, np.nan)
    laid[at[same], j[same]] = found.reward[mine[same]]
    return laid


def _tally(numbers: NDArray[np.int64], names: tuple[str | None, ...]) -> dict[str, int]:
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    return {
        name: count for name, count in sorted(zip(map(str, names), counts, strict=True)) if count
    }


def _numbered(names: list[Any]) -> NDArray[np.int64]:
    """Equal names, equal numbers."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
