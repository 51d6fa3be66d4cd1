"""Outcomes: what a vote's totals say about an item, and the credit that a tie rule pays for it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from grmeval.measure.votes import Bools, Floats

TIES: tuple[str, ...] = ("wrong", "share", "half", "random")
ON_INVALID: tuple[str, ...] = ("wrong", "share", "drop", "half")

# Masses are sums of fractions: the whole of them may be a hair below 1.
_WHOLE = 1 - 1e-9


class Outcomes(NamedTuple):
    """Probabilities over subsets (0 or 1 for one vote), float arrays of one shape, [I] or [I, K].

    win: the vote is right outright. tie: the top is shared by best and not-best responses. share:
    expected (best winners / winners) inside those ties, so tie / 2 for a pair. void: no sample was
    readable. What is left is the probability that the vote is wrong outright.
    """

    win: Floats
    tie: Floats
    share: Floats
    void: Floats


def judge_totals(totals: Floats, best: Bools) -> Outcomes:
    """Outcomes [...] of totals [..., n], n >= 2; best [..., n] or broadcastable.

    Totals are compared exactly: those of `votes` are equal where they are on paper.
    Right outright when every response at the maximum is best, so n equal totals are a tie unless
    all responses are best (right) or none is (wrong). A row that holds NaN is void.
    ValueError: n < 2.
    """
    if totals.shape[-1] < 2:
        raise ValueError("judge_totals compares two or more responses; use judge_single for one")
    top = totals.max(axis=-1)
    leads = totals == top[..., None]
    leaders = leads.sum(axis=-1)
    right = (leads & best).sum(axis=-1)
    tie = (right > 0) & (right < leaders)
    void = np.isnan(top)
    return Outcomes(
        win=((right == leaders) & ~void).astype(np.float64),
        tie=tie.astype(np.float64),
        share=np.where(tie, right / np.maximum(leaders, 1), 0.0),
        void=void.astype(np.float64),
    )


def judge_games(totals: Sequence[Floats], best: Bools) -> Outcomes:
    """Outcomes [...] of a pair from its totals [..., 2] in each response order, one game an order.

    A game counts +1 for the best response and -1 for the other, 0 for a tie or where nothing could be
    read; right when the sum is above 0, a tie when it is 0 (JudgeBench's scorer, two games). Void when
    every game is. `best` [..., 2]; both or neither best: a tie.
    """
    side = best[..., 0].astype(np.float64) - best[..., 1]
    leads = [total[..., 0] - total[..., 1] for total in totals]
    games = [np.sign(lead) * side for lead in leads]
    void = np.all([np.isnan(lead) for lead in leads], axis=0)
    balance = np.nan_to_num(np.array(games)).sum(axis=0)
    tie = ((balance == 0) & ~void).astype(np.float64)
    win = ((balance > 0) & ~void).astype(np.float64)
    return Outcomes(win=win, tie=tie, share=tie / 2, void=void.astype(np.float64))


def judge_single(totals: Floats, good: Bools, vote: str, threshold: float) -> Outcomes:
    """Outcomes [...] of one-response totals [..., 1]; good [...] or broadcastable is the truth.

    Judged right when the mean is at least `threshold`; under majority when strictly more samples
    are at or above it than below. A win is a judgement that agrees with `good`; there are no ties.
    A NaN total is void. ValueError: more than one response.
    """
    if totals.shape[-1] != 1:
        raise ValueError(f"judge_single takes totals [..., 1], not {totals.shape}")
    total = totals[..., 0]
    judged = total > 0 if vote == "majority" else total >= threshold
    void = np.isnan(total)
    none = np.zeros(total.shape)
    return Outcomes(
        win=((judged == good) & ~void).astype(np.float64),
        tie=none,
        share=none.copy(),
        void=void.astype(np.float64),
    )


def credit(
    outcomes: Outcomes,
    *,
    ties: str,
    on_invalid: str,
    chance: Floats,
    uniform: Floats | None = None,
) -> tuple[Floats, Floats]:
    """(credit, weight), both shaped like the outcomes; an accuracy is sum(credit) / sum(weight).

    ties: wrong pays 0, share the winners' share, half a half, random everything or nothing: the
    whole tie where `uniform` [I] in [0, 1) is below share / tie. on_invalid, for the void mass:
    wrong pays 0, share pays `chance` [I] (the share of best responses: what a random pick earns),
    half a half, drop takes it out of the weight. Without drop the weight is 1. NaN outcomes (k not
    reached) stay NaN. ValueError: an unknown rule, or random without `uniform`.
    """
    if ties not in TIES:
        raise ValueError(f"unknown tie rule {ties!r}: choose one of {', '.join(TIES)}")
    if on_invalid not in ON_INVALID:
        raise ValueError(
            f"unknown invalid rule {on_invalid!r}: choose one of {', '.join(ON_INVALID)}"
        )
    win, tie, share, void = outcomes

    def per_item(values: Floats) -> Floats:
        return np.reshape(values, (*np.shape(values), *[1] * (win.ndim - np.ndim(values))))

    if ties == "wrong":
        tied = np.zeros_like(win)
    elif ties == "share":
        tied = share
    elif ties == "half":
        tied = tie / 2
    elif uniform is None:
        raise ValueError("ties='random' needs `uniform`, one number in [0, 1) per item")
    else:
        # share > uniform * tie is uniform < share / tie without a division by no tie.
        tied = np.where(share > per_item(uniform) * tie, tie, 0.0)

    if on_invalid == "drop":
        return win + tied, np.where(void > _WHOLE, 0.0, 1.0 - void)
    paid = {"wrong": 0.0 * void, "share": void * per_item(chance), "half": void / 2}[on_invalid]
    return win + tied + paid, np.ones_like(win)
