"""A run's samples, items or verdicts as one file of a common kind, or as lines."""

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from grmeval.benches import EVERYTHING, Filter
from grmeval.errors import ConfigError, StoreError, nearest
from grmeval.files import write_with
from grmeval.formulas import guarded
from grmeval.parquet import parquet_writer, read_parquet
from grmeval.store import RunFolder, sample_batches, sample_schema

__all__ = ["ENDINGS", "REQUESTS", "WHATS", "check_file", "export", "json_lines"]

WHATS = ("samples", "verdicts", "items")
REQUESTS = "requests"
"""Further rows, which are made from a plan: `grmeval.runs.requests`."""
ENDINGS = (".csv", ".jsonl", ".parquet")
TEXTS = ("thinking", "text")
BATCH = 4096
"""Rows in memory at once."""


def export(
    folder: RunFolder,
    what: str,
    to: Path,
    texts: bool = True,
    as_stored: bool = False,
    only: Filter = EVERYTHING,
) -> int:
    """Write `to`, whole or not at all; gives the number of rows.

    A text in CSV that a spreadsheet would run has a guard (`grmeval.formulas`), unless `as_stored`; other
    texts are exactly what is stored. A list is JSON in a CSV cell; a value that is not there is an empty
    cell, or null.
    """
    check_file(to, ENDINGS)
    batches = _batches(folder, what, texts, only)
    csv = partial(_csv, guard=not as_stored)
    writers: dict[str, Callable[..., None]] = {".csv": csv, ".jsonl": _jsonl, ".parquet": _parquet}
    count = 0

    def counted() -> Iterator[Any]:
        nonlocal count
        for batch in batches:
            count += batch.num_rows
            yield batch

    write_with(to, partial(writers[to.suffix], counted()))
    return count


def check_file(to: Path, endings: Sequence[str]) -> None:
    """ConfigError: another ending, or a place inside a run's folder."""
    if to.suffix not in endings:
        raise ConfigError(f"--to {to}: the ending says the format: {', '.join(endings)}")
    inside = next((p for p in to.absolute().resolve().parents if (p / "run.json").is_file()), None)
    if inside:
        raise ConfigError(f"--to {to}: {inside} is a run's folder; put the file elsewhere")


def json_lines(
    folder: RunFolder, what: str, texts: bool = True, only: Filter = EVERYTHING
) -> Iterator[str]:
    """The same rows as JSON lines, plain ASCII: no terminal acts on them."""
    for batch in _batches(folder, what, texts, only):
        yield from _lines(batch)


def _batches(folder: RunFolder, what: str, texts: bool, only: Filter) -> Iterator[Any]:
    """Arrow tables of one schema; the first one is made at once, so that mistakes come first."""
    if what not in WHATS:
        raise ConfigError(f"--what {what!r} is not known; {nearest(what, (*WHATS, REQUESTS))}")
    items = _items(folder, only)
    if what == "verdicts":
        subsets = set(items["subset"].to_pylist())
        return iter([_rows_of(_verdicts(folder), subsets)])
    return iter([items]) if what == "items" else _samples(folder, items, texts)


def _verdicts(folder: RunFolder) -> Any:
    import pyarrow as pa

    path = folder.path / "verdicts.parquet"
    if not path.exists():
        raise ConfigError(f"{path}: not there yet: `grmeval score {folder.path} --save` writes it")
    try:
        return read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{path}: damaged: {error}; `grmeval score` writes it again") from None


def _rows_of(table: Any, subsets: Collection[str]) -> Any:
    """The rows of a table or batch that are of these subsets."""
    import pyarrow as pa

    return table.filter(
        pa.array([each in subsets for each in table["subset"].to_pylist()], pa.bool_())
    )


def _items(folder: RunFolder, only: Filter) -> Any:
    """items.parquet with the benchmark's id, and sections by name."""
    import pyarrow as pa

    items, record = folder.items(), folder.record
    if only:
        items = _rows_of(items, only.kept(folder.spec(), items["subset"].to_pylist()))
    names = [section["name"] for section in record["spec"]["sections"]]
    sections = [names[number] for number in items["section"].to_pylist()]
    place = items.column_names.index("section")
    items = items.set_column(place, "section", pa.array(sections, pa.string()))
    bench = pa.array([record["identity"]["bench"]] * len(items), pa.string())
    return items.add_column(0, "bench", bench)


def _samples(folder: RunFolder, items: Any, texts: bool) -> Iterator[Any]:
    """Samples with their items' labels; one empty table where there are none."""
    import pyarrow as pa

    keys = zip(items["subset"].to_pylist(), items["id"].to_pylist(), strict=True)
    place = {key: at for at, key in enumerate(keys)}
    subsets = {subset for subset, _ in place}
    labels = items.select(["section", "n", "quality", "group", "cluster", "flags"])
    bench = folder.record["identity"]["bench"]
    columns = [name for name in sample_schema().names if texts or name not in TEXTS]
    schema = pa.schema([sample_schema().field(name) for name in columns])
    none = pa.RecordBatch.from_pylist([], schema=schema)
    for batch in chain([none], sample_batches(folder, columns, BATCH)):
        batch = _rows_of(batch, subsets)
        keys = zip(batch["subset"].to_pylist(), batch["id"].to_pylist(), strict=True)
        mine = labels.take(pa.array([place.get(key) for key in keys], pa.int64()))
        named = {"bench": pa.array([bench] * len(batch), pa.string())}
        named |= {name: batch[name] for name in ("subset", "id")}
        named |= {name: mine[name] for name in labels.column_names}
        yield pa.table(named | {name: batch[name] for name in columns[2:]})


def _csv(batches: Iterable[Any], path: Path, guard: bool) -> None:
    import csv

    import pandas as pd

    with path.open("w", encoding="utf-8", newline="") as file:
        for number, batch in enumerate(batches):
            columns = {name: _cells(batch[name].to_pylist(), guard) for name in batch.column_names}
            # Objects: pandas must not make 3.0 of a 3 beside a gap. All text is quoted: a lone
            # carriage return in a bare cell would end the row.
            pd.DataFrame(columns, dtype=object).to_csv(
                file,
                index=False,
                header=number == 0,
                quoting=csv.QUOTE_NONNUMERIC,
                lineterminator="\n",
            )


def _cells(values: list[Any], guard: bool) -> list[Any]:
    cells = [json.dumps(_plain(v)) if isinstance(v, list) else _plain(v) for v in values]
    return [guarded(cell) for cell in cells] if guard else cells


def _jsonl(batches: Iterable[Any], path: Path) -> None:
    with path.open("w", encoding="ascii") as file:
        for batch in batches:
            file.writelines(_lines(batch))


def _parquet(batches: Iterable[Any], path: Path) -> None:
    batches = iter(batches)
    first = next(batches)
    with parquet_writer(path, first.schema) as writer:
        for batch in chain([first], batches):
            writer.write_table(batch)


def _lines(batch: Any) -> Iterator[str]:
    """Rows as JSON; `json`, not pandas, whose numbers have 15 digits where a double may need 17."""
    for row in batch.to_pylist():
        plain = {name: _plain(value) for name, value in row.items()}
        yield json.dumps(plain, separators=(",", ":"), allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """A number that is not there is none, never NaN."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
