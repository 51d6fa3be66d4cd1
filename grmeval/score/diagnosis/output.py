"""What judgements cost, where they fail, and what a wrong pick gives away."""

from collections.abc import Iterator
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.split import VoteNoise
from grmeval.score.diagnosis.findings import Finding, Part, bare, finding, points, share_of
from grmeval.score.diagnosis.observed import Observed

__all__ = ["output", "regret"]


def output(seen: Observed) -> Part:
    """By subset: judgements that cannot be read, that were cut, how long they are, and their worth."""
    run = seen.run
    accuracy = np.zeros(len(run.n))
    judged = np.zeros(len(run.n), dtype=bool)
    for kind in seen.kinds:
        accuracy[kind.block.items] = kind.accuracy
        judged[kind.block.items] = kind.judged
    rows: list[Finding] = []
    for level, name, items, tokens in _levels(seen):
        rows += _output(seen, level, name, items, tokens, accuracy[items & judged])
    absent = [] if seen.tokens.any() else ["tokens: not known of these judgements"]
    whole = {row.measure: row for row in rows if row.kind == "overall"}
    broken = [
        f"{100 * row.value:.1f} % {name.removeprefix('invalid: ')}"
        for name, row in whole.items()
        if name.startswith("invalid: ") and row.value
    ]
    said = f"{points(whole['invalid'])} % of {whole['invalid'].count:,} judgements cannot be read"
    said += f" ({', '.join(broken)})" if broken else ""
    parts = [row for row in rows if row.kind == "subset" and row.measure == "invalid"]
    worst = max(parts, key=lambda row: row.value)
    if worst.value > 0 and len(parts) > 1:
        said += f"; most in {worst.name}: {100 * worst.value:.1f} %"
    columns = ("judgements", "invalid", "truncated", "tokens", "p95", "per 1k")
    title = "output: what cannot be read, and what a judgement costs"
    return Part("output", title, columns, tuple(rows), (said,), tuple(absent))


def _levels(
    seen: Observed,
) -> Iterator[tuple[str, str, NDArray[np.bool_], NDArray[np.int64]]]:
    """(level, name, which items, tokens of their judgements): all, each section, each subset."""
    run = seen.run
    yield "overall", "all", np.ones(len(run.n), dtype=bool), seen.tokens
    names = [section.name for section in run.spec.sections]
    subsets, number = np.unique(run.subset.astype(str), return_inverse=True)
    for level, called, of in (("section", names, run.section), ("subset", subsets, number)):
        # One sort a level: the tokens of a part are a slice.
        by = np.argsort(of[seen.item], kind="stable")
        edges = np.searchsorted(of[seen.item][by], np.arange(len(called) + 1))
        for at, name in enumerate(called):
            if (of == at).any():
                yield level, str(name), of == at, seen.tokens[by[edges[at] : edges[at + 1]]]


def _output(
    seen: Observed,
    level: str,
    name: str,
    items: NDArray[np.bool_],
    tokens: NDArray[np.int64],
    accuracy: NDArray[np.float64],
) -> Iterator[Finding]:
    run = seen.run
    made = run.samples[items]
    count = int(made.sum())

    def share(counts: NDArray[np.int64]) -> Any:
        return share_of(
            counts[items].astype(np.float64), made.astype(np.float64), run.cluster[items]
        )

    none = np.zeros(len(run.n), dtype=np.int64)
    known = bool(seen.tokens.any()) and len(tokens) > 0
    mean = float(tokens.mean()) if known else float("nan")
    right = float(accuracy.mean()) if len(accuracy) else float("nan")
    measures = [
        ("judgements", "count", bare(float(count))),
        ("invalid", "share", share(run.invalid)),
        ("truncated", "share", share(run.reasons.get("truncated", none))),
        ("tokens", "tokens", bare(mean)),
        ("p95", "tokens", bare(float(np.percentile(tokens, 95)) if known else float("nan"))),
        ("per 1k", "share", bare(1000 * right / mean if mean else float("nan"))),
        *((f"invalid: {why}", "share", share(run.reasons[why])) for why in run.reasons),
    ]
    for measure, unit, found in measures:
        if not isnan(found.value):
            yield finding("output", level, name, measure, unit, found, count)


def regret(seen: Observed, voted: list[VoteNoise], k: int) -> Part:
    """What the voted pick of several responses gives away against always picking a best one."""
    rows: list[Finding] = []
    says = []
    for name, kinds in seen.of("best-of-n", "pools"):
        paid, oracle, chance, cluster = [], [], [], []
        for kind in kinds:
            credit = voted[seen.kinds.index(kind)].credit
            mine = kind.labelled & ~np.isnan(credit)
            paid.append(credit[mine])
            oracle.append(kind.block.best[mine].any(axis=1).astype(np.float64))
            chance.append(kind.block.best[mine].mean(axis=1))
            cluster.append(kind.cluster[mine])
        values = [np.concatenate(each) for each in (oracle, paid, chance)]
        where = np.concatenate(cluster)
        if not len(where):
            continue
        best, picked, random = values
        ones = np.ones(len(where))
        lost = share_of(np.clip(best - picked, 0.0, 1.0), ones, where)
        for title, found in (
            ("always a best one", share_of(best, ones, where)),
            (f"picked by the vote of {k}", share_of(picked, ones, where)),
            ("picked at random", bare(float(random.mean()), len(where))),
        ):
            rows.append(finding("regret", name, title, "quality", "share", found, len(where)))
        rows.append(finding("regret", name, "given away", "regret", "share", lost, len(where)))
        gap = float((best - random).mean())
        closed = float((picked - random).mean()) / gap if gap > 0 else float("nan")
        one = bare(closed, len(where))
        rows.append(finding("regret", name, "of the way from random", "gain", "share", one))
        says.append(f"{name}: the vote of {k} gives away {points(lost)} points of quality")
    absent = [] if rows else ["no labelled item has more than two responses to pick from"]
    title = "regret: what does the pick of several responses give away?"
    return Part("regret", title, (), tuple(rows), tuple(says), tuple(absent))
