"""Calibration: is a vote right as often as its samples agree with it?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import t_test
from grmeval.measure.bias import contrast
from grmeval.measure.calibration import reliability, vote_confidence
from grmeval.measure.intervals import Estimate
from grmeval.score.diagnosis.findings import NAN, Claim, Finding, Part, bare, finding, share_of
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
    # A vote of equally hard items is right more often than its samples agree: that is no fault.
    p = t_test(over, above=True) if k > 1 else NAN
    measure, count = "agree less right", len(right)
    rows.append(finding("calibration", "", "all", measure, "points", over, count, p))
    claim = Claim(
        rows[-1],
        about="",
        words=("the vote is too sure", "", "the vote is not too sure"),
        tail=", agreement less the share that is right",
        todo="take agreement for no probability; samples share errors",
        freedom=over.freedom,
        above=True,
    )
    ece = bare(error, len(right))
    measure = "expected calibration error"
    rows.append(finding("calibration", "", "all", measure, "share", ece, count))
    said = f"expected calibration error {100 * error:.1f} points"
    if k == 1:
        alone = ("one sample agrees with itself: see it at a larger --k",)
        return Part("calibration", title, columns, tuple(rows), (said,), alone)
    return Part("calibration", title, columns, tuple(rows), (said,), claims=(claim,))


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
