"""Exact curves over k: 16,000 pairs with 32 samples each, at k = 1, 2, 4, 8, 16, 32.

    python perf/curves.py [--items 16000] [--loop 100] [--replicates 10000]

Sum, majority and the meta vote under both order policies, one row a curve; bootstrap bands of all of them
from the same resamples; and the total without imports. Then the sum of scores in halves, quarters and
tenths. Beside each curve: how many times longer a loop
over items takes that does the same counting in plain Python (dictionaries of whole numbers), timed on
`--loop` items and scaled; its results must agree.
"""

import argparse
import resource
import time
from collections.abc import Sequence
from itertools import product
from math import comb, prod
from typing import Any, NamedTuple

KS = (1, 2, 4, 8, 16, 32)
SAMPLES = 32
STEPS = [(vote, balanced) for vote in ("sum", "majority", "meta") for balanced in (True, False)]
PARTS = (2, 4, 10)

Takes = list[tuple[int, ...]]


class Pairs(NamedTuple):
    """What `vote_curve` takes, the first response the better one; rewards [I, N]; scores in `parts` of 1."""

    parts: int
    scores: Any
    valid: Any
    best: Any
    reward: Any


def pairs(items: int, parts: int = 1) -> Pairs:
    """A judge with an order bias, scores 1 to 10, 3 % unreadable, a meta RM that knows a little."""
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (items, SAMPLES)
    bias = np.where(np.arange(SAMPLES) % 2, 0.7, -0.7)
    lead = rng.normal(1.0, 1.5, (items, 1)) + bias + rng.normal(0, 2.5, shape)
    sides = [6 + sign * lead / 2 + rng.normal(0, 1, shape) for sign in (1, -1)]
    scores = np.clip(np.round(parts * np.stack(sides, axis=-1)) / parts, 1, 10)
    best = np.tile([True, False], (items, 1))
    reward = rng.normal(0.5 * np.sign(lead), 1.0)
    return Pairs(parts, scores, rng.random(shape) < 0.97, best, reward)


def takes_of(k: int, balanced: bool) -> Takes:
    """How many samples of each order a subset holds."""
    if not balanced:
        return [(k,)]
    return [(k // 2, k // 2)] if k % 2 == 0 else [(k // 2 + 1, k // 2), (k // 2, k // 2 + 1)]


def chances(leads: list[list[int]], takes: list[Takes]) -> list[float]:
    """P(win) of one item at every k; `leads`: of each order. A table an order, then both together."""
    tables = [
        table(mine, max(take[o] for each in takes for take in each)) for o, mine in enumerate(leads)
    ]
    stored = list(map(len, leads))
    return [sum(won(tables, take, stored) for take in each) / len(each) for each in takes]


def won(tables: list[list[dict[int, int]]], take: Sequence[int], stored: list[int]) -> float:
    first, *rest = (rows[taken] for rows, taken in zip(tables, take, strict=True))
    second = rest[0] if rest else {0: 1}
    ways = sum(
        count * sum(more for other, more in second.items() if total + other > 0)
        for total, count in first.items()
    )
    return ways / prod(map(comb, stored, take))


def table(leads: list[int], most: int) -> list[dict[int, int]]:
    """The number of j-subsets with each total, for j up to `most`."""
    rows: list[dict[int, int]] = [{0: 1}, *({} for _ in range(most))]
    for lead in leads:
        for j in range(most, 0, -1):
            row = rows[j]
            for total, count in rows[j - 1].items():
                row[total + lead] = row.get(total + lead, 0) + count
    return rows


def states_of(takes: Sequence[Takes]) -> list[tuple[int, tuple[int, ...]]]:
    """Numbers chosen of each order, fullest first, on the way to the half of a subset that votes."""
    limits = [max(take[o] for each in takes for take in each) for o in range(len(takes[0][0]))]
    most = max(voters(each) for each in takes)
    found = product(*(range(limit + 1) for limit in limits))
    return sorted(((sum(s), s) for s in found if sum(s) <= most), reverse=True)


def voters(takes: Takes) -> int:
    return max(1, sum(takes[0]) // 2)


def guided(leads: list[int], orders: list[int], takes: list[Takes]) -> list[float]:
    """P(win) of one item at every k, samples from the highest meta reward to the lowest."""
    stored = [orders.count(order) for order in range(len(takes[0][0]))]
    left, states = list(stored), states_of(takes)
    ways: dict[tuple[int, ...], dict[int, int]] = {state: {} for _, state in states}
    ways[(0,) * len(stored)][0] = 1
    wins = [0.0] * len(takes)
    for lead, order in zip(leads, orders, strict=True):
        left[order] -= 1
        for size, state in states:  # the fullest first: no sample is added twice
            before = ways.get((*state[:order], state[order] - 1, *state[order + 1 :]))
            if not before:
                continue
            here, ahead = ways[state], 0
            for total, count in before.items():
                here[total + lead] = here.get(total + lead, 0) + count
                ahead += count * (total + lead > 0)
            for column, each in enumerate(takes):
                if size == voters(each):
                    wins[column] += ahead * ending(state, left, stored, each)
    return wins


def ending(state: Sequence[int], left: Sequence[int], stored: Sequence[int], takes: Takes) -> float:
    """P(a subset) times the ways in which samples that follow complete it."""
    return sum(
        prod(
            comb(rest, taken - held) / comb(count, taken) if taken >= held else 0.0
            for rest, held, count, taken in zip(left, state, stored, take, strict=True)
        )
        / len(takes)
        for take in takes
    )


def plain(data: Pairs, vote: str, balanced: bool, item: int) -> list[float]:
    """The loop's wins of one item at every k but the last, at which one subset is left."""
    order = list(range(SAMPLES))
    if vote == "meta":
        order.sort(key=lambda j: (not data.valid[item, j], -data.reward[item, j]))
    leads = [round(data.parts * (data.scores[item, j, 0] - data.scores[item, j, 1])) for j in order]
    leads = [lead * int(data.valid[item, j]) for lead, j in zip(leads, order, strict=True)]
    if vote == "majority":
        leads = [(lead > 0) - (lead < 0) for lead in leads]
    takes = [takes_of(k, balanced) for k in KS[:-1]]
    if vote == "meta":
        return guided(leads, [j % 2 * balanced for j in order], takes)
    sides = [leads[::2], leads[1::2]] if balanced else [leads]
    return chances(sides, takes)


def curve(data: Pairs, vote: str, balanced: bool) -> Any:
    import numpy as np

    from grmeval.measure import Extra, vote_curve

    return vote_curve(
        data.scores,
        data.valid,
        np.ones_like(data.valid),
        data.best,
        KS,
        vote=vote,
        balanced=balanced,
        rng=np.random.default_rng(1),
        extra=Extra(reward=data.reward),
    )


def peak() -> float:
    """Peak memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compared(data: Pairs, vote: str, balanced: bool, wins: Any, some: int) -> float:
    """Seconds of CPU that the loop would take for all items; stops where it counts something else."""
    start = time.process_time()
    slow = [plain(data, vote, balanced, item) for item in range(some)]
    seconds = (time.process_time() - start) * len(data.best) / some
    pairs = (
        (a, b)
        for row, fast in zip(slow, wins, strict=False)
        for a, b in zip(row, fast, strict=False)
    )
    if any(abs(a - b) > 1e-9 for a, b in pairs):
        raise SystemExit(f"{vote}: the loop counts something else")
    return seconds


def timed(data: Pairs, vote: str, balanced: bool, loop: int) -> tuple[Any, float, float]:
    """A row of the table: (wins [K, I], seconds, seconds of CPU)."""
    import numpy as np

    start, used = time.perf_counter(), time.process_time()
    made = curve(data, vote, balanced)
    seconds, busy = time.perf_counter() - start, time.process_time() - used
    items = len(data.best)
    noise = float(np.sqrt((made.noise**2).sum(axis=0)).max()) / items
    how = "exact" if made.exact.all() else f"Monte Carlo, error {noise:.5f}"
    row = f"{vote:<10}{'balanced' if balanced else 'random':<10}{seconds:>8.2f}{busy:>8.2f}  {how}"
    print(row, end="", flush=True)
    if some := min(loop, items) if made.exact.all() else 0:
        slow = compared(data, vote, balanced, made.outcomes.win, some)
        print(f"; {slow:.0f} s of CPU ({some} items, scaled): {slow / busy:.0f} x", end="")
    print()
    return made.outcomes.win.T, seconds, busy


def bands(credits: Any, replicates: int) -> Any:
    """Percentile limits [2, M] of M columns [M, I], in one section, an item a prompt."""
    import numpy as np

    from grmeval.measure import panel, resampled

    items = credits.shape[1]
    one = np.zeros(items, dtype=np.intp)
    made = panel(credits, np.ones_like(credits), np.arange(items), one, np.ones(1))
    drawn = resampled(made, replicates, np.random.default_rng(0))
    return np.quantile(drawn, [0.025, 0.975], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=16_000)
    parser.add_argument("--loop", type=int, default=100, help="items of the plain loop; 0: none")
    parser.add_argument("--replicates", type=int, default=10_000)
    given = parser.parse_args()
    start = time.perf_counter()
    import numpy as np

    import grmeval.measure  # noqa: F401

    print(f"imports: {time.perf_counter() - start:.2f} s, {peak():.0f} MiB")
    data = pairs(given.items)
    print(
        f"{given.items:,} pairs x {SAMPLES} samples, k = {', '.join(map(str, KS))}; {peak():.0f} MiB"
    )
    print(f"{'vote':<10}{'orders':<10}{'seconds':>8}{'of CPU':>8}  made, and the plain loop")
    credits, each, busy_each = zip(
        *(timed(data, vote, balanced, given.loop) for vote, balanced in STEPS), strict=True
    )
    total, cpu = sum(each), sum(busy_each)
    start, used = time.perf_counter(), time.process_time()
    limits = bands(np.concatenate(credits), given.replicates)
    seconds, busy = time.perf_counter() - start, time.process_time() - used
    total, cpu = total + seconds, cpu + busy
    widest = 100 * float((limits[1] - limits[0]).max())
    print(
        f"{'bands':<20}{seconds:>8.2f}{busy:>8.2f}  {given.replicates:,} resamples, the same for all "
        f"{limits.shape[1]} points; widest {widest:.2f} points"
    )
    print(f"{'total':<20}{total:>8.2f}{cpu:>8.2f}  peak {peak():.0f} MiB")
    for parts in PARTS:
        print(f"scores in 1/{parts}:")
        for balanced in (True, False):
            timed(pairs(given.items, parts), "sum", balanced, given.loop)


if __name__ == "__main__":
    main()
