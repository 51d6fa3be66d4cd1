"""Margins: the exact vote@k of pairs and single responses, by dynamic programming.

One sample of a pair is the margin score(best) - score(other), or its sign under majority and borda; one
sample of a single response is its distance from the threshold; both in units of a grid that holds them all:
1 for whole scores, else a half, a tenth ... where there is one. A vote is then the sign of a sum of whole
numbers, and an invalid sample adds 0. A table counts the j-subsets of an item's samples with each total,
in the smallest integers that hold them, or in float64: exact up to 2^53 (C(56, 28)), beyond that every
term is positive, so the relative error stays near 1e-16 a step, where int64 would overflow at N = 67.
"""

from fractions import Fraction
from itertools import pairwise
from math import comb, lcm, prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from grmeval.measure.outcomes import Outcomes
from grmeval.measure.rounding import ROUNDING
from grmeval.measure.subsets import Counts
from grmeval.measure.votes import Bools, Floats

Margins = NDArray[np.int64]
Table = NDArray[Any]

_SIGNS = ("majority", "borda")
_SUMS = ("sum", "mean", "meta")
# Small enough to stay in a core's cache, which is worth a factor of two in time.
CHUNK_BYTES = 2**21
_ONE_ITEM_BYTES = 2**25
_LARGEST = 2**1000
# Of an item's table: filled in the time that Monte Carlo takes at its most (32 samples, 4,096 subsets at
# each of three k: about 3 ms).
_CELLS = 100_000
# Real-valued scores lie on no grid as coarse.
_STEPS = 10_000
_WHOLE = 2**32
_CERTAIN = 13  # decimals


def margins(
    scores: Floats, valid: Bools, best: Bools, vote: str, threshold: float
) -> Margins | None:
    """Whole margins [I, N] whose sum decides the vote, or None where there are no such numbers.

    `scores` [I, N, n], `valid` [I, N], `best` [I, n]. A pair's margin is positive when it speaks
    for the best response and 0 when both or neither are best. Under `meta` it is the sum of those kept.
    """
    responses = scores.shape[2]
    if responses > 2 or vote not in (*_SIGNS, *_SUMS):
        return None
    filled = np.where(valid[..., None], scores, 0.0)
    if np.isnan(filled).any():
        return None
    first = filled[..., 0]
    if responses == 2:
        second = filled[..., 1]
        lead = (first - second) * (best[:, :1].astype(np.float64) - best[:, 1:])
    else:
        second = np.full_like(first, threshold)
        lead = first - second
    lead = np.where(valid, lead, 0.0)
    if vote not in _SIGNS:
        return _steps(lead, np.abs(first) + np.abs(second))
    at_threshold = valid & (responses == 1) & (lead == 0)
    return np.where(at_threshold, 1, np.sign(lead)).astype(np.int64)


def _steps(lead: Floats, size: Floats) -> Margins | None:
    """Leads [I, N] in steps of the widest grid that holds them all, or None: there is none.

    `size`: the magnitude of the scores that each is a difference of, on which depends how well it is known.
    Where they are not whole, the largest lead has at most _STEPS, a step is far wider than the rounding of
    any total, and a lead that is not 0 remains so: one sample is compared exactly.
    """
    most = float(np.abs(lead).max(initial=0.0))
    if size.max(initial=0.0) < _WHOLE and np.array_equal(np.rint(lead), lead):
        steps = lead.astype(np.int64)
        together: Margins = steps // max(1, np.gcd.reduce(steps, axis=None))
        return together
    finest = min(_STEPS, most / (1e3 * ROUNDING * float(size.sum(axis=1).max())))
    count = 1
    while count <= finest:
        whole = np.rint(lead * (count / most))
        off = np.abs(lead - whole * (most / count)) > ROUNDING * size
        off |= (whole == 0) & (lead != 0)
        if not off.any():
            return whole.astype(np.int64)
        # As many steps in `most` as hold the first of the rest too; where that is no news, none do.
        share = Fraction(abs(float(lead[off][0])) / most).limit_denominator(_STEPS)
        if count % share.denominator == 0:
            return None
        count = lcm(count, share.denominator)
    return None


def counting(largest: int) -> np.dtype[Any]:
    """The smallest type that counts so many subsets: half the bytes are half the time."""
    return np.min_scalar_type(largest) if largest < 2**32 else np.dtype(np.float64)


def most_of(count: int, most: int) -> int:
    """The largest number of j-subsets of `count` samples, j at most `most`."""
    return comb(count, min(most, count // 2))


def reach_of(margins: Margins) -> int:
    """The largest margin of all, to either side."""
    return int(np.abs(margins).max(initial=0))


def _item_cells(reach: int, most: int) -> int:
    return (most + 1) * (reach * (2 * most + 1) + 1) + reach


def affordable(margins: Margins, counts: Counts, takes: list[Counts]) -> bool:
    """Whether an item's table is no dearer than Monte Carlo at its most, and a float64 holds its counts."""
    most = max((max(take) for take in takes), default=0)
    largest = prod(most_of(count, most) for count in counts)
    return _item_cells(reach_of(margins), most) <= _CELLS and largest < _LARGEST


def _table(margins: Margins, most: int, reach: int) -> Table:
    """Counts [I, most + 1, 2 * reach * most + 1] of the j-subsets with total t; 0 is central."""
    items, samples = margins.shape
    width = 2 * reach * most + 1
    # Rows lie one behind the other with `reach` zeros between: adding a sample moves every row one
    # further and by its margin, which is one window onto the same memory. Only the last row, which is
    # not moved, has totals next to a border.
    stride = width + reach
    line = np.zeros((items, reach + (most + 1) * stride), counting(most_of(samples, most)))
    line[:, reach + reach * most] = 1
    row = np.arange(items)
    for sample in range(samples):
        length = min(sample + 1, most) * stride
        moved = sliding_window_view(line, length, axis=1)[row, reach - margins[:, sample]]
        line[:, reach + stride : reach + stride + length] += moved
    return line[:, reach:].reshape(items, most + 1, stride)[:, :, :width]


def _signs(
    margins: Margins, counts: Counts, plans: list[list[Counts]], reach: int, games: bool
) -> Floats:
    """P(total > 0) and P(total = 0), [2, I, K], for one chunk of items; or of the sum of the games."""
    if len(counts) > 2:
        return _signs_of_many(margins, counts, plans, reach)
    # Random orders are two rotations, the second without samples.
    first, *rest = counts
    second = sum(rest)
    most = max(max(take) for takes in plans for take in takes)
    one = _table(margins[:, :first], most, reach)
    two = _table(margins[:, first:], most, reach)[:, :, ::-1]
    signs = np.zeros((2, len(margins), len(plans)))
    for column, takes in enumerate(plans):
        for taken, *other in takes:
            mine = one[:, taken].astype(np.float64)
            opposite = two[:, sum(other)].astype(np.float64)
            subsets = float(comb(first, taken) * comb(second, sum(other)) * len(takes))
            if games:
                signs[:, :, column] += _two_games(mine, opposite) / subsets
                continue
            below = np.cumsum(opposite, axis=1) - opposite
            signs[0, :, column] += np.einsum("it,it->i", mine, below) / subsets
            signs[1, :, column] += np.einsum("it,it->i", mine, opposite) / subsets
    return signs


def _signs_of_many(
    margins: Margins, counts: Counts, plans: list[list[Counts]], reach: int
) -> Floats:
    """The same of more than two rotations, or of several judges: their distributions, convolved.

    By Fourier transforms, which miss by some 1e-16: what is certain is rounded back to 0 and 1.
    """
    most = max(max(take) for takes in plans for take in takes)
    edges = np.cumsum((0, *counts))
    tables = [_table(margins[:, a:b], most, reach) for a, b in pairwise(edges)]
    signs = np.zeros((2, len(margins), len(plans)))
    for column, takes in enumerate(plans):
        span = reach * sum(takes[0])
        size = 1 << (2 * span).bit_length()
        spectra: dict[tuple[int, int], NDArray[np.complex128]] = {}
        for take in takes:
            for part in set(enumerate(take)) - spectra.keys():
                spectra[part] = _spectrum(
                    tables[part[0]][:, part[1]], counts[part[0]], part[1], size
                )
            together = np.prod([spectra[part] for part in enumerate(take)], axis=0)
            total = np.fft.irfft(together, size, axis=1)
            signs[0, :, column] += total[:, 1 : span + 1].sum(axis=1) / len(takes)
            signs[1, :, column] += total[:, 0] / len(takes)
    return np.clip(signs.round(_CERTAIN), 0.0, 1.0)


def _spectrum(table: Table, count: int, taken: int, size: int) -> NDArray[np.complex128]:
    """Transform [I, size / 2 + 1] of P(total) of `taken` of `count` samples; totals below 0 stand last."""
    middle = table.shape[1] // 2
    around = np.zeros((len(table), size))
    half = min(middle, (size - 1) // 2)
    around[:, : half + 1] = table[:, middle : middle + half + 1]
    around[:, size - half :] = table[:, middle - half : middle]
    return np.fft.rfft(around / comb(count, taken), axis=1)


def _two_games(one: Floats, opposite: Floats) -> Floats:
    """Numbers of subsets [2, I] whose games are won on balance, or level: one game an order.

    `one` and `opposite` [I, 2R + 1] count the subsets of each order by total, the second mirrored.
    """
    middle = one.shape[1] // 2
    ahead, behind = (t[:, middle + 1 :].sum(axis=1) for t in (one, opposite))
    lost, won = (t[:, :middle].sum(axis=1) for t in (one, opposite))
    level, even = one[:, middle], opposite[:, middle]
    return np.array(
        [
            ahead * won + ahead * even + level * won,
            ahead * behind + lost * won + level * even,
        ]
    )


def void_mass(valid: Bools, counts: Counts, plans: list[list[Counts]]) -> Floats:
    """P(no sample of the subset is readable), [I, K]: C(invalid, k) / C(N, k) in each rotation."""
    edges = np.cumsum((0, *counts))
    invalid = [(~valid[:, a:b]).sum(axis=1) for a, b in pairwise(edges)]
    void = np.zeros((len(valid), len(plans)))
    for column, takes in enumerate(plans):
        for take in takes:
            mass = np.full(len(valid), 1.0 / len(takes))
            for missing, count, taken in zip(invalid, counts, take, strict=True):
                share = [comb(m, taken) / comb(count, taken) for m in range(count + 1)]
                mass *= np.array(share)[missing]
            void[:, column] += mass
    return void


def margin_outcomes(
    margins: Margins,
    valid: Bools,
    best: Bools,
    counts: Counts,
    plans: list[list[Counts]],
    vote: str,
    games: bool = False,
) -> Outcomes:
    """Exact outcomes [I, K] of items that share `counts`, with samples held order by order.

    `margins` and `valid` [I, N], `best` [I, n], `plans`: for each k its `admissible` takes, at
    least one. All invalid: void 1. All margins 0: a tie (a pair), judged right (a single, sum).
    """
    reach = reach_of(margins)
    chunk = _items_at_a_time(counts, plans, reach)
    signs = np.concatenate(
        [
            _signs(margins[at : at + chunk], counts, plans, reach, games)
            for at in range(0, len(margins), chunk)
        ],
        axis=1,
    )
    return as_outcomes(signs, void_mass(valid, counts, plans), best, vote, games)


def _items_at_a_time(counts: Counts, plans: list[list[Counts]], reach: int) -> int:
    """Items of a chunk: the tables of each, and where there are many its transforms, stay small."""
    most = max(max(take) for takes in plans for take in takes)
    table = counting(most_of(max(counts), most)).itemsize * _item_cells(reach, most)
    if len(counts) <= 2:
        return max(1, CHUNK_BYTES // table)
    spectrum = 32 * (1 + reach * max(sum(takes[0]) for takes in plans))
    return max(1, _ONE_ITEM_BYTES // (len(counts) * (table + 2 * spectrum)))


def as_outcomes(
    signs: Floats, void: Floats, best: Bools, vote: str, games: bool = False
) -> Outcomes:
    """Outcomes [I, K] from P(total > 0) and P(total = 0), [2, I, K]; an empty vote has total 0 too."""
    ahead, level = signs[0], np.maximum(signs[1] - void, 0.0)
    if best.shape[1] == 1:
        judged = ahead if vote == "majority" else ahead + level
        win = np.where(best, judged, 1.0 - void - judged)
        return Outcomes(np.clip(win, 0.0, 1.0), np.zeros_like(win), np.zeros_like(win), void)
    # Of two best responses either may lead, but neither can win a game.
    decided = (best[:, :1] == best[:, 1:]) & (not games)
    win = np.where(decided, np.where(best[:, :1], 1.0 - void, 0.0), ahead)
    tie = np.where(decided, 0.0, level)
    return Outcomes(win, tie, tie / 2, void)
