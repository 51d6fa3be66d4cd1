"""Stored samples as they lie: of one item, or of a whole run in batches."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from grmeval.errors import StoreError
from grmeval.items import Key
from grmeval.parquet import ParquetFile
from grmeval.store.folder import RunFolder
from grmeval.store.journal import SAMPLE, read_journal, read_lines, row_at
from grmeval.store.samples import LATER, SAMPLES, SampleKey, sample_schema, with_later

__all__ = ["item_samples", "sample_batches"]

KEY = list(SampleKey._fields)


def item_samples(folder: RunFolder, key: Key) -> list[dict[str, Any]]:
    """One item's samples by j, folded or not: rows of `sample_schema`."""
    with folder.reading() as journals, _damage(folder.path):
        rows = []
        if (path := folder.path / SAMPLES).exists():
            rows += _stored(path, key)
        for journal in journals:
            rows += [row for _, row in read_journal(journal) if (row["subset"], row["id"]) == key]
    by_j: dict[int, dict[str, Any]] = {}
    for row in rows:
        by_j.setdefault(row["j"], row)
    return [by_j[j] for j in sorted(by_j)]


def _stored(path: Path, key: Key) -> list[dict[str, Any]]:
    """An item's rows of samples.parquet; texts are read only of the row groups that hold it.

    Not by pyarrow's filters, which leave threads behind: see `grmeval.parquet.ParquetFile`.
    """
    import pyarrow.compute as pc

    rows: list[dict[str, Any]] = []
    with ParquetFile(path) as file:
        for group in range(file.row_groups):
            names = file.row_group(group, key._fields)
            mine = pc.and_(*(pc.equal(names[n], value) for n, value in key._asdict().items()))
            if pc.any(mine).as_py():
                found = file.row_group(group).filter(mine)
                rows += with_later(found, sample_schema().names).to_pylist()
    return rows


def sample_batches(folder: RunFolder, columns: list[str], size: int) -> Iterator[Any]:
    """All samples as Arrow record batches of at most `size` rows: the folded ones, then the others.

    The files are opened under the folder's lock and read after it: a slow reader stops no writer,
    and a fold meanwhile takes nothing away from what is read here.
    """
    import pyarrow as pa

    with contextlib.ExitStack() as opened, _damage(folder.path):
        with folder.reading() as paths:
            stored = None
            if (path := folder.path / SAMPLES).exists():
                stored = opened.enter_context(ParquetFile(path))
            journals = [(opened.enter_context(p.open("rb")), p) for p in paths if p.stat().st_size]
        fresh = _index(journals)
        if stored:
            read = list(dict.fromkeys([*columns, *(KEY if fresh else ())]))
            absent = LATER - set(stored.schema.names)
            there = [name for name in read if name not in absent]
            for batch in stored.batches(size, there):
                if fresh:
                    for row in zip(*(batch.column(n).to_pylist() for n in KEY), strict=True):
                        fresh.pop(SampleKey(*row), None)
                yield with_later(batch, columns)
        schema = pa.schema([sample_schema().field(name) for name in columns])
        left = sorted(fresh.items())
        for start in range(0, len(left), size):
            some = left[start : start + size]
            rows = [row_at(*journals[n], offset) for _, (n, offset) in some]
            yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _index(journals: Sequence[tuple[BinaryIO, Path]]) -> dict[SampleKey, tuple[int, int]]:
    """Where the first row of each key is: (journal, offset)."""
    found: dict[SampleKey, tuple[int, int]] = {}
    for at, (file, path) in enumerate(journals):
        for offset, _, row in read_lines(file, path, SAMPLE):
            if row is not None:
                found.setdefault(SampleKey(row["subset"], row["id"], row["j"]), (at, offset))
    return found


@contextlib.contextmanager
def _damage(folder: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"{folder / SAMPLES}: damaged: {error}; restore it, or move it away to sample again"
        ) from None
