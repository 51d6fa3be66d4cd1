"""A file of judgements -> its rows, one by one, in bounded memory: JSON lines, JSON, Parquet, CSV.

A name that is there twice, as a key of an object or as a column, is an error: one of the two would be lost.
"""

import codecs
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError, DataError
from grmeval.formulas import unguarded
from grmeval.parquet import ParquetFile

__all__ = ["ENDINGS", "read_file"]

ENDINGS = (".jsonl", ".json", ".csv", ".parquet")
PACKED = (".xz", ".gz")
"""Endings that may follow those of text."""

PLAIN = {"id", "subset", "text", "thinking", "invalid", "cluster", "group"}
"""Columns whose CSV cells are text as it stands; every other cell is JSON, and an empty one is null."""

MOST_LINE = 64 * 2**20
MOST_UNPACKED = 64 * 2**30
MOST_AT_ONCE = 8 * 2**30
"""Bytes of a line (characters of a CSV cell), of all lines, of a JSON file: a small packed file may hold any
number of them."""

BATCH = 1024

_UNREADABLE = (EOFError, OSError, ValueError, OverflowError, csv.Error)


def read_file(path: Path, as_stored: bool = False) -> Iterator[tuple[str, Any]]:
    """(file and row, content of the row); DataError names both, ConfigError an unknown ending.

    The guard that `grmeval export` puts before texts in CSV is taken off, unless they are `as_stored`:
    no cell can say by itself whether it was guarded.
    """
    import lzma
    import zlib

    import pyarrow as pa

    name = path.name
    for packed in PACKED:
        name = name.removesuffix(packed)
    ending = Path(name).suffix
    if ending not in ENDINGS or (ending == ".parquet" and name != path.name):
        raise ConfigError(
            f"{path}: the ending says the format: {', '.join(ENDINGS)}; all but the last may be followed by "
            f"{' or '.join(PACKED)}"
        )
    if as_stored and ending != ".csv":
        raise ConfigError(
            f"--as-stored: only CSV is read otherwise; {path} holds its texts as they are"
        )
    own = partial(_csv, text_of=str if as_stored else unguarded)
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
        ".jsonl": _lines,
        ".json": _json_rows,
        ".csv": own,
        ".parquet": _parquet,
    }
    read = readers[ending]
    try:
        yield from read(path)
    except (lzma.LZMAError, zlib.error, pa.ArrowException, *_UNREADABLE) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {why}; mend it, or get it again") from None


def _opened(path: Path) -> AbstractContextManager[Any]:
    """The bytes of a file, unpacked."""
    import gzip
    import lzma

    how: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
    opened: AbstractContextManager[Any] = how.get(path.suffix, open)(path, "rb")
    return opened


def _bounded(path: Path) -> Iterator[tuple[str, bytes]]:
    """(file and line, the line) of a text; DataError: it is larger than a file of judgements may be."""
    with _opened(path) as file:
        size = 0
        for number, line in enumerate(iter(lambda: file.readline(MOST_LINE + 1), b""), start=1):
            size += len(line)
            if len(line) > MOST_LINE or size > MOST_UNPACKED:
                most = f"a line of {MOST_LINE:,} bytes, and {MOST_UNPACKED:,} in all"
                raise DataError(f"{path}, line {number}: too large: at most {most}; split the file")
            yield f"{path}, line {number}", line


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    for where, line in _bounded(path):
        if line.strip():
            yield where, _json(line, where)


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """A list of rows, or an object of columns of one length; what is no list there is in every row."""
    with _opened(path) as file:
        whole_file = file.read(MOST_AT_ONCE + 1)
    if len(whole_file) > MOST_AT_ONCE:
        raise DataError(f"{path}: too large: at most {MOST_AT_ONCE:,} bytes; write JSON lines")
    content = _json(whole_file, str(path))
    if isinstance(content, dict):
        columns = {name: value for name, value in content.items() if isinstance(value, list)}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"{path}: columns of unlike lengths: {lengths}")
        whole = {name: value for name, value in content.items() if name not in columns}
        cells = zip(*columns.values(), strict=True)
        content = [whole | dict(zip(columns, row, strict=True)) for row in cells]
    if not isinstance(content, list):
        raise DataError(f"{path}: expected a list of rows, found {type(content).__name__}")
    for number, row in enumerate(content, start=1):
        yield f"{path}, row {number}", row


def _json(content: bytes, where: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            _check_once((name for name, _ in pairs), where, "key")
        return found

    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise DataError(f"{where}: not JSON: {error}; mend it, or get the file again") from None


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    number = 0
    with ParquetFile(path) as file:
        _check_once(file.schema.names, str(path), "column")
        for batch in file.batches(BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row


def _csv(path: Path, text_of: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    """As `grmeval export` writes it: a line of names, lists as JSON, what is not there as an empty cell."""
    csv.field_size_limit(MOST_LINE)
    text = codecs.iterdecode((line for _, line in _bounded(path)), "utf-8-sig")
    rows = csv.reader(text, strict=True)
    names = next(rows, [])
    _check_once(names, str(path), "column")
    for number, cells in enumerate(filter(None, rows), start=1):
        where = f"{path}, row {number}"
        if len(cells) != len(names):
            raise DataError(f"{where}: {len(cells)} cells, but {len(names)} columns")
        pairs = zip(names, cells, strict=True)
        yield where, {name: _cell(name, cell, text_of) if cell else None for name, cell in pairs}


def _cell(name: str, cell: str, text_of: Callable[[str], str]) -> Any:
    if name in PLAIN:
        return text_of(cell)
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return text_of(cell)  # whoever reads the column says what is expected there


def _check_once(names: Iterable[str], where: str, what: str) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(
            f"{where}: the {what} {', '.join(map(repr, twice))} is there more than once; keep one"
        )
