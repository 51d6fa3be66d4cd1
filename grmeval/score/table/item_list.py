"""Items by what became of them: which were won or lost, by how much, with which votes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.measure import subset_totals
from grmeval.score.arrays import Block, RunArrays, read_run
from grmeval.score.table.footer import about, footer
from grmeval.score.verdicts import (
    TERMS,
    UnitKey,
    Verdicts,
    ask,
    ballot,
    judge_run,
    rules_of,
)
from grmeval.store import RunFolder

__all__ = ["OUTCOMES", "ItemList", "ItemRow", "list_items"]

Floats = NDArray[np.float64]

OUTCOMES = ("wrong", "tied", "silent", "right")
"""The vote picks another response; its top is shared by best and other ones; no judgement could be read."""

_OF_TIES = TERMS[:2]
"""The terms that say whether a tied prompt, and its reference, is right."""


@dataclass(frozen=True)
class ItemRow:
    """One item: its `outcome`, "" without a label or with fewer than k samples.

    `votes`: the vote's total of each response (of one response its mean), None where none could be read;
    `quality`: which are best. `margin`: the total of the best response less that of the best other one
    (Ties: of the worst right one less the best wrong one; one response: how far it lies on its own side of
    the threshold), NaN where there is none. `invalid` of `samples` judgements could not be read.
    `flip`: credit in this run less that in the other, where its verdict flipped.
    """

    subset: str
    id: str
    section: str
    outcome: str
    margin: float
    votes: tuple[float | None, ...]
    quality: tuple[int, ...] | None
    samples: int
    invalid: int
    flip: float | None = None
    prompt: str | None = None


@dataclass(frozen=True)
class ItemList:
    """What a list prints: the rows asked for, of `items` in all; the most clearly lost first."""

    title: str
    rows: tuple[ItemRow, ...]
    items: int
    footer: tuple[str, ...]
    about: dict[str, Any]
    damaged: tuple[str, ...] = ()


def list_items(
    folder: RunFolder,
    *,
    outcomes: Collection[str] = OUTCOMES,
    invalid: bool = False,
    flips: Mapping[UnitKey, float] | None = None,
    before: str = "",
    k: int | None = None,
    limit: int | None = None,
    vote: str | None = None,
    protocol: str | None = None,
    ties: str | None = None,
    on_invalid: str | None = None,
    k_meta: int | None = None,
) -> ItemList:
    """The items with one of these outcomes, with an `invalid` judgement, or among the `flips`.

    Flips are those of `compare.flipped` against the run that is called `before`. A vote is that of an item's
    first k samples. What is not said is as in the run's record, of several votes the first. See `score`.
    """
    asked = ask(
        folder,
        k=k,
        limit=limit,
        votes=[vote] if vote else None,
        protocol=protocol,
        ties=ties,
        on_invalid=on_invalid,
        k_meta=k_meta,
    )
    k, limit, vote, k_meta = asked.k, asked.limit, asked.votes[0], asked.k_meta
    rules = rules_of(folder.record["spec"], asked)
    everything = read_run(folder, k, limit, k_meta=k_meta)
    run = everything.first(k)
    verdicts = judge_run(replace(run, unit=np.arange(len(run.n))), vote, [k], rules)
    rows = _rows(run, verdicts, vote, flips or {})
    chosen = [
        row
        for row in rows
        if row.outcome in outcomes or (invalid and row.invalid) or row.flip is not None
    ]
    chosen.sort(key=lambda row: (np.isnan(row.margin), row.margin, row.subset, row.id))
    present = verdicts.sections(run, 0)
    _, *story = footer(run, rules, k, limit, True, present, [vote])
    label = folder.record["config"]["label"]
    notes = list(_notes(everything, run, vote, k, rows))
    if flips is not None:
        notes.append(f"flips: {len(flips):,} verdicts against {before}, as `compare` counts them")
    return ItemList(
        title=f"{folder.record['spec']['title']} · {label} · items · vote {vote} · k={k}",
        rows=tuple(chosen),
        items=len(rows),
        footer=(*notes, *story),
        about=about(run, rules, limit) | {"vote": vote, "k": k},
        damaged=run.damaged,
    )


def _rows(
    run: RunArrays, verdicts: Verdicts, vote: str, flips: Mapping[UnitKey, float]
) -> list[ItemRow]:
    totals, margins, best, silent = _votes(run, vote)
    outcome = _outcomes(run, verdicts)
    pools, tied = run.ruled("best-of-k"), run.ruled("ties")
    whole = run.reach(vote) >= verdicts.ks[0]
    first = _first_of_unit(run)
    names = [section.name for section in run.spec.sections]
    rows = []
    for at in range(len(run.n)):
        found = outcome[at]
        if pools[at] and run.labelled[at] and whole[at]:
            found = "right" if margins[at] > 0 else "tied" if margins[at] == 0 else "wrong"
        if found and silent[at]:
            found = "silent"
        term = _term(run, at) if tied[at] else ""
        key = str(run.subset[at]), str(run.id[first[at]]), term
        rows.append(
            ItemRow(
                subset=str(run.subset[at]),
                id=str(run.id[at]),
                section=names[run.section[at]],
                outcome=found,
                margin=float(margins[at]),
                votes=totals[at],
                quality=best[at] if run.labelled[at] else None,
                samples=int(run.samples[at]),
                invalid=int(run.invalid[at]),
                flip=flips.get(key),
            )
        )
    return rows


def _votes(
    run: RunArrays, vote: str
) -> tuple[list[Any], Floats, list[tuple[int, ...]], NDArray[np.bool_]]:
    """By item: totals, margin, which responses are best, whether nothing could be read."""
    totals: list[Any] = [()] * len(run.n)
    best: list[tuple[int, ...]] = [()] * len(run.n)
    margins, silent = np.full(len(run.n), np.nan), np.zeros(len(run.n), dtype=bool)
    tied = run.ruled("ties")
    for block in run.blocks:
        found = _totals(run, block, vote)
        margins[block.items] = _margins(run, block, found, vote, tied[block.items])
        silent[block.items] = ~block.valid.any(axis=1)
        for at, item in enumerate(block.items.tolist()):
            given = found[at].tolist()
            totals[item] = tuple(None if np.isnan(total) else total for total in given)
            best[item] = tuple(map(int, block.best[at]))
    margins[~run.labelled] = np.nan
    return totals, margins, best, silent


def _totals(run: RunArrays, block: Block, vote: str) -> Floats:
    """[I, n]: of a pool a response that could not be read is NaN alone."""
    name, extra = ballot(run, block, vote)
    everything = np.ones((1, block.valid.shape[1]))
    found: Floats = subset_totals(
        name,
        block.scores,
        block.valid,
        everything,
        threshold=run.spec.threshold,
        apart=block.pooled,
        extra=extra,
    )[0]
    return found


def _margins(
    run: RunArrays, block: Block, totals: Floats, vote: str, tied: NDArray[np.bool_]
) -> Floats:
    if totals.shape[1] == 1:
        level = 0.0 if vote == "majority" else run.spec.threshold
        return np.where(block.best[:, 0], 1.0, -1.0) * (totals[:, 0] - level)
    read = ~np.isnan(totals)
    good, other = block.best & read, ~block.best & read
    low = np.where(good, totals, np.inf).min(axis=1)
    high = np.where(good, totals, -np.inf).max(axis=1)
    rest = np.where(other, totals, -np.inf).max(axis=1)
    known = good.any(axis=1) & other.any(axis=1) & (read.all(axis=1) | ~tied)
    lead: Floats = np.where(known, np.where(tied, low, high), np.nan) - rest
    return lead


def _outcomes(run: RunArrays, verdicts: Verdicts) -> list[str]:
    """By item, from the units of one item each; of Ties from the terms that say if a prompt is right."""
    found = [""] * len(run.n)
    terms = verdicts.terms(run)
    credits: dict[tuple[int, str], float] = {}
    for unit, item in enumerate(verdicts.first.tolist()):
        name = terms[unit]
        if name is not None:
            credits[item, name] = float(verdicts.credit[unit, 0])
            continue
        win, tie, _, void = (float(mass[unit, 0]) for mass in verdicts.outcomes)
        if not np.isnan(win):
            found[item] = "silent" if void else "tied" if tie else "right" if win else "wrong"
    first = _first_of_unit(run)
    for item in np.flatnonzero(run.ruled("ties")).tolist():
        paid = credits.get((int(first[item]), _term(run, item)), float("nan"))
        if not np.isnan(paid):
            found[item] = "right" if paid > 0 else "wrong"
    return found


def _term(run: RunArrays, item: int) -> str:
    return _OF_TIES[0 if str(run.id[item]).startswith("tied:") else 1]


def _first_of_unit(run: RunArrays) -> NDArray[np.int64]:
    """The first item of each item's unit: of its group, or in Ties of its prompt's number."""
    known: dict[Any, int] = {}
    tied = run.ruled("ties").tolist()
    names = [
        (section, str(name).rpartition(":")[2]) if ties else unit
        for ties, section, name, unit in zip(
            tied, run.section.tolist(), run.id.tolist(), run.unit.tolist(), strict=True
        )
    ]
    return np.array([known.setdefault(name, at) for at, name in enumerate(names)], dtype=np.int64)


def _notes(
    everything: RunArrays, run: RunArrays, vote: str, k: int, rows: list[ItemRow]
) -> Iterator[str]:
    """What the words of this list mean for this benchmark."""
    kinds = {block.best.shape[1] == 1 for block in run.blocks if len(block.items)}
    if False in kinds:
        yield f"votes: {vote} of {k} samples, * a best response; margin: the best one's less the best other's"
    if True in kinds:
        yield (
            f"single responses: their mean, * a good one; right and margin by the threshold "
            f"{run.spec.threshold:g}"
        )
    if run.spec.overall == "roc-auc":
        yield "the benchmark's number, ROC-AUC, is of no one item"
    if run.played_in_games:
        yield "right and wrong by the official two games, one an order: a margin over all samples can differ"
    if run.ruled("ties").any():
        yield "Ties: right where every right response is above every other; the margin is of the nearest two"
    if run.ruled("best-of-k").any():
        yield "best-of-k: right where the response picked of all is right; the benchmark's number is an area"
    if len(set(run.unit.tolist())) < len(run.n):
        yield "items of a group are listed one by one; the benchmark's number takes each group as one"
    if int(everything.depth.max(initial=0)) > k:
        yield f"of the first {k} samples; `score` at this k is the mean over subsets of all"
    if missing := sum(not row.outcome for row in rows):
        yield f"without a verdict, in no list of right and wrong: {missing:,} items"
