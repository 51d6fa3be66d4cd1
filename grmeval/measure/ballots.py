"""Ballots: the arithmetic of each vote, from the samples that a subset holds to one total per response.

Equations are those of arXiv 2504.02495. Every rule is called with at least one sample; where a response
has no score in a subset its total means nothing, and the caller replaces it. Beside its totals a rule tells
what was added, as `rounding` wants to know: counts and picks are exact, and so is one sample's score.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.rounding import adds_exactly

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


class Ballots(NamedTuple):
    """What a rule counts.

    scores and read: [I, N, n], a score is 0 where it was not read. chosen: 1.0 where a subset holds the
    sample, [S, N], or [S, I, N] where each item has its own. weight: [I, N], of each sample.
    """

    scores: Floats
    read: Bools
    chosen: Floats
    threshold: float
    weight: Floats


class Counted(NamedTuple):
    """What a rule finds, [S, I, n]: totals, and the sum of |weight x score| over the samples in each.

    added: scaled as the total is; 0 for one sample; None where no total can have been rounded.
    """

    total: Floats
    added: Floats | None = None

    def scaled(self, divisor: Floats | float, times: Floats | float = 1.0) -> "Counted":
        """The same divided by something, then multiplied."""
        added = None if self.added is None else self.added / divisor * times
        return Counted(self.total / divisor * times, added)


def _added(values: Floats, chosen: Floats) -> Floats:
    """Sums [S, I, n] of values [I, N, n] over the chosen samples."""
    if chosen.ndim == 3:
        own: Floats = np.matmul(chosen.transpose(1, 0, 2), values).transpose(1, 0, 2)
        return own
    # One matrix product a response: the axis of n, two to ten long, must not be the inner one.
    summed = np.empty((values.shape[2], len(chosen), len(values)))
    np.matmul(chosen, values.transpose(2, 1, 0), out=summed)
    return summed.transpose(1, 2, 0)


def readable(ballots: Ballots) -> Floats:
    """How many of the chosen samples have a score: of each response, or of all alike [..., 1]."""
    read = ballots.read
    alike = read.all(axis=2) == read.any(axis=2)
    counted = (read[..., :1] if alike.all() else read).astype(np.float64)
    return _added(counted, ballots.chosen)


def _incomplete(read: Bools) -> Bools:
    """Items [I] with a sample that scores some responses and misses others (judged apart)."""
    partial: Bools = (read.all(axis=2) != read.any(axis=2)).any(axis=1)
    return partial


def _summed(terms: Floats, ballots: Ballots, exactly: bool) -> Counted:
    """Sums of terms [I, N, n] over the chosen samples; `exactly`: none of them is rounded."""
    summed = _added(terms, ballots.chosen)
    if exactly:
        return Counted(summed)
    return Counted(summed, _added(np.abs(terms), ballots.chosen) * (readable(ballots) > 1))


def mean(ballots: Ballots) -> Counted:
    """The mean of the response's scores (Eq. 12, of semi-scalar reward models).

    k = 1: the sample's scores. All equal: equal totals.
    """
    # Of sums that are exact equal means are equal as well: there is one nearest number to a fraction.
    summed = _summed(ballots.scores, ballots, adds_exactly(ballots.scores))
    return summed.scaled(np.maximum(readable(ballots), 1.0))


def add(ballots: Ballots) -> Counted:
    """`sum`: S*_i = sum over samples of S_ij (Eq. 14).

    n = 1: the mean, since a threshold compares scores across items, where a missing sample must not
    count as 0. Nor must a response's missing score, where the others have theirs: then it is (mean of the
    response's scores) x k. k = 1: the sample's scores. All equal: equal totals.
    """
    if ballots.scores.shape[2] == 1:
        return mean(ballots)
    summed = _summed(ballots.scores, ballots, adds_exactly(ballots.scores))
    partial = _incomplete(ballots.read)[:, None]
    if not partial.any():
        return summed
    k = ballots.chosen.sum(axis=-1).reshape(len(ballots.chosen), -1, 1)
    count = np.maximum(readable(ballots), 1.0)
    return summed.scaled(np.where(partial, count, 1.0), np.where(partial, k, 1.0))


def add_weighted(ballots: Ballots) -> Counted:
    """Sum over samples of (weight of the sample) x S_ij.

    n = 1: the weighted mean. Where single scores are missing: (weighted mean of the response's scores)
    x (all weights). k = 1: the sample's scores times its weight. All scores equal, or all weights 0:
    equal totals.
    """
    weights = ballots.weight[..., None] * ballots.read
    terms, single = ballots.scores * weights, ballots.scores.shape[2] == 1
    summed = _summed(terms, ballots, adds_exactly(terms) and adds_exactly(weights))
    partial = _incomplete(ballots.read)[:, None] | single
    if not partial.any():
        return summed
    own = _added(weights, ballots.chosen)
    average = summed.scaled(np.where(partial & (own > 0), own, 1.0))
    # One sample's mean is its score, which (weight x score) / weight may miss.
    alone = partial & (readable(ballots) == 1)
    score = _added(ballots.scores, ballots.chosen)
    average = average._replace(total=np.where(alone, score, average.total))
    everything = 1.0 if single else _added(weights.max(axis=2, keepdims=True), ballots.chosen)
    return average.scaled(1.0, np.where(partial, everything, 1.0))


def majority(ballots: Ballots) -> Counted:
    """Samples in which this response alone has the highest score (Eq. 13, of an index judge's picks).

    A shared top, and a sample with a score missing, vote for nobody. n = 1: samples at or above the
    threshold minus those below. k = 1: 1 for the response ahead, else all 0. All equal: all 0.
    """
    scores, read = ballots.scores, ballots.read
    if scores.shape[2] == 1:
        side = np.where(scores >= ballots.threshold, 1.0, -1.0)
        return Counted(_added(side * read, ballots.chosen))
    leads = scores == scores.max(axis=2, keepdims=True)
    alone = (leads.sum(axis=2, keepdims=True) == 1) & read.all(axis=2, keepdims=True)
    return Counted(_added((leads & alone).astype(np.float64), ballots.chosen))


def borda(ballots: Ballots) -> Counted:
    """Responses that this one beats in a sample, plus half of those it ties with, over all samples.

    Borda's count (1784) with ties split; of a pair 1, 1/2 or 0, so the verdict is the majority's. A
    sample with a score missing votes for nobody. k = 1: the sample's ranking. All equal: (n - 1) / 2
    a sample for each. Not defined for n = 1.
    """
    scores = ballots.scores
    points = np.full(scores.shape, -0.5)  # its tie with itself
    for other in range(scores.shape[2]):
        rival = scores[..., other : other + 1]
        points += (scores > rival) + 0.5 * (scores == rival)
    complete = ballots.read.all(axis=2, keepdims=True)
    return Counted(_added(points * complete, ballots.chosen))


def _held(ballots: Ballots, absent: float) -> Floats:
    """Each subset's scores [S, I, n, N]; `absent` where it has none."""
    # In memory as in the result, which makes it seven times as fast.
    held = np.ascontiguousarray(
        np.where(ballots.read, ballots.scores, absent).transpose(0, 2, 1), dtype=np.float64
    )
    return np.where((ballots.chosen > 0)[:, None, None], held, absent)


def median(ballots: Ballots) -> Counted:
    """The median of the response's scores; of an even number the mean of the middle two.

    n = 1 and scores missing: the same. k = 1: the sample's scores. All equal: equal totals.
    """
    ordered = np.sort(_held(ballots, np.inf), axis=-1)
    count = np.maximum(readable(ballots), 1.0).astype(np.intp)
    count = np.broadcast_to(count, ordered.shape[:-1])[..., None]
    lower = np.take_along_axis(ordered, (count - 1) // 2, axis=-1)[..., 0]
    upper = np.take_along_axis(ordered, count // 2, axis=-1)[..., 0]
    middle: Floats = (lower + upper) / 2
    if adds_exactly(ballots.scores):
        return Counted(middle)
    return Counted(middle, np.where(lower == upper, 0.0, (np.abs(lower) + np.abs(upper)) / 2))


def highest(ballots: Ballots) -> Counted:
    """`max`: the highest of the response's scores.

    n = 1 and scores missing: the same. k = 1: the sample's scores. All equal: equal totals.
    """
    return Counted(_held(ballots, -np.inf).max(axis=-1))


def by_probability(ballots: Ballots, weight: Floats, k_meta: int | None) -> Ballots:
    """`token-prob`: a sample weighs the probability of its pick, for which an index judge writes 1.

    A sample without a probability is as good as unreadable.
    """
    known = ~np.isnan(weight)
    return ballots._replace(
        scores=np.where(known[..., None], ballots.scores, 0.0),
        weight=np.where(known, weight, 0.0),
        read=ballots.read & known[..., None],
    )


def by_reward(ballots: Ballots, reward: Floats, k_meta: int | None) -> Ballots:
    """`meta-weighted`: a sample weighs sigmoid(its meta reward).

    The meta RM is trained by binary cross-entropy on whether the sample ranks the responses rightly, so
    its reward is the logit of that probability. A sample without a reward is as good as unreadable.
    """
    # log sigmoid(r) = -log(1 + exp(-r)), which no reward makes overflow.
    right = np.exp(-np.logaddexp(0.0, -np.nan_to_num(reward)))
    return by_probability(ballots, np.where(np.isnan(reward), np.nan, right), k_meta)


def best_rewarded(ballots: Ballots, reward: Floats, k_meta: int | None) -> Ballots:
    """`meta`: only the `how_many_kept` samples of each subset that come first by meta reward vote.

    The paper's voting guided by a meta RM (section 4, Figure 3). k = 1: the one sample, whatever its
    reward. All rewards equal: the first by j.
    """
    order = by_merit(reward, np.asarray(ballots.read.any(axis=2)))
    chosen = ballots.chosen[:, order]
    kept = how_many_kept(ballots.chosen.sum(axis=1), k_meta)[:, None, None]
    return ballots._replace(
        scores=np.take_along_axis(ballots.scores, order[..., None], axis=1),
        read=np.take_along_axis(ballots.read, order[..., None], axis=1),
        chosen=np.where(np.cumsum(chosen, axis=2) <= kept, chosen, 0.0),
    )


def how_many_kept(k: Floats, k_meta: int | None) -> Floats:
    """k_meta of k: half of them, at least 1 (the paper's default); one that is given, at most k."""
    kept: Floats = np.maximum(1.0, k // 2) if k_meta is None else np.minimum(float(k_meta), k)
    return kept


def by_merit(reward: Floats, valid: Bools) -> Ints:
    """Samples [I, N] from the highest meta reward to the lowest, then those without one, then invalid ones.

    Equal ones by j.
    """
    stage = np.where(valid, np.isnan(reward), 2)
    falling = np.where(stage == 0, -reward, 0.0)
    order: Ints = np.lexsort((falling, stage), axis=-1)
    return order
