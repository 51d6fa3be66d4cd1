"""What else a benchmark's authors report, from the same samples; a benchmark's TOML names its `figures`.

detection   accuracy, precision, recall and F1 of finding the responses that are wrong (ReaLMistake);
            also of each section and subset
pools       best-of-K: maximum, end value, loss to the oracle; ROC-AUC of the totals (PPE Correctness);
            of each section, its one set
ties-too    accuracy where a person's tie is met by the judge's tie alone (PPE Preference); also of each
            section and subset, where there are several
arena       how the judge would rank the models that answered (PPE Preference)
"""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import (
    best_of_first,
    curve_figures,
    estimate,
    oracle_of_first,
    ranking_figures,
    subset_totals,
    term_curve,
    vote_curve,
)
from grmeval.measure.intervals import Estimate
from grmeval.measure.metrics import auc_estimate
from grmeval.score.arrays import Block, RunArrays
from grmeval.score.verdicts import Frame, Verdicts, ballot, common_subsets

__all__ = ["Figure", "figures"]

# Masses are sums of fractions: what is left of nothing may be a hair off 0.
_NOTHING = 1e-9


class Figure(NamedTuple):
    """A number with its interval, NaN where it has none."""

    name: str
    metric: str
    found: Estimate


def figures(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> Iterator[Figure]:
    """The figures that the benchmark names, at the one k of `verdicts`."""
    for name in run.spec.figures:
        yield from _FIGURES[name](run, verdicts, vote, k)


def _bare(value: float, items: int = 0, clusters: int = 0) -> Estimate:
    nan = float("nan")
    return Estimate(value, nan, nan, nan, items, clusters, "")


def _parts(
    run: RunArrays, verdicts: Verdicts, items: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """("" for all, then each section's and subset's name, which of the items are in it)."""
    yield "", np.ones(len(items), dtype=bool)
    for part in Frame(run, verdicts).parts(subsets=True):
        mine = np.isin(items, verdicts.first[part.units])
        if part.level in ("section", "subset") and mine.any() and not mine.all():
            yield part.name, mine


def _detection(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> Iterator[Figure]:
    """An error is the positive; what cannot be read names none, and is a wrong verdict."""
    outcomes = verdicts.outcomes
    units = np.flatnonzero(~np.isnan(outcomes.win[:, 0]))
    item = verdicts.first[units]
    good = _good(run)[item]
    win, void = outcomes.win[units, 0], outcomes.void[units, 0]
    named = np.where(good, 1 - win - void, win)
    named = np.where(named > _NOTHING, named, 0.0)
    hit, error = np.where(good, 0.0, named), (~good).astype(np.float64)
    ones = np.ones(len(units))
    for of, mine in _parts(run, verdicts, item):
        for name, part, whole in (
            ("accuracy", win, ones),
            ("precision", hit, named),
            ("recall", hit, error),
            ("F1", 2 * hit, named + error),
        ):
            whole_name = f"{name} of finding errors (threshold {run.spec.threshold:g})"
            yield Figure(
                f"{of}: {name}" if of else whole_name,
                name.lower(),
                _plain(part[mine], whole[mine], run.cluster[item[mine]]),
            )


def _plain(
    part: NDArray[np.float64], whole: NDArray[np.float64], cluster: NDArray[np.int64]
) -> Estimate:
    """A ratio of sums, with its interval."""
    return estimate(part, whole, cluster, np.zeros(len(part), dtype=np.int64), np.ones(1))


def _good(run: RunArrays) -> NDArray[np.bool_]:
    """Of one-response items: whether the response is right."""
    good = np.zeros(len(run.n), dtype=bool)
    for block in run.blocks:
        if block.best.shape[1] == 1:
            good[block.items] = block.best[:, 0]
    return good


def _pools(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> Iterator[Figure]:
    sets = [number for number, s in enumerate(run.spec.sections) if s.rule == "best-of-k"]
    seed = int(run.record["identity"]["seed"])
    for section in sets:
        name = run.spec.sections[section].name
        for block in run.blocks:
            mine = (run.section[block.items] == section) & (block.drawn.sum(axis=1) >= k)
            if mine.any():
                rng = np.random.default_rng([seed, 3, section])
                yield from _pool_figures(run, block, mine, name, vote, k, rng)


def _pool_figures(
    run: RunArrays,
    block: Block,
    mine: NDArray[np.bool_],
    name: str,
    vote: str,
    k: int,
    rng: np.random.Generator,
) -> Iterator[Figure]:
    best, size = block.best[mine], block.best.shape[1]
    scores, valid, drawn = block.scores[mine], block.valid[mine], block.drawn[mine]
    threshold = run.spec.threshold
    vote, _ = ballot(run, block, vote)
    terms, _ = term_curve(
        scores,
        valid,
        drawn,
        [k],
        vote=vote,
        terms=size,
        judge=lambda totals, item: np.moveaxis(best_of_first(totals, best[item]), -1, 0),
        judges=run.judges,
        threshold=threshold,
        rng=rng,
    )
    credits = terms[:, :, 0].T
    cluster = run.cluster[block.items[mine]]
    found = curve_figures(credits.mean(axis=0), oracle_of_first(best).mean(axis=0))
    end = _plain(credits[:, -1], np.ones(len(credits)), cluster)
    yield Figure(f"{name}: best-of-{size} (end value)", "end", end)
    yield Figure(f"{name}: highest best-of-K", "maximum", _bare(found.most, len(credits)))
    yield Figure(f"{name}: loss to the oracle", "loss", _bare(found.loss, len(credits)))
    most = int(drawn.sum(axis=1).min())
    totals = subset_totals(
        # Across questions a sample that cannot be read must not count as 0.
        "mean" if vote == "sum" else vote,
        scores[:, :most],
        valid[:, :most],
        common_subsets(most, k, rng, run.judges),
        threshold=threshold,
        apart=True,
        ranked=True,
    )
    # What cannot be read is never picked: it ranks below everything.
    ranked = np.where(np.isnan(totals), -np.inf, totals).reshape(len(totals), -1)
    auc = auc_estimate(ranked, best.ravel(), np.repeat(cluster, size))
    yield Figure(f"{name}: ROC-AUC of the totals", "roc-auc", auc)


def _ties_too(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> Iterator[Figure]:
    block, side, outcome = _battles(run, vote, k)
    if block is None:
        return
    reached = ~np.isnan(outcome[0])
    win, tie = outcome[0][reached], outcome[1][reached]
    right, items = np.where(side[reached] == 0, tie, win), block.items[reached]
    for of, mine in _parts(run, verdicts, items):
        found = _plain(right[mine], np.ones(int(mine.sum())), run.cluster[items[mine]])
        name = f"{of}: accuracy with ties" if of else "accuracy with ties (a tie is met by a tie)"
        yield Figure(name, "accuracy-with-ties", found)


def _arena(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> Iterator[Figure]:
    block, side, outcome = _battles(run, vote, k)
    if block is None:
        return
    reached = ~np.isnan(outcome[0])
    win, tie, void = (values[reached] for values in outcome)
    side, items = side[reached], block.items[reached]
    metas = [json.loads(run.meta[item]) for item in items]
    if not all({"model_a", "model_b"} <= meta.keys() for meta in metas):
        unknown = "ranking of the models: who answered is not known, the rows are not at hand"
        yield Figure(unknown, "spearman", _bare(float("nan")))
        return
    names = sorted({str(meta[which]) for meta in metas for which in ("model_a", "model_b")})
    number = {name: at for at, name in enumerate(names)}
    model_a, model_b = (
        np.array([number[str(meta[which])] for meta in metas], dtype=np.int64)
        for which in ("model_a", "model_b")
    )
    # P(the first response wins) + half the ties; where nothing could be read, half a win.
    first = np.where(side >= 0, win, 1 - win - tie - void) + (tie + void) / 2
    seed = int(run.record["identity"]["seed"])
    found = ranking_figures(
        model_a,
        model_b,
        (1 + side) / 2,
        np.clip(first, 0.0, 1.0),
        run.cluster[items],
        np.random.default_rng([seed, 4]),
    )
    for label, metric in (
        (f"Spearman of the ranking of {found.models} models", "spearman"),
        ("Kendall of the ranking", "kendall"),
        ("separability", "separability"),
        ("agreement with confidence", "agreement"),
        ("Brier score of the ranking (lower is better)", "brier"),
    ):
        yield Figure(label, metric, _bare(float(getattr(found, metric)), found.battles))


def _battles(
    run: RunArrays, vote: str, k: int
) -> tuple[Block | None, NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """(pairs, whom the person preferred: 1, -1 or 0, (win, tie, void) of that one; in a tie of the first)."""
    block = next((b for b in run.blocks if b.best.shape[1] == 2), None)
    if block is None:
        return None, np.zeros(0), ()
    side = block.best[:, 0].astype(np.float64) - block.best[:, 1]
    best = np.where((side == 0)[:, None], [[True, False]], block.best)
    seed = int(run.record["identity"]["seed"])
    vote, extra = ballot(run, block, vote)
    curve = vote_curve(
        block.scores,
        block.valid,
        block.drawn,
        best,
        [k],
        vote=vote,
        balanced=run.balanced and not block.pooled,
        judges=run.judges,
        threshold=run.spec.threshold,
        rng=np.random.default_rng([seed, 2]),
        extra=extra,
    )
    outcomes = curve.outcomes
    return block, side, (outcomes.win[:, 0], outcomes.tie[:, 0], outcomes.void[:, 0])


_FIGURES: dict[str, Callable[[RunArrays, Verdicts, str, int], Iterator[Figure]]] = {
    "detection": _detection,
    "pools": _pools,
    "ties-too": _ties_too,
    "arena": _arena,
}
