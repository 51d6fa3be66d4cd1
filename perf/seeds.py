"""How often limits over seeds hold the truth: groups of runs that differ in nothing but their seed.

    python perf/seeds.py [--means] [--replicates 1000] [--processes 2]

Fresh items and fresh seeds in every data set; two judges, whose items' skill goes together (correlation 0.7).
`noise` is that of one judgement in units of the items' own spread; `seed` what a seed does to all items of a
judge alike, in the same unit (half of it is common to both judges where seeds are paired). Truths are in
closed form. Prints docs/statistics.md's table: share of data sets whose 95 % limits hold the truth, median
width in points; "items alone": limits that take the seeds as they are, from `Panel.contrast`. `--means`: the
same of one group's mean, and of few items too; "items alone" are then the limits of each item's mean credit.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from grmeval.measure import estimate, limits_over_seeds, over_seeds, panel

SKILL = (0.9, 0.6)
TOGETHER = 0.7


class Cell(NamedTuple):
    items: int
    seeds: int
    noise: float
    seed: float
    paired: bool


CELLS = tuple(
    Cell(items, seeds, noise, seed, paired)
    for items, seeds in ((75, 2), (75, 3), (75, 5), (600, 5))
    for noise, seed in ((1.5, 0.0), (0.5, 0.1), (0.5, 0.3))
    for paired in (True, False)
)


def draw(cell: Cell, rng: np.random.Generator) -> NDArray[np.float64]:
    """Credits [2 seeds, items]: first one judge's runs, then the other's."""
    common, shared = rng.normal(size=cell.items), rng.normal(size=cell.seeds)
    half = 0.5 if cell.paired else 0.0
    credit = []
    for skill in SKILL:
        own = rng.normal(size=cell.items)
        ability = skill + np.sqrt(TOGETHER) * common + np.sqrt(1 - TOGETHER) * own
        luck = np.sqrt(half) * shared + np.sqrt(1 - half) * rng.normal(size=cell.seeds)
        odds = ndtr((ability + cell.seed * luck[:, None]) / cell.noise)
        credit.append(rng.random(odds.shape) < odds)
    found: NDArray[np.float64] = np.concatenate(credit).astype(np.float64)
    return found


def covered(given: tuple[Cell, int]) -> tuple[Cell, list[float]]:
    """(cell, [share held, median width] of both kinds of limits)."""
    cell, replicates = given
    rng = np.random.default_rng([7, *(int(10 * each) for each in cell)])
    spread = np.sqrt(1 + cell.noise**2 + cell.seed**2)
    truth = float(ndtr(SKILL[0] / spread) - ndtr(SKILL[1] / spread))
    section = np.zeros(cell.items, dtype=np.intp)
    one, other = range(cell.seeds), range(cell.seeds, 2 * cell.seeds)
    found = []
    for _ in range(replicates):
        credit = draw(cell, rng)
        made = panel(credit, np.ones_like(credit), np.arange(cell.items), section, np.ones(1))
        both = over_seeds(made, one, other, cell.paired)
        alone = made.contrast(np.repeat([1, -1], cell.seeds) / cell.seeds)
        found.append([(f.low <= truth <= f.high, f.high - f.low) for f in (both, alone)])
    held, width = np.moveaxis(np.array(found, dtype=float), 2, 0)
    shares, widths = 100 * held.mean(axis=0), 100 * np.median(width, axis=0)
    return cell, [shares[0], widths[0], shares[1], widths[1]]


def means_covered(given: tuple[Cell, int]) -> tuple[Cell, list[float]]:
    """The same of one judge's mean over its seeds."""
    cell, replicates = given
    rng = np.random.default_rng([8, *(int(10 * each) for each in cell)])
    truth = float(ndtr(SKILL[0] / np.sqrt(1 + cell.noise**2 + cell.seed**2)))
    items, section = np.arange(cell.items), np.zeros(cell.items, dtype=np.intp)
    found = []
    for _ in range(replicates):
        credit = draw(cell, rng)[: cell.seeds]
        made = panel(credit, np.ones_like(credit), items, section, np.ones(1))
        mean = estimate(credit.mean(axis=0), np.ones(cell.items), items, section, np.ones(1))
        both = limits_over_seeds(made, range(cell.seeds), mean)
        limits = (both, (mean.low, mean.high))
        found.append([(low <= truth <= high, high - low) for low, high in limits])
    held, width = np.moveaxis(np.array(found, dtype=float), 2, 0)
    shares, widths = 100 * held.mean(axis=0), 100 * np.median(width, axis=0)
    return cell, [shares[0], widths[0], shares[1], widths[1]]


FEW = tuple(
    Cell(20, seeds, noise, seed, True)
    for seeds in (2, 5)
    for noise, seed in ((1.5, 0.0), (0.5, 0.1), (0.5, 0.3))
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--means", action="store_true")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    print("| items | seeds | noise | seed | drawn | covers % | width | items alone % | width |")
    print("|--:|--:|--:|--:|---|--:|--:|--:|--:|")
    with ProcessPoolExecutor(arguments.processes) as workers:
        cells = [*FEW, *(cell for cell in CELLS if cell.paired)] if arguments.means else CELLS
        one = means_covered if arguments.means else covered
        for cell, numbers in workers.map(one, [(cell, arguments.replicates) for cell in cells]):
            drawn = "in pairs" if cell.paired else "apart"
            told = f"| {cell.items} | {cell.seeds} | {cell.noise} | {cell.seed} | {drawn} |"
            print(told, " | ".join(f"{number:.1f}" for number in numbers), "|", flush=True)


if __name__ == "__main__":
    main()
