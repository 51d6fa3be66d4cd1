"""Guided: the exact vote@k of `meta`, the sum over those of k samples that a meta RM puts first.

Samples are taken from the highest meta reward to the lowest, so that the kept ones of a subset are the
first of it. A table counts the ways to choose some samples of each order with each total (`margins`);
where the last of the kept ones is chosen, the sign of the total is the vote, and what is left of the
subset may be any of the samples that follow: C(left, wanted) ways in each order.
"""

from collections.abc import Sequence
from itertools import product
from math import comb, prod
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from grmeval.measure.ballots import Bools, Floats, Ints, by_merit, how_many_kept
from grmeval.measure.margins import (
    CHUNK_BYTES,
    Margins,
    Table,
    as_outcomes,
    counting,
    most_of,
    reach_of,
    void_mass,
)
from grmeval.measure.outcomes import Outcomes
from grmeval.measure.subsets import Counts

# Additions an item: about a millisecond, for which Monte Carlo draws a few hundred subsets.
_ADDITIONS = 2**20
# Binomials of so many samples, and their products over two orders, are numbers that a float64 holds.
_SAMPLES = 500
# Items at a time, where tables are small: bounds what is kept of each position beside them.
_ITEMS = 512


class _Plan(NamedTuple):
    """How subsets of one k are made: the admissible takes, and how many samples of each are kept."""

    takes: list[Counts]
    kept: int

    @property
    def k(self) -> int:
        return sum(self.takes[0])


def _plan(takes: list[Counts], k_meta: int | None) -> _Plan:
    return _Plan(takes, int(how_many_kept(np.array([sum(takes[0])], dtype=float), k_meta)[0]))


def _states(plans: Sequence[_Plan]) -> list[Counts]:
    """How many of each order may be chosen before the last kept one is; fewest first."""
    most = max(plan.kept for plan in plans)
    limits = np.max([take for plan in plans for take in plan.takes], axis=0)
    found = product(*(range(min(most, limit) + 1) for limit in limits))
    return sorted((s for s in found if sum(s) <= most), key=lambda state: (sum(state), state))


def guided_affordable(
    margins: Margins, counts: Counts, takes: list[Counts], k_meta: int | None
) -> bool:
    """Whether the table of this k is cheaper than Monte Carlo. Two orders at most."""
    plan = _plan(takes, k_meta)
    width = 2 * reach_of(margins) * plan.kept + 1
    fits = sum(counts) <= _SAMPLES and len(counts) <= 2
    return fits and sum(counts) * len(_states([plan])) * width <= _ADDITIONS


def _sources(states: list[Counts], orders: int) -> Ints:
    """[orders, states]: the row from which one more sample of this order leads to the state.

    Row 0 is empty; states are rows 1 and up.
    """
    row = {state: number for number, state in enumerate(states, start=1)}
    return np.array(
        [
            [row.get(tuple(c - (o == order) for o, c in enumerate(s)), 0) for s in states]
            for order in range(orders)
        ]
    )


def _continued(plan: _Plan, full: list[Counts], counts: Counts, left: Ints) -> Floats:
    """P(one subset) x the ways to complete it from each state, [I, N, states].

    `full`: the states that hold all the kept ones; `left` [I, N, orders]: samples that follow a position.
    """
    ways = np.zeros((*left.shape[:2], len(full)))
    for take in plan.takes:
        found = np.full(ways.shape, 1.0 / len(plan.takes))
        for order, (count, taken) in enumerate(zip(counts, take, strict=True)):
            wanted = [taken - state[order] for state in full]
            share = [
                [comb(rest, w) / comb(count, taken) if w >= 0 else 0.0 for w in wanted]
                for rest in range(count + 1)
            ]
            found *= np.array(share)[left[..., order]]
        ways += found
    return ways


def _reached(
    margins: Margins, order: Ints, counts: Counts, states: list[Counts], lasts: dict[int, int]
) -> dict[int, Floats]:
    """In how many ways the last kept sample is the one at each position, [2, I, N, states].

    Total above 0, total 0; for each number kept, whose last sample is at most at position `lasts`.
    Samples [I, N] from the highest reward to the lowest.
    """
    most, reach, sizes = max(lasts), reach_of(margins), [sum(state) for state in states]
    starts = np.searchsorted(sizes, np.arange(most + 2))
    found = {kept: np.zeros((2, *margins.shape, starts[kept + 1] - starts[kept])) for kept in lasts}
    sources, table = _sources(states, len(counts)), _empty(len(margins), counts, states, reach)
    rows, width = table.shape[1:]
    sources, centre = sources * width, reach * (most + 1)
    origin = np.arange(len(margins)) * rows * width + centre
    for position in range(max(lasts.values()) + 1):
        # Rows beyond are empty still, or of no more use; so is what lies further out than margins reach.
        open_ = [kept for kept, last in lasts.items() if position <= last]
        chosen = min(position + 1, max(open_))
        span, stop = reach * chosen, starts[chosen + 1]
        begin = (origin - span - margins[:, position])[:, None]
        # One index into the whole memory is faster than one an axis.
        windows = sliding_window_view(table.reshape(-1), 2 * span + 1)
        moved = windows[begin + sources[order[:, position], 1:stop]]
        stored = min(stop, starts[most])
        table[:, 2 : stored + 1, centre - span : centre + span + 1] += moved[:, : stored - 1]
        for kept in open_:
            if kept <= chosen:
                full = moved[:, starts[kept] - 1 : starts[kept + 1] - 1]
                # No sum passes what the table's type holds: it is a number of subsets as well.
                found[kept][0, :, position] = np.einsum("ist->is", full[..., span + 1 :])
                found[kept][1, :, position] = full[..., span]
    return found


def _empty(items: int, counts: Counts, states: list[Counts], reach: int) -> Table:
    """Rows of totals around 0, each with a border as wide as a margin; one way to choose nothing.

    Row 0 stays empty. States that hold the most samples need no row: nothing is added to them.
    """
    most = sum(states[-1])
    rows = 1 + sum(sum(state) < most for state in states)
    kind = counting(prod(most_of(count, most) for count in counts))
    table = np.zeros((items, rows, 2 * reach * (most + 1) + 1), dtype=kind)
    table[:, 1, reach * (most + 1)] = 1
    return table


def _signs(margins: Margins, order: Ints, counts: Counts, plans: Sequence[_Plan]) -> Floats:
    """P(total of the kept > 0) and P(it is 0), [2, I, K]; samples [I, N] from the highest reward."""
    states = _states(plans)
    lasts: dict[int, int] = {}
    for plan in plans:
        last = sum(counts) - 1 - (plan.k - plan.kept)
        lasts[plan.kept] = max(last, lasts.get(plan.kept, 0))
    reached = _reached(margins, order, counts, states, lasts)
    left = np.array(counts) - np.cumsum(order[..., None] == np.arange(len(counts)), axis=1)
    signs = np.empty((2, len(margins), len(plans)))
    for column, plan in enumerate(plans):
        full = [state for state in states if sum(state) == plan.kept]
        ways = _continued(plan, full, counts, left)
        signs[:, :, column] = np.einsum("gips,ips->gi", reached[plan.kept], ways)
    return signs


def guided_outcomes(
    margins: Margins,
    reward: Floats,
    valid: Bools,
    best: Bools,
    counts: Counts,
    plans: list[list[Counts]],
    k_meta: int | None,
) -> Outcomes:
    """Exact outcomes [I, K] under `meta` of items that share `counts`, samples held order by order.

    `margins`, `reward` and `valid` [I, N], `best` [I, n], `plans`: for each k its `admissible` takes, at
    least one. An invalid sample is kept only after all valid ones and adds 0. All invalid: void 1.
    """
    order = by_merit(reward, valid)
    rotation = np.repeat(np.arange(len(counts)), counts)[order]
    ordered = np.take_along_axis(margins, order, axis=1)
    ways = [_plan(takes, k_meta) for takes in plans]
    chunk = max(
        1, min(_ITEMS, CHUNK_BYTES // _empty(1, counts, _states(ways), reach_of(margins)).nbytes)
    )
    signs = np.concatenate(
        [
            _signs(ordered[at : at + chunk], rotation[at : at + chunk], counts, ways)
            for at in range(0, len(margins), chunk)
        ],
        axis=1,
    )
    return as_outcomes(signs, void_mass(valid, counts, plans), best, "meta")
