"""The gate on simulated nights: a baseline and a new run of the same items, drawn afresh every night.

    python perf/nights.py [--nights 2000]

About 4,000 items of 2,028 prompts in four sections (one of 28 items and a hundredth of the weight), k = 8
samples an item; every item has its own odds, and a vote is right by the sum of its samples. The new
model is worse by a fraction of each item's odds; what that does to the vote is a polynomial, so the true
drop of given items is known to rounding and the fraction that gives a wanted one is found by bisection.
`same items`: one set for all nights, and its own drop is the truth. `fresh items`: a new set every night,
and the truth is the mean drop of a million items. Rates must keep inside the 99.9 % binomial band.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from grmeval.measure import Contrast, panel
from grmeval.measure.gate import decide

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

SAMPLES = 8
SIZES = (1000, 700, 300, 28)  # prompts of each section
WEIGHTS = np.array([45.0, 34.0, 20.0, 1.0])
ALPHA = 0.05
PROMPT = 0.8  # standard deviations of the logits
ITEM = 1.2


class Items(NamedTuple):
    """Odds that one sample is right [I], prompt and section of each item."""

    right: Floats
    cluster: Labels
    section: Labels


def items(rng: np.random.Generator) -> Items:
    """One to three items a prompt (one in the smallest section)."""
    prompts = sum(SIZES)
    of = np.repeat(np.arange(len(SIZES)), SIZES)
    sizes = np.where(of < len(SIZES) - 1, rng.integers(1, 4, prompts), 1)
    cluster = np.repeat(np.arange(prompts), sizes)
    logit = 0.9 + PROMPT * rng.standard_normal(prompts)[cluster]
    logit += ITEM * rng.standard_normal(len(cluster))
    return Items(1 / (1 + np.exp(-logit)), cluster, of[cluster])


def voted(right: Floats) -> Floats:
    """Expected credit of the vote: more than half of the samples right, a half where they tie."""
    half = SAMPLES // 2
    return np.asarray(binom.sf(half, SAMPLES, right) + binom.pmf(half, SAMPLES, right) / 2)


def worse(right: Floats, loss: float) -> Floats:
    """Every item's odds move towards 0 by the same fraction."""
    return right * (1 - loss)


def accuracy(credit: Floats, given: Items) -> float:
    sums, counts = (np.bincount(given.section, w) for w in (credit, np.ones(len(credit))))
    return float(WEIGHTS @ (sums / counts) / WEIGHTS.sum())


def loss_of(drop: float, given: Items) -> float:
    """The loss that costs these items `drop` of their accuracy."""
    low, high = 0.0, 1.0
    before = accuracy(voted(given.right), given)
    for _ in range(60):
        middle = (low + high) / 2
        lost = before - accuracy(voted(worse(given.right, middle)), given)
        low, high = (low, middle) if lost > drop else (middle, high)
    return (low + high) / 2


def run(rng: np.random.Generator, right: Floats) -> Floats:
    """Credits of one run: the samples are drawn and voted on."""
    wins = rng.binomial(SAMPLES, right)
    return (np.sign(2 * wins - SAMPLES) + 1) / 2


def night(rng: np.random.Generator, given: Items, loss: float) -> Contrast:
    """New minus baseline, both drawn now."""
    credit = np.stack([run(rng, worse(given.right, loss)), run(rng, given.right)])
    both = panel(credit, np.ones(credit.shape), given.cluster, given.section, WEIGHTS)
    return both.contrast((1, -1))


def many_items(rng: np.random.Generator, sets: int) -> Items:
    """Several sets as one; sections keep their weights."""
    drawn = [items(rng) for _ in range(sets)]
    return Items(
        np.concatenate([one.right for one in drawn]),
        np.concatenate([one.cluster + at * sum(SIZES) for at, one in enumerate(drawn)]),
        np.concatenate([one.section for one in drawn]),
    )


def typical_error(rng: np.random.Generator, loss: float) -> float:
    return float(np.mean([night(rng, items(rng), loss).error for _ in range(50)]))


def rates(
    rng: np.random.Generator, tonight: Callable[[], Items], loss: float, margin: float, nights: int
) -> dict[str, int]:
    found = [decide(night(rng, tonight(), loss), margin, ALPHA) for _ in range(nights)]
    return {
        "passed": sum(one in ("passed", "improved") for one in found),
        "regressed": found.count("regressed"),
        "improved": found.count("improved"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=2000)
    nights = parser.parse_args().nights
    rng = np.random.default_rng(2026)
    fixed = items(rng)
    crowd = many_items(rng, 300)
    # A worse model's votes are less sure, so the error grows with the drop: 2.5 of the largest.
    equal = typical_error(rng, 0.0)
    error = typical_error(rng, loss_of(5 * equal, crowd))
    margin = 2.5 * error
    print(f"{len(fixed.right):,} items, {sum(SIZES):,} prompts, k = {SAMPLES}, alpha = {ALPHA}")
    print(f"error {100 * equal:.2f} points (equal runs) to {100 * error:.2f} (twice the margin)")
    print(f"margin 2.5 errors = {100 * margin:.2f} points; {nights:,} nights")
    print(f"{'items':8}{'true drop':>16}{'passed':>10}{'regressed':>12}{'improved':>11}   wanted")
    most, least = binom.ppf(0.9995, nights, ALPHA), binom.ppf(0.0005, nights, 0.8)
    good = True
    for name, truth, tonight in (
        ("same", fixed, lambda: fixed),
        ("fresh", crowd, lambda: items(rng)),
    ):
        for drop in (0.0, 1.0, 2.0):
            loss = loss_of(drop * margin, truth) if drop else 0.0
            found = rates(rng, tonight, loss, margin, nights)
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
            print(
                f"{name:8}{f'{drop:.0f} margins':>16}{cells}   {wanted}{'' if kept else ': NO'}",
                flush=True,
            )
    print("every rate is as wanted" if good else "NOT every rate is as wanted")


if __name__ == "__main__":
    main()
