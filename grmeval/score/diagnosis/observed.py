"""What a diagnosis looks at: a run's arrays with orders, lengths and tokens beside them, by kind of item."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grmeval.measure.agreement import picks
from grmeval.score.arrays import Block, RunArrays
from grmeval.store import RunFolder, sample_batches

__all__ = ["KINDS", "Kind", "Observed", "joined", "observe", "over_samples"]

KINDS = ("pairs", "best-of-n", "pools", "single responses")
"""Two responses in one prompt; more; responses judged one by one and compared; one, right or wrong."""

BATCH = 65_536
"""Rows in memory at once, without texts."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Kind:
    """Items of one kind with equally many responses, as `block` holds them.

    `order` [I, N, n]: the response shown in each slot, -1 where it is not known; `chars` [I, n]: length of
    each response, None where that is not known; `labelled` and `cluster` [I].
    """

    name: str
    block: Block
    order: NDArray[np.int16]
    chars: Ints | None
    labelled: Bools
    cluster: Ints
    threshold: float

    @property
    def n(self) -> int:
        """Responses an item."""
        return int(self.block.best.shape[1])

    @cached_property
    def picked(self) -> Floats:
        """[I, N, m]: what each sample picks, see `picks`."""
        return picks(self.block.scores, self.block.valid, self.threshold)

    @cached_property
    def read(self) -> Bools:
        """[I, N]: samples that pick something."""
        return np.array(self.picked.any(axis=2))

    @cached_property
    def best(self) -> Bools:
        """[I, m]: which picks are right."""
        best = self.block.best
        return np.hstack([best, ~best]) if self.n == 1 else best

    @cached_property
    def decided(self) -> Bools:
        """[I]: items whose truth tells a right pick from a wrong one."""
        found: Bools = self.labelled & self.best.any(axis=1) & ~self.best.all(axis=1)
        return found

    @cached_property
    def credit(self) -> Floats:
        """[I, N]: expected credit of one sample, ties shared; 0 where it cannot be read."""
        found: Floats = (self.picked * self.best[:, None, :]).sum(axis=2)
        return found

    @cached_property
    def judged(self) -> Bools:
        """[I]: decided items with a readable sample."""
        return self.decided & self.read.any(axis=1)

    @cached_property
    def accuracy(self) -> Floats:
        """[I]: mean credit of an item's readable samples; 0 where there is none."""
        return over_samples(self.credit, self.read)


def over_samples(values: NDArray[Any], taken: Bools) -> Floats:
    """Mean [I] over the samples taken, of values [I, N]; 0 where none is."""
    found: Floats = np.where(taken, values, 0.0).sum(axis=1) / np.maximum(taken.sum(axis=1), 1)
    return found


def joined(each: Sequence[NDArray[Any]], known: Sequence[NDArray[np.bool_]]) -> NDArray[Any]:
    """Values of each kind's known items, one after the other."""
    return np.concatenate([values[there] for values, there in zip(each, known, strict=True)])


class Observed(NamedTuple):
    """A run for a diagnosis. `tokens` generated for each judgement, of item number `item`, both [R]."""

    run: RunArrays
    kinds: tuple[Kind, ...]
    item: Ints
    tokens: Ints

    def of(self, *names: str) -> Iterator[tuple[str, list[Kind]]]:
        """The kinds of these names that are there, each with its parts of equally many responses."""
        for name in names:
            if found := [kind for kind in self.kinds if kind.name == name]:
                yield name, found


def observe(folder: RunFolder, run: RunArrays, limit: int | None) -> Observed:
    """Read what `run` (of the same folder and limit) does not hold; by columns, no text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = folder.items(limit)
    places = _places(table, run)
    keys = pc.binary_join_element_wise(table["subset"], table["id"], "\0").combine_chunks()
    orders = {
        number: np.full((*block.drawn.shape, block.best.shape[1]), -1, dtype=np.int16)
        for number, block in enumerate(run.blocks)
    }
    block_of = np.full(len(run.n), -1)
    within = np.zeros(len(run.n), dtype=np.int64)
    for number, block in enumerate(run.blocks):
        block_of[block.items] = -1 if block.pooled else number
        within[block.items] = np.arange(len(block.items))
    items, tokens = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for batch in sample_batches(folder, ["subset", "id", "j", "order", "tokens"], BATCH):
        named = pc.binary_join_element_wise(batch["subset"], batch["id"], "\0")
        row = pc.fill_null(pc.index_in(named, value_set=keys), -1).to_numpy(zero_copy_only=False)
        known = row >= 0
        item = places[row[known]]
        batch = batch.filter(pa.array(known))
        items.append(item)
        tokens.append(np.asarray(batch["tokens"].to_numpy(zero_copy_only=False), np.int64))
        _fill(orders, batch, item, block_of, within)
    chars = _lengths(folder, table, places, run)
    return Observed(
        run=run,
        kinds=tuple(
            Kind(
                name=_kind(block),
                block=block,
                order=orders[number],
                chars=None if chars is None else chars[number],
                labelled=run.labelled[block.items],
                cluster=run.cluster[block.items],
                threshold=run.spec.threshold,
            )
            for number, block in enumerate(run.blocks)
        ),
        item=np.concatenate(items),
        tokens=np.concatenate(tokens),
    )


def _kind(block: Block) -> str:
    n = block.best.shape[1]
    if n == 1:
        return "single responses"
    return "pools" if block.pooled else "pairs" if n == 2 else "best-of-n"


def _places(table: Any, run: RunArrays) -> Ints:
    """The number in `run` of each row's item: rows of a pool are one item, by the pool's name."""
    pooled = np.zeros(len(run.n), dtype=bool)
    for block in run.blocks:
        pooled[block.items] = block.pooled
    names = zip(run.subset.tolist(), run.id.tolist(), pooled.tolist(), strict=True)
    known = {name: at for at, name in enumerate(names)}
    rows = zip(*(table[c].to_pylist() for c in ("subset", "id", "pool")), strict=True)
    found = [known[s, i if p is None else p, p is not None] for s, i, p in rows]
    return np.array(found, dtype=np.int64)


def _fill(
    orders: dict[int, NDArray[np.int16]], batch: Any, item: Ints, block_of: Ints, within: Ints
) -> None:
    """Put a batch's orders into [I, N, n] of its blocks; one of another length is not known."""
    import pyarrow.compute as pc

    j = np.asarray(batch["j"].to_numpy(zero_copy_only=False), np.int64)
    length = pc.list_value_length(batch["order"]).to_numpy(zero_copy_only=False)
    length = np.nan_to_num(length).astype(np.int64)
    values = np.asarray(pc.list_flatten(batch["order"]).to_numpy(zero_copy_only=False))
    start = np.cumsum(length) - length
    for number, order in orders.items():
        samples, n = order.shape[1:]
        mine = np.flatnonzero((block_of[item] == number) & (length == n) & (j < samples))
        if len(mine):
            order[within[item[mine]], j[mine]] = values[start[mine][:, None] + np.arange(n)]


def _lengths(folder: RunFolder, table: Any, places: Ints, run: RunArrays) -> dict[int, Ints] | None:
    """Characters of each response by block, [I, n]; None where the rows' texts were not at hand."""
    if not folder.record["config"].get("texts", True):
        return None
    chars, slots = table["response_chars"].to_pylist(), table["slot"].to_pylist()
    by_item: list[dict[int, int]] = [{} for _ in run.n]
    for place, slot, lengths in zip(places.tolist(), slots, chars, strict=True):
        by_item[place] |= {slot + at: length for at, length in enumerate(lengths)}
    return {
        number: np.array(
            [[by_item[at][slot] for slot in sorted(by_item[at])] for at in block.items.tolist()],
            dtype=np.int64,
        ).reshape(block.best.shape)
        for number, block in enumerate(run.blocks)
    }
