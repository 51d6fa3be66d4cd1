"""What a diagnosis finds: numbers in long form, tables of them, and the sentence that each comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.intervals import Estimate, estimate

__all__ = ["Finding", "Part", "bare", "finding", "leaning", "points", "share_of"]


@dataclass(frozen=True)
class Finding:
    """One number: `measure` of `name` in `kind` (of items), with its limits; NaN: it has none.

    `unit`: share (of 1), points (a difference of shares), score (of a judge), gap (a difference of
    scores), r (a correlation, or alpha), tokens, or count. `items` it rests on, `clusters` (distinct
    prompts) among them, `count`: judgements, or pairs of them, or votes.
    """

    part: str
    kind: str
    name: str
    measure: str
    unit: str
    value: float
    low: float
    high: float
    error: float
    items: int
    clusters: int
    count: int


@dataclass(frozen=True)
class Part:
    """One question put to a run. `columns`: measures that its table shows side by side; none: one a line.

    `says`: what it comes to, in sentences; `absent`: what does not apply, and why.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    findings: tuple[Finding, ...]
    says: tuple[str, ...]
    absent: tuple[str, ...] = ()


def finding(
    part: str, kind: str, name: str, measure: str, unit: str, found: Estimate, count: int = 0
) -> Finding:
    """A Finding of an Estimate."""
    value, low, high, error, items, clusters, _ = found
    return Finding(part, kind, name, measure, unit, value, low, high, error, items, clusters, count)


def bare(value: float, items: int = 0, clusters: int = 0) -> Estimate:
    """A number that has no interval."""
    nan = float("nan")
    return Estimate(value, nan, nan, nan, items, clusters, "")


def share_of(
    credit: NDArray[np.float64], weight: NDArray[np.float64], cluster: NDArray[np.int64]
) -> Estimate:
    """A share in [0, 1] over rows [R] of one section: sum(credit) / sum(weight)."""
    return estimate(credit, weight, cluster, np.zeros(len(credit), dtype=np.intp), np.ones(1))


def points(found: Estimate | Finding, scale: float = 100.0, digits: int = 1) -> str:
    """`3.1 [1.0, 5.2]`, in percentage points."""

    def text(number: float) -> str:
        return f"{round(scale * number, digits) + 0.0:.{digits}f}"  # + 0.0: no -0.0

    if isnan(found.low):
        return text(found.value)
    return f"{text(found.value)} [{text(found.low)}, {text(found.high)}]"


def leaning(found: Estimate | Finding, words: Sequence[str]) -> str:
    """Of (above, below, neither): what an interval says of 0."""
    above, below, neither = words
    return above if found.low > 0 else below if found.high < 0 else neither
