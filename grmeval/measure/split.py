"""Split: which part of an accuracy's variance comes from the samples, and which from the items."""

from typing import NamedTuple

import numpy as np

from grmeval.measure.outcomes import judge_single, judge_totals
from grmeval.measure.subsets import Counts, admissible, alike, dealt, every, how_many, shuffled
from grmeval.measure.votes import NO_EXTRA, Bools, Extra, Floats, subset_totals

_CHUNK = 2**21


class VoteNoise(NamedTuple):
    """Of each item [I], NaN where k was not reached: vote@k averaged over subsets of its samples.

    credit: expected share of best responses among the winners (a random pick where nothing could be
    read). tie: probability that the top is shared by best and other responses. variance: what a redraw
    of the samples does to `credit`, the items held fixed; NaN where an order has no sample to spare.
    """

    credit: Floats
    tie: Floats
    variance: Floats


def vote_noise(
    vote: str,
    scores: Floats,
    valid: Bools,
    drawn: Bools,
    best: Bools,
    k: int,
    *,
    balanced: bool,
    judges: int = 1,
    threshold: float = 5.5,
    rng: np.random.Generator,
    subsets: int = 1024,
    extra: Extra = NO_EXTRA,
) -> VoteNoise:
    """The U-statistic vote@k and its delete-one-sample jackknife variance (Arvesen 1969).

    Arrays as for `scaling.vote_curve`. At most `subsets` admissible subsets of k are taken one by one;
    of more, so many are drawn, and the variance is less what drawing adds. `balanced`: the orders are
    strata, since a fresh run has the same counts of each; what they differ by is no noise. So are `judges`.
    For k = 1 the variance is s^2 / N, unbiased; for larger k a little too large (Efron and Stein 1981).
    """
    found = VoteNoise(*(np.full(len(scores), np.nan) for _ in range(3)))
    rotations = scores.shape[2] if balanced else 1
    for counts, items, samples in alike(drawn, rotations * judges):
        takes = admissible(counts, k, judges)
        if not takes:
            continue
        enumerated = how_many(counts, takes) <= subsets
        # Whole turns of the starts, so that each has as many subsets.
        draws = -(-subsets // len(takes)) * len(takes)
        chosen, start = (
            every(counts, takes)
            if enumerated
            else dealt(shuffled(counts, draws, rng), counts, takes)
        )
        step = max(1, _CHUNK // (len(chosen) * scores.shape[2]))
        for at in range(0, len(items), step):
            part = items[at : at + step]
            where = part[:, None], samples[at : at + step]
            given = scores[where], valid[where], chosen
            summed = subset_totals(vote, *given, threshold=threshold, extra=extra.at(where))
            credit, tie = _judged(summed, best[part], vote, threshold)
            member = start == np.arange(len(takes))[:, None]
            weight = (member / member.sum(axis=1, keepdims=True)).mean(axis=0)
            found.credit[part], found.tie[part] = weight @ credit, weight @ tie
            found.variance[part] = _jackknife(credit, chosen, member, counts, takes, enumerated)
    return found


def _judged(summed: Floats, best: Bools, vote: str, threshold: float) -> tuple[Floats, Floats]:
    """(credit, tie) [S, G] of totals [S, G, n]."""
    if best.shape[1] == 1:
        outcomes, chance = judge_single(summed, best[:, 0], vote, threshold), 0.5
    else:
        outcomes, chance = judge_totals(summed, best), best.mean(axis=1)
    return outcomes.win + outcomes.share + outcomes.void * chance, outcomes.tie


def _jackknife(
    credit: Floats,
    chosen: Floats,
    member: Bools,
    counts: Counts,
    takes: list[Counts],
    enumerated: bool,
) -> Floats:
    """Stratified jackknife variance [G] of the mean over subsets; credit [S, G], chosen [S, N].

    Without sample s the mean over subsets is U + rho (U - A_s), where A_s is the mean over those that
    hold s and rho = taken / (stored - taken) of its order: no subset is judged twice.
    """
    if any(taken >= count for take in takes for taken, count in zip(take, counts, strict=True)):
        return np.full(credit.shape[1], np.nan)
    moved = np.zeros((chosen.shape[1], credit.shape[1]))
    noise = np.zeros((len(counts), credit.shape[1]))
    for mine, take in zip(member, takes, strict=True):
        held, paid = chosen[mine], credit[mine]
        rho = np.array(take) / (np.array(counts) - np.array(take))
        times = np.maximum(held.sum(axis=0), 1.0)
        apart = (held.T @ paid) / times[:, None] - paid.mean(axis=0)
        moved += np.repeat(rho, counts)[:, None] * apart / len(takes)
        # A_s - U of drawn subsets has the error Var(credit) (1 - f) / (f S), f = taken / stored.
        noise += rho[:, None] * paid.var(axis=0) / (len(paid) * len(takes) ** 2)
    edges = np.cumsum((0, *counts))
    variance = np.zeros(credit.shape[1])
    for order, count in enumerate(counts):
        spread = (moved[edges[order] : edges[order + 1]] ** 2).sum(axis=0)
        drawing = 0.0 if enumerated else count * noise[order]
        variance += (count - 1) / count * (spread - drawing)
    return variance
