"""What a diagnosis finds: numbers in long form, tables of them, what they claim, and the sentences."""

from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import Contrast
from grmeval.measure.intervals import Estimate, estimate

__all__ = ["RATE", "Claim", "Finding", "Part", "bare", "finding", "points", "share_of", "small"]

NAN = float("nan")
RATE = 0.05
"""Of the claims that are found, the share that is expected to be noise."""
_UNITS = {"points": "points", "gap": "score points", "r": ""}


@dataclass(frozen=True)
class Finding:
    """One number: `measure` of `name` in `kind` (of items), with its limits; NaN: it has none.

    `unit`: share (of 1), points (a difference of shares), score (of a judge), gap (a difference of
    scores), r (a correlation, or alpha), tokens, or count. `items` it rests on, `clusters` (distinct
    prompts) among them, `count`: judgements, or pairs of them, or votes.

    Of a number that is 0 for a healthy judge: `p` of its test, `q` adjusted for all such numbers of the
    report, `detectable`: the smallest true value that would be found, were it alone, with probability 0.8.
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
    p: float = NAN
    q: float = NAN
    detectable: float = NAN


@dataclass(frozen=True)
class Claim:
    """A number of a part that is 0 for a healthy judge, and the words for it.

    `about`: what it is of; `words`: it is above 0, below, not told from 0; `tail` follows the number.
    `todo`: what to do about it. `above`: only a number above 0 is a fault, and the test
    is one-sided. `freedom` of its t test; NaN: it is no t test.
    """

    row: Finding
    about: str
    words: tuple[str, str, str]
    tail: str
    todo: str
    freedom: float = NAN
    above: bool = False

    @property
    def found(self) -> bool:
        """Whether it is told from 0, given all that was looked at."""
        return self.row.q <= RATE

    @property
    def lean(self) -> str:
        """The words that hold."""
        above, below, neither = self.words
        return neither if not self.found else above if self.row.value > 0 else below

    @property
    def number(self) -> str:
        """`3.1 [1.0, 5.2] points`."""
        scale, digits = (100.0, 1) if self.row.unit == "points" else (1.0, 2)
        return f"{points(self.row, scale, digits)} {_UNITS[self.row.unit]}".rstrip()

    def sentence(self) -> str:
        """What the report says of it."""
        odds = "not tested"
        if not isnan(self.row.p):
            odds = f"p {small(self.row.p)}, q {small(self.row.q)}"
        about = f"{self.about}: " if self.about else ""
        return f"{about}{self.lean}: {self.number}{self.tail} ({odds})"


@dataclass(frozen=True)
class Part:
    """One question put to a run. `columns`: measures that its table shows side by side; none: one a line.

    `says`: what it comes to, in sentences; `absent`: what does not apply, and why. `claims`: those of its
    numbers that are 0 for a healthy judge.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    findings: tuple[Finding, ...]
    says: tuple[str, ...]
    absent: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()


def finding(
    part: str,
    kind: str,
    name: str,
    measure: str,
    unit: str,
    found: Estimate | Contrast,
    count: int = 0,
    p: float = NAN,
) -> Finding:
    """A Finding of an Estimate or a Contrast."""
    return Finding(
        part=part,
        kind=kind,
        name=name,
        measure=measure,
        unit=unit,
        value=found.value,
        low=found.low,
        high=found.high,
        error=found.error,
        items=found.items,
        clusters=found.clusters,
        count=count,
        p=p,
    )


def bare(value: float, items: int = 0, clusters: int = 0) -> Estimate:
    """A number that has no interval."""
    nan = float("nan")
    return Estimate(value, nan, nan, nan, items, clusters, "")


def share_of(
    credit: NDArray[np.float64], weight: NDArray[np.float64], cluster: NDArray[np.int64]
) -> Estimate:
    """A share in [0, 1] over rows [R] of one section: sum(credit) / sum(weight)."""
    return estimate(credit, weight, cluster, np.zeros(len(credit), dtype=np.intp), np.ones(1))


def points(found: Estimate | Contrast | Finding, scale: float = 100.0, digits: int = 1) -> str:
    """`3.1 [1.0, 5.2]`, in percentage points."""

    def text(number: float) -> str:
        return f"{round(scale * number, digits) + 0.0:.{digits}f}"  # + 0.0: no -0.0

    if isnan(found.low):
        return text(found.value)
    return f"{text(found.value)} [{text(found.low)}, {text(found.high)}]"


def small(p: float) -> str:
    """A p-value in three decimals."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
