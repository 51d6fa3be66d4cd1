"""Files of rows -> rows: JSON lists, JSON lines (packed by gzip or not), Parquet."""

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from grmeval.errors import DataError
from grmeval.parquet import ParquetFile

__all__ = ["read_rows"]

MOST_BYTES = 4 * 2**30
"""What the rows of a Parquet file, or of one packed by gzip, may take in memory."""
BATCH = 1024


def read_rows(name: str, content: bytes) -> Iterator[Any]:
    """Rows of one file, by the ending of its name; DataError names file and line."""
    ending = Path(name).suffix.lower()
    if ending == ".parquet":
        yield from _parquet(name, content)
    elif ending == ".jsonl":
        yield from _lines(name, io.BytesIO(content))
    elif name.lower().endswith(".jsonl.gz"):
        yield from _lines(name, gzip.GzipFile(fileobj=io.BytesIO(content)))
    else:
        rows = _json(_text(name, content), name)
        if not isinstance(rows, list):
            raise DataError(f"{name}: expected a JSON list of rows, found {type(rows).__name__}")
        yield from rows


def _lines(name: str, file: Iterable[bytes]) -> Iterator[Any]:
    """One row a line; one line at a time is text."""
    size = 0
    try:
        for number, line in enumerate(file, start=1):
            text = _text(name, line, size)
            size += len(line)
            if size > MOST_BYTES:
                raise DataError(f"{name}: its rows are larger than {MOST_BYTES:,} bytes: split it")
            if text.strip():
                yield _json(text, f"{name}, line {number}")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: damaged gzip file ({error}); get it again") from None


def _text(name: str, content: bytes, before: int = 0) -> str:
    """`before`: how many bytes of the file come first."""
    try:
        return content.decode("utf-8" if before else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 at byte {before + error.start}") from None


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise DataError(f"{where}: not JSON: {error}; mend it, or get the file again") from None


def _parquet(name: str, content: bytes) -> list[Any]:
    import pyarrow as pa

    rows: list[Any] = []
    size = 0
    try:
        with ParquetFile(content) as file:
            for batch in file.batches(BATCH):
                size += batch.nbytes
                if size > MOST_BYTES:
                    raise DataError(
                        f"{name}: its rows are larger than {MOST_BYTES:,} bytes: split it"
                    )
                rows += batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(
            f"{name}: not a Parquet file: {error}; mend it, or get the file again"
        ) from None
    return rows
