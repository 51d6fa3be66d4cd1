"""Judgements that another program made: a file's rows, checked one by one, in bounded memory.

Two formats, told apart by their columns: the neutral one (docs/benchmarks.md, "Judgements made
elsewhere") and the per-item results that the RewardBench tools write.
"""

import json
import re
import reprlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.errors import ConfigError, DataError, nearest
from grmeval.parquet import ParquetFile

__all__ = ["ENDINGS", "EXPORTED", "MOST_SAMPLES", "Judgement", "read_judgements"]

ENDINGS = (".jsonl", ".jsonl.xz", ".jsonl.gz", ".json", ".parquet")

EXPORTED = {
    *("bench", "section", "n", "flags", "form", "finish", "cached_tokens", "parser", "launch"),
    *("weight", "critic_prompt_tokens", "critic_cached_tokens"),
}
"""Columns of `grmeval export` that say nothing new here (or, as a pick's probability, that an import
has no use for): accepted, not read."""

MOST_SAMPLES = 100_000
MOST_RESPONSES = 1000
LARGEST = 1e15
"""Of a score: sums and differences of whole numbers below it are exact, and far from overflow."""

MOST_LINE = 64 * 2**20
MOST_UNPACKED = 64 * 2**30
"""Bytes of a line, and of all of them: a small packed file may hold any number of them."""

BATCH = 1024

_UNREADABLE = (EOFError, OSError, ValueError, OverflowError)


class Judgement(NamedTuple):
    """One row. `scores` are in the ITEM's response order; None with a reason in `invalid`.

    `where` names file and row, `n` is the number of responses. What the row does not say is None, or
    empty, or 0.
    """

    where: str
    n: int | None
    subset: str | None
    id: str
    j: int
    scores: tuple[float | None, ...] | None
    invalid: str | None
    text: str
    thinking: str
    order: tuple[int, ...]
    tokens: int
    prompt_tokens: int
    meta_reward: float | None
    quality: tuple[int, ...] | None
    cluster: str | None
    group: str | None


def read_judgements(path: Path) -> Iterator[Judgement]:
    """Rows of `path`; DataError names file, row and column, and what is allowed there."""
    empty = True
    for where, row in _rows(path):
        empty = False
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected an object, found {type(row).__name__}")
        rewardbench = "results" in row and "scores" not in row
        yield _judgement(_neutral(row, where) if rewardbench else row, where)
    if empty:
        raise DataError(f"{path}: no rows in it")


# ---------------------------------------------------------------------- files


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(file and row, content of the row)."""
    import lzma
    import zlib

    import pyarrow as pa

    if not path.name.endswith(ENDINGS):
        raise ConfigError(f"{path}: the ending says the format: {', '.join(ENDINGS)}")
    try:
        if path.suffix == ".parquet":
            yield from _parquet(path)
        elif path.suffix == ".json":
            yield from _json_rows(path)
        else:
            yield from _lines(path)
    except (lzma.LZMAError, zlib.error, pa.ArrowException, *_UNREADABLE) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {why}; mend it, or get it again") from None


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    import gzip
    import lzma

    how: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
    with how.get(path.suffix, open)(path, "rb") as file:
        size = 0
        for number, line in enumerate(iter(lambda: file.readline(MOST_LINE + 1), b""), start=1):
            size += len(line)
            if len(line) > MOST_LINE or size > MOST_UNPACKED:
                most = f"a line of {MOST_LINE:,} bytes, and {MOST_UNPACKED:,} in all"
                raise DataError(f"{path}, line {number}: too large: at most {most}; split the file")
            if line.strip():
                where = f"{path}, line {number}"
                yield where, _json(line, where)


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """A list of rows, or an object of columns of one length; what is no list there is in every row."""
    content = _json(path.read_bytes(), str(path))
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
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise DataError(f"{where}: not JSON: {error}; mend it, or get the file again") from None


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    number = 0
    with ParquetFile(path) as file:
        for batch in file.batches(BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row


# ---------------------------------------------------------------------- rows


def _neutral(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A RewardBench result: the chosen response's score, then the other's, or who won.

    The tools also write the texts and the model's settings beside; they are not read.
    """
    scores = [_unwrapped(row.get(f"scores_{name}")) for name in ("chosen", "rejected")]
    if scores == [None, None]:
        # Judges without scores: the tools leave both columns out, or empty.
        outcomes = {1: [1, 0], 0: [0, 1], 0.5: [1, 1]}
        result = row["results"]
        if isinstance(result, bool | str | list | dict) or result not in outcomes:
            raise DataError(
                f"{where}: results: expected 1, 0 or 0.5, found {reprlib.repr(result)}; "
                "other judgements need the neutral format (docs/benchmarks.md)"
            )
        scores = outcomes[result]
    known = {name: row[name] for name in ("subset", "id") if name in row}
    return known | {"j": 0, "scores": scores, "quality": [1, 0]}


def _unwrapped(score: Any) -> Any:
    return score[0] if isinstance(score, list) and len(score) == 1 else score


def _judgement(row: dict[str, Any], where: str) -> Judgement:
    if unknown := row.keys() - _COLUMNS.keys() - EXPORTED:
        name = min(unknown)
        raise DataError(f"{where}: unknown column {name!r}; {nearest(name, list(_COLUMNS))}")
    if absent := [name for name in _NEEDED if name not in row]:
        raise DataError(f"{where}: no column {absent[0]!r}; found: {', '.join(sorted(row))}")
    found = {}
    for name, (read, otherwise) in _COLUMNS.items():
        value = row.get(name)
        try:
            found[name] = otherwise if value is None and name not in ("id", "j") else read(value)
        except ValueError as error:
            raise DataError(
                f"{where}: {name}: expected {error}, found {reprlib.repr(value)}"
            ) from None
    lists = {name: found[name] for name in ("scores", "quality", "order") if found[name]}
    n = len(next(iter(lists.values()))) if lists else None
    for name, values in lists.items():
        if len(values) != n:
            raise DataError(
                f"{where}: {name}: {len(values)} values, but {n} in {next(iter(lists))}"
            )
    return _settled(Judgement(where, n, **found))


def _settled(row: Judgement) -> Judgement:
    """Scores of which none is a number are an unreadable judgement."""
    if row.scores is None or all(score is None for score in row.scores):
        return row._replace(scores=None, invalid=row.invalid or "no_score")
    if row.invalid is not None:
        raise DataError(
            f"{row.where}: invalid: {row.invalid!r} beside scores; of an unreadable judgement the "
            "scores are null"
        )
    return row


# --------------------------------------------- cells; ValueError says what is expected


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("text or a whole number")
    return _unicode(str(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return _unicode(value)


def _unicode(text: str) -> str:
    """A lone surrogate is no Unicode text: neither JSON nor Parquet could hold it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _reason(value: Any) -> str:
    if not (isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]{0,39}", value)):
        raise ValueError("a short name such as no_score, wrong_count, out_of_range, truncated")
    return value


def _number(value: Any) -> float:
    if type(value) not in (float, int) or not abs(value) <= LARGEST:  # NaN is not
        raise ValueError(f"a number from {-LARGEST:g} to {LARGEST:g}")
    return float(value)


def _whole(below: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        plain = type(value) is int or (type(value) is float and value.is_integer())
        if not plain or not 0 <= value < below:
            raise ValueError(f"a whole number from 0 to {below - 1:,}")
        return int(value)

    return read


def _list(value: Any) -> list[Any]:
    if not (isinstance(value, list) and 1 <= len(value) <= MOST_RESPONSES):
        raise ValueError(f"a list of 1 to {MOST_RESPONSES:,} values, one a response")
    return value


def _scores(value: Any) -> tuple[float | None, ...]:
    return tuple(None if score is None else _number(score) for score in _list(value))


def _order(value: Any) -> tuple[int, ...]:
    if value == []:  # what `grmeval export` writes where the order is not known
        return ()
    slots = _list(value)
    if any(type(slot) is not int for slot in slots) or sorted(slots) != list(range(len(slots))):
        raise ValueError("each of 0 … n-1 once: the response shown in each slot")
    return tuple(slots)


def _quality(value: Any) -> tuple[int, ...]:
    if any(type(one) not in (int, float, bool) or one not in (0, 1) for one in _list(value)):
        raise ValueError("a list of 0 and 1, one a response")
    return tuple(int(one) for one in value)


_NEEDED = ("id", "j", "scores")

_COLUMNS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "subset": (_name, None),
    "id": (_name, None),
    "j": (_whole(MOST_SAMPLES), None),
    "scores": (_scores, None),
    "invalid": (_reason, None),
    "text": (_text, ""),
    "thinking": (_text, ""),
    "order": (_order, ()),
    "tokens": (_whole(2**31), 0),
    "prompt_tokens": (_whole(2**31), 0),
    "meta_reward": (_number, None),
    "quality": (_quality, None),
    "cluster": (_name, None),
    "group": (_name, None),
}
"""How a column is read, and what stands for null or for its absence."""
