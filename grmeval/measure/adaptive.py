"""Adaptive: when an item needs no more samples, because its verdict cannot change, or hardly can.

The verdict is who is ahead: the one side with the highest total. Sides are responses; of one response they
are it and the threshold. A tie is no verdict that could be kept, and nothing here knows which response is
best.

A vote that adds points has leads: the leader's points less a rival's, one number a sample; what could not
be read adds 0. A lead that the samples to come cannot make up for stays (`sure`). Else the final lead over
k samples is predicted from the m at hand, for each rival. Their mean d is the better known the more samples
there are, and who leads owes some of it to luck: so the r = k - m to come are taken to have the mean B d,
where B = t2 / (t2 + s2 / m), the posterior mean of an item whose true lead is normal around 0 with variance
t2. The final lead then has mean m d + r B d and variance r s2 + r^2 B s2 / m. s2 is the variance of the
item's leads, badly known from a few samples and therefore drawn towards that of all items, which counts as
PRIOR samples; t2 is that of true leads, by the method of moments from all items: mean of d^2 less s2 / m.
`change` is the chance that some rival is not behind at the end: normal, rivals added up.
"""

from typing import Any, NamedTuple

import numpy as np

from grmeval.measure.ballots import Ballots, Bools, Floats, Ints, borda, majority

__all__ = ["ADDING", "BOUNDED", "PRIOR", "Prospects", "Scale", "Spread", "games", "prospects"]

PRIOR = 4
"""Samples that what is known of all items counts for in the variance of one."""

KNOWN = 32
"""Items that can tell how far the true leads of items lie apart."""

ADDING = ("sum", "mean", "majority", "borda", "token-prob")
"""Votes that add points: they have a bound and a model."""

BOUNDED = ("median",)
"""Votes that have a bound alone."""

_ROUNDING = 1e-9


class Spread(NamedTuple):
    """How leads over the second vary, of all items together; or [I], what each tells.

    squares and freedom: inside items, squared deviations and their degrees of freedom. items: those with two
    samples or more; gaps: their mean leads squared, inverse: 1 / samples, summed up.
    """

    squares: Any = 0.0
    freedom: Any = 0.0
    items: Any = 0.0
    gaps: Any = 0.0
    inverse: Any = 0.0

    def total(self) -> "Spread":
        """Of all items together."""
        return Spread(*(float(np.sum(part)) for part in self))

    def and_(self, other: "Spread", sign: int = 1) -> "Spread":
        """With what others tell, or without it (-1)."""
        return Spread(*(mine + sign * theirs for mine, theirs in zip(self, other, strict=True)))

    def variances(self) -> tuple[float, float] | None:
        """(inside items, between the true leads of items: of few 0, as a wrong one costs verdicts); None:
        nothing is known.
        """
        if self.freedom <= 0:
            return None
        inside = self.squares / self.freedom
        if self.items < KNOWN:
            return inside, 0.0
        return inside, max(0.0, (self.gaps - inside * self.inverse) / self.items)


class Scale(NamedTuple):
    """What a score can be (None: any number), and what the total of a single response is held against."""

    low: float | None = None
    high: float | None = None
    threshold: float = 5.5


class Prospects(NamedTuple):
    """What may become of I items, arrays [I].

    ahead: the side that leads alone, -1 where none does. sure: it will. change: the chance that it does not;
    1 where none leads or nothing is known. told: what each item tells of how leads vary.
    steady: the lead over the nearest rival, mean by standard deviation; 0 where nothing is known.
    """

    ahead: Ints
    sure: Bools
    change: Floats
    told: Spread
    steady: Floats

    def needed(self, most: int, epsilon: float) -> int:
        """Samples after which the first item would stop if its lead went on as it is."""
        from scipy.special import ndtri

        if epsilon <= 0 or self.steady[0] <= 0:
            return most
        # k d / sqrt(s2 (k - m) k / m) = z, for m.
        ratio = (float(ndtri(epsilon)) / float(self.steady[0])) ** 2 / most
        return int(np.ceil(most * ratio / (1 + ratio)))


def prospects(
    vote: str,
    scores: Floats,
    valid: Bools,
    most: int,
    spread: Spread,
    scale: Scale,
    weight: Floats | None = None,
) -> Prospects:
    """What may become of the verdicts of items that have m of `most` samples.

    `scores` [I, m, n] (ignored where invalid; NaN in a valid sample: that response's is missing), `valid`
    [I, m] (an invalid sample is an empty vote), `weight` [I, m]: for token-prob, NaN where a sample has
    none. m = 0: no verdict. m = most: every verdict is sure, a tie too. ValueError: a vote that has no
    bound and no model.
    """
    if vote not in (*ADDING, *BOUNDED):
        raise ValueError(
            f"the vote {vote!r} has no bound: choose one of {', '.join((*ADDING, *BOUNDED))}"
        )
    read = valid[..., None] & ~np.isnan(scores)
    if vote == "token-prob":
        if weight is None:
            raise ValueError("the vote 'token-prob' needs `weight`, one number a sample or NaN")
        read &= ~np.isnan(weight)[..., None]
        scores = scores * weight[..., None]
    filled = np.where(read, scores, 0.0)
    left = most - scores.shape[1]
    if vote in BOUNDED:
        return _by_bound(*_medians(filled, read, left, scale), left)
    if vote in ("majority", "borda"):
        points, told = _counted(vote, filled, read, scale.threshold), read.all(axis=2).any(axis=1)
        sides = points
    else:
        points, told = _whole(filled, read), read.any(axis=1).all(axis=1)
        sides = _beside(points, read, scale.threshold)
    found = _by_model(sides, told, most, spread)
    return found._replace(sure=_sure(vote, filled, read, sides, found.ahead, left, scale))


def games(
    vote: str,
    scores: Floats,
    valid: Bools,
    most: int,
    spread: Spread,
    scale: Scale,
    weight: Floats | None = None,
) -> Prospects:
    """The same of balanced pairs that are voted on inside each order, one game an order: sample j is of game
    j mod 2, and who wins more games is ahead.

    Here that is who wins both: one game each is a tie, and a game that is tied may go either way.
    """
    one, other = (
        prospects(
            *(vote, scores[:, g::2], valid[:, g::2], (most + 1 - g) // 2, spread, scale),
            None if weight is None else weight[:, g::2],
        )
        for g in (0, 1)
    )
    same = (one.ahead == other.ahead) & (one.ahead >= 0)
    done = scores.shape[1] == most
    return Prospects(
        np.where(same, one.ahead, -1),
        (one.sure & other.sure & same) | done,
        np.where(same, np.minimum(one.change + other.change, 1.0), 1.0),
        one.told.and_(other.told),
        np.minimum(one.steady, other.steady),
    )


def _whole(filled: Floats, read: Bools) -> Floats:
    """A response's score that is missing beside others counts as the mean of its own, as in `ballots.add`."""
    partial = read.any(axis=2, keepdims=True) & ~read
    own = filled.sum(axis=1, keepdims=True) / np.maximum(read.sum(axis=1, keepdims=True), 1)
    return np.where(partial, own, filled)


def _beside(points: Floats, read: Bools, threshold: float) -> Floats:
    """A single response's rival is the threshold."""
    if points.shape[2] > 1:
        return points
    return np.concatenate([points, np.where(read, threshold, 0.0)], axis=2)


def _counted(vote: str, filled: Floats, read: Bools, threshold: float) -> Floats:
    """Points of each sample: what the vote gives to that sample alone. Sides as in `prospects`."""
    items, samples, responses = filled.shape
    shape, one = (-1, 1, responses), np.ones((1, 1))
    given = Ballots(filled.reshape(shape), read.reshape(shape), one, threshold, one)
    total = {"majority": majority, "borda": borda}[vote](given).total
    points = total.reshape(items, samples, responses)
    if responses > 1:
        return points
    return np.concatenate([np.maximum(points, 0.0), np.maximum(-points, 0.0)], axis=2)


def _ahead(totals: Floats) -> Ints:
    """The side of the one highest total [I, s]; -1: it is shared."""
    first = totals.argmax(axis=1)
    rest = totals.copy()
    np.put_along_axis(rest, first[:, None], -np.inf, axis=1)
    alone = totals.max(axis=1) - rest.max(axis=1) > _ROUNDING * (1 + np.abs(totals).max(axis=1))
    return np.where(alone, first, -1)


def _by_model(sides: Floats, told: Bools, most: int, spread: Spread) -> Prospects:
    """Leads of points [I, m, s] and what follows of them; without the bound."""
    items, made, count = sides.shape
    nothing = np.zeros(items)
    if made == 0:
        none = np.full(items, -1)
        return Prospects(none, np.zeros(items, bool), nothing + 1, Spread(*[nothing] * 5), nothing)
    totals = sides.sum(axis=1)
    ahead = np.where(told, _ahead(totals), -1)
    leader = np.where(ahead < 0, totals.argmax(axis=1), ahead)[:, None]
    leads = np.take_along_axis(sides, leader[..., None], axis=2) - sides
    mean = leads.mean(axis=1)
    squares = ((leads - mean[:, None]) ** 2).sum(axis=1)
    rivals = np.arange(count) != leader
    second = np.where(rivals, totals, -np.inf).argmax(axis=1)[:, None]
    left, steady, change = most - made, nothing, nothing
    known = spread.variances()
    if left > 0 and known is None:
        change = nothing + 1
    elif left > 0 and known:
        inside, between = known
        variance = (squares + PRIOR * inside) / (made - 1 + PRIOR)
        shrunk = between / np.maximum(between + variance / made, _ROUNDING)
        chance = _behind(
            (made + left * shrunk) * mean, variance * left * (1 + left * shrunk / made)
        )
        change = np.minimum(np.where(rivals, chance, 0.0).sum(axis=1), 1.0)
        nearest = np.where(rivals, mean / np.sqrt(np.maximum(variance, _ROUNDING)), np.inf)
        steady = np.maximum(nearest.min(axis=1), 0.0)
    change = np.where((ahead < 0) & (left > 0), 1.0, change)
    return Prospects(
        ahead, np.zeros(items, bool), change, _told(squares, mean, second, made), steady
    )


def _told(squares: Floats, mean: Floats, second: Ints, made: int) -> Spread:
    """What items tell of their lead over the second; of one sample nothing."""
    own, gap = (np.take_along_axis(each, second, axis=1)[:, 0] for each in (squares, mean))
    one = np.full(len(own), float(made > 1))
    return Spread(own * one, one * (made - 1), one, gap**2 * one, one / made)


def _behind(mean: Floats, variance: Floats) -> Floats:
    """P(a normal number is 0 or less)."""
    from scipy.special import ndtr

    sd = np.sqrt(variance)
    certain = np.where(mean > 0, 0.0, 1.0)
    chance: Floats = np.where(sd > 0, ndtr(-mean / np.where(sd > 0, sd, 1.0)), certain)
    return chance


def _sure(
    vote: str, filled: Floats, read: Bools, sides: Floats, ahead: Ints, left: int, scale: Scale
) -> Bools:
    """Whether the leader leads whatever is still to come [I]."""
    if left <= 0:
        return np.ones(len(filled), bool)
    if vote in ("sum", "mean"):
        lowest, highest = _means(filled, read, left, scale)
        return _by_bound(lowest, highest, left).sure & (ahead >= 0)
    if vote == "token-prob":
        if scale.low is None or scale.high is None:
            return np.zeros(len(filled), bool)
        step = max(scale.high, 0.0) - min(scale.low, 0.0)
    else:
        step = max(filled.shape[2] - 1, 1) if vote == "borda" else 1
    totals = sides.sum(axis=1)
    leader = np.maximum(ahead, 0)[:, None]
    lead = np.take_along_axis(totals, leader, axis=1) - totals
    np.put_along_axis(lead, leader, np.inf, axis=1)
    least: Floats = lead.min(axis=1, initial=np.inf)
    return np.asarray((least > left * step + _ROUNDING) & (ahead >= 0))


def _means(filled: Floats, read: Bools, left: int, scale: Scale) -> tuple[Floats, Floats]:
    """Lowest and highest mean [I, s] that each side can end with; however many are read of those to come."""
    count = read.sum(axis=1)
    total = filled.sum(axis=1)
    low, high = (
        (total + left * end) / (count + left)
        for end in (
            -np.inf if scale.low is None else scale.low,
            np.inf if scale.high is None else scale.high,
        )
    )
    return _and_threshold(low, high, scale)


def _medians(filled: Floats, read: Bools, left: int, scale: Scale) -> tuple[Floats, Floats]:
    """The same of medians; without any score a median is anything."""
    count = read.sum(axis=1) + left
    found = []
    for end, silent in ((scale.low, -np.inf), (scale.high, np.inf)):
        more = np.full((len(filled), left, filled.shape[2]), silent if end is None else end)
        held = np.sort(np.concatenate([np.where(read, filled, np.inf), more], axis=1), axis=1)
        middle = [
            np.take_along_axis(held, at[:, None], axis=1)[:, 0]
            for at in (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, held.shape[1] - 1))
        ]
        found.append(np.where(count > 0, (middle[0] + middle[1]) / 2, silent))
    return _and_threshold(found[0], found[1], scale)


def _and_threshold(low: Floats, high: Floats, scale: Scale) -> tuple[Floats, Floats]:
    if low.shape[1] > 1:
        return low, high
    fixed = np.full_like(low, scale.threshold)
    return np.concatenate([low, fixed], axis=1), np.concatenate([high, fixed], axis=1)


def _by_bound(low: Floats, high: Floats, left: int) -> Prospects:
    """Who is ahead at the end whatever comes: whose lowest is above every other's highest."""
    leader = low.argmax(axis=1)[:, None]
    others = high.copy()
    np.put_along_axis(others, leader, -np.inf, axis=1)
    lowest = np.take_along_axis(low, leader, axis=1)[:, 0]
    over = lowest > others.max(axis=1) + _ROUNDING * (1 + np.abs(lowest))
    nothing = np.zeros(len(low))
    sure = over | (left <= 0)
    return Prospects(
        np.where(over, leader[:, 0], -1),
        sure,
        np.where(sure, 0.0, 1.0),
        Spread(*[nothing] * 5),
        nothing,
    )
