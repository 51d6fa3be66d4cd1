"""Several runs under one heading: the mean of their benchmarks, such as the paper's Overall."""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan, sqrt

from grmeval.benches import Group
from grmeval.score.table.accuracy import Accuracy, Row

__all__ = ["together"]


def together(name: str, group: Group, results: Sequence[Accuracy], label: str) -> Accuracy:
    """A group's table: its mean, and each member's overall; `results` are of its members, in any order.

    Limits of the mean: MOVER (Zou and Donner 2008), which adds the distances to each member's own
    limits in quadrature; the members' items are taken as independent. A member without a run, without a
    verdict, or with less than all of its sections and items makes the mean INCOMPLETE, and is named.
    """
    by_bench = {result.run["identity"]["bench"]: result for result in results}
    votes = dict.fromkeys(row.vote for result in results for row in result.rows)
    rows: list[Row] = []
    troubles: dict[str, None] = {}
    for vote in votes:
        members = []
        for bench in group.members:
            row = _overall(by_bench[bench], vote) if bench in by_bench else None
            if row is None or isnan(row.value):
                troubles[f"{bench}: no verdict"] = None
                continue
            if row.name != "overall" or row.items < row.expected or row.missing:
                troubles[f"{bench}: {row.name}, {row.items:,} of {row.expected:,} items"] = None
            members.append((bench, row))
        rows.append(_mean(vote, group, [row for _, row in members]))
        rows += [_as_member(bench, row) for bench, row in members]
    first = results[0]
    notes = [f"overall: mean of {', '.join(group.members)}; 95 %: MOVER over their intervals"]
    notes += [f"overall is INCOMPLETE: {trouble}" for trouble in troubles]
    notes += [f"{bench}: run {result.about['run_id']}" for bench, result in by_bench.items()]
    about = {k: v for k, v in first.about.items() if all(r.about[k] == v for r in results)}
    return Accuracy(
        title=f"{group.title} · {label} · k={first.rows[0].k}",
        rows=tuple(rows),
        footer=tuple(notes),
        missing=0,
        about={"run_id": None, "limit": None} | about,
        run={"identity": {"bench": name}, "launches": []},
        verdicts=None,
    )


def _overall(result: Accuracy, vote: str) -> Row | None:
    return next((r for r in result.rows if r.level == "overall" and r.vote == vote), None)


def _as_member(bench: str, row: Row) -> Row:
    return replace(row, level="section", name=bench, auc=None)


def _mean(vote: str, group: Group, members: Sequence[Row]) -> Row:
    whole = len(members) == len(group.members)
    nan, count = float("nan"), len(members)
    value = low = high = error = nan
    if members:
        value = sum(row.value for row in members) / count
        low = value - sqrt(sum((row.value - row.low) ** 2 for row in members)) / count
        high = value + sqrt(sum((row.high - row.value) ** 2 for row in members)) / count
        error = sqrt(sum(row.error**2 for row in members)) / count
    name = "overall" if whole else f"overall ({count} of {len(group.members)} benchmarks)"
    reasons = sorted({reason for row in members for reason in row.reasons})
    return Row(
        vote=vote,
        level="overall",
        name=name,
        metric="accuracy",
        k=max((row.k for row in members), default=0),
        value=value,
        low=low,
        high=high,
        error=error,
        method="mover",
        items=sum(row.items for row in members),
        clusters=sum(row.clusters for row in members),
        expected=sum(row.expected for row in members),
        tied=sum(row.tied for row in members),
        silent=sum(row.silent for row in members),
        samples=sum(row.samples for row in members),
        invalid=sum(row.invalid for row in members),
        reasons={reason: sum(r.reasons.get(reason, 0) for r in members) for reason in reasons},
        missing=sum(row.missing for row in members),
        auc=None,
        tied_share=sum(row.tied_share for row in members) / count if count else nan,
    )
