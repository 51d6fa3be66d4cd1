"""Calibration: is a vote right as often as its samples agree with it?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.bias import contrast
from grmeval.measure.calibration import reliability, vote_confidence
from grmeval.measure.intervals import Estimate
from grmeval.score.diagnosis.findings import Finding, Part, bare, finding, leaning, points, share_of
from grmeval.score.diagnosis.observed import Observed

__all__ = ["calibration"]

Floats = NDArray[np.float64]


def calibration(seen: Observed, vote: str, k: int) -> Part:
    """Is a vote right as often as its samples agree with it? Every k samples in a row are one vote."""
    title = f"calibration: is a vote of {k} right as often as its samples agree?"
    columns = ("agree", "right", "votes")
    confidence, right, cluster = (
        np.concatenate(values) for values in zip(*_voted(seen, vote, k), strict=True)
    )
    if not len(right):
        why = f"no vote of {k} readable samples on a labelled item"
        return Part("calibration", title, columns, (), (), (why,))
    bins, error = reliability(confidence, right, cluster)
    rows: list[Finding] = []

    def add(name: str, agree: float, found: Estimate, count: int) -> None:
        sure = bare(agree, found.items, found.clusters)
        for measure, unit, one in (
            ("agree", "share", sure),
            ("right", "share", found),
            ("votes", "count", bare(float(count))),
        ):
            rows.append(finding("calibration", "", name, measure, unit, one, count))

    for each in bins:
        name = f"{100 * each.low:.0f}-{100 * each.high:.0f} % agree"
        add(name, each.confidence, each.right, each.votes)
    ones = np.ones(len(right))
    add("all", float(confidence.mean()), share_of(right, ones, cluster), len(right))
    one = np.zeros(len(right), dtype=np.intp)
    over = contrast(confidence - right, ones, cluster, one, np.ones(1), shares=False)
    for measure, unit, found in (
        ("agree less right", "points", over),
        ("expected calibration error", "share", bare(error, len(right))),
    ):
        rows.append(finding("calibration", "", "all", measure, unit, found, len(right)))
    lean = leaning(over, ("too sure", "too modest", "neither too sure nor too modest"))
    said = (
        f"the vote is {lean}: agreement less the share that is right is {points(over)} points; "
        f"expected calibration error {100 * error:.1f} points"
    )
    absent = ["one sample agrees with itself: see it at a larger --k"] if k == 1 else []
    return Part("calibration", title, columns, tuple(rows), (said,), tuple(absent))


def _voted(seen: Observed, vote: str, k: int) -> Iterator[tuple[Floats, Floats, Floats]]:
    """(confidence, right, cluster) of the votes of each kind."""
    for kind in seen.kinds:
        times = kind.read.shape[1] // k
        block, known = kind.block, kind.decided
        shape = (int(known.sum()) * times, k)
        drawn = block.drawn[known, : times * k].reshape(shape).all(axis=1)
        found = vote_confidence(
            vote,
            block.scores[known, : times * k].reshape(*shape, kind.n)[drawn],
            block.valid[known, : times * k].reshape(shape)[drawn],
            np.repeat(block.best[known], times, axis=0)[drawn],
            kind.threshold,
        )
        there = ~np.isnan(found[0])
        cluster = np.repeat(kind.cluster[known], times)[drawn]
        yield found[0][there], found[1][there], cluster[there]
