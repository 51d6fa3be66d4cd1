"""samples.parquet: its columns, and its rows (or a journal's, in the same columns), in bounded memory."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.errors import StoreError
from grmeval.parquet import ParquetFile
from grmeval.store.journal import LATER, read_journal

__all__ = [
    "LATER",
    "ROW_GROUP",
    "SAMPLES",
    "SampleKey",
    "journal_batches",
    "named_damage",
    "read_batches",
    "read_rows",
    "sample_schema",
    "stored_keys",
    "totals",
    "with_later",
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
            ("logprob", pa.float64()),
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
    with named_damage(path), ParquetFile(path) as file:
        found, known = file.schema, sample_schema()
        absent = LATER - set(found.names)
        if not found.equals(pa.schema([f for f in known if f.name not in absent])):
            raise pa.ArrowInvalid("its columns are not those of samples")
        stored = [name for name in columns if name not in absent]
        for batch in file.batches(ROW_GROUP, stored):
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
