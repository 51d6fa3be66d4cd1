"""Scaling: the expected outcome of a vote over k samples, from N >= k stored ones."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from grmeval.measure.ballots import by_merit
from grmeval.measure.groups import Group
from grmeval.measure.guided import guided_affordable, guided_outcomes
from grmeval.measure.margins import affordable, margin_outcomes, margins
from grmeval.measure.outcomes import Outcomes, judge_games, judge_single, judge_totals
from grmeval.measure.subsets import Counts, Ints, admissible, alike, every, how_many
from grmeval.measure.votes import NO_EXTRA, Bools, Extra, Floats, check_vote

__all__ = ["Curve", "term_curve", "vote_curve"]


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
    if not np.isfinite(scores[valid]).any(axis=-1).all():
        raise ValueError("a valid sample needs a finite score for some response")
    if any(k < 1 for k in ks):
        raise ValueError(f"every k must be at least 1, not {list(ks)}")


def _settled(vote: str, extra: Extra, valid: Bools) -> Extra:
    """Meta rewards without ties, so that it no longer matters in which order samples are held."""
    if vote != "meta" or extra.reward is None:
        return extra
    order = by_merit(extra.reward, valid)
    reward = np.empty(order.shape)
    np.put_along_axis(reward, order, -np.arange(order.shape[1], dtype=float)[None], axis=1)
    return extra._replace(reward=reward)


def vote_curve(
    scores: Floats,
    valid: Bools,
    drawn: Bools,
    best: Bools,
    ks: Sequence[int],
    *,
    vote: str,
    balanced: bool,
    judges: int = 1,
    threshold: float = 5.5,
    games: bool = False,
    rng: np.random.Generator,
    enumerate_at_most: int = 10_000,
    permutations: int = 4096,
    extra: Extra = NO_EXTRA,
) -> Curve:
    """Expected outcome of a fresh vote over k samples under the same order policy, for every k.

    `scores` [I, N, n] (ignored where invalid; NaN in a valid sample: that response's is missing),
    `valid` and `drawn` bool [I, N] (valid implies drawn), `best` bool [I, n], `extra` [I, N]: what the
    vote needs (`VOTE_TABLE`). An invalid sample stays inside k as an empty vote. The average over
    subsets is the U-statistic of the vote (Hoeffding): unbiased, and quieter than the first k.

    `balanced`: sample j shows rotation j mod n and only subsets with a fresh run's order counts
    count; otherwise, and for n = 1, all subsets do. `judges`: sample j is of judge j mod judges (and
    shows rotation j // judges mod n), and only subsets with a fresh panel's counts of each count, see
    `admissible`. `games` (balanced pairs of one judge): a vote inside each order,
    see `judge_games`; `meta` then keeps some of each order's samples. When one subset is left (k = N)
    this is the plain vote. Pairs and single responses with integer margins are exact under sum, mean,
    majority and borda (`margins`), and under meta while that is cheaper than drawing (`guided`); else
    at most `enumerate_at_most` subsets are enumerated; else seeded permutations, between 256 and
    `permutations` (rounded up to whole batches), until the mean's Monte Carlo error is a tenth of the
    items' own. All invalid: void 1. All scores equal: a tie. No item: empty arrays. ValueError: an
    unknown vote or one that lacks what it needs, wrong shapes, k < 1, a valid sample that is not drawn
    or has no score, games without balanced pairs.
    """
    _check(scores, valid, drawn, best, ks)
    check_vote(vote, valid, scores.shape[2], extra)
    settled = _settled(vote, extra, valid)
    if games and (scores.shape[2] != 2 or not balanced or judges > 1):
        raise ValueError("games are of pairs in balanced orders, judged by one")

    def group(members: Ints, samples: Ints, counts: Counts) -> Group:
        good = best[members]

        def judge(totals: list[Floats], part: slice) -> Floats:
            if games:
                return np.array(judge_games(totals, good[part]))
            if good.shape[1] == 1:
                return np.array(judge_single(totals[0], good[part, 0], vote, threshold))
            return np.array(judge_totals(totals[0], good[part]))

        at = members[:, None], samples
        return Group(
            scores[at], valid[at], counts, vote, threshold, judge, 4, settled.at(at), games
        )

    def exact(found: Group, members: Ints, plans: dict[int, list[Counts]]) -> dict[int, Floats]:
        return _exactly(found, best[members], plans)

    cells, noise, sure = _over_subsets(
        drawn,
        (scores.shape[2] if balanced else 1, judges),
        ks,
        (4, enumerate_at_most, permutations),
        rng,
        group,
        exact,
    )
    return Curve(Outcomes(*cells), sure, noise, ~np.isnan(cells[0]))


def term_curve(
    scores: Floats,
    valid: Bools,
    drawn: Bools,
    ks: Sequence[int],
    *,
    vote: str,
    terms: int,
    judge: Callable[[Floats, int], Floats],
    prompt: Ints | None = None,
    judges: int = 1,
    threshold: float = 5.5,
    rng: np.random.Generator,
    enumerate_at_most: int = 1_000,
    permutations: int = 512,
    extra: Extra = NO_EXTRA,
) -> tuple[Floats, Floats]:
    """Expected terms [T, I, K] of pools: responses judged one by one, and something made of all totals.

    `scores`, `valid`, `drawn`, `judges`, `extra` as for `vote_curve`, with orders that do not matter.
    `judge(totals [S, 1, n], i) -> [T, S, 1]` looks at item i; a response without a score has a NaN total.
    `prompt` [n] numbers the prompts where responses answer several: `majority` and `borda` vote inside each.
    Also the standard error [I, K], at most, that Monte Carlo gives the first term. NaN: k not reached. Fewer
    subsets an item than `vote_curve` takes: each is dearer, and their noise is averaged over the pools.
    """
    best = np.zeros((len(scores), scores.shape[2]), dtype=np.bool_)
    _check(scores, valid, drawn, best, ks)
    check_vote(vote, valid, scores.shape[2], extra)
    settled = _settled(vote, extra, valid)
    one_prompt = np.zeros(scores.shape[2], dtype=np.intp)
    cells = np.full((terms, len(scores), len(ks)), np.nan)
    noise = np.zeros((len(scores), len(ks)))
    for item in range(len(scores)):
        one = slice(item, item + 1)

        def group(members: Ints, samples: Ints, counts: Counts, item: int = item) -> Group:
            at = members[:, None] + item, samples
            return Group(
                scores[at],
                valid[at],
                counts,
                vote,
                threshold,
                lambda totals, part: judge(totals[0], item),
                terms,
                settled.at(at),
                prompt=one_prompt if prompt is None else prompt,
            )

        cells[:, one], noise[one], _ = _over_subsets(
            drawn[one], (1, judges), ks, (terms, enumerate_at_most, permutations), rng, group
        )
    return cells, noise


def _over_subsets(
    drawn: Bools,
    turns: tuple[int, int],
    ks: Sequence[int],
    how: tuple[int, int, int],
    rng: np.random.Generator,
    group: Callable[[Ints, Ints, Counts], Group],
    exact: Callable[[Group, Ints, dict[int, list[Counts]]], dict[int, Floats]] | None = None,
) -> tuple[Floats, Floats, Bools]:
    """(terms [T, I, K], noise [I, K], whether each k is exact [K]): exact, enumerated, or sampled.

    `turns`: rotations, judges. A batch of permutations takes each start at least once.
    """
    terms, enumerate_at_most, permutations = how
    rotations, judges = turns
    starts = rotations * judges
    if permutations < max(2, starts):
        raise ValueError(f"permutations must be at least {max(2, starts)}, not {permutations}")
    cells = np.full((terms, len(drawn), len(ks)), np.nan)
    noise = np.zeros((len(drawn), len(ks)))
    sure = np.ones(len(ks), dtype=np.bool_)
    for counts, members, samples in alike(drawn, starts):
        here = group(members, samples, counts)
        plans = {column: admissible(counts, k, judges) for column, k in enumerate(ks)}
        plans = {column: takes for column, takes in plans.items() if takes}
        sizes = {column: how_many(counts, takes) for column, takes in plans.items()}
        several = {column: plans[column] for column, size in sizes.items() if size > 1}
        found = exact(here, members, several) if exact and several else {}
        for column, takes in plans.items():
            if column not in found and sizes[column] <= enumerate_at_most:
                found[column] = here.average(*every(counts, takes))
        for column, averages in found.items():
            cells[:, members, column] = averages
        left = [column for column in plans if column not in found]
        if left:
            averages, errors = here.sampled([plans[c] for c in left], permutations, rng)
            for at, column in enumerate(left):
                cells[:, members, column], noise[members, column] = averages[..., at], errors[:, at]
            sure[left] = False
    return cells, noise, sure


def _exactly(group: Group, best: Bools, plans: dict[int, list[Counts]]) -> dict[int, Floats]:
    """Outcomes [4, G] for the columns of `plans` whose margins can be counted."""
    leads = margins(group.scores, group.valid, best, group.vote, group.threshold)
    guided, k_meta = group.vote == "meta", group.extra.k_meta
    if leads is None or (guided and group.games):
        return {}
    counts, reward = group.counts, group.extra.reward
    if guided and reward is not None:
        some = {c: t for c, t in plans.items() if guided_affordable(leads, counts, t, k_meta)}
        if not some:
            return {}
        takes = list(some.values())
        found = guided_outcomes(leads, reward, group.valid, best, counts, takes, k_meta)
    else:
        some = {c: t for c, t in plans.items() if affordable(leads, counts, t)}
        if not some:
            return {}
        takes = list(some.values())
        found = margin_outcomes(leads, group.valid, best, counts, takes, group.vote, group.games)
    return {column: np.array([o[:, at] for o in found]) for at, column in enumerate(some)}
