"""Files of rows -> rows: JSON lists, JSON lines, Parquet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grmeval.errors import DataError
from grmeval.parquet import ParquetFile

__all__ = ["read_rows"]

MOST_BYTES = 4 * 2**30
"""What the rows of a Parquet file, which is packed too, may take in memory."""
BATCH = 1024


def read_rows(name: str, content: bytes) -> Iterator[Any]:
    """Rows of one file, by the ending of its name; DataError names file and line."""
    ending = Path(name).suffix.lower()
    if ending == ".parquet":
        yield from _parquet(name, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 at byte {error.start}") from None
    if ending == ".jsonl":
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield _json(line, f"{name}, line {number}")
        return
    rows = _json(text, name)
    if not isinstance(rows, list):
        raise DataError(f"{name}: expected a JSON list of rows, found {type(rows).__name__}")
    yield from rows


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
