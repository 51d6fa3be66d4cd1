"""A run as arrays: items in one order, samples in blocks of items with equally many responses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec
from grmeval.score.arrays.rewards import Read
from grmeval.score.arrays.tokens import Taken

__all__ = ["Block", "RunArrays", "counts_as"]


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
        return np.maximum(depth, self.decided.get(counts_as(vote), depth))

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


def counts_as(vote: str) -> str:
    """A mean is ahead where its sum is."""
    return "sum" if vote == "mean" else vote
