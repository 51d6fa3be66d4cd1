"""Ties: RewardBench 2's score of prompts that have several right answers."""

import numpy as np

from grmeval.measure.rounding import ROUNDING
from grmeval.measure.votes import Bools, Floats

TIES_WEIGHTS: tuple[float, ...] = (0.3, 0.3, 0.2, 0.2, 0.01)
"""Of the five terms: tied accuracy, reference accuracy, preferred, preferred hard, margin."""


def ties_terms(totals: Floats, correct: Bools, tied: Bools, unread: float = -1.0) -> Floats:
    """The terms of one prompt [5, ...] from the totals [..., n] of all its responses.

    `correct` bool [n]; `tied` bool [n]: the response is of the tied prompt, else of its reference, which
    has one right answer. With g the gap between the worst right and the best wrong response, and d the
    spread of the right ones of the tied prompt: g_tied > 0, g_ref > 0, g_tied > d, min(g_ref, g_tied) > d,
    and tanh(min(g_ref, g_tied) / d - 1), 0 where that is none (0 / 0). A term whose prompt is absent, or
    has no right or no wrong response, is NaN. A NaN total (nothing readable) counts as `unread`: -1, as
    the official runner rates it (RewardBench 2, arXiv 2506.01937; its scorer of the subset Ties); where a
    judge's own totals reach as low, as one less than the lowest: what was not read never wins.
    """
    silent = np.isnan(totals)
    lowest = np.where(silent, np.inf, totals).min(axis=-1, keepdims=True)
    filled = np.where(silent, np.where(lowest <= unread, lowest - 1.0, unread), totals)
    (tied_gap, tied_size), (gap, size) = (_gap(filled, correct, mine) for mine in (tied, ~tied))
    accurate = [np.where(np.isnan(each), np.nan, each > 0) for each in (tied_gap, gap)]
    right = filled[..., correct & tied]
    spread = right.max(axis=-1, initial=-np.inf) - right.min(axis=-1, initial=np.inf)
    both = np.minimum(tied_gap, gap)  # NaN where either prompt is absent
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.nan_to_num(np.tanh(both / spread - 1.0), nan=0.0)
    absent = np.isnan(both)
    # Differences that are equal on paper differ by the rounding of what they are differences of.
    hair = np.where(spread > 0, ROUNDING, 0.0)
    preferred = tied_gap > spread + hair * tied_size
    hard = preferred & (gap > spread + hair * np.maximum(tied_size, size))
    joint = [np.where(absent, np.nan, term) for term in (preferred, hard, margin)]
    return np.array([*accurate, *joint])


def _gap(totals: Floats, correct: Bools, mine: Bools) -> tuple[Floats, Floats]:
    """(worst right - best wrong, the largest of the totals that count), NaN where there is none."""
    right, wrong = totals[..., correct & mine], totals[..., ~correct & mine]
    if not right.shape[-1] or not wrong.shape[-1]:
        nothing = np.full(totals.shape[:-1], np.nan)
        return nothing, nothing
    best = wrong.max(axis=-1)
    return right.min(axis=-1) - best, np.maximum(np.abs(right).max(axis=-1), np.abs(best))
