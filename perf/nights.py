"""The gate on simulated nights: a baseline and a new run of the same items, drawn afresh every night.

    python perf/nights.py [--nights 2000] [--runs 20] [--only TEXT]

A layout is sections with their prompts and weights; every item has its own odds, and a vote of 8 samples is
right by their sum. The baseline stores 8 samples an item, or 32, of which its number is the mean over
subsets of 8. The new model is worse in one of two ways: `weaker`, every item's odds fall by one fraction, or
`lost`, some items are lost altogether; what that does to the vote is a binomial sum, so the true drop of
given items is known to rounding, and how much gives a wanted one is found by bisection. `same`: one set of
items for all nights, and its own drop is the truth. `fresh`: a new set every night, and the truth is the
mean drop of a million items. Rates must keep inside the 99.9 % binomial band. Then nights as run folders of
the fake engine that no gate may pass: other settings, silent ones, ones that only some items survive.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, hypergeom

from grmeval.measure import Contrast, panel
from grmeval.measure.gate import decide
from grmeval.runs import Stopwatch, configure, extend, prepare
from grmeval.score import baseline_of, gate
from grmeval.store import RunFolder

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

SAMPLES = 8
ALPHA = 0.05
PROMPT = 0.8  # standard deviations of the logits
ITEM = 1.2
LOST = 0.05


class Layout(NamedTuple):
    """Prompts and weight of each section, and how many items a prompt has at most."""

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    most: int = 1


LAYOUTS = {
    "4,000 items": Layout((1000, 700, 300, 28), (45, 34, 20, 1), most=3),
    # Chat, Chat Hard, Safety, and Reasoning's math and code, half of a quarter each.
    "RewardBench": Layout((358, 456, 740, 447, 984), (2, 2, 2, 1, 1)),
    "four sections of 28": Layout((28,) * 4, (1,) * 4),
    "one section of 28": Layout((28,), (1,)),
    "one section of 100": Layout((100,), (1,)),
    "one section of 300": Layout((300,), (1,)),
}


class Items(NamedTuple):
    """Odds that one sample is right [I], luck [I] that says which are lost first, prompt and section."""

    right: Floats
    luck: Floats
    cluster: Labels
    section: Labels
    weights: Floats


def items(rng: np.random.Generator, layout: Layout) -> Items:
    """One to `most` items a prompt (one in a section of 28)."""
    prompts = sum(layout.sizes)
    of = np.repeat(np.arange(len(layout.sizes)), layout.sizes)
    small = np.array(layout.sizes)[of] <= 28
    sizes = np.where(small, 1, rng.integers(1, layout.most + 1, prompts))
    cluster = np.repeat(np.arange(prompts), sizes)
    logit = 0.9 + PROMPT * rng.standard_normal(prompts)[cluster]
    logit += ITEM * rng.standard_normal(len(cluster))
    luck = rng.random(len(cluster))
    weights = np.array(layout.weights, dtype=np.float64)
    return Items(1 / (1 + np.exp(-logit)), luck, cluster, of[cluster], weights)


def voted(right: Floats) -> Floats:
    """Expected credit of the vote: more than half of the samples right, a half where they tie."""
    half = SAMPLES // 2
    return np.asarray(binom.sf(half, SAMPLES, right) + binom.pmf(half, SAMPLES, right) / 2)


def worse(given: Items, loss: float, way: str) -> Floats:
    """Every item's odds move towards 0 by the same fraction, or so large a share of the items is lost."""
    if way == "weaker":
        return given.right * (1 - loss)
    return np.where(given.luck < loss, np.minimum(given.right, LOST), given.right)


def accuracy(credit: Floats, given: Items) -> float:
    sums, counts = (np.bincount(given.section, w) for w in (credit, np.ones(len(credit))))
    return float(given.weights @ (sums / counts) / given.weights.sum())


def loss_of(drop: float, given: Items, way: str) -> float:
    """The loss that costs these items `drop` of their accuracy."""
    low, high = 0.0, 1.0
    before = accuracy(voted(given.right), given)
    for _ in range(60):
        middle = (low + high) / 2
        lost = before - accuracy(voted(worse(given, middle, way)), given)
        low, high = (low, middle) if lost > drop else (middle, high)
    return (low + high) / 2


@cache
def of_stored(stored: int) -> Floats:
    """The vote of 8 as the mean over subsets of `stored` samples, by how many of those are right."""
    half, right = SAMPLES // 2, np.arange(stored + 1)
    chosen = hypergeom(stored, right, SAMPLES)
    return np.asarray(chosen.sf(half) + chosen.pmf(half) / 2)


def run(rng: np.random.Generator, right: Floats, stored: int) -> Floats:
    """Credits of one run: the samples are drawn and voted on."""
    credits: Floats = of_stored(stored)[rng.binomial(stored, right)]
    return credits


class Cell(NamedTuple):
    """A way to be worse, under one layout, beside a baseline of so many samples an item."""

    layout: str
    stored: int
    way: str

    def night(self, rng: np.random.Generator, given: Items, loss: float) -> Contrast:
        """New minus baseline, both drawn now."""
        new = run(rng, worse(given, loss, self.way), SAMPLES)
        credit = np.stack([new, run(rng, given.right, self.stored)])
        both = panel(credit, np.ones(credit.shape), given.cluster, given.section, given.weights)
        return both.contrast((1, -1), level=1 - 2 * ALPHA)

    def error(self, rng: np.random.Generator, loss: float) -> float:
        """The usual error of a night."""
        layout = LAYOUTS[self.layout]
        return float(np.mean([self.night(rng, items(rng, layout), loss).error for _ in range(50)]))

    def rates(
        self,
        rng: np.random.Generator,
        tonight: Callable[[], Items],
        loss: float,
        margin: float,
        nights: int,
    ) -> dict[str, int]:
        """How many nights get each verdict."""
        found = [decide(self.night(rng, tonight(), loss), margin, ALPHA) for _ in range(nights)]
        return {
            "passed": sum(one in ("passed", "improved") for one in found),
            "regressed": found.count("regressed"),
            "improved": found.count("improved"),
        }


CELLS = [
    Cell("4,000 items", 8, "weaker"),
    Cell("4,000 items", 32, "weaker"),
    Cell("4,000 items", 32, "lost"),
    Cell("RewardBench", 32, "weaker"),
    Cell("RewardBench", 32, "lost"),
    Cell("four sections of 28", 32, "weaker"),
    Cell("four sections of 28", 32, "lost"),
    Cell("one section of 28", 32, "weaker"),
    Cell("one section of 28", 32, "lost"),
    Cell("one section of 28", 8, "lost"),
    Cell("one section of 100", 32, "lost"),
    Cell("one section of 300", 32, "lost"),
]


def many_items(rng: np.random.Generator, layout: Layout, least: int = 300_000) -> Items:
    """Several sets as one; sections keep their weights."""
    prompts = sum(layout.sizes)
    drawn = [items(rng, layout) for _ in range(least // prompts + 1)]
    shifted = [one.cluster + at * prompts for at, one in enumerate(drawn)]
    return Items(
        np.concatenate([one.right for one in drawn]),
        np.concatenate([one.luck for one in drawn]),
        np.concatenate(shifted),
        np.concatenate([one.section for one in drawn]),
        drawn[0].weights,
    )


def simulated(cell: Cell, nights: int) -> bool:
    """A cell's rows; whether every rate is as wanted."""
    rng = np.random.default_rng([2026, CELLS.index(cell)])
    layout = LAYOUTS[cell.layout]
    crowd, fixed = many_items(rng, layout), items(rng, layout)
    # A worse model's votes are less sure, so the error grows with the drop: 2.5 of the largest.
    error = cell.error(rng, 0.0)
    for _ in range(4):
        error = cell.error(rng, loss_of(min(5 * error, 0.5), crowd, cell.way))
    margin = 2.5 * error
    most, least = binom.ppf(0.9995, nights, ALPHA), binom.ppf(0.0005, nights, 0.8)
    good = True
    sets = [("fresh", crowd, lambda: items(rng, layout))]
    if len(fixed.right) > 1000:  # of a few items no share that is lost gives just the drop
        sets.insert(0, ("same", fixed, lambda: fixed))
    for name, truth, tonight in sets:
        for drop in (0.0, 1.0, 2.0):
            loss = loss_of(drop * margin, truth, cell.way) if drop else 0.0
            found = cell.rates(rng, tonight, loss, margin, nights)
            wanted, kept = {
                0.0: ("passed >= 80 %", found["passed"] >= least),
                1.0: ("passed, regressed <= 5 %", max(found["passed"], found["regressed"]) <= most),
                2.0: ("regressed >= 80 %", found["regressed"] >= least),
            }[drop]
            good &= bool(kept)
            cells = "".join(
                f"{found[verdict] / nights:>{width}.1%}"
                for verdict, width in (("passed", 10), ("regressed", 12), ("improved", 11))
            )
            which = f"{cell.layout}, of {cell.stored}, {cell.way}, {name}"
            told = f"{drop:.0f} x {100 * margin:.2f}"
            print(f"{which:42}{told:>12}{cells}   {wanted}{'' if kept else ': NO'}", flush=True)
    return good


# --- as run folders ---------------------------------------------------------------------------------

HONEST: dict[str, Any] = {"engine_args": {"accuracy": 0.75}}
BAD: dict[str, dict[str, Any]] = {
    "temperature 2": HONEST | {"temperature": 2.0},
    "random orders": HONEST | {"orders": "random"},
    "another judge": HONEST | {"judge": "pointwise-plain"},
    "all silent": {"engine_args": {"no_score": 1.0}},
    "nine of ten silent": {"engine_args": {"accuracy": 0.75, "no_score": 0.9}},
    "all tied": {"engine_args": {"accuracy": 0.0, "ties": 1.0}},
    "all cut but a few, all right": {"engine_args": {"accuracy": 1.0, "truncated": 0.97}},
    "a third as good": {"engine_args": {"accuracy": 0.25}},
}
RULES: dict[str, dict[str, Any]] = {
    "official": {},
    "half": {"ties": "half", "on_invalid": "half"},
    "share": {"ties": "share", "on_invalid": "share"},
    "drop": {"on_invalid": "drop"},
}


def judged(results: Path, k: int, seed: int, settings: dict[str, Any]) -> RunFolder:
    """A run of the fake engine on the packaged sample's pairs and lists."""
    words = {"bench": "sample", "engine": "fake", "results": results, "k": k, "seed": seed}
    return extend(prepare(configure(words | settings)), Stopwatch())


def folders(runs: int) -> bool:
    """Nights of the fake engine that must not pass, under every rule; whether none did."""
    good = True
    with TemporaryDirectory() as place:
        olds = [judged(Path(place) / f"old{at}", 32, at, HONEST) for at in range(runs)]
        for name, settings in {"an honest night": HONEST, **BAD}.items():
            passed = dict.fromkeys(RULES, 0)
            for at, old in enumerate(olds):
                new = judged(Path(place) / name / f"{at}", 8, 1000 + at, settings)
                for rule, words in RULES.items():
                    found = gate(new, baseline_of(old, k=8, **words), max_drop=0.25)
                    passed[rule] += found.verdict in ("passed", "improved")
            kept = name not in BAD or not any(passed.values())
            good &= kept
            cells = "   ".join(f"{rule}: {count}" for rule, count in passed.items())
            print(f"{name:42}passed of {runs}: {cells}{'' if kept else ': NO'}", flush=True)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=2000)
    parser.add_argument("--only", default="", help="layouts whose name holds this text")
    parser.add_argument("--runs", type=int, default=20, help="nights as run folders")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    chosen = [cell for cell in CELLS if given.only in cell.layout]
    if not chosen:
        parser.error(f"--only {given.only}: no such layout")
    print(f"votes of {SAMPLES}, alpha = {ALPHA}, margins of 2.5 errors; {given.nights:,} nights")
    print(f"{'items':42}{'true drop':>12}{'passed':>10}{'regressed':>12}{'improved':>11}   wanted")
    with ProcessPoolExecutor(given.processes) as pool:
        good = all(list(pool.map(partial(simulated, nights=given.nights), chosen)))
    if given.runs:
        good &= folders(given.runs)
    print("every rate is as wanted" if good else "NOT every rate is as wanted")


if __name__ == "__main__":
    main()
