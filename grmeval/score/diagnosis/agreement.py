"""Agreement: how alike the judgements of one item are."""

from collections.abc import Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.agreement import agreement as agreeing
from grmeval.measure.agreement import krippendorff
from grmeval.score.diagnosis.findings import Finding, Part, bare, finding, points, share_of
from grmeval.score.diagnosis.observed import KINDS, Kind, Observed, joined

__all__ = ["agreement"]

Floats = NDArray[np.float64]


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
        cluster = joined([kind.cluster for kind in kinds], known)
        chance = joined([np.full(len(kind.cluster), 1 / max(kind.n, 2)) for kind in kinds], known)
        judged = int(joined([kind.read.sum(axis=1) for kind in kinds], known).sum())
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
