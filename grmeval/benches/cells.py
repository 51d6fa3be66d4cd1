"""Cells of a row, checked: names, lists of answers, labels; errors name the column."""

import json
import math
import reprlib
from collections.abc import Sequence
from typing import Any

from grmeval.benches.turns import Answer, answer
from grmeval.errors import DataError

__all__ = ["answers", "bits", "get", "kept", "name", "number", "numbers", "optional", "quality"]


def get(row: Any, path: str, where: str) -> Any:
    """The value at a dotted path; DataError lists the names that are there."""
    value = row
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            names = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
            raise DataError(f"{where}: no column {path!r}; found: {names}")
        value = value[part]
    return value


def answers(row: Any, path: str, where: str) -> list[Answer]:
    """Responses: one column, a list (`name[]`), or a column of a list's objects (`name[].inner`).

    A response that is null is an empty one: its row is judged, and flagged.
    """
    return [answer("" if cell is None else cell, path, where) for cell in _all(row, path, where)]


def _all(row: Any, path: str, where: str) -> list[Any]:
    """The values of one column, of a list (`name[]`), or of a column of its objects (`name[].inner`)."""
    column, many, inner = path.partition("[]")
    value = get(row, column, where)
    values = value if many else [value]
    if not isinstance(values, list) or not values:
        raise DataError(f"{where}: column {column!r}: expected a list of one or more")
    return [get(v, inner.removeprefix("."), where) if inner else v for v in values]


def name(row: Any, path: str, where: str) -> str:
    """A text or a number that names something."""
    value = get(row, path, where)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(
            f"{where}: column {path!r}: expected text or a number, found {reprlib.repr(value)}"
        )
    return str(value)


def number(row: Any, path: str, where: str) -> float:
    """A number that is one: neither infinite nor not a number."""
    return _number(get(row, path, where), path, where)


def numbers(row: Any, path: str, n: int, where: str) -> list[float]:
    """One number for each of n responses: a list, or a column of a list's objects (`name[].inner`)."""
    values = [_number(value, path, where) for value in _all(row, path, where)]
    if len(values) != n:
        raise DataError(f"{where}: column {path!r}: expected {n} numbers, found {len(values)}")
    return values


def _number(value: Any, path: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{where}: column {path!r}: expected a number, found {reprlib.repr(value)}")
    return value


def optional(row: Any, path: str, where: str) -> str | None:
    """A name, or None where the row lacks the column or it is empty."""
    return None if row.get(path) in (None, "") else name(row, path, where)


def kept(row: Any, columns: Sequence[str], where: str) -> dict[str, Any]:
    """Columns that a metric needs, as JSON can hold them."""
    found = {column: get(row, column, where) for column in columns}
    try:
        json.dumps(found)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: columns {', '.join(columns)}: {error}") from None
    return found


def quality(value: Any, n: int, where: str) -> tuple[int, ...] | None:
    """The column `quality` of n responses, where a row has it."""
    return None if value is None else bits(value, n, "quality", where)


def bits(value: Any, n: int, column: str, where: str) -> tuple[int, ...]:
    """A list of n labels, each 0 or 1."""
    if not isinstance(value, list) or len(value) != n or any(v not in (0, 1) for v in value):
        raise DataError(
            f"{where}: column {column!r}: expected {n} numbers, each 0 or 1, found {reprlib.repr(value)}"
        )
    return tuple(int(v) for v in value)
