"""A run folder -> its arrays."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grmeval.benches import BenchSpec
from grmeval.score.arrays.columns import Items, Rows
from grmeval.score.arrays.rewards import Rewards, read_rewards
from grmeval.score.arrays.run import Block, RunArrays, counts_as
from grmeval.score.arrays.tokens import taken
from grmeval.store import (
    RunFolder,
    damaged,
    judged_responses,
    reading_judge,
    refuse_hinted,
    stops_of,
)

__all__ = ["read_run"]


def read_run(
    folder: RunFolder,
    k: int | None = None,
    limit: int | None = None,
    reparse: bool = False,
    k_meta: int | None = None,
    only: Collection[tuple[str, str]] | None = None,
) -> RunArrays:
    """Read a run; `limit` keeps the items that `--limit` would take, `reparse` reads every text anew.

    `only`: the items (subset, id) that are read; None: all.

    Judgements are counted among the first k samples (among all where k is None), since only those were
    asked for; the blocks hold every sample before an item's first gap: in an unfinished run the ones
    beyond it are there because they were short. ConfigError: a hinted run, which measures nothing.
    """
    refuse_hinted(folder)
    table = folder.items(limit)
    limited = limit is not None and len(table) < len(folder.items())
    if only is not None:
        keys = zip(table["subset"].to_pylist(), table["id"].to_pylist(), strict=True)
        table = table.filter([key in only for key in keys])
    items = Items(table)
    judge = reading_judge(folder) if reparse else None
    responses = judged_responses(folder) if judge and not judge.head else {}
    rows = Rows.read(folder, items, judge, responses or {})
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
    found = RunArrays(
        path=folder.path,
        record=folder.record,
        spec=spec,
        limited=limited,
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
        taken=taken(folder.record, rows, counted, size),
        rewarded={name: found.read(k) for name, found in rewards.items()},
        reasons={name: count(rows.invalid == at) for name, at in rows.used(rows.invalid).items()},
        forms=_tally(rows.form[counted & rows.valid], rows.names),
        launches=tuple(rows.used(rows.launch)),
        parsers=tuple(np.unique(rows.parser[counted]).tolist()),
        reparsed=int(rows.changed.sum()) if reparse else None,
        quotable=responses is None,
        k_meta=k_meta,
        damaged=tuple(damaged(folder)),
    )
    return replace(found, decided=_decided(folder.path, items, found.depth))


def _decided(path: Path, items: Items, depth: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """What items stopped for, by vote; a stop is void where a sample that it was made from is missing."""
    names = zip(items.subset, items.pooled.tolist(), items.id, strict=True)
    place = {name: at for at, name in enumerate(names)}
    found: dict[str, NDArray[np.int64]] = {}
    for stop in stops_of(path):
        at = place.get(stop.name)
        if at is not None and depth[at] >= stop.k:
            for vote in stop.votes:
                most = found.setdefault(counts_as(vote), np.zeros(len(items.n), dtype=np.int64))
                most[at] = max(most[at], stop.most)
    return found


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


def _block(
    size: int, pooled: bool, items: Items, rows: Rows, rewards: Mapping[str, Rewards]
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
    launch = np.full(shape[:2], None, dtype=object)
    if rewards:
        launch[here[rows.item[mine]], rows.j[mine]] = np.array(rows.names)[rows.launch[mine]]
    voted = {name: _laid(each, here, launch) for name, each in rewards.items()}
    weight = np.full(shape[:2], np.nan)
    weight[at, j] = rows.weight[mine[readable]]
    known = None if np.isnan(weight).all() else weight
    return Block(places, scores, read, before_gap, best, pooled, voted, known)


def _laid(
    found: Rewards, here: NDArray[np.int64], launch: NDArray[np.object_]
) -> NDArray[np.float64]:
    """Rewards [I, N] of a block's items; `here` says where each item is in the block.

    A reward of a sample that was drawn anew since (by another `launch` [I, N]) is of another text: none.
    """
    mine = np.flatnonzero((here[found.item] >= 0) & (found.j < launch.shape[1]))
    at, j = here[found.item[mine]], found.j[mine]
    pairs = zip(found.launch[mine].tolist(), launch[at, j].tolist(), strict=True)
    same = np.array([told in (None, now) for told, now in pairs], dtype=bool)
    laid = np.full(launch.shape, np.nan)
    laid[at[same], j[same]] = found.reward[mine[same]]
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
