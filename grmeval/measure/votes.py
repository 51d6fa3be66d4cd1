"""Votes: rules that turn an item's samples into one total per response."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from grmeval.measure import ballots
from grmeval.measure.ballots import Ballots, Bools, Counted, Floats
from grmeval.measure.rounding import at_threshold, settled

__all__ = [
    "NO_EXTRA",
    "VOTES",
    "VOTE_TABLE",
    "Bools",
    "Extra",
    "Floats",
    "Vote",
    "check_vote",
    "subset_totals",
    "totals",
]

# Cells [subset, item, response, sample] that a rule of that shape holds at once: 16 MiB.
_CHUNK_CELLS = 2**21


class Extra(NamedTuple):
    """What some votes need beside the scores.

    weight: [I, N], the probability of the judge's pick in each sample; NaN where the judge gave none.
    reward: [I, N], the meta reward of each sample; NaN where it has none. k_meta: how many of k samples
    `meta` keeps, at most k; None: half of them, at least 1.
    """

    weight: Floats | None = None
    reward: Floats | None = None
    k_meta: int | None = None

    def at(self, index: Any) -> "Extra":
        """The same of some items and samples."""
        weight, reward = (None if part is None else part[index] for part in self[:2])
        return Extra(weight, reward, self.k_meta)


NO_EXTRA = Extra()


class Vote(NamedTuple):
    """A vote: what it does in a line, its rule, and what it needs.

    needs: the field of `Extra` without which it cannot vote. prepare: what is done with that field, before
    anything is counted. single: defined for items of one response. rivals: a response's share in a sample
    depends on the others. spread: needs memory for each sample of each subset.
    """

    about: str
    rule: Callable[[Ballots], Counted]
    needs: str | None = None
    prepare: Callable[[Ballots, Floats, int | None], Ballots] | None = None
    single: bool = True
    rivals: bool = False
    spread: bool = False


VOTE_TABLE: Mapping[str, Vote] = MappingProxyType(
    {
        "sum": Vote("sum of the scores (the paper's)", ballots.add),
        "mean": Vote("mean of the scores", ballots.mean),
        "majority": Vote(
            "samples in which the response alone is ahead", ballots.majority, rivals=True
        ),
        "median": Vote("median of the scores", ballots.median, spread=True),
        "borda": Vote(
            "responses beaten in each sample, half for a tie",
            ballots.borda,
            single=False,
            rivals=True,
        ),
        "max": Vote("highest score", ballots.highest, spread=True),
        "token-prob": Vote(
            "sum of the picks, weighted by the probability of each",
            ballots.add_weighted,
            needs="weight",
            prepare=ballots.by_probability,
            single=False,
        ),
        "meta": Vote(
            "sum over the half of the samples with the highest meta rewards",
            ballots.add,
            needs="reward",
            prepare=ballots.best_rewarded,
            spread=True,
        ),
        "meta-weighted": Vote(
            "sum of the scores, weighted by sigmoid(meta reward)",
            ballots.add_weighted,
            needs="reward",
            prepare=ballots.by_reward,
        ),
    }
)
"""Every vote by its name."""

VOTES: tuple[str, ...] = tuple(VOTE_TABLE)


def check_vote(vote: str, valid: Bools, responses: int, extra: Extra) -> None:
    """ValueError: an unknown vote, one not for this many responses, or without what it needs."""
    if vote not in VOTE_TABLE:
        raise ValueError(f"unknown vote {vote!r}: choose one of {', '.join(VOTES)}")
    entry = VOTE_TABLE[vote]
    if responses == 1 and not entry.single:
        raise ValueError(
            f"the vote {vote!r} compares responses: an item of one has nothing to compare"
        )
    if extra.k_meta is not None and extra.k_meta < 1:
        raise ValueError(f"k_meta must be at least 1, not {extra.k_meta}")
    if entry.needs is None:
        return
    given = getattr(extra, entry.needs)
    if given is None:
        raise ValueError(f"the vote {vote!r} needs `{entry.needs}`: one number a sample, or NaN")
    if given.shape != valid.shape:
        raise ValueError(f"{entry.needs} must have shape {valid.shape}, not {given.shape}")
    if np.isinf(given[valid]).any():
        raise ValueError(f"a {entry.needs} must be finite, or NaN where it is missing")
    if entry.needs == "weight" and (given[valid] < 0).any():
        raise ValueError("a weight is a probability and must not be negative")


def subset_totals(
    vote: str,
    scores: Floats,
    valid: Bools,
    chosen: Floats,
    *,
    threshold: float = 5.5,
    apart: bool = False,
    ranked: bool = False,
    extra: Extra = NO_EXTRA,
) -> Floats:
    """Totals [S, I, n] of S subsets of the samples, the same subsets for every item.

    `scores` [I, N, n], `valid` [I, N] and `extra` as in `totals`; `chosen` [S, N] is 1.0 where a subset
    holds the sample, else 0.0. An item with a response that no voting sample scores has NaN totals;
    `apart`: only that response has.

    What is equal on paper is equal (`rounding`): totals of one item and subset, a single response's total
    and `threshold`; `ranked`: totals of all items of a subset, which are then not compared with it.
    """
    check_vote(vote, valid, scores.shape[-1], extra)
    if scores.ndim != 3 or valid.shape != scores.shape[:2]:
        raise ValueError(
            f"scores must be [I, N, n] and valid [I, N], not {scores.shape} and {valid.shape}"
        )
    if scores.shape[2] == 0:
        raise ValueError("an item needs at least one response")
    read = valid[..., None] & ~np.isnan(scores)
    filled = np.where(read, scores, 0.0)
    if not np.isfinite(filled).all():
        raise ValueError("a score must be finite, or NaN where it is missing")
    entry = VOTE_TABLE[vote]
    items, samples, responses = scores.shape
    if samples == 0:
        return np.full((len(chosen), items, responses), np.nan)
    cells = len(chosen) * samples * responses
    step = max(1, _CHUNK_CELLS // max(1, cells)) if entry.spread else max(1, items)
    found = np.empty((len(chosen), items, responses))
    added: Floats | None = None
    for at in range(0, items, step):
        some = slice(at, at + step)
        given = Ballots(filled[some], read[some], chosen, threshold, np.ones((1, 1)))
        counted = _counted(entry, given, extra.at(some), apart)
        found[:, some] = counted.total
        if counted.added is not None:
            added = np.zeros(found.shape) if added is None else added
            added[:, some] = counted.added
    if added is None:
        return found
    if ranked:
        everyone = len(chosen), items * responses
        return settled(found.reshape(everyone), added.reshape(everyone)).reshape(found.shape)
    return at_threshold(found, added, threshold) if responses == 1 else settled(found, added)


def _counted(entry: Vote, given: Ballots, extra: Extra, apart: bool) -> Counted:
    if entry.needs and entry.prepare:
        given = entry.prepare(given, getattr(extra, entry.needs), extra.k_meta)
    counted = entry.rule(given)
    silent = ballots.readable(given) == 0
    if not apart:
        silent = silent.any(axis=2, keepdims=True)
    return counted._replace(total=np.where(silent, np.nan, counted.total))


def totals(
    vote: str, scores: Floats, valid: Bools, *, threshold: float = 5.5, extra: Extra = NO_EXTRA
) -> Floats:
    """One total per response, [I, n], from all valid samples of each item.

    `scores` float [I, N, n]; entries of an invalid sample are ignored. `valid` bool [I, N]: drawn
    and readable; NaN in a valid sample: this response's score is missing (responses judged apart).
    An item with a response that has no score in any sample that votes (all invalid, also N = 0) has a
    row of NaN, under every vote. `extra`: what the vote `needs` (`VOTE_TABLE`).

    - sum: S*_i = sum over samples of S_ij (arXiv 2504.02495, Eq. 14); for n = 1 the mean; where single
      scores are missing (mean over the response's scores) x samples.
    - mean (Eq. 12), median, max: of the response's scores.
    - majority (Eq. 13): samples in which this response alone has the highest score; a shared top, and a
      sample with a score missing, vote for nobody. For n = 1: samples at or above `threshold` minus
      those below.
    - borda: responses beaten in each sample, plus half of those tied with. Not for n = 1.
    - token-prob: sum of `weight` x score, where an index judge writes 1 for its pick and 0 elsewhere; a
      sample without a weight does not vote. Not for n = 1.
    - meta: the sum (for n = 1 the mean) over the samples of highest `reward`, half of the N samples, at
      least one, or min(k_meta, N); valid samples without a reward come after those that have one,
      invalid ones last; equal rewards by j (the paper's vote guided by a meta RM).
    - meta-weighted: sum of sigmoid(`reward`) x score, for n = 1 the weighted mean; a sample without a
      reward does not vote.

    With one sample sum, mean, median, max and meta are that sample's scores, the weighted votes those
    times its weight, majority and borda its ranking. Equal scores give equal totals, and so does whatever
    is equal on paper: compare them exactly. For n = 1 the same holds of the total and `threshold`. The rules
    in `ballots` say more. ValueError: unknown vote, borda or token-prob of one response, something needed
    that is missing, wrong shapes, an infinite number in a valid sample.
    """
    everything = np.ones((1, valid.shape[1]))
    summed: Floats = subset_totals(
        vote, scores, valid, everything, threshold=threshold, extra=extra
    )[0]
    return summed
