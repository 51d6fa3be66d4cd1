"""How much of a number's uncertainty comes from its samples, and what more of them could decide."""

from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import Contrast, advice, smallest_margin, vote_noise
from grmeval.score.arrays import Block, RunArrays
from grmeval.score.verdicts import NAN, Verdicts, ballot

__all__ = ["Advised", "advise", "noise_by_baseline", "sample_noise"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_TIMES = 100
"""Beyond this many times the items or samples, advice is no use."""


class Advised(NamedTuple):
    """Advice in words. `more_samples`: whether more of this run's could decide; None: not known."""

    lines: tuple[str, ...]
    more_samples: bool | None


def sample_noise(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> float:
    """Variance of the overall accuracy that a redraw of all samples makes, about.

    Of an item with k samples and no more: of one vote of half as many, which for credits of 0 and 1 is
    p (1 - p), and E[U (1 - U)] = p (1 - p) - var U for the mean U over subsets. Items that tell nothing (all
    terms of Ties) are taken to be as noisy as those that have as many samples or fewer: the noise of a
    mean over subsets of more says too little. NaN: no such item tells, groups, or an AUC.
    """
    if verdicts.ranked or len(np.unique(run.unit)) < len(run.unit):
        return NAN
    variance = np.full(len(run.n), np.nan)
    for block in run.blocks:
        spare = block.drawn.sum(axis=1) > k
        for extended in (True, False):
            asked = run.labelled[block.items] & (spare == extended)
            if asked.any():
                variance[block.items[asked]] = _noise_of(run, block, vote, k, asked, extended)
    units, each = verdicts.shares(run, 0)
    items = verdicts.first[units]
    filled = _filled(variance[items], run.depth[items])
    if not len(filled) or np.isnan(filled).any():
        return NAN
    return max(0.0, float((each**2 * filled).sum()))


def _noise_of(
    run: RunArrays, block: Block, vote: str, k: int, asked: Bools, extended: bool
) -> Floats:
    """Variance of the credit of these items of a block, all of which have samples to spare, or none has."""
    name, extra = ballot(run, block, vote)
    noise = vote_noise(
        name,
        block.scores[asked],
        block.valid[asked],
        block.drawn[asked],
        block.best[asked],
        k if extended else max(1, k // 2),
        balanced=run.balanced and not block.pooled,
        judges=run.judges,
        threshold=run.spec.threshold,
        rng=np.random.default_rng([int(run.record["identity"]["seed"]), 7]),
        extra=extra.at(asked),
    )
    return noise.variance if extended else noise.variance + noise.credit * (1 - noise.credit)


def _filled(variance: Floats, depth: NDArray[np.int64]) -> Floats:
    """What is not known (NaN) by the mean of items of as many samples or fewer; NaN where there are none."""
    filled, told = variance.copy(), np.isfinite(variance)
    for deep in np.unique(depth[~told]):
        like = variance[told & (depth <= deep)]
        filled[~told & (depth == deep)] = like.mean() if len(like) else NAN
    return filled


def noise_by_baseline(verdicts: Verdicts, run: RunArrays, credit: Floats, noise: float) -> float:
    """The same of a vote of k samples that are all there is, by the `credit` [U] of a baseline that has more.

    The mean of p (1 - p): E[U (1 - U)] of its means over subsets, and the `noise` of those.
    """
    units, each = verdicts.shares(run, 0)
    paid = np.clip(np.nan_to_num(credit[units]), 0.0, 1.0)
    return float((each**2 * paid * (1 - paid)).sum()) + noise


def advise(
    found: Contrast, margin: float, alpha: float, k: int, noise: float, theirs: float | None
) -> Advised:
    """What would decide an inconclusive night: a margin, items, or samples.

    `k`: samples an item that this run stores, `noise` the variance that they bring (NaN: not known),
    `theirs` that of the baseline's (None: not known). Items are those that decide were the difference what
    it seems; samples those that pass an equal model, since they move what it seems as well.
    """
    decided = 100 * smallest_margin(found.error, alpha)
    lines = [
        f"this night excludes a drop of {100 * max(0.0, -found.low):.1f} points; at a margin of "
        f"{decided:.1f} an equal model passes such a night 4 times in 5"
    ]
    items = advice(found.value, found.error, margin, alpha, 0.0, k).items
    if isfinite(items) and items <= MOST_TIMES:
        lines.append(f"about {items:.2g} times as many items would decide, 4 times in 5")
    if not isfinite(noise):
        return Advised(tuple(lines), None)
    share = min(1.0, noise / found.error**2)
    makes = f"they make {100 * share:.0f} % of the error's square"
    wanted = advice(0.0, found.error, margin, alpha, share, k).k
    if wanted is None or wanted > MOST_TIMES * k:
        both = _of_both(found, margin, alpha, share, theirs)
        lines.append(f"more samples of this run alone would not: {makes}{both}")
        return Advised(tuple(lines), False)
    wanted = max(wanted, 2 * k)  # an equal model that such a night mostly passes has had bad luck
    lines.append(
        f"about {wanted} samples an item (--extend) would pass an equal model, 4 times in 5: {makes}"
    )
    return Advised(tuple(lines), True)


def _of_both(
    found: Contrast, margin: float, alpha: float, share: float, theirs: float | None
) -> str:
    """What a quieter baseline as well would do."""
    if not theirs:
        return ""
    both = min(1.0, share + theirs / found.error**2)
    times = advice(0.0, found.error, margin, alpha, both, 1).k
    if times is None or times > MOST_TIMES:
        return f", the baseline's {100 * (both - share):.0f} %"
    return f"; {times} times as many in both runs would"
