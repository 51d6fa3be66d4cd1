"""Journals -> samples.parquet: sorted by (item, j), each key once, in bounded memory.

The new file is written beside the old one, synced, renamed over it, and only then are the journals
deleted: whenever the process dies, the union of what is there holds every sample.
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from grmeval.errors import StoreError
from grmeval.files import sync
from grmeval.parquet import parquet_writer
from grmeval.store.journal import SAMPLE, damage, put_away, read_lines, row_at
from grmeval.store.samples import ROW_GROUP, SAMPLES, SampleKey, read_rows, sample_schema

__all__ = ["fold", "write_samples"]


def fold(folder: Path, journals: list[Path]) -> list[str]:
    """Merge journals into samples.parquet; the first row of a key wins, the parquet's before all.

    Gives what to say of damaged lines.
    """
    index, damaged = _index(journals)
    if any(journal.stat().st_size for journal in journals):
        names = sample_schema().names
        old = ((SampleKey(*row[:3]), row) for row in read_rows(folder, names))
        new = _sorted_journals(journals, index, names)
        write_samples(folder, heapq.merge(old, new, key=lambda pair: pair[0]))
    return [
        said
        for journal, lines in zip(journals, damaged, strict=True)
        for said in put_away(journal, lines)
    ]


def write_samples(folder: Path, keyed: Iterable[tuple[SampleKey, tuple[Any, ...]]]) -> None:
    """Put rows, sorted by key, in place of samples.parquet; the first row of a key wins.

    StoreError leaves what was there.
    """
    import pyarrow as pa

    schema, target = sample_schema(), folder / SAMPLES
    temporary = folder / f"{SAMPLES}.tmp"
    rows: list[tuple[Any, ...]] = []
    last = None
    try:
        with parquet_writer(temporary, schema) as writer:
            for key, row in keyed:
                if key == last:
                    continue
                last = key
                rows.append(row)
                if len(rows) == ROW_GROUP:
                    writer.write_table(_table(rows, schema, pa))
                    rows.clear()
            writer.write_table(_table(rows, schema, pa))
        sync(temporary)
        temporary.replace(target)
        sync(folder)
    except (pa.ArrowException, OSError) as error:
        temporary.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or error
        raise StoreError(
            f"{target}: cannot be written: {why}; no sample is lost: make room and run "
            "the same command again"
        ) from None


def _index(journals: list[Path]) -> tuple[list[tuple[SampleKey, int, int]], list[list[str]]]:
    """(key, journal, offset) of every row, sorted; of each journal, what to say of damaged lines."""
    index = []
    damaged: list[list[str]] = [[] for _ in journals]
    for number, journal in enumerate(journals):
        with journal.open("rb") as file:
            for line in read_lines(file, journal, SAMPLE):
                if line.row is None:
                    damaged[number].append(damage(journal, line))
                else:
                    key = SampleKey(*(line.row[name] for name in SampleKey._fields))
                    index.append((key, number, line.offset))
    return sorted(index), damaged


def _sorted_journals(
    journals: list[Path], index: list[tuple[SampleKey, int, int]], names: list[str]
) -> Iterator[tuple[SampleKey, tuple[Any, ...]]]:
    """Rows of all journals in the order of the index: texts are read as they are wanted."""
    files = [journal.open("rb") for journal in journals]
    try:
        for key, number, offset in index:
            row = row_at(files[number], journals[number], offset)
            yield key, tuple(row[name] for name in names)
    finally:
        for file in files:
            file.close()


def _table(rows: list[tuple[Any, ...]], schema: Any, pa: Any) -> Any:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema.names)
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
