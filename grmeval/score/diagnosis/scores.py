"""Scores: which are given, and how often the best response only shares the highest."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.split import VoteNoise
from grmeval.score.diagnosis.findings import Finding, Part, bare, finding, points, share_of
from grmeval.score.diagnosis.observed import Kind, Observed, joined, over_samples

__all__ = ["scores"]

Floats = NDArray[np.float64]


MOST_VALUES = 20
"""Different scores that are shown one by one; more are put into this many bins."""


def scores(seen: Observed, voted: Sequence[VoteNoise], k: int) -> Part:
    """Which scores are given, and how often the best only shares the highest."""
    values = np.concatenate([_given(kind) for kind in seen.kinds])
    rows = list(_histogram(values))
    says = []
    absent = ["one response cannot tie"] if any(kind.n == 1 for kind in seen.kinds) else []
    if not rows:
        absent.append("no judgement can be read")
    else:
        top = max(rows, key=lambda row: row.value)
        says.append(
            f"{len(np.unique(values))} different scores; the commonest, {top.name}, is "
            f"{100 * top.value:.1f} % of {len(values):,}"
        )
    for name, kinds in seen.of("pairs", "best-of-n", "pools"):
        ties = list(_ties(name, kinds, [voted[seen.kinds.index(kind)] for kind in kinds], k))
        rows += ties
        if ties:
            said = ", ".join(f"{points(row)} % at k={row.name[2:]}" for row in ties)
            says.append(f"{name}: the best shares the highest score: {said}")
        if not ties:
            absent.append(f"{name}: no labelled item, whose best could tie")
    title = "scores: which are given, and how many tie?"
    return Part("scores", title, ("share",), tuple(rows), tuple(says), tuple(absent))


def _given(kind: Kind) -> Floats:
    scored = kind.block.scores[kind.block.valid]
    found: Floats = scored[~np.isnan(scored)]
    return found


def _histogram(values: Floats) -> Iterator[Finding]:
    """A row each score, or each of the bins where there are many."""
    found, counts = np.unique(values, return_counts=True)
    names = [f"{value:g}" for value in found]
    if len(found) > MOST_VALUES:
        counts, edges = np.histogram(values, MOST_VALUES)
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    for name, count in zip(names, counts.tolist(), strict=True):
        share = bare(count / len(values))
        yield finding("scores", "", name, "share", "share", share, count)


def _ties(
    name: str, kinds: Sequence[Kind], voted: Sequence[VoteNoise], k: int
) -> Iterator[Finding]:
    judged = [kind.judged for kind in kinds]
    one = [over_samples((kind.credit > 0) & (kind.credit < 1), kind.read) for kind in kinds]
    reached = [mine & ~np.isnan(found.tie) for mine, found in zip(judged, voted, strict=True)]
    votes_of_k = [(k, [found.tie for found in voted], reached)] if k > 1 else []
    for at, each, known in [(1, one, judged), *votes_of_k]:
        tied = joined(each, known)
        cluster = joined([kind.cluster for kind in kinds], known)
        share = share_of(tied, np.ones(len(tied)), cluster)
        if share.items:
            yield finding("scores", name, f"k={at}", "tied", "share", share, len(tied))
