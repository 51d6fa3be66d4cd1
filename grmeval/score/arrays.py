"""A run folder as arrays: items in one order, samples in blocks of items with equally many responses."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec
from grmeval.judges import Judge
from grmeval.runs.fold import read_rows
from grmeval.runs.journal import read_journal
from grmeval.runs.reparse import TEXTS, reader, reread
from grmeval.runs.store import RunFolder

__all__ = ["Block", "RunArrays", "read_run"]

COLUMNS = ["subset", "id", "j", "scores", "invalid", "launch", "form"]


@dataclass(frozen=True)
class Block:
    """Items with n responses: `items` are their places in RunArrays, scores are [I, N, n].

    Scores are NaN where `valid` [I, N] is False; `drawn` [I, N] says which samples exist.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    valid: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    best: NDArray[np.bool_]


@dataclass(frozen=True)
class RunArrays:
    """Everything that scoring reads of a run; items are those inside the limit, in (subset, id) order.

    `labelled`: whether an item's truth tells its responses apart; if not it gets votes and ranks, no
    verdict.
    `reasons` counts an item's samples j < k by why they are invalid, `forms` all readable ones by how
    their scores were written; `reparsed`: readings that differ from the stored ones, None where those
    were taken. `part` numbers what a section is the weighted mean of: its subsets where
    the benchmark weighs them, else the section itself. `unit` numbers what gets a verdict: an item, or
    a group of items. `limited`: --limit left items out.
    """

    path: Path
    record: dict[str, Any]
    spec: BenchSpec
    limited: bool
    subset: NDArray[Any]
    id: NDArray[Any]
    section: NDArray[np.int64]
    part: NDArray[np.int64]
    part_section: NDArray[np.int64]
    part_weight: NDArray[np.float64]
    n: NDArray[np.int64]
    cluster: NDArray[np.int64]
    unit: NDArray[np.int64]
    flagged: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    blocks: tuple[Block, ...]
    samples: NDArray[np.int64]
    invalid: NDArray[np.int64]
    reasons: dict[str, NDArray[np.int64]]
    forms: dict[str, int]
    launches: tuple[str, ...]
    reparsed: int | None

    @property
    def balanced(self) -> bool:
        """Whether sample j shows rotation j mod n."""
        return bool(self.record["identity"]["orders"] == "balanced")

    @property
    def most(self) -> int:
        """The largest number of samples that an item has."""
        return max(
            (int(block.drawn.sum(axis=1).max(initial=0)) for block in self.blocks), default=0
        )


def read_run(
    folder: RunFolder, k: int | None = None, limit: int | None = None, reparse: bool = False
) -> RunArrays:
    """Read a run; `limit` keeps the items that `--limit` would take, `reparse` reads every text anew.

    `samples`, `invalid`, `reasons` and `forms` count what belongs to the first k samples (all of them
    where k is None), since only those were asked for; the blocks hold every sample before an item's
    first gap: in an unfinished run the ones beyond it are there because they were short.
    """
    items = folder.items()
    everything = len(items)
    if limit is not None:
        import pyarrow.compute as pc

        items = items.filter(pc.less(items["rank"], limit))
    subset, name = items["subset"].to_pylist(), items["id"].to_pylist()
    place = {key: at for at, key in enumerate(zip(subset, name, strict=True))}
    rows = _Rows(folder, place, reparse)
    quality = items["quality"].to_pylist()
    n = items["n"].to_numpy().astype(np.int64)
    counted = rows.j < (k if k is not None else np.iinfo(np.int64).max)
    count = _counter(len(n), rows.item, counted)
    # Responses that are all equally good, or all bad, can be ranked, not judged.
    labelled = np.array([bool(t) and (len(t) == 1 or 0 < sum(t) < len(t)) for t in quality], bool)
    groups = [
        (s, "g", g) if g is not None and known else (s, "i", i)
        for s, i, g, known in zip(
            subset, name, items["group"].to_pylist(), labelled.tolist(), strict=True
        )
    ]
    section = items["section"].to_numpy().astype(np.int64)
    part, part_section, part_weight = _parts(folder.record["spec"]["sections"], section, subset)
    return RunArrays(
        path=folder.path,
        record=folder.record,
        spec=folder.spec(),
        limited=len(items) < everything,
        subset=np.array(subset, dtype=object),
        id=np.array(name, dtype=object),
        section=section,
        part=part,
        part_section=part_section,
        part_weight=part_weight,
        n=n,
        cluster=_numbered(items["cluster"].to_pylist()),
        unit=_numbered(groups),
        flagged=np.array([len(flags) > 0 for flags in items["flags"].to_pylist()], dtype=bool),
        labelled=labelled,
        blocks=tuple(_block(size, n, quality, rows) for size in np.unique(n)),
        samples=count(np.ones(len(rows.item), dtype=bool)),
        invalid=count(~rows.valid),
        reasons={reason: count(rows.reason == reason) for reason in rows.reasons()},
        forms=_tally(rows.form[counted & rows.valid]),
        launches=tuple(sorted(set(rows.launch.tolist()))),
        reparsed=rows.changed if reparse else None,
    )


def _parts(
    sections: list[dict[str, Any]], section: NDArray[np.int64], subset: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    known: dict[tuple[int, str | None], int] = {}
    weights = []
    part = np.zeros(len(subset), dtype=np.int64)
    for at, (number, name) in enumerate(zip(section.tolist(), subset, strict=True)):
        weighed = sections[number]["weights"]
        key = (number, name if weighed else None)
        if key not in known:
            known[key] = len(known)
            weights.append(weighed[name] if weighed else 1.0)
        part[at] = known[key]
    return part, np.array([key[0] for key in known], dtype=np.int64), np.array(weights)


class _Rows:
    """The samples of the items at hand as columns; a journal row whose key is stored is skipped."""

    def __init__(self, folder: RunFolder, place: dict[tuple[str, str], int], reparse: bool) -> None:
        seen, kept = set(), []
        columns = [*COLUMNS, *(TEXTS if reparse else ())]
        judge = reader(folder) if reparse else None
        self.changed = 0
        with folder.reading() as journals:
            stored = read_rows(folder.path, columns)
            journaled = (
                tuple(row[name] for name in columns)
                for path in journals
                for _, row in read_journal(path)
            )
            for row in chain(stored, journaled):
                item = place.get((row[0], row[1]))
                if item is not None and (item, row[2]) not in seen:
                    seen.add((item, row[2]))
                    kept.append((item, *(self._renewed(judge, row) if judge else row[2:])))
        found: list[Any] = list(zip(*kept, strict=True)) if kept else [()] * (len(COLUMNS) - 1)
        items, j, scores, reason, launch, form = found
        self.item = np.array(items, dtype=np.int64)
        self.j = np.array(j, dtype=np.int64)
        self.scores = scores
        self.valid = np.array([value is not None for value in scores], dtype=bool)
        self.reason = np.array(reason, dtype=object)
        self.launch = np.array(launch, dtype=object)
        self.form = np.array(form, dtype=object)

    def _renewed(self, judge: Judge, row: tuple[Any, ...]) -> tuple[Any, ...]:
        old = dict(zip(COLUMNS + TEXTS, row, strict=True))
        new = reread(judge, old)
        scores = None if new.scores is None else list(new.scores)
        self.changed += (scores, new.invalid) != (old["scores"], old["invalid"])
        return old["j"], scores, new.invalid, old["launch"], new.form

    def reasons(self) -> list[str]:
        """Every reason that there is."""
        return sorted({reason for reason in self.reason.tolist() if reason is not None})


def _block(size: int, n: NDArray[np.int64], quality: list[list[int] | None], rows: _Rows) -> Block:
    items = np.flatnonzero(n == size)
    here = np.full(len(n), -1)
    here[items] = np.arange(len(items))
    mine = np.flatnonzero(here[rows.item] >= 0)
    at, j = here[rows.item[mine]], rows.j[mine]
    shape = (len(items), int(j.max()) + 1 if len(j) else 0)
    drawn, valid = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    drawn[at, j] = True
    valid[at, j] = rows.valid[mine]
    before_gap = np.logical_and.accumulate(drawn, axis=1)
    drawn, valid = drawn & before_gap, valid & before_gap
    scores = np.full((*shape, size), np.nan)
    readable = valid[at, j]
    if readable.any():
        values = [
            [np.nan if s is None else s for s in row]
            for row in map(rows.scores.__getitem__, mine[readable])
        ]
        scores[at[readable], j[readable]] = values
    best = np.array([quality[i] or [0] * size for i in items], dtype=bool)
    best = best.reshape(len(items), size)
    return Block(items, scores, valid, drawn, best)


def _counter(size: int, item: NDArray[np.int64], counted: NDArray[np.bool_]) -> Any:
    return lambda mask: np.bincount(item[counted & mask], minlength=size)


def _tally(values: NDArray[Any]) -> dict[str, int]:
    names, counts = np.unique(values.astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _numbered(names: list[Any]) -> NDArray[np.int64]:
    """Equal names, equal numbers."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
