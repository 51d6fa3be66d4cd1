"""Scaling: the expected outcome of a vote over k samples, from N >= k stored ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from grmeval.measure.margins import affordable, margin_outcomes, margins
from grmeval.measure.outcomes import Outcomes, judge_single, judge_totals
from grmeval.measure.subsets import (
    Counts,
    Ints,
    admissible,
    alike,
    dealt,
    every,
    how_many,
    shuffled,
)
from grmeval.measure.votes import VOTES, Bools, Floats, subset_totals

_BATCH = 256
# Fits a core's cache, and keeps each product too small for OpenBLAS to start threads, which on a
# busy machine wait for one another.
_CHUNK_TOTALS = 2**14


class Curve(NamedTuple):
    """Outcomes of I items at K sample counts.

    outcomes: arrays [I, K], NaN where not reached. exact: bool [K], no item needed Monte Carlo.
    noise: [I, K], the Monte Carlo standard error of win, 0 where exact; items with equal counts
    share permutations, yet their samples are independent and so, on average, is their noise.
    reached: bool [I, K], False where an item has fewer than k samples or no admissible subset.
    """

    outcomes: Outcomes
    exact: Bools
    noise: Floats
    reached: Bools


@dataclass(frozen=True)
class _Group:
    """Items with the same counts, samples held order by order."""

    scores: Floats
    valid: Bools
    best: Bools
    counts: Counts
    vote: str
    threshold: float

    def average(self, chosen: Floats, start: Ints) -> Floats:
        """Outcomes [4, G] over the subsets `chosen` [S, N]: the mean of the means of each start."""
        member = (start == np.arange(start.max() + 1)[:, None]).astype(np.float64)
        sizes = member.sum(axis=1, keepdims=True)
        averages = np.empty((4, len(self.scores)))
        chunk = max(1, _CHUNK_TOTALS // (len(chosen) * self.best.shape[1]))
        for at in range(0, len(self.scores), chunk):
            part = slice(at, at + chunk)
            summed = subset_totals(
                self.vote, self.scores[part], self.valid[part], chosen, threshold=self.threshold
            )
            if self.best.shape[1] == 1:
                judged = judge_single(summed, self.best[part, 0], self.vote, self.threshold)
            else:
                judged = judge_totals(summed, self.best[part])
            averages[:, part] = [(member @ one / sizes).mean(axis=0) for one in judged]
        return averages

    def sampled(
        self, plans: list[list[Counts]], permutations: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Monte Carlo outcomes [4, G, K] and the standard error [G, K] of win."""
        sums = np.zeros((4, len(self.scores), len(plans)))
        done = 0
        while done < permutations:
            # No short batch: the starts of an order take turns inside each.
            ranks = shuffled(self.counts, min(_BATCH, permutations), rng)
            for column, takes in enumerate(plans):
                sums[:, :, column] += len(ranks) * self.average(*dealt(ranks, self.counts, takes))
            done += len(ranks)
            win = sums[0] / done
            variance = np.clip(win * (1.0 - win), 0.0, None) / (done - 1)
            # The mean's Monte Carlo error under a tenth of the items' (both sides times I). Groups
            # that each pass do so together, as the spread inside groups is below the overall one.
            if (variance.mean(axis=0) <= 0.01 * win.var(axis=0)).all():
                break
        return sums / done, np.sqrt(variance)


def _check(scores: Floats, valid: Bools, drawn: Bools, best: Bools, ks: Sequence[int]) -> None:
    if scores.ndim != 3 or scores.shape[2] == 0:
        raise ValueError(f"scores must be [I, N, n] with n >= 1, not {scores.shape}")
    items, samples, responses = scores.shape
    for name, given, wanted in (
        ("valid", valid.shape, (items, samples)),
        ("drawn", drawn.shape, (items, samples)),
        ("best", best.shape, (items, responses)),
    ):
        if given != wanted:
            raise ValueError(f"{name} must have shape {wanted}, not {given}")
    if (valid & ~drawn).any():
        raise ValueError("a valid sample must be drawn")
    if not np.isfinite(scores[valid]).all():
        raise ValueError("a valid sample needs a finite score for every response")
    if any(k < 1 for k in ks):
        raise ValueError(f"every k must be at least 1, not {list(ks)}")


def vote_curve(
    scores: Floats,
    valid: Bools,
    drawn: Bools,
    best: Bools,
    ks: Sequence[int],
    *,
    vote: str,
    balanced: bool,
    threshold: float = 5.5,
    rng: np.random.Generator,
    enumerate_at_most: int = 10_000,
    permutations: int = 4096,
) -> Curve:
    """Expected outcome of a fresh vote over k samples under the same order policy, for every k.

    `scores` [I, N, n] (ignored where invalid), `valid` and `drawn` bool [I, N] (valid implies
    drawn), `best` bool [I, n]. An invalid sample stays inside k as an empty vote. The average over
    subsets is the U-statistic of the vote (Hoeffding): unbiased, and quieter than the first k.

    `balanced`: sample j shows rotation j mod n and only subsets with a fresh run's order counts
    count; otherwise, and for n = 1, all subsets do. When one subset is left (k = N) this is the
    plain vote. Pairs and single responses with integer margins are exact (`margins`); else at most
    `enumerate_at_most` subsets are enumerated; else seeded permutations, between 256 and
    `permutations` (rounded up to whole batches), until the mean's Monte Carlo error is a tenth of
    the items' own. All invalid: void 1. All scores equal: a tie. No item: empty arrays. ValueError:
    an unknown vote, wrong shapes, k < 1, a valid sample that is not drawn or has no score.
    """
    _check(scores, valid, drawn, best, ks)
    if vote not in VOTES:
        raise ValueError(f"unknown vote {vote!r}: choose one of {', '.join(VOTES)}")
    items, _, responses = scores.shape
    rotations = responses if balanced else 1
    if permutations < max(2, rotations):
        raise ValueError(f"permutations must be at least {max(2, rotations)}, not {permutations}")
    cells = np.full((4, items, len(ks)), np.nan)
    noise = np.zeros((items, len(ks)))
    exact = np.ones(len(ks), dtype=np.bool_)
    for counts, members, samples in alike(drawn, rotations):
        group = _Group(
            scores[members[:, None], samples],
            valid[members[:, None], samples],
            best[members],
            counts,
            vote,
            threshold,
        )
        plans = {column: admissible(counts, k) for column, k in enumerate(ks)}
        plans = {column: takes for column, takes in plans.items() if takes}
        found = _exact(group, plans, enumerate_at_most)
        for column, averages in found.items():
            cells[:, members, column] = averages
        left = [column for column in plans if column not in found]
        if left:
            averages, errors = group.sampled([plans[c] for c in left], permutations, rng)
            for at, column in enumerate(left):
                cells[:, members, column], noise[members, column] = averages[..., at], errors[:, at]
            exact[left] = False
    return Curve(Outcomes(*cells), exact, noise, ~np.isnan(cells[0]))


def _exact(
    group: _Group, plans: dict[int, list[Counts]], enumerate_at_most: int
) -> dict[int, Floats]:
    """Outcomes [4, G] for every column of `plans` that has an exact way."""
    sizes = {column: how_many(group.counts, takes) for column, takes in plans.items()}
    found: dict[int, Floats] = {}
    many = [column for column, size in sizes.items() if size > 1]
    if many:
        leads = margins(group.scores, group.valid, group.best, group.vote, group.threshold)
        if leads is not None:
            many = [c for c in many if affordable(leads, group.counts, plans[c])]
        if leads is not None and many:
            outcomes = margin_outcomes(
                leads,
                group.valid,
                group.best,
                group.counts,
                [plans[column] for column in many],
                group.vote,
            )
            found = {c: np.array([o[:, at] for o in outcomes]) for at, c in enumerate(many)}
    for column, takes in plans.items():
        if column not in found and sizes[column] <= enumerate_at_most:
            found[column] = group.average(*every(group.counts, takes))
    return found
