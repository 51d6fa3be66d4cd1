"""Items and samples of a run folder as columns, read batch by batch; the first row of a key wins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.items import Key
from grmeval.judges import Judge
from grmeval.store import (
    PARSED_COLUMNS,
    SAMPLES,
    RunFolder,
    journal_batches,
    named_damage,
    read_batches,
    reparsed,
    sample_schema,
)

__all__ = ["Items", "Rows"]

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
    "cached_tokens",
    "parser",
    "weight",
    "critic_prompt_tokens",
    "critic_cached_tokens",
]

_TOKENS = ("tokens", "prompt_tokens", "cached_tokens")
_CRITIC = ("critic_prompt_tokens", "critic_cached_tokens")


class Items:
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


@dataclass(frozen=True)
class Rows:
    """The samples of the items at hand, as columns [R].

    Row r is number j[r] of the response at slot[r] of item[r]; `valid`: its scores begin at
    values[start[r]]. `invalid`, `form` and `launch` number `names`; `changed`: its stored reading was
    another one. Tokens of a critic are NaN where a sample has none, or does not say.
    """

    item: NDArray[np.int64]
    slot: NDArray[np.int64]
    j: NDArray[np.int64]
    valid: NDArray[np.bool_]
    start: NDArray[np.int64]
    invalid: NDArray[np.int64]
    form: NDArray[np.int64]
    launch: NDArray[np.int64]
    parser: NDArray[np.int64]
    tokens: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    cached_tokens: NDArray[np.int64]
    critic_prompt_tokens: NDArray[np.float64]
    critic_cached_tokens: NDArray[np.float64]
    weight: NDArray[np.float64]
    changed: NDArray[np.bool_]
    values: NDArray[np.float64]
    names: tuple[str | None, ...]

    @classmethod
    def read(
        cls,
        folder: RunFolder,
        items: Items,
        judge: Judge | None,
        responses: Mapping[Key, tuple[str, ...]],
    ) -> "Rows":
        """Read a run folder, `judge` its texts anew; the first row of a key wins, stored ones before all."""
        columns = [*COLUMNS, *(PARSED_COLUMNS if judge else ())]
        reading = _Reader(items, judge, responses)
        parts = [reading.read(_nothing(columns))]  # so that a run without samples has columns
        with folder.reading() as journals:
            sources = [(folder.path / SAMPLES, read_batches(folder.path, columns))]
            sources += [(path, journal_batches(path, columns)) for path in journals]
            for path, batches in sources:
                for batch in batches:
                    with named_damage(path):
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

    def __init__(
        self, items: Items, judge: Judge | None, responses: Mapping[Key, tuple[str, ...]]
    ) -> None:
        self._items, self._judge, self._responses = items, judge, responses
        self.names: dict[str | None, int] = {}

    def read(self, batch: Any) -> dict[str, NDArray[Any]]:
        """Columns of a batch, `row` as in Items.place; ArrowInvalid: a row is no sample of its item."""
        import pyarrow as pa

        row = self._places(batch)
        if (row < 0).any():
            batch, row = batch.filter(pa.array(row >= 0)), row[row >= 0]
        changed = np.zeros(len(row), dtype=bool)
        if self._judge:
            batch, changed = _renewed(self._judge, self._responses, batch)
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
            **{name: _integers(batch, name) for name in ("j", "parser", *_TOKENS)},
            **{name: _known(batch, name) for name in _CRITIC},
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


def _known(batch: Any, name: str) -> NDArray[np.float64]:
    """A column of counts, NaN where it says nothing."""
    found: NDArray[np.float64] = batch.column(name).to_numpy(zero_copy_only=False)
    return found.astype(np.float64)


def _renewed(
    judge: Judge, responses: Mapping[Key, tuple[str, ...]], batch: Any
) -> tuple[Any, NDArray[np.bool_]]:
    """(samples with the readings of today, whether each differs from the stored one)."""
    import pyarrow as pa

    old = batch.to_pylist()
    new = [reparsed(judge, row, responses) for row in old]
    changed = [
        any(was[name] != now[name] for name in ("scores", "invalid"))
        for was, now in zip(old, new, strict=True)
    ]
    batch = pa.RecordBatch.from_pylist(new, schema=batch.select(COLUMNS).schema)
    return batch, np.array(changed, dtype=bool)
