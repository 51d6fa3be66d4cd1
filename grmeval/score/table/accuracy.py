"""The accuracy table: subsets, sections, overall, each with its interval and what touched it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec, holds
from grmeval.measure import roc_auc, subset_totals
from grmeval.score.arrays import RunArrays, read_run
from grmeval.score.cost import Cost, Prices, cost_lines, cost_of
from grmeval.score.table.benchmark_figures import Figure, figures
from grmeval.score.table.footer import about, footer
from grmeval.score.verdicts import (
    Verdicts,
    ask,
    judge_run,
    own_votes,
    ranking,
    rules_of,
    unrewarded,
)
from grmeval.store import Question, RunFolder

__all__ = ["Accuracy", "Row", "answer", "score"]


@dataclass(frozen=True)
class Row:
    """One line of the table: a number in [0, 1] (but for figures), its limits and error; NaN without items.

    `level`: overall, section, subset, view (subsets formed as the overall) or figure (what else the
    benchmark's authors report). `metric` says what `value` is: accuracy, roc-auc, ties-score,
    best-of-k-area, or a figure's name.
    `items`: units with a verdict; `expected`: those of a complete copy, less the rows at hand that have
    no label (such as battles that a person called a tie); `tied`:
    expected number of verdicts that are ties; `silent`: of items without any readable judgement;
    `tied_share`: share of verdicts that are ties, items weighed as in `value`, NaN where that is no
    accuracy.
    `samples` and the counts after it are judgements inside the k asked for: `invalid`, by `reasons`;
    `missing` are those not made. The overall's name says where sections have no verdict.
    """

    vote: str
    level: str
    name: str
    metric: str
    k: int
    value: float
    low: float
    high: float
    error: float
    method: str
    items: int
    clusters: int
    expected: int
    tied: float = 0.0
    silent: float = 0.0
    samples: int = 0
    invalid: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    auc: float | None = None
    tied_share: float = float("nan")


@dataclass(frozen=True)
class Accuracy:
    """All that a report of one run prints."""

    title: str
    rows: tuple[Row, ...]
    footer: tuple[str, ...]
    missing: int
    about: dict[str, Any]
    """What every row has in common: run-id, limit, rules."""
    run: dict[str, Any]
    """Identity and launches."""
    verdicts: Any
    """Arrow table: one row a unit and vote; None where several runs are put together."""
    cost: Mapping[str, Cost] = field(default_factory=dict)
    """By vote; empty where several runs are put together."""
    damaged: tuple[str, ...] = ()
    """What is to be said of lines that could not be read."""
    unrewarded: int = 0
    """Readable judgements that a vote by meta reward counts, and the meta RM was not shown."""
    question: Question | None = None
    """What was asked; None where several runs are put together."""


def score(
    folder: RunFolder,
    *,
    k: int | None = None,
    limit: int | None = None,
    votes: Sequence[str] | None = None,
    protocol: str | None = None,
    ties: str | None = None,
    on_invalid: str | None = None,
    reparse: bool = False,
    k_meta: int | None = None,
    prices: Prices | None = None,
) -> Accuracy:
    """Score a run at k samples an item; no model is needed.

    What is not said is as in the run's record (see `ask`), without one as last asked, by the judge's first
    vote. `protocol` gives the rules for ties and silence that `ties` and `on_invalid` do not (see Rules);
    `reparse` reads the stored texts anew with this version's parser; `k_meta`: samples that the vote `meta`
    keeps (default: half of k); `prices`: see `read_prices`.
    """
    question = ask(
        folder,
        k=k,
        limit=limit,
        votes=votes,
        protocol=protocol,
        ties=ties,
        on_invalid=on_invalid,
        k_meta=k_meta,
    )
    return answer(folder, question, reparse=reparse, prices=prices)


def answer(
    folder: RunFolder, question: Question, *, reparse: bool = False, prices: Prices | None = None
) -> Accuracy:
    """Score a run as a whole question of `ask` says."""
    k, limit, votes = question.k, question.limit, question.votes
    run = read_run(folder, k, limit, reparse, question.k_meta)
    rules = rules_of(folder.record["spec"], question)
    rows, tables, exact, present = [], [], True, list[int]()
    for vote in votes:
        verdicts = judge_run(run, vote, [k], rules)
        rows += _rows(run, verdicts, vote, k)
        tables.append(_verdict_table(run, verdicts, vote, k))
        exact = exact and bool(verdicts.exact.all())
        present = verdicts.sections(run, 0)
    import pyarrow as pa

    label = folder.record["config"]["label"]
    odd = len(votes) == 1 and votes[0] != own_votes(folder.record["identity"])[0]
    cost = {vote: cost_of(run, k, vote, prices) for vote in votes}
    *story, identity = footer(run, rules, k, limit, exact, present, votes)
    return Accuracy(
        title=f"{folder.record['spec']['title']} · {label} · k={k}"
        + (f" · vote {votes[0]}" if odd else ""),
        rows=tuple(rows),
        footer=(*story, *cost_lines(cost.values()), identity),
        about=about(run, rules, limit),
        run={"identity": folder.record["identity"], "launches": folder.record["launches"]},
        missing=max(int(run.missing(k, vote).sum()) for vote in votes),
        unrewarded=max(
            (lacking for vote in votes for _, lacking, _ in unrewarded(run, vote)), default=0
        ),
        verdicts=pa.concat_tables(tables),
        cost=cost,
        damaged=run.damaged,
        question=question,
    )


def _rows(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> list[Row]:
    """Overall; each section and its subsets; views; figures."""
    spec = run.spec
    unit_section, unit_subset = run.section[verdicts.first], run.subset[verdicts.first]
    everything = np.arange(len(verdicts.first))

    def row(level: str, name: str, units: NDArray[Any], expected: int) -> Row:
        return _row(run, verdicts, vote, k, level, name, units, expected)

    name = verdicts.overall_name(run, 0)
    wanted = _expected(run)
    rows = [row("overall", name, everything, sum(wanted.values()))]
    by_section = _expected_by_section(spec, wanted)
    for number, section in enumerate(spec.sections):
        units = np.flatnonzero(unit_section == number)
        rows.append(row("section", section.name, units, sum(by_section[number].values())))
        for subset in sorted(by_section[number] | dict.fromkeys(unit_subset[units], 0)):
            inside = units[unit_subset[units] == subset]
            rows.append(row("subset", subset, inside, wanted.get(subset, 0)))
    for view in spec.views:
        units = np.flatnonzero([holds(view.subsets, subset) for subset in unit_subset])
        expected = sum(n for subset, n in wanted.items() if holds(view.subsets, subset))
        rows.append(row("view", view.name, units, expected))
    if verdicts.sections(run, 0):
        rows += [_figure_row(found, vote, k) for found in figures(run, verdicts, vote, k)]
    return rows


def _figure_row(figure: Figure, vote: str, k: int) -> Row:
    found = figure.found
    return Row(
        vote=vote,
        level="figure",
        name=figure.name,
        metric=figure.metric,
        k=k,
        expected=found.items,
        **found._asdict(),
    )


def _row(
    run: RunArrays,
    verdicts: Verdicts,
    vote: str,
    k: int,
    level: str,
    name: str,
    units: NDArray[Any],
    expected: int,
) -> Row:
    found = verdicts.estimate(run, 0, units, level)
    members = np.isin(run.unit, run.unit[verdicts.first[units]])
    return Row(
        vote=vote,
        level=level,
        name=name,
        metric=verdicts.metric(run, units),
        k=k,
        **found._asdict(),
        expected=expected,
        tied=float(np.nansum(verdicts.outcomes.tie[units, 0])),
        silent=float(np.nansum(verdicts.outcomes.void[units, 0])),
        samples=int(run.samples[members].sum()),
        invalid=int(run.invalid[members].sum()),
        reasons={reason: int(counts[members].sum()) for reason, counts in run.reasons.items()},
        missing=int(run.missing(k, vote)[members].sum()),
        auc=_auc(run, members, k) if found.items and not verdicts.ranked else None,
        tied_share=verdicts.tied(run, 0, units, level),
    )


def _auc(run: RunArrays, members: NDArray[np.bool_], k: int) -> float | None:
    """ROC-AUC of the mean score over one-response items (j < k), where both labels are there."""
    for block in run.blocks:
        if block.best.shape[1] == 1:
            scores, valid = block.scores[:, :k], block.valid[:, :k]
            chosen = members[block.items] & run.labelled[block.items] & valid.any(axis=1)
            good = block.best[chosen, 0]
            if chosen.any() and good.any() and not good.all():
                everything = np.ones((1, valid.shape[1]))
                given = scores[chosen], valid[chosen], everything
                return roc_auc(subset_totals("mean", *given, ranked=True)[0, :, 0], good)
    return None


def _expected(run: RunArrays) -> dict[str, int]:
    """By subset: rows that a complete copy has, less those at hand that can have no verdict."""
    without = Counter(run.subset[~run.labelled].tolist())
    return {name: max(0, rows - without[name]) for name, rows in run.spec.expected.items()}


def _expected_by_section(known: BenchSpec, expected: dict[str, int]) -> list[dict[str, int]]:
    by_section: list[dict[str, int]] = [{} for _ in known.sections]
    for subset, count in expected.items():
        by_section[known.section_of(subset)][subset] = count
    return by_section


def _verdict_table(run: RunArrays, verdicts: Verdicts, vote: str, k: int) -> Any:
    """One row a unit. A group of several items has an outcome, and no totals or ranks of its own.

    `term`: of which part of Ties' score the unit is; its credit is in [-1.01, 1.01].
    """
    import pyarrow as pa

    first = verdicts.first
    totals, ranks = ranking(run, vote, k)
    alone = np.bincount(run.unit)[run.unit[first]] == 1
    kept = [at if single else None for at, single in zip(first.tolist(), alone, strict=True)]
    size = len(first)
    numbers = {"credit": verdicts.credit, "weight": verdicts.weight} | verdicts.outcomes._asdict()
    return pa.table(
        {
            "subset": pa.array(run.subset[first].tolist(), pa.string()),
            "id": pa.array(run.id[first].tolist(), pa.string()),
            "section": [run.record["spec"]["sections"][s]["name"] for s in run.section[first]],
            "vote": pa.array([vote] * size, pa.string()),
            "k": pa.array([k] * size, pa.int32()),
            "term": pa.array(verdicts.terms(run), pa.string()),
            **{name: pa.array(values[:, 0], from_pandas=True) for name, values in numbers.items()},
            "totals": pa.array(
                [None if at is None else totals[at] for at in kept], pa.list_(pa.float64())
            ),
            "ranks": pa.array(
                [None if at is None else ranks[at] for at in kept], pa.list_(pa.int16())
            ),
        }
    )
