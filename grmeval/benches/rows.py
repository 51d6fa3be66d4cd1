"""Files of rows -> rows: JSON lists, JSON lines, Parquet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grmeval.errors import DataError
from grmeval.files import read_parquet

__all__ = ["first_row", "read_rows"]


def read_rows(name: str, content: bytes) -> Iterator[Any]:
    """Rows of one file, by the ending of its name; DataError names file and line."""
    if name.endswith(".parquet"):
        yield from _parquet(name, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 at byte {error.start}") from None
    if name.endswith(".jsonl"):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield _json(line, f"{name}, line {number}")
        return
    rows = _json(text, name)
    if not isinstance(rows, list):
        raise DataError(f"{name}: expected a JSON list of rows, found {type(rows).__name__}")
    yield from rows


def first_row(path: Path) -> dict[str, Any]:
    """The first row of a user's file; DataError where there is none, or it is no object."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"--bench {path}: cannot be read: {error.strerror or error}") from None
    row = next(read_rows(str(path), content), None)
    if not isinstance(row, dict):
        found = "no rows" if row is None else f"a row that is a {type(row).__name__}"
        raise DataError(f"--bench {path}: expected objects, one a row; found {found}")
    return row


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise DataError(f"{where}: not JSON: {error}; get the file again") from None


def _parquet(name: str, content: bytes) -> list[Any]:
    import pyarrow as pa

    try:
        rows: list[Any] = read_parquet(content).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not a Parquet file: {error}; get the file again") from None
    return rows
