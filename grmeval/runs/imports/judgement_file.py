"""Judgements that another program made: a file's rows, checked one by one.

Two kinds of rows, told apart by their columns: the neutral one (docs/benchmarks.md, "Judgements made
elsewhere") and the per-item results that the RewardBench tools write (rewardbench_rows.py).
"""

import re
import reprlib
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.errors import DataError
from grmeval.runs.imports.file_rows import read_file
from grmeval.runs.imports.rewardbench_rows import is_result, neutral
from grmeval.unicode import whole

__all__ = ["EXPORTED", "MOST_SAMPLES", "Judgement", "read_judgements"]

EXPORTED = {
    *("bench", "section", "n", "flags", "form", "finish", "cached_tokens", "parser", "launch"),
    *("weight", "critic_prompt_tokens", "critic_cached_tokens", "logprob"),
}
"""Columns of `grmeval export` that say nothing new here (or, as a pick's probability, that an import
has no use for): accepted, not read."""

MOST_SAMPLES = 100_000
MOST_RESPONSES = 1000
LARGEST = 1e15
"""Of a score: sums and differences of whole numbers below it are exact, and far from overflow."""


class Judgement(NamedTuple):
    """One row. `scores` are in the ITEM's response order; None with a reason in `invalid`.

    `where` names file and row, `n` is the number of responses. `result`: what the file itself says the
    row earns. What the row does not say is None, or empty, or 0.
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
    result: float | None = None


def read_judgements(path: Path, as_stored: bool = False) -> Iterator[Judgement]:
    """Rows of `path`, a CSV's texts perhaps `as_stored` (`read_file`).

    DataError names file, row and column, and what is allowed there.
    """
    empty = True
    for where, row in read_file(path, as_stored):
        empty = False
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected an object, found {type(row).__name__}")
        if is_result(row):
            found = neutral(row, where)
            result = found.pop("results", None)
            yield _judgement(found, where)._replace(result=_result(result, where))
        else:
            yield _judgement(row, where)
    if empty:
        raise DataError(f"{path}: no rows in it")


def _result(value: Any, where: str) -> float | None:
    """What a tool's row earns, by itself."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(
            f"{where}: results: expected a number from 0 to 1, found {reprlib.repr(value)}"
        )
    return float(value)


def _judgement(row: dict[str, Any], where: str) -> Judgement:
    if "custom_id" in row:
        raise DataError(
            f"{where}: a line of a batch: `grmeval import answers` takes what came back for a run's requests"
        )
    if unknown := [name for name in row if name not in _COLUMNS and name not in EXPORTED]:
        names = ", ".join(map(_likely, unknown))
        raise DataError(
            f"{where}: unknown column{'s' * (len(unknown) > 1)} {names}; allowed: {', '.join(_COLUMNS)}"
        )
    if absent := [name for name in _NEEDED if name not in row]:
        raise DataError(f"{where}: no column {absent[0]!r}; found: {', '.join(sorted(row))}")
    row = {"j": 0} | row
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


def _likely(unknown: str) -> str:
    """A column's name, and the one that may be meant."""
    if said := _THEIRS.get(unknown.lower()):
        return f"{unknown!r} ({said})"
    close = get_close_matches(unknown.lower(), _COLUMNS, n=1)
    return repr(unknown) + (f" (did you mean {close[0]!r}?)" if close else "")


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
    return whole(str(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return whole(value)


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
        raise ValueError(
            f"a list of 1 to {MOST_RESPONSES:,} values, one a response (in CSV as JSON: [7, 3])"
        )
    return value


def _scores(value: Any) -> tuple[float | None, ...]:
    scores = _list(value)
    try:
        return tuple(None if score is None else _number(score) for score in scores)
    except ValueError as error:
        raise ValueError(f"{error} (a failed judgement is null)") from None


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


_NEEDED = ("id", "scores")

_CHOICE = "a choice is scores [1, 0] or [0, 1]"
_PAIR = "scores = [chosen, rejected]"
_THEIRS = {
    **dict.fromkeys(("score_chosen", "score_rejected", "chosen_score", "rejected_score"), _PAIR),
    **dict.fromkeys(("scores_chosen", "scores_rejected"), _PAIR),
    **dict.fromkeys(("winner", "choice", "preference", "preferred", "verdict"), _CHOICE),
}
"""Columns that other programs write -> what holds the same here."""

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
