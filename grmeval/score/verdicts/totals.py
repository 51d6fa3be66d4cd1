"""Votes as such: each item's totals and ranks, whether or not its truth is known."""

import numpy as np

from grmeval.measure import totals
from grmeval.score.arrays import RunArrays
from grmeval.score.verdicts.votes import ballot

__all__ = ["ranking"]


def ranking(
    run: RunArrays, vote: str, k: int
) -> tuple[list[list[float] | None], list[list[int] | None]]:
    """(totals, ranks) of each item's responses from its FIRST k samples; equal totals share a rank.

    Rank 1 is the best. Of an item that stopped before k: from those it has. None for another one with fewer
    than k samples, or none that can be read.
    """
    added: list[list[float] | None] = [None] * len(run.n)
    ranks: list[list[int] | None] = [None] * len(run.n)
    threshold, reach = run.record["spec"]["threshold"], run.reach(vote)
    for block in run.blocks:
        scores, valid = block.scores[:, :k], block.valid[:, :k]
        name, extra = ballot(run, block, vote)
        found = totals(
            name, scores, valid, threshold=threshold, extra=extra.at((slice(None), slice(k)))
        )
        above = (found[:, None, :] > found[:, :, None]).sum(axis=2)
        whole = (reach[block.items] >= k) & ~np.isnan(found).any(axis=1)
        for at in np.flatnonzero(whole):
            added[block.items[at]] = found[at].tolist()
            ranks[block.items[at]] = (1 + above[at]).tolist()
    return added, ranks
