"""A run folder as arrays: items in one order, samples in blocks of items with equally many responses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec
from grmeval.judges import Judge
from grmeval.runs.fold import SAMPLES, damage, journal_batches, read_batches, sample_schema
from grmeval.runs.reparse import TEXTS, reader, renewed
from grmeval.runs.store import RunFolder
from grmeval.score.rewards import Rewards, read_rewards

__all__ = ["Block", "RunArrays", "read_run"]

COLUMNS = [
    "subset",
    "id",
    "j",
    "scores",
    "invalid",
    "launch",
    "form",
    "tokens",
    "prompt_tokens",
    "weight",
]


@dataclass(frozen=True)
class Block:
    """Items with n responses: `items` are their places in RunArrays, scores are [I, N, n].

    Scores are NaN where `valid` [I, N] is False; `drawn` [I, N] says which samples exist. `pooled`:
    responses were judged one by one, so a single score of a valid sample may be NaN too. `rewards` [I, N] by
    meta model, NaN where a sample has none. `weight` [I, N]: the probability of the judge's pick, NaN where a
    sample has none; None where no sample has one.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    valid: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    best: NDArray[np.bool_]
    pooled: bool
    rewards: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    weight: NDArray[np.float64] | None = None

    def first(self, k: int) -> "Block":
        """The first k samples alone."""
        scores, valid, drawn = self.scores[:, :k], self.valid[:, :k], self.drawn[:, :k]
        rewards = {name: reward[:, :k] for name, reward in self.rewards.items()}
        weight = None if self.weight is None else self.weight[:, :k]
        return replace(
            self, scores=scores, valid=valid, drawn=drawn, rewards=rewards, weight=weight
        )


@dataclass(frozen=True)
class RunArrays:
    """Everything that scoring reads of a run; items are those inside the limit, in (subset, id) order.

    A pool, responses that were judged one by one, is ONE item here, with its pool's name for an id;
    `width`: how many judgements a sample of an item is made of. `labelled`: whether an item's truth
    tells its responses apart; if not it gets votes and ranks, no verdict. `samples`, `invalid` and
    `reasons` count judgements j < k, by why they are invalid, `tokens` and `prompt_tokens` are what those
    took, `forms` count all readable ones by how their scores were written; `reparsed`: readings that differ
    from the stored ones, None where those were taken. `part` numbers what a section is the weighted mean
    of: its subsets where the benchmark weighs them, else the section itself. `unit` numbers what gets a
    verdict: an item, or a group of items.
    `limited`: --limit left items out. `k_meta`: samples that the vote `meta` keeps; None: half of k.
    """

    path: Path
    record: dict[str, Any]
    spec: BenchSpec
    limited: bool
    subset: NDArray[Any]
    id: NDArray[Any]
    meta: tuple[str, ...]
    section: NDArray[np.int64]
    part: NDArray[np.int64]
    part_section: NDArray[np.int64]
    part_weight: NDArray[np.float64]
    n: NDArray[np.int64]
    width: NDArray[np.int64]
    cluster: NDArray[np.int64]
    unit: NDArray[np.int64]
    flagged: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    blocks: tuple[Block, ...]
    samples: NDArray[np.int64]
    invalid: NDArray[np.int64]
    tokens: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    reasons: dict[str, NDArray[np.int64]]
    forms: dict[str, int]
    launches: tuple[str, ...]
    reparsed: int | None
    k_meta: int | None = None

    @property
    def balanced(self) -> bool:
        """Whether sample j shows rotation j mod n."""
        return bool(self.record["identity"]["orders"] == "balanced")

    @property
    def played_in_games(self) -> bool:
        """Whether pairs are voted on inside each response order, as the benchmark asks."""
        apart = self.record["identity"].get("layout") == "single"
        return self.spec.games and self.balanced and not apart

    @property
    def depth(self) -> NDArray[np.int64]:
        """Samples of each item, up to its first gap."""
        found = np.zeros(len(self.n), dtype=np.int64)
        for block in self.blocks:
            found[block.items] = block.drawn.sum(axis=1)
        return found

    def first(self, k: int) -> "RunArrays":
        """The same run, as if its first k samples were all."""
        return replace(self, blocks=tuple(block.first(k) for block in self.blocks))

    def ruled(self, rule: str) -> NDArray[np.bool_]:
        """Items of the sections that have this rule."""
        mine = [number for number, s in enumerate(self.spec.sections) if s.rule == rule]
        return np.isin(self.section, mine)


def read_run(
    folder: RunFolder,
    k: int | None = None,
    limit: int | None = None,
    reparse: bool = False,
    k_meta: int | None = None,
) -> RunArrays:
    """Read a run; `limit` keeps the items that `--limit` would take, `reparse` reads every text anew.

    Judgements are counted among the first k samples (among all where k is None), since only those were
    asked for; the blocks hold every sample before an item's first gap: in an unfinished run the ones
    beyond it are there because they were short.
    """
    table = folder.items()
    everything = len(table)
    if limit is not None:
        import pyarrow.compute as pc

        table = table.filter(pc.less(table["rank"], limit))
    items = _Items(table)
    rows = _Rows.read(folder, items, reader(folder) if reparse else None)
    counted = rows.j < (k if k is not None else np.iinfo(np.int64).max)
    size = len(items.id)

    def count(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(rows.item[counted & mask], minlength=size)

    def total(column: NDArray[np.int64]) -> NDArray[np.int64]:
        # Sums of whole numbers below 2**53 are exact.
        return np.bincount(rows.item, column * counted, size).astype(np.int64)

    spec = folder.spec()
    section = np.array(items.section, dtype=np.int64)
    # Responses that are all equally good, or all bad, can be ranked, not judged.
    labelled = np.array(
        [
            bool(t) and (len(t) == 1 or 0 < sum(t) < len(t) or spec.sections[s].rule == "best-of-k")
            for t, s in zip((q or [] for q in items.quality), items.section, strict=True)
        ],
        dtype=np.bool_,
    )
    known = labelled.tolist()
    groups = [
        (s, "g", g) if g is not None and sure else (s, "i", i)
        for s, i, g, sure in zip(items.subset, items.id, items.group, known, strict=True)
    ]
    part, part_section, part_weight = _parts(spec, section, items.subset)
    rewards = read_rewards(folder.path, {key: items.item[row] for key, row in items.place.items()})
    return RunArrays(
        path=folder.path,
        record=folder.record,
        spec=spec,
        limited=len(table) < everything,
        subset=np.array(items.subset, dtype=object),
        id=np.array(items.id, dtype=object),
        meta=tuple(items.meta),
        section=section,
        part=part,
        part_section=part_section,
        part_weight=part_weight,
        n=items.n,
        width=np.where(items.pooled, items.n, 1),
        cluster=_numbered(items.cluster),
        unit=_numbered(groups),
        flagged=np.array(items.flagged, dtype=bool),
        labelled=labelled,
        blocks=tuple(
            _block(int(size), pooled, items, rows, rewards)
            for pooled in (False, True)
            for size in np.unique(items.n[items.pooled == pooled])
        ),
        samples=count(np.ones_like(counted)),
        invalid=count(~rows.valid),
        tokens=total(rows.tokens),
        prompt_tokens=total(rows.prompt_tokens),
        reasons={name: count(rows.invalid == at) for name, at in rows.used(rows.invalid).items()},
        forms=_tally(rows.form[counted & rows.valid], rows.names),
        launches=tuple(rows.used(rows.launch)),
        reparsed=int(rows.changed.sum()) if reparse else None,
        k_meta=k_meta,
    )


class _Items:
    """The rows of items.parquet as items: the rows of a pool are one, in the order of their slots.

    `place` maps (subset, id) to a number r of the row: its sample is of the response at `slot[r]` of
    `item[r]`, and has `asked[r]` scores.
    """

    def __init__(self, table: Any) -> None:
        names = ("subset", "id", "pool", "slot", "section", "cluster", "group", "meta", "n")
        columns = [table[name].to_pylist() for name in names]
        rows = list(
            zip(*columns, table["quality"].to_pylist(), table["flags"].to_pylist(), strict=True)
        )
        pools: dict[tuple[str, bool, str], list[Any]] = {}
        for row in rows:
            subset, name, pool = row[:3]
            pools.setdefault((subset, pool is not None, name if pool is None else pool), []).append(
                row
            )
        self.place: dict[tuple[str, str], int] = {}
        self.subset = [key[0] for key in pools]
        self.id = [key[2] for key in pools]
        self.pooled = np.array([key[1] for key in pools], dtype=bool)
        self.quality: list[list[int] | None] = []
        self.flagged = []
        firsts, sizes = [], []
        slots: list[tuple[int, int]] = []
        for at, members in enumerate(pools.values()):
            members.sort(key=lambda row: row[3])
            for slot, row in enumerate(members):
                self.place[row[0], row[1]] = len(slots)
                slots.append((at, slot))
            first = members[0]
            firsts.append(first)
            labels = [row[9] for row in members]
            whole = None if None in labels else [label for found in labels for label in found]
            self.quality.append(whole)
            self.flagged.append(any(row[10] for row in members))
            sizes.append(len(members) if first[2] is not None else first[8])
        self.n = np.array(sizes, dtype=np.int64)
        self.item, self.slot = np.array(slots, dtype=np.int64).reshape(-1, 2).T
        self.asked = np.where(self.pooled, 1, self.n)[self.item]
        self.section, self.cluster, self.group, self.meta = (
            [first[column] for first in firsts] for column in (4, 5, 6, 7)
        )


def _parts(
    spec: BenchSpec, section: NDArray[np.int64], subset: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    known: dict[tuple[int, str | None], int] = {}
    weights = []
    part = np.zeros(len(subset), dtype=np.int64)
    for at, (number, name) in enumerate(zip(section.tolist(), subset, strict=True)):
        weighed = spec.sections[number].weights
        key = (number, name if weighed else None)
        if key not in known:
            known[key] = len(known)
            weights.append(weighed[name] if weighed else 1.0)
        part[at] = known[key]
    return part, np.array([key[0] for key in known], dtype=np.int64), np.array(weights)


@dataclass(frozen=True)
class _Rows:
    """The samples of the items at hand, as columns [R].

    Row r is number j[r] of the response at slot[r] of item[r]; `valid`: its scores begin at
    values[start[r]]. `invalid`, `form` and `launch` number `names`; `changed`: its stored reading was
    another one.
    """

    item: NDArray[np.int64]
    slot: NDArray[np.int64]
    j: NDArray[np.int64]
    valid: NDArray[np.bool_]
    start: NDArray[np.int64]
    invalid: NDArray[np.int64]
    form: NDArray[np.int64]
    launch: NDArray[np.int64]
    tokens: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    weight: NDArray[np.float64]
    changed: NDArray[np.bool_]
    values: NDArray[np.float64]
    names: tuple[str | None, ...]

    @classmethod
    def read(cls, folder: RunFolder, items: _Items, judge: Judge | None) -> "_Rows":
        """Read a run folder, `judge` its texts anew; the first row of a key wins, stored ones before all."""
        columns = [*COLUMNS, *(TEXTS if judge else ())]
        reading = _Reader(items, judge)
        parts = [reading.read(_nothing(columns))]  # so that a run without samples has columns
        with folder.reading() as journals:
            sources = [(folder.path / SAMPLES, read_batches(folder.path, columns))]
            sources += [(path, journal_batches(path, columns)) for path in journals]
            for path, batches in sources:
                for batch in batches:
                    with damage(path):
                        parts.append(reading.read(batch))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        values, length = found.pop("values"), found.pop("length")
        found["start"] = np.cumsum(length) - length
        j = found["j"]
        _, first = np.unique(found["row"] * (j.max(initial=0) + 1) + j, return_index=True)
        found = {name: column[first] for name, column in found.items()}
        row = found.pop("row")
        at = {"item": items.item[row], "slot": items.slot[row]}
        return cls(**at, **found, values=values, names=tuple(reading.names))

    def used(self, numbers: NDArray[np.int64]) -> dict[str, int]:
        """The names that `numbers` stand for, in order, each with its number."""
        there = ((self.names[number], number) for number in np.unique(numbers).tolist())
        return dict(sorted((name, number) for name, number in there if name is not None))


class _Reader:
    """Record batches -> columns: of those rows whose items are at hand."""

    def __init__(self, items: _Items, judge: Judge | None) -> None:
        self._items, self._judge = items, judge
        self.names: dict[str | None, int] = {}

    def read(self, batch: Any) -> dict[str, NDArray[Any]]:
        """Columns of a batch, `row` as in _Items.place; ArrowInvalid: a row is no sample of its item."""
        import pyarrow as pa

        row = self._places(batch)
        if (row < 0).any():
            batch, row = batch.filter(pa.array(row >= 0)), row[row >= 0]
        changed = np.zeros(len(row), dtype=bool)
        if self._judge:
            batch, changed = _renewed(self._judge, batch)
        scores = batch.column("scores")
        valid = scores.is_valid().to_numpy(zero_copy_only=False)
        length = scores.value_lengths().fill_null(0).to_numpy().astype(np.int64)
        if (length != np.where(valid, self._items.asked[row], 0)).any():
            raise pa.ArrowInvalid("a sample with more or fewer scores than responses")
        return {
            "row": row,
            "valid": valid,
            "length": length,
            "values": scores.flatten().to_numpy(zero_copy_only=False),
            "changed": changed,
            "weight": batch.column("weight").to_numpy(zero_copy_only=False),
            **{name: _integers(batch, name) for name in ("j", "tokens", "prompt_tokens")},
            **{name: self._numbers(batch.column(name)) for name in ("invalid", "form", "launch")},
        }

    def _places(self, batch: Any) -> NDArray[np.int64]:
        """The row of items.parquet that each sample is of, -1 where it is not at hand."""
        numbers, names = zip(
            *(_coded(batch.column(name)) for name in ("subset", "id")), strict=True
        )
        # Samples of an item lie together: one look-up each.
        changes = np.any([np.diff(each, prepend=-2) != 0 for each in numbers], axis=0)
        first = np.flatnonzero(changes)
        found = [
            self._items.place.get((names[0][subset], names[1][name]), -1)
            for subset, name in zip(*(each[first].tolist() for each in numbers), strict=True)
        ]
        return np.repeat(np.array(found, dtype=np.int64), np.diff(first, append=len(changes)))

    def _numbers(self, column: Any) -> NDArray[np.int64]:
        """Names as numbers that are the same in every batch."""
        numbers, names = _coded(column)
        found = [self.names.setdefault(name, len(self.names)) for name in names]
        return np.array(found, dtype=np.int64)[numbers]


def _nothing(columns: list[str]) -> Any:
    import pyarrow as pa

    schema = pa.schema([sample_schema().field(name) for name in columns])
    return pa.RecordBatch.from_pylist([], schema=schema)


def _coded(column: Any) -> tuple[NDArray[np.int64], list[str | None]]:
    """A column of strings as places in a list, whose last is None."""
    coded = column.dictionary_encode()
    names = [*coded.dictionary.to_pylist(), None]
    numbers: NDArray[np.int64] = coded.indices.fill_null(len(names) - 1).to_numpy().astype(np.int64)
    return numbers, names


def _integers(batch: Any, name: str) -> NDArray[np.int64]:
    import pyarrow as pa

    column = batch.column(name)
    found: NDArray[np.int64] = column.fill_null(-1).to_numpy().astype(np.int64)
    if found.min(initial=0) < 0:
        raise pa.ArrowInvalid(f"a sample without {name}")
    return found


def _renewed(judge: Judge, batch: Any) -> tuple[Any, NDArray[np.bool_]]:
    """(samples with the readings of today, whether each differs from the stored one)."""
    import pyarrow as pa

    old = batch.to_pylist()
    new = [renewed(judge, row) for row in old]
    changed = [
        any(was[name] != now[name] for name in ("scores", "invalid"))
        for was, now in zip(old, new, strict=True)
    ]
    batch = pa.RecordBatch.from_pylist(new, schema=batch.select(COLUMNS).schema)
    return batch, np.array(changed, dtype=bool)


def _block(
    size: int, pooled: bool, items: _Items, rows: _Rows, rewards: Mapping[str, Rewards]
) -> Block:
    places = np.flatnonzero((items.n == size) & (items.pooled == pooled))
    here = np.full(len(items.n), -1)
    here[places] = np.arange(len(places))
    mine = np.flatnonzero(here[rows.item] >= 0)
    at, j, slot = here[rows.item[mine]], rows.j[mine], rows.slot[mine]
    width = size if pooled else 1
    shape = (len(places), int(j.max()) + 1 if len(j) else 0, width)
    drawn, valid = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    drawn[at, j, slot] = True
    valid[at, j, slot] = rows.valid[mine]
    before_gap: NDArray[np.bool_] = np.logical_and.accumulate(drawn.all(axis=2), axis=1)
    valid &= before_gap[..., None]
    scores = np.full((*shape[:2], size), np.nan)
    readable = valid[at, j, slot]
    at, j, slot, start = at[readable], j[readable], slot[readable], rows.start[mine[readable]]
    if pooled:
        scores[at, j, slot] = rows.values[start]
    else:
        scores[at, j] = rows.values[start[:, None] + np.arange(size)]
    best = np.array([items.quality[i] or [0] * size for i in places], dtype=bool)
    best = best.reshape(len(places), size)
    read = np.array(valid.any(axis=2))
    if pooled:
        return Block(places, scores, read, before_gap, best, pooled)
    voted = {name: _laid(each, here, shape[:2]) for name, each in rewards.items()}
    weight = np.full(shape[:2], np.nan)
    weight[at, j] = rows.weight[mine[readable]]
    known = None if np.isnan(weight).all() else weight
    return Block(places, scores, read, before_gap, best, pooled, voted, known)


def _laid(found: Rewards, here: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Rewards [I, N] of a block's items; `here` says where each item is in the block."""
    mine = (here[found.item] >= 0) & (found.j < shape[1])
    laid = np.full(shape, np.nan)
    laid[here[found.item[mine]], found.j[mine]] = found.reward[mine]
    return laid


def _tally(numbers: NDArray[np.int64], names: tuple[str | None, ...]) -> dict[str, int]:
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    return {
        name: count for name, count in sorted(zip(map(str, names), counts, strict=True)) if count
    }


def _numbered(names: list[Any]) -> NDArray[np.int64]:
    """Equal names, equal numbers."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
