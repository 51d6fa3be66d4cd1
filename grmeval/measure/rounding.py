"""Rounding: totals that are equal on paper are made equal, so that all that follows compares exactly.

A sum of decimals is off by at most some 1e-16 a term of the magnitudes that were added, whatever the sum
is. So totals that differ by no more than ROUNDING x what was added are equal on paper, or as good as. What
was not added (one sample's score, a count) is not rounded, and is compared exactly.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDING = 1e-12
"""Of the magnitudes that were added: the largest difference that may be rounding."""

# A float64 holds whole numbers up to 2^53: of ones, or of 1,024ths.
_STEPS = (1.0, 2.0**10)
_LARGEST = 2.0**53
# Of so few it is quicker to look at every two than to sort them.
_FEW = 6


def adds_exactly(terms: Floats) -> bool:
    """Whether sums of terms [I, N, ...] over N are exact: whole numbers, halves ... of no great size."""
    most = float(np.abs(terms).max(initial=0.0)) * terms.shape[1]
    return any(
        most * step < _LARGEST and np.array_equal(terms * step, np.rint(terms * step))
        for step in _STEPS
    )


def settled(totals: Floats, added: Floats) -> Floats:
    """Totals [..., n] in which those that differ by rounding only have one value, the lowest of them.

    `added` [..., n]: the magnitudes that were added to each, 0 where nothing was; the larger of two
    counts. Totals between two that are equal are equal to both. A NaN equals nothing.
    """
    if totals.shape[-1] > _FEW:
        return _chained(totals, added)
    near = np.zeros(totals.shape[:-1], dtype=np.bool_)
    for a, b in combinations(range(totals.shape[-1]), 2):
        apart = np.abs(totals[..., a] - totals[..., b])
        near |= (apart <= ROUNDING * np.maximum(added[..., a], added[..., b])) & (apart > 0)
    found = np.array(totals)
    found[near] = _chained(totals[near], added[near])
    return found


def _chained(totals: Floats, added: Floats) -> Floats:
    """The same by sorting."""
    order = np.argsort(totals, axis=-1)
    rising, added = (np.take_along_axis(values, order, axis=-1) for values in (totals, added))
    same = np.diff(rising) <= ROUNDING * np.maximum(added[..., 1:], added[..., :-1])
    first = np.broadcast_to(np.arange(totals.shape[-1]), totals.shape).copy()
    first[..., 1:][same] = 0
    lowest = np.take_along_axis(rising, np.maximum.accumulate(first, axis=-1), axis=-1)
    found = np.empty_like(totals)
    np.put_along_axis(found, order, lowest, axis=-1)
    return found


def at_threshold(totals: Floats, added: Floats, threshold: float) -> Floats:
    """Totals, the threshold itself where they differ from it by rounding only; `added` as in `settled`."""
    return np.where(np.abs(totals - threshold) <= ROUNDING * added, threshold, totals)
