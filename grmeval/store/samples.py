"""Journals -> samples.parquet: sorted by (item, j), each key once, in bounded memory.

The new file is written beside the old one, synced, renamed over it, and only then are the journals
deleted: whenever the process dies, the union of what is there holds every sample.
"""

import contextlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.errors import StoreError
from grmeval.files import open_parquet, sync
from grmeval.store.journal import LATER, parse_line, read_journal

__all__ = [
    "LATER",
    "SAMPLES",
    "SampleKey",
    "fold",
    "journal_batches",
    "named_damage",
    "read_batches",
    "read_rows",
    "sample_schema",
    "stored_keys",
    "totals",
    "with_later",
    "write_samples",
]

SAMPLES = "samples.parquet"
ROW_GROUP = 8192


class SampleKey(NamedTuple):
    """(subset, id, j)."""

    subset: str
    id: str
    j: int


def sample_schema() -> Any:
    """The columns of samples.parquet: those of `grmeval.items.Sample`."""
    import pyarrow as pa

    return pa.schema(
        [
            ("subset", pa.string()),
            ("id", pa.string()),
            ("j", pa.int32()),
            ("order", pa.list_(pa.int16())),
            ("scores", pa.list_(pa.float64())),
            ("invalid", pa.string()),
            ("form", pa.string()),
            ("finish", pa.string()),
            ("prompt_tokens", pa.int32()),
            ("cached_tokens", pa.int32()),
            ("tokens", pa.int32()),
            ("parser", pa.int16()),
            ("launch", pa.string()),
            ("thinking", pa.large_string()),
            ("text", pa.large_string()),
            ("weight", pa.float64()),
            ("critic_prompt_tokens", pa.int32()),
            ("critic_cached_tokens", pa.int32()),
        ]
    )


def with_later(table: Any, columns: Sequence[str]) -> Any:
    """These columns of a table or batch, in this order; those of `LATER` that it lacks are null."""
    import pyarrow as pa

    for name in LATER.intersection(columns) - set(table.schema.names):
        kind = sample_schema().field(name)
        table = table.append_column(kind, pa.nulls(table.num_rows, kind.type))
    return table.select(list(columns))


def stored_keys(folder: Path, journals: list[Path]) -> set[SampleKey]:
    """Every (subset, id, j) that is in samples.parquet or in a journal."""
    keys = {SampleKey(*row) for row in read_rows(folder, ["subset", "id", "j"])}
    for journal in journals:
        keys.update(
            SampleKey(row["subset"], row["id"], row["j"]) for _, row in read_journal(journal)
        )
    return keys


def totals(folder: Path) -> dict[str, int]:
    """Samples and tokens of samples.parquet."""
    names = ["prompt_tokens", "cached_tokens", "tokens"]
    sums = dict.fromkeys(["samples", *names], 0)
    for row in read_rows(folder, names):
        if None in row:
            raise StoreError(f"{folder / SAMPLES}: damaged: a sample without a token count")
        for name, value in zip(sums, (1, *row), strict=True):
            sums[name] += value
    return sums


def read_rows(folder: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """Rows of samples.parquet; none where it is not there yet."""
    for batch in read_batches(folder, columns):
        with named_damage(folder / SAMPLES):
            rows = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
        yield from rows


def read_batches(folder: Path, columns: list[str]) -> Iterator[Any]:
    """The same rows as Arrow record batches of at most ROW_GROUP; StoreError names a damaged file."""
    import pyarrow as pa

    path = folder / SAMPLES
    if not path.exists():
        return
    with named_damage(path), open_parquet(path, page_checksum_verification=True) as file:
        found, known = file.schema_arrow, sample_schema()
        absent = LATER - set(found.names)
        if not found.equals(pa.schema([f for f in known if f.name not in absent])):
            raise pa.ArrowInvalid("its columns are not those of samples")
        stored = [name for name in columns if name not in absent]
        for batch in file.iter_batches(ROW_GROUP, columns=stored, use_threads=False):
            yield with_later(batch, columns)


@contextlib.contextmanager
def named_damage(path: Path) -> Iterator[None]:
    """What cannot be read as samples is a StoreError that names the file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, KeyError, UnicodeError, OverflowError) as error:
        raise StoreError(
            f"{path}: damaged: {error}; restore it, or move it away to sample again"
        ) from None


def journal_batches(journal: Path, columns: list[str]) -> Iterator[Any]:
    """The rows of a journal as record batches, as `read_batches` gives those of samples.parquet."""
    import pyarrow as pa

    schema = pa.schema([sample_schema().field(name) for name in columns])
    rows = (row for _, row in read_journal(journal))
    with named_damage(journal):
        while some := list(islice(rows, ROW_GROUP)):
            yield pa.RecordBatch.from_pylist(some, schema=schema)


def fold(folder: Path, journals: list[Path]) -> None:
    """Merge journals into samples.parquet; the first row of a key wins, the parquet's before all."""
    if any(journal.stat().st_size for journal in journals):
        _merge(folder, journals)
    for journal in journals:
        journal.unlink()


def _merge(folder: Path, journals: list[Path]) -> None:
    names = sample_schema().names
    old = ((SampleKey(*row[:3]), row) for row in read_rows(folder, names))
    new = _sorted_journals(journals, names)
    write_samples(folder, heapq.merge(old, new, key=lambda pair: pair[0]))


def write_samples(folder: Path, keyed: Iterable[tuple[SampleKey, tuple[Any, ...]]]) -> None:
    """Put rows, sorted by key, in place of samples.parquet; the first row of a key wins.

    StoreError leaves what was there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, target = sample_schema(), folder / SAMPLES
    temporary = folder / f"{SAMPLES}.tmp"
    rows: list[tuple[Any, ...]] = []
    last = None
    try:
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", write_page_checksum=True
        ) as writer:
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


def _sorted_journals(
    journals: list[Path], names: list[str]
) -> Iterator[tuple[SampleKey, tuple[Any, ...]]]:
    """Rows of all journals by key: an index of offsets is sorted, texts are read as they are wanted."""
    index = []
    for number, journal in enumerate(journals):
        for offset, row in read_journal(journal):
            index.append((SampleKey(row["subset"], row["id"], row["j"]), number, offset))
    index.sort()
    files = [journal.open("rb") for journal in journals]
    try:
        for key, number, offset in index:
            files[number].seek(offset)
            row = parse_line(files[number].readline(), journals[number], 0)
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
