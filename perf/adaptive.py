"""What --adaptive saves and what it costs: samples, accuracy, and verdicts that are not the full vote's.

    python perf/adaptive.py [--scores rb2-k8-judge/mini.jsonl.xz] [--seeds 20] [--epsilon 0.02] [--small]

Items stop by the rule of `grmeval run --adaptive` (`grmeval.measure.prospects`), in rounds over all items.
Beside each other: the vote (sum) of what each stopped with, and that of all k samples of the same items.
`real`: the scores of a public judge, 8 samples a response of 1,724 best-of-4 items (composo-ai/llm-judge-
criteria-ensembling, MIT; not shipped with this project): at k = 8 in a fresh order each seed, beyond that
drawn from the 8 with replacement. `fake`: 1,000 items judged as the fake engine does. `rare opposites` and
`mostly ties`: what a normal model is least right of.
"""

import argparse
import json
import lzma
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.engines.fake import FakeSettings
from grmeval.measure import Scale, Spread, prospects, totals

Floats = NDArray[np.float64]
KS = (8, 16, 32)
K_MIN = 2
ITEMS = 1000
SCALE = Scale(1, 10)

MIXES: dict[str, dict[str, float]] = {
    "easy": {"accuracy": 0.9, "spread": 0.1},
    "usual": {"accuracy": 0.7, "spread": 0.3},
    "hard": {"accuracy": 0.55, "spread": 0.1},
    "two kinds": {"accuracy": 0.7, "spread": 0.8},
    "order bias": {"accuracy": 0.7, "spread": 0.3, "order_bias": 2},
}
"""Settings of the fake engine: how often one sample is right, and how unlike items are in that."""


class Block(NamedTuple):
    """Items of n responses: scores [I, N, n], which were readable [I, N], which responses are best [I, n]."""

    scores: Floats
    valid: NDArray[np.bool_]
    best: NDArray[np.bool_]


class Found(NamedTuple):
    """Shares of one data set at one k: samples needed, accuracy less that of k, verdicts that differ."""

    needed: float
    difference: float
    changed: float
    full: float


def stopped(blocks: Sequence[Block], most: int, epsilon: float) -> list[NDArray[np.int64]]:
    """How many samples each item of each block needed."""
    made = [np.full(len(block.scores), most) for block in blocks]
    told = [np.zeros((len(Spread._fields), len(block.scores))) for block in blocks]
    for m in range(K_MIN, most):
        for block, needed, mine in zip(blocks, made, told, strict=True):
            at = np.flatnonzero(needed == most)
            if (block.scores.shape[2] == 2 and m % 2) or not len(at):
                continue
            given = block.scores[at, :m], block.valid[at, :m]
            # What an item told last counts for as long as the run goes on.
            mine[:, at] = prospects("sum", *given, most, Spread(), SCALE).told
            every = Spread(*np.concatenate(told, axis=1)).total()
            found = prospects("sum", *given, most, every, SCALE)
            needed[at[found.sure | (found.change <= epsilon)]] = m
    return made


def verdicts(block: Block, made: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which responses are ahead [I, n] after so many samples; of one response whether it passes."""
    counted = block.valid & (np.arange(block.valid.shape[1]) < made[:, None])
    found = totals("sum", block.scores, counted)
    if found.shape[1] == 1:
        return np.asarray(found >= SCALE.threshold)
    return np.asarray(found == found.max(axis=1, keepdims=True))


def credit(block: Block, ahead: NDArray[np.bool_]) -> Floats:
    """Ties share."""
    if ahead.shape[1] == 1:
        return np.asarray((ahead == block.best)[:, 0], dtype=float)
    return np.asarray((ahead & block.best).sum(axis=1) / np.maximum(ahead.sum(axis=1), 1))


def compared(blocks: Sequence[Block], most: int, epsilon: float) -> Found:
    """One data set."""
    made = stopped(blocks, most, epsilon)
    part = [verdicts(block, needed) for block, needed in zip(blocks, made, strict=True)]
    full = [verdicts(block, np.full(len(block.scores), most)) for block in blocks]
    pairs = list(zip(blocks, part, full, strict=True))
    earned = np.concatenate([credit(block, mine) for block, mine, _ in pairs])
    whole = np.concatenate([credit(block, theirs) for block, _, theirs in pairs])
    changed = np.concatenate([(mine != theirs).any(axis=1) for _, mine, theirs in pairs])
    needed = np.concatenate(made)
    return Found(
        float(needed.mean() / most),
        float((earned - whole).mean()),
        float(changed.mean()),
        float(whole.mean()),
    )


def real(path: Path, most: int, seed: int) -> list[Block]:
    """Items with 8 scores of each of 4 responses, the first of which is the best."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        found = [json.loads(line)["scores"] for line in file]
    whole = [
        s for s in found if len(s) == 4 and all(len(each) == 8 and None not in each for each in s)
    ]
    stored = np.array(whole, dtype=float).transpose(0, 2, 1)
    rng = np.random.default_rng([seed, most])
    if most == 8:
        at = np.argsort(rng.random((len(stored), 8)), axis=1)
    else:
        at = rng.integers(0, 8, (len(stored), most))
    scores = np.take_along_axis(stored, at[..., None], axis=1)
    return [_block(scores)]


def fake(mix: dict[str, float], seed: int) -> list[Block]:
    """What the fake engine would say of as many pairs as best-of-4, the first response the best; in arrays,
    by its own model.
    """
    said, rng = FakeSettings(**mix), np.random.default_rng(seed)  # type: ignore[arg-type]
    return [_said(said, n, rng) for n in (2, 4)]


def _said(said: FakeSettings, n: int, rng: np.random.Generator) -> Block:
    items, most = ITEMS // 2, KS[-1]
    accuracy = np.full(items, said.accuracy)
    if said.spread:
        size = 1 / said.spread - 1
        accuracy = rng.beta(said.accuracy * size, (1 - said.accuracy) * size, items)
    right, tied, place, gap, pick = rng.random((5, items, most))
    won = right < accuracy[:, None]
    top = _between(said.low + 1, said.high - said.order_bias, place)
    rest = _between(said.low, top - 1, 1 - gap * said.noise)
    at = np.arange(n)
    first = np.where(won, 0, 1 + (pick * (n - 1)).astype(int))[..., None] == at
    first |= (~won & (tied < said.ties))[..., None] & (at == 0)
    scores = np.where(first, top[..., None], rest[..., None])
    scores += said.order_bias * (np.arange(most)[:, None] % n == at)
    return _block(np.clip(scores, 1, 10))


def _between(low: Any, high: Any, u: Floats) -> Floats:
    return np.asarray(low + np.minimum(high - low, np.floor(u * (high - low + 1))))


def opposite(seed: int) -> list[Block]:
    """Pairs that lead by one point, of which a fifth has a sample in seven that says the very opposite."""
    rng = np.random.default_rng(seed)
    hit = (rng.random((ITEMS, KS[-1])) < 1 / 7) & (rng.random(ITEMS) < 0.2)[:, None]
    return [_block(np.where(hit[..., None], [1.0, 10.0], [6.0, 5.0]))]


def ties(seed: int) -> list[Block]:
    """Pairs of which 85 % of the samples tie, and the others are right by three points as often as wrong, or
    nearly so: 3 to 7 times in ten.
    """
    rng = np.random.default_rng(seed)
    right, told = rng.random((2, ITEMS, KS[-1]))
    lead = 3.0 * (told < 0.15)
    won = right < rng.uniform(0.3, 0.7, (ITEMS, 1))
    return [_block(5 + np.stack([lead * won, lead * ~won], axis=2))]


HARDEST = {"rare opposites": opposite, "mostly ties": ties}


def _block(scores: Floats) -> Block:
    best = np.zeros((len(scores), scores.shape[2]), dtype=bool)
    best[:, 0] = True
    return Block(scores, np.ones(scores.shape[:2], dtype=bool), best)


def row(name: str, most: int, found: Sequence[Found]) -> str:
    """Means over seeds; the difference with its 95 % limits."""
    from scipy.stats import t

    values = np.array(found)
    mean = 100 * values.mean(axis=0)
    spare = len(found) - 1
    error = 100 * values[:, 1].std(ddof=1) / np.sqrt(len(found)) if spare else np.nan
    wide = error * float(t.ppf(0.975, spare)) if spare else np.nan
    return (
        f"| {name} | {most} | {mean[0]:.1f} | {most * mean[0] / 100:.1f} | {mean[3]:.1f} | "
        f"{mean[1]:+.2f} ± {wide:.2f} | {mean[2]:.2f} |"
    )


def cells(arguments: argparse.Namespace) -> Iterator[tuple[str, int, list[Found]]]:
    """(judge, k, what each seed came to)."""
    seeds, epsilon = range(arguments.seeds), arguments.epsilon
    if arguments.scores:
        for most in KS:
            path = arguments.scores
            yield "real", most, [compared(real(path, most, seed), most, epsilon) for seed in seeds]
    made: dict[str, Callable[[int], list[Block]]] = {
        f"fake, {name}": partial(fake, mix) for name, mix in MIXES.items()
    }
    for name, make in (made | HARDEST).items():
        blocks = [make(seed) for seed in seeds]
        for most in KS:
            yield name, most, [compared(each, most, epsilon) for each in blocks]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scores", type=Path, help="the judge's scores; else left out")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epsilon", type=float, default=0.02)
    parser.add_argument(
        "--small", action="store_true", help="two seeds: goes through all of the code"
    )
    arguments = parser.parse_args()
    if arguments.small:
        arguments.seeds = 2
    if not arguments.scores:
        print("without --scores: the part on a real judge is left out\n")
    print(
        "| judge | k | % of samples | mean k | accuracy at k | difference, points | % verdicts changed |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, most, found in cells(arguments):
        print(row(name, most, found), flush=True)


if __name__ == "__main__":
    main()
