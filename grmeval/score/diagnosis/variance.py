"""The split of the variance: more items, or more samples?"""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.bias import contrast
from grmeval.measure.split import VoteNoise, vote_noise
from grmeval.score.diagnosis.findings import Finding, Part, bare, finding, share_of
from grmeval.score.diagnosis.observed import Observed, joined

__all__ = ["split", "votes"]

Floats = NDArray[np.float64]


def votes(seen: Observed, vote: str, k: int) -> list[VoteNoise]:
    """vote@k of each of `seen.kinds`."""
    return [
        vote_noise(
            vote,
            kind.block.scores,
            kind.block.valid,
            kind.block.drawn,
            kind.block.best,
            k,
            balanced=seen.run.balanced and not kind.block.pooled,
            judges=seen.run.judges,
            threshold=kind.threshold,
            rng=np.random.default_rng([int(seen.run.record["identity"]["seed"]), 5, kind.n, k]),
        )
        for kind in seen.kinds
    ]


def split(seen: Observed, vote: str, k: int, voted: Sequence[VoteNoise]) -> Part:
    """Would more items or more samples make the accuracy surer? For one sample, and for the vote."""
    rows: list[Finding] = []
    says, absent = [], []
    wanted = [(k, voted)] if k == 1 else [(1, votes(seen, vote, 1)), (k, voted)]
    if not any(kind.decided.any() for kind in seen.kinds):
        wanted, absent = [], ["no labelled item, so no accuracy to split"]
    elif not _spare(seen, voted) and k > 3:
        absent.append(f"k={k} leaves no sample to spare: the vote is split at k={k // 2}")
        wanted[-1] = (k // 2, votes(seen, vote, k // 2))
    for at, found in wanted:
        if not _spare(seen, found):
            absent.append(f"k={at}: no sample to spare in each order; draw more to split it")
            continue
        rows += _split(seen, at, found)
    if rows:
        last = {row.measure: row.value for row in rows if row.name == rows[-1].name}
        says.append(
            f"{rows[-1].name}: {100 * last['by samples']:.0f} % of the variance of the accuracy is the "
            f"draw of samples; its standard error, {100 * last['error']:.2f} points, would be "
            f"{100 * last['2x samples']:.2f} with twice the samples, {100 * last['no draw']:.2f} with "
            f"endless ones, and {100 * last['2x items']:.2f} with twice the items"
        )
        says.append(_advice(seen, last["by samples"]))
    columns = ("accuracy", "error", "by samples", "2x samples", "2x items")
    title = "variance: more items, or more samples?"
    return Part("variance", title, columns, tuple(rows), tuple(says), tuple(absent))


def _advice(seen: Observed, by_samples: float) -> str:
    """Twice the samples takes away half of their part of the variance, twice the items half of all."""
    if seen.run.limited:
        return "more items help most: --limit leaves some out"
    if by_samples < 0.1:
        return "more samples hardly help, and every item at hand is in"
    return "every item at hand is in, so more samples help"


def _spare(seen: Observed, voted: Sequence[VoteNoise]) -> bool:
    """Whether some item has a sample to leave out in each order."""
    return any(bool(known.any()) for known in _splittable(seen, voted))


def _splittable(seen: Observed, voted: Sequence[VoteNoise]) -> list[NDArray[np.bool_]]:
    pairs = zip(seen.kinds, voted, strict=True)
    return [kind.decided & ~np.isnan(found.variance) for kind, found in pairs]


def _split(seen: Observed, k: int, voted: Sequence[VoteNoise]) -> Iterator[Finding]:
    """The accuracy's error, the part of its square from samples, and what it would come to."""
    known = _splittable(seen, voted)
    credit = joined([found.credit for found in voted], known)
    noise = float(joined([found.variance for found in voted], known).sum()) / len(credit) ** 2
    cluster = joined([kind.cluster for kind in seen.kinds], known)
    ones, zeros = np.ones(len(credit)), np.zeros(len(credit), dtype=np.intp)
    found = share_of(credit, ones, cluster)
    # As the spread of these items alone tells it: what they may not show is no draw of anything.
    error = contrast(credit, ones, cluster, zeros, np.ones(1), shares=False).error
    square = error**2
    noise = min(max(noise, 0.0), square)
    by_samples = noise / square if square else 0.0
    most = int(max(kind.read.shape[1] for kind in seen.kinds))
    for measure, unit, one in (
        ("accuracy", "share", found),
        ("error", "error", bare(error)),
        ("by samples", "share", bare(by_samples)),
        ("2x samples", "error", bare(sqrt(square - noise / 2))),
        ("2x items", "error", bare(error / sqrt(2))),
        ("no draw", "error", bare(sqrt(square - noise))),
    ):
        one = one._replace(items=found.items, clusters=found.clusters)
        yield finding("variance", "", f"k={k} of {most}", measure, unit, one, len(credit))
