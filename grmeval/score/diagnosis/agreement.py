"""Agreement, ties, calibration and the split of the variance: how much of a verdict is the draw."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isnan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.agreement import agreement as agreeing
from grmeval.measure.agreement import krippendorff
from grmeval.measure.bias import contrast
from grmeval.measure.calibration import reliability, vote_confidence
from grmeval.measure.intervals import Estimate
from grmeval.measure.split import VoteNoise, vote_noise
from grmeval.score.diagnosis.findings import Finding, Part, bare, finding, leaning, points, share_of
from grmeval.score.diagnosis.observed import KINDS, Kind, Observed, over_samples

__all__ = ["agreement", "calibration", "scores", "split", "votes"]

Floats = NDArray[np.float64]

MOST_VALUES = 20
"""Different scores that are shown one by one; more are put into this many bins."""


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


# ---------------------------------------------------------------------- agreement


def agreement(seen: Observed) -> Part:
    """Do an item's samples agree? As verdicts, and as scores (Krippendorff's alpha, ordinal)."""
    rows: list[Finding] = []
    says, absent = [], []
    for name, kinds in seen.of(*KINDS):
        each = [agreeing(kind.picked) for kind in kinds]
        known = [~np.isnan(values) for values in each]
        if not any(there.any() for there in known):
            absent.append(f"{name}: no item has two readable judgements to compare")
            continue
        values = np.concatenate([v[there] for v, there in zip(each, known, strict=True)])
        cluster = _joined([kind.cluster for kind in kinds], known)
        chance = _joined([np.full(len(kind.cluster), 1 / max(kind.n, 2)) for kind in kinds], known)
        judged = int(_joined([kind.read.sum(axis=1) for kind in kinds], known).sum())
        same = share_of(values, np.ones(len(values)), cluster)
        alpha = krippendorff(*_ratings(kinds))
        alpha = alpha._replace(items=same.items if alpha.items else 0)
        for title, measure, unit, found in (
            ("two judgements", "same pick", "share", same),
            ("random picks", "same pick", "share", bare(float(chance.mean()), same.items)),
            ("ordinal scores", "alpha", "r", alpha),
        ):
            if found.items:
                rows.append(finding("agreement", name, title, measure, unit, found, judged))
        alphas = "" if isnan(alpha.value) else f"; alpha of their scores {points(alpha, 1, 2)}"
        says.append(f"{name}: two judgements of an item agree in {points(same)} % of cases{alphas}")
        if isnan(alpha.value):
            absent.append(f"{name}: no alpha: all scores are alike")
    title = "self-agreement: do judgements of one item agree?"
    return Part("agreement", title, (), tuple(rows), tuple(says), tuple(absent))


def _joined(each: Sequence[NDArray[Any]], known: Sequence[NDArray[np.bool_]]) -> NDArray[Any]:
    return np.concatenate([values[there] for values, there in zip(each, known, strict=True)])


def _ratings(kinds: Sequence[Kind]) -> tuple[Floats, NDArray[np.int64]]:
    """(ratings [U, R], cluster [U]): responses are the units, samples the raters."""
    most = max(kind.read.shape[1] for kind in kinds)
    ratings = [
        np.pad(
            np.swapaxes(kind.block.scores, 1, 2).reshape(-1, kind.read.shape[1]),
            ((0, 0), (0, most - kind.read.shape[1])),
            constant_values=np.nan,
        )
        for kind in kinds
    ]
    cluster = [np.repeat(kind.cluster, kind.n) for kind in kinds]
    return np.concatenate(ratings), np.concatenate(cluster)


# ---------------------------------------------------------------------- scores


def scores(seen: Observed, voted: Sequence[VoteNoise], k: int) -> Part:
    """Which scores are given, and how often the best only shares the highest."""
    values = np.concatenate([_given(kind) for kind in seen.kinds])
    rows = list(_histogram(values))
    says = []
    absent = ["one response cannot tie"] if any(kind.n == 1 for kind in seen.kinds) else []
    if not rows:
        absent.append("no judgement can be read")
    else:
        top = max(rows, key=lambda row: row.value)
        says.append(
            f"{len(np.unique(values))} different scores; the commonest, {top.name}, is "
            f"{100 * top.value:.1f} % of {len(values):,}"
        )
    for name, kinds in seen.of("pairs", "best-of-n", "pools"):
        ties = list(_ties(name, kinds, [voted[seen.kinds.index(kind)] for kind in kinds], k))
        rows += ties
        if ties:
            said = ", ".join(f"{points(row)} % at k={row.name[2:]}" for row in ties)
            says.append(f"{name}: the best shares the highest score: {said}")
        if not ties:
            absent.append(f"{name}: no labelled item, whose best could tie")
    title = "scores: which are given, and how many tie?"
    return Part("scores", title, ("share",), tuple(rows), tuple(says), tuple(absent))


def _given(kind: Kind) -> Floats:
    scored = kind.block.scores[kind.block.valid]
    found: Floats = scored[~np.isnan(scored)]
    return found


def _histogram(values: Floats) -> Iterator[Finding]:
    """A row each score, or each of the bins where there are many."""
    found, counts = np.unique(values, return_counts=True)
    names = [f"{value:g}" for value in found]
    if len(found) > MOST_VALUES:
        counts, edges = np.histogram(values, MOST_VALUES)
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    for name, count in zip(names, counts.tolist(), strict=True):
        share = bare(count / len(values))
        yield finding("scores", "", name, "share", "share", share, count)


def _ties(
    name: str, kinds: Sequence[Kind], voted: Sequence[VoteNoise], k: int
) -> Iterator[Finding]:
    judged = [kind.judged for kind in kinds]
    one = [over_samples((kind.credit > 0) & (kind.credit < 1), kind.read) for kind in kinds]
    reached = [mine & ~np.isnan(found.tie) for mine, found in zip(judged, voted, strict=True)]
    votes_of_k = [(k, [found.tie for found in voted], reached)] if k > 1 else []
    for at, each, known in [(1, one, judged), *votes_of_k]:
        tied = _joined(each, known)
        cluster = _joined([kind.cluster for kind in kinds], known)
        share = share_of(tied, np.ones(len(tied)), cluster)
        if share.items:
            yield finding("scores", name, f"k={at}", "tied", "share", share, len(tied))


# ---------------------------------------------------------------------- calibration


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


# ---------------------------------------------------------------------- the variance


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
    return "every item at hand is in: more samples are what is left to add"


def _spare(seen: Observed, voted: Sequence[VoteNoise]) -> bool:
    """Whether some item has a sample to leave out in each order."""
    return any(bool(known.any()) for known in _splittable(seen, voted))


def _splittable(seen: Observed, voted: Sequence[VoteNoise]) -> list[NDArray[np.bool_]]:
    pairs = zip(seen.kinds, voted, strict=True)
    return [kind.decided & ~np.isnan(found.variance) for kind, found in pairs]


def _split(seen: Observed, k: int, voted: Sequence[VoteNoise]) -> Iterator[Finding]:
    """The accuracy's error, the part of its square from samples, and what it would come to."""
    known = _splittable(seen, voted)
    credit = _joined([found.credit for found in voted], known)
    noise = float(_joined([found.variance for found in voted], known).sum()) / len(credit) ** 2
    cluster = _joined([kind.cluster for kind in seen.kinds], known)
    found = share_of(credit, np.ones(len(credit)), cluster)
    square = found.error**2
    noise = min(max(noise, 0.0), square)
    by_samples = noise / square if square else 0.0
    most = int(max(kind.read.shape[1] for kind in seen.kinds))
    for measure, unit, one in (
        ("accuracy", "share", found),
        ("error", "error", bare(found.error)),
        ("by samples", "share", bare(by_samples)),
        ("2x samples", "error", bare(sqrt(square - noise / 2))),
        ("2x items", "error", bare(found.error / sqrt(2))),
        ("no draw", "error", bare(sqrt(square - noise))),
    ):
        one = one._replace(items=found.items, clusters=found.clusters)
        yield finding("variance", "", f"k={k} of {most}", measure, unit, one, len(credit))
