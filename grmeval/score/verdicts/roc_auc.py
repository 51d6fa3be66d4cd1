"""One-response items ranked by their votes: the ROC-AUC of a run, where that is the metric."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import auc_estimate, subset_totals
from grmeval.measure.intervals import Estimate
from grmeval.measure.subsets import admissible, alike, dealt, every, how_many, shuffled
from grmeval.score.arrays import RunArrays
from grmeval.score.verdicts.rules import Rules
from grmeval.score.verdicts.votes import ballot

__all__ = ["Ranked", "common_subsets", "few_subsets", "rank_singles"]

DRAWS = 256
"""Subsets of k samples over which an AUC is averaged, where there are more."""


@dataclass(frozen=True)
class Ranked:
    """`items` [I], whether each is right, and for each k their mean scores [S, I] in S subsets."""

    items: NDArray[np.int64]
    right: NDArray[np.bool_]
    scores: tuple[NDArray[np.float64], ...]

    def estimate(self, run: RunArrays, at: int, items: NDArray[np.int64]) -> Estimate:
        """ROC-AUC at ks[at] over those of `items` that reached it."""
        scores = self.scores[at]
        mine = np.isin(self.items, items) if len(scores) else np.zeros(len(self.items), bool)
        dropped = np.isneginf(scores).all(axis=0) if len(scores) else ~mine
        mine &= ~dropped
        return auc_estimate(
            scores[:, mine] if len(scores) else np.zeros((1, 0)),
            self.right[mine],
            run.cluster[self.items[mine]],
        )


def rank_singles(run: RunArrays, vote: str, ks: Sequence[int], rules: Rules, seed: int) -> Ranked:
    """Scores of the labelled one-response items: the same subsets of samples for all of them.

    An item that cannot be read ties with every other one (share, half), is ranked on the wrong end
    (wrong), or is left out where none of its samples can be read (drop).
    """
    block = next((b for b in run.blocks if b.best.shape[1] == 1), None)
    if block is None:
        return Ranked(np.zeros(0, np.int64), np.zeros(0, bool), tuple(np.zeros((0, 0)) for _ in ks))
    known = run.labelled[block.items]
    scores, valid, drawn = block.scores[known], block.valid[known], block.drawn[known]
    right = block.best[known, 0]
    name, extra = ballot(run, block, vote)
    extra = extra.at(known)
    depth = drawn.sum(axis=1)
    found = []
    for k in ks:
        reached = depth >= k
        most = int(depth[reached].min(initial=drawn.shape[1]))
        if not reached.any():
            found.append(np.zeros((0, len(right))))
            continue
        chosen = common_subsets(most, k, np.random.default_rng([seed, 2, k]), run.judges)
        totals = np.full((len(chosen), len(right)), np.nan)
        totals[:, reached] = subset_totals(
            name,
            scores[reached, :most],
            valid[reached, :most],
            chosen,
            threshold=run.spec.threshold,
            ranked=True,
            extra=extra.at((reached, slice(most))),
        )[..., 0]
        silent = np.isnan(totals)
        if rules.on_invalid == "wrong":
            totals = np.where(silent, np.where(right, -1e300, 1e300), totals)
        if rules.on_invalid == "drop":
            totals[:, silent.all(axis=0)] = -np.inf
        totals[:, ~reached] = -np.inf
        found.append(totals)
    return Ranked(block.items[known], right, tuple(found))


def common_subsets(
    most: int, k: int, rng: np.random.Generator, judges: int = 1
) -> NDArray[np.float64]:
    """Subsets [S, most] of k of `most` samples, all of them or DRAWS random ones; `judges` take turns."""
    ((counts, _, (samples,)),) = alike(np.ones((1, most), dtype=np.bool_), judges)
    takes = admissible(counts, k, judges)
    few = how_many(counts, takes) <= DRAWS
    chosen, _ = every(counts, takes) if few else dealt(shuffled(counts, DRAWS, rng), counts, takes)
    found = np.zeros(chosen.shape)
    found[:, samples] = chosen
    return found


def few_subsets(most: int, k: int, judges: int = 1) -> bool:
    """Whether `common_subsets` are all there are."""
    counts = tuple(len(range(judge, most, judges)) for judge in range(judges))
    return how_many(counts, admissible(counts, k, judges)) <= DRAWS
