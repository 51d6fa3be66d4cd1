"""Slow oracles in plain Python: each vote of one subset, and every admissible subset one at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import exp, isnan
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from grmeval.measure import VOTES, Extra
from grmeval.measure.votes import Bools, Floats

LEVEL = 1e-9


class Judgement(NamedTuple):
    """Sample j; no scores where it could not be read, NaN where there is no weight or reward."""

    j: int
    scores: list[float] | None
    weight: float
    reward: float


class Block(NamedTuple):
    """Stored samples of some items."""

    scores: Floats
    valid: Bools
    drawn: Bools
    best: Bools
    extra: Extra


def votes_for(n: int) -> list[str]:
    return [vote for vote in VOTES if n > 1 or vote not in ("borda", "token-prob")]


def stored_samples(
    rng: np.random.Generator, items: int, samples: int, n: int, holes: bool = True
) -> Block:
    """Few levels of everything, so that ties are common; some samples invalid, some never drawn."""
    scores = rng.integers(1, 5, (items, samples, n)).astype(float)
    drawn = np.ones((items, samples), bool)
    if holes:
        drawn[items // 2 :] = rng.random((items - items // 2, samples)) < 0.7
    valid = drawn & (rng.random((items, samples)) < 0.75)
    valid[0] = False
    scores[~valid] = np.nan
    best = rng.random((items, n)) < 0.5
    weight = rng.integers(1, 5, (items, samples)) / 4
    reward = rng.integers(-2, 3, (items, samples)) / 2
    weight[rng.random(weight.shape) < 0.2] = np.nan
    reward[rng.random(reward.shape) < 0.2] = np.nan
    return Block(scores, valid, drawn, best, Extra(weight, reward))


def judgements(block: Block, item: int) -> list[Judgement]:
    extra = block.extra
    assert extra.weight is not None
    assert extra.reward is not None
    return [
        Judgement(
            j,
            block.scores[item, j].tolist() if block.valid[item, j] else None,
            float(extra.weight[item, j]),
            float(extra.reward[item, j]),
        )
        for j in range(block.drawn.shape[1])
        if block.drawn[item, j]
    ]


def kept_by_meta(subset: Sequence[Judgement], k_meta: int | None) -> list[Judgement]:
    """Pick the best that is left, again and again."""
    left, kept = list(subset), []
    for _ in range(max(1, len(left) // 2) if k_meta is None else min(k_meta, len(left))):
        scored = [s for s in left if s.scores is not None and not isnan(s.reward)]
        readable = [s for s in left if s.scores is not None]
        if scored:
            highest = max(s.reward for s in scored)
            pick = min(s.j for s in scored if s.reward == highest)
        else:
            pick = min(s.j for s in readable or left)
        kept += [s for s in left if s.j == pick]
        left = [s for s in left if s.j != pick]
    return kept


def weight_of(sample: Judgement, vote: str) -> float:
    """How much a sample counts; NaN: not at all."""
    if vote == "token-prob":
        return sample.weight
    return 1 / (1 + exp(-sample.reward)) if vote == "meta-weighted" else 1.0


def response_total(values: list[float], weights: list[float], vote: str, single: bool) -> float:
    if vote == "max":
        return max(values)
    if vote == "median":
        return float(median(values))
    total = sum(w * v for w, v in zip(weights, values, strict=True))
    if vote == "mean" or single:
        return total / sum(weights)
    return total


def plain_totals(
    vote: str, subset: Sequence[Judgement], n: int, threshold: float, k_meta: int | None
) -> list[float] | None:
    """One total a response; None: nothing votes."""
    if vote == "meta" and subset:
        subset = kept_by_meta(subset, k_meta)
    voters = [(s.scores, weight_of(s, vote)) for s in subset if s.scores is not None]
    voters = [(row, weight) for row, weight in voters if not isnan(weight)]
    if not voters:
        return None
    rows, weights = [row for row, _ in voters], [weight for _, weight in voters]
    if vote == "majority" and n == 1:
        return [float(sum(1 if row[0] >= threshold else -1 for row in rows))]
    if vote == "majority":
        picks = [row.index(max(row)) for row in rows if row.count(max(row)) == 1]
        return [float(picks.count(r)) for r in range(n)]
    if vote == "borda":
        others = [[q for q in range(n) if q != r] for r in range(n)]
        return [
            sum(1.0 if row[r] > row[q] else 0.5 * (row[r] == row[q]) for row in rows for q in rest)
            for r, rest in enumerate(others)
        ]
    return [response_total([row[r] for row in rows], weights, vote, n == 1) for r in range(n)]


Masses = tuple[float, float, float, float]  # win, tie, share, void


def verdict(
    vote: str, subset: Sequence[Judgement], best: Bools, threshold: float, k_meta: int | None = None
) -> Masses:
    total = plain_totals(vote, subset, len(best), threshold, k_meta)
    if total is None:
        return 0.0, 0.0, 0.0, 1.0
    if len(best) == 1:
        judged = total[0] > 0 if vote == "majority" else total[0] >= threshold - LEVEL
        return float(judged == best[0]), 0.0, 0.0, 0.0
    winners = [bool(good) for good, t in zip(best, total, strict=True) if t >= max(total) - LEVEL]
    share = sum(winners) / len(winners)
    return float(share == 1), float(0 < share < 1), share if share < 1 else 0.0, 0.0


def in_games(
    vote: str, subset: Sequence[Judgement], best: Bools, threshold: float, k_meta: int | None = None
) -> Masses:
    """One game an order of a pair: what counts is who won more of them."""
    games = [[s for s in subset if s.j % 2 == order] for order in (0, 1)]
    found = [plain_totals(vote, game, 2, threshold, k_meta) for game in games]
    if not any(found):
        return 0.0, 0.0, 0.0, 1.0
    leads = [total[0] - total[1] for total in found if total]
    signs = sum((lead > LEVEL) - (lead < -LEVEL) for lead in leads)
    balance = signs * (int(best[0]) - int(best[1]))
    return float(balance > 0), float(balance == 0), (balance == 0) / 2, 0.0


def order_counts(js: Sequence[int], n: int) -> Any:
    return tuple(sorted(Counter(j % n for j in js).items()))


def weighted_subsets(
    stored: list[Judgement], k: int, n: int, balanced: bool
) -> Iterator[tuple[tuple[Judgement, ...], float]]:
    """(subset, probability): order counts of a fresh run weigh the same, subsets inside them too."""
    fresh = {order_counts(range(start, start + k), n) for start in range(n)}
    alike: dict[Any, list[tuple[Judgement, ...]]] = {}
    for subset in combinations(stored, k):
        counts = order_counts([s.j for s in subset], n)
        if not balanced or counts in fresh:
            alike.setdefault(counts if balanced else None, []).append(subset)
    for same in alike.values():
        for subset in same:
            yield subset, 1 / len(alike) / len(same)


def expected(
    block: Block,
    ks: Sequence[int],
    vote: str,
    balanced: bool,
    threshold: float = 5.5,
    judge: Callable[..., Masses] = verdict,
) -> Floats:
    """Masses [I, K, 4], NaN where no subset is admissible."""
    found = np.full((len(block.drawn), len(ks), 4), np.nan)
    n, k_meta = block.best.shape[1], block.extra.k_meta
    for item, best in enumerate(block.best):
        stored = judgements(block, item)
        for column, k in enumerate(ks):
            parts = [
                [weight * mass for mass in judge(vote, subset, best, threshold, k_meta)]
                for subset, weight in weighted_subsets(stored, k, n, balanced)
            ]
            if parts:
                found[item, column] = np.sum(parts, axis=0)
    return found
