"""items.parquet: what a run judges, one row an item: labels, hashes, lengths; no texts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from grmeval.errors import StoreError
from grmeval.files import write_with
from grmeval.items import Item, Key
from grmeval.parquet import read_parquet, write_parquet

__all__ = ["items_table", "limit_seed", "rank_below", "stored_ranks", "write_items"]


def items_table(items: Sequence[Item], ranks: Sequence[int]) -> Any:
    """items.parquet: one row an item, sorted by (subset, id), without texts."""
    import pyarrow as pa

    rows = sorted(zip(items, ranks, strict=True), key=lambda row: row[0].key)
    return pa.table(
        {
            "subset": pa.array([i.subset for i, _ in rows], pa.string()),
            "id": pa.array([i.id for i, _ in rows], pa.string()),
            "rank": pa.array([r for _, r in rows], pa.int32()),
            "n": pa.array([i.n for i, _ in rows], pa.int16()),
            "quality": pa.array([i.quality for i, _ in rows], pa.list_(pa.int8())),
            "group": pa.array([i.group for i, _ in rows], pa.string()),
            "pool": pa.array([i.pool for i, _ in rows], pa.string()),
            "slot": pa.array([i.slot for i, _ in rows], pa.int16()),
            "cluster": pa.array([i.cluster for i, _ in rows], pa.string()),
            "flags": pa.array([i.flags for i, _ in rows], pa.list_(pa.string())),
            "meta": pa.array(
                [json.dumps(dict(i.meta), sort_keys=True) for i, _ in rows], pa.string()
            ),
            "prompt_chars": pa.array(
                [sum(len(m.content) for m in i.conversation) for i, _ in rows]
            ),
            "response_chars": pa.array(
                [[len(r) for r in i.responses] for i, _ in rows], pa.list_(pa.int64())
            ),
            "content_hash": pa.array([i.content_hash() for i, _ in rows], pa.string()),
        }
    )


def write_items(path: Path, table: Any) -> None:
    """Put a table of `items_table` into a run's folder."""
    write_with(path / "items.parquet", lambda file: write_parquet(file, table))


def limit_seed(identity: Mapping[str, Any]) -> int:
    """The seed of the order of --limit: the run's own seed, unless its identity says another."""
    return int(identity.get("limit_seed", identity["seed"]))


def stored_ranks(path: Path) -> dict[Key, int]:
    """Each item's place in the order of --limit, as it was when the run was made; empty without a run."""
    import pyarrow as pa

    if not (path / "items.parquet").is_file():
        return {}
    try:
        found = read_parquet(path / "items.parquet", ["subset", "id", "rank"])
    except (pa.ArrowException, OSError, KeyError, UnicodeError) as error:
        raise StoreError(
            f"{path / 'items.parquet'}: damaged: {error}; move it away to have it written again"
        ) from None
    keys = map(Key, found["subset"].to_pylist(), found["id"].to_pylist())
    return dict(zip(keys, found["rank"].to_pylist(), strict=True))


def rank_below(ranks: Iterable[int], limit: int | None) -> int | None:
    """Items of a part inside --limit N are those with a rank below this; None: all of them are."""
    known = sorted(set(ranks))
    return None if limit is None or limit >= len(known) else known[limit]
