"""Subsets: which k of an item's N stored samples look like a fresh run of k samples.

Samples are held order by order: first all drawn samples of rotation 0, then of rotation 1, and so
on; `counts` says how many each has. Random orders are one rotation that holds everything. Where several
judges take turns, sample j is of judge j mod R: then each rotation's samples are held judge by
judge, and `counts` says how many each judge has of rotation 0, then of rotation 1, and so on.
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.votes import Bools, Floats

Ints = NDArray[np.intp]
Counts = tuple[int, ...]


def alike(drawn: Bools, rotations: int) -> Iterator[tuple[Counts, Ints, Ints]]:
    """Groups of items with equal counts: (counts, items [G], samples [G, sum(counts)]).

    `drawn` bool [I, N]; sample j shows rotation j mod rotations (of R judges `rotations` is R times as many,
    rotation by rotation and judge by judge). `samples` are the j of each item's drawn samples, order by
    order, so that which ones were drawn no longer matters.
    """
    rotation = np.arange(drawn.shape[1]) % rotations
    samples = np.argsort(np.where(drawn, rotation, rotations), axis=1, kind="stable")
    counts = np.stack([drawn[:, rotation == r].sum(axis=1) for r in range(rotations)], axis=1)
    kinds, member = np.unique(counts, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        items = np.flatnonzero(member.ravel() == number)
        yield tuple(int(count) for count in kind), items, samples[items, : kind.sum()]


def admissible(counts: Counts, k: int, judges: int = 1) -> list[Counts]:
    """How many samples of each rotation a run of k can hold: one tuple for each possible start.

    k = qn + r: r cyclically consecutive rotations q + 1 times, the others q times. Empty when the
    stored counts allow no start (fewer than k samples, or too few of some rotation). `judges` share k in
    the same way, each its share among the rotations, and all of them start at the same rotation.
    """
    rotations = len(counts) // judges
    takes = dict.fromkeys(
        _among_rotations(_turns(k, judges, first), rotations, start)
        for first in range(judges)
        for start in range(rotations)
    )
    return [take for take in takes if all(t <= c for t, c in zip(take, counts, strict=True))]


def _among_rotations(shares: Counts, rotations: int, start: int) -> Counts:
    """Each judge's share dealt to the rotations from `start` on: rotation by rotation, judge by judge."""
    shown = [_turns(share, rotations, start) for share in shares]
    return tuple(taken for each in zip(*shown, strict=True) for taken in each)


def _turns(k: int, size: int, start: int) -> Counts:
    """How often each of `size` gets its turn in k turns."""
    whole, extra = divmod(k, size)
    return tuple(whole + ((one - start) % size < extra) for one in range(size))


def how_many(counts: Counts, takes: list[Counts]) -> int:
    """The number of admissible subsets; exact at any size."""
    return sum(prod(map(comb, counts, take)) for take in takes)


def _combinations(count: int, take: int) -> Floats:
    picks = np.array(list(combinations(range(count), take)), dtype=np.intp).reshape(
        comb(count, take), take
    )
    chosen = np.zeros((len(picks), count))
    np.put_along_axis(chosen, picks, 1.0, axis=1)
    return chosen


def every(counts: Counts, takes: list[Counts]) -> tuple[Floats, Ints]:
    """All admissible subsets: (chosen [S, N] of 0.0 and 1.0, start [S] in 0..len(takes)-1)."""
    blocks: list[Floats] = []
    for take in takes:
        block = np.zeros((1, 0))
        for count, taken in zip(counts, take, strict=True):
            more = _combinations(count, taken)
            block = np.hstack([np.repeat(block, len(more), axis=0), np.tile(more, (len(block), 1))])
        blocks.append(block)
    return np.vstack(blocks), np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])


def shuffled(counts: Counts, permutations: int, rng: np.random.Generator) -> Ints:
    """Random ranks [P, N] of the samples inside their rotation: 0 is dealt first."""
    ranks = [
        np.argsort(rng.random((permutations, count)), axis=1).astype(np.intp) for count in counts
    ]
    return np.hstack(ranks)


def dealt(ranks: Ints, counts: Counts, takes: list[Counts]) -> tuple[Floats, Ints]:
    """The first k samples of each shuffle, dealt round from a start: (chosen [P, N], start [P]).

    The starts take turns instead of being drawn, which removes their share of the noise: with order
    bias it would be common to all items. The same ranks at two k give nested subsets.
    """
    start = np.arange(len(ranks)) % len(takes)
    wanted = np.repeat(np.array(takes)[start], counts, axis=1)
    return (ranks < wanted).astype(np.float64), start
