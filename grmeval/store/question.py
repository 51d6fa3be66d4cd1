"""What the saved tables of a run answer: its record. A command that asks something else is a look.

The record is in accuracy.json itself, so that the tables and what is said of them cannot disagree.
"""

import json
from typing import NamedTuple

from grmeval.store.folder import RunFolder
from grmeval.store.items import stored_ranks

__all__ = ["Question", "covers", "largest", "record_of", "saved", "saved_tables", "size_of"]


class Question(NamedTuple):
    """`votes` of `k` samples an item, of the items inside `limit` (None: all), paid by two rules.

    () and None: what the judge and the benchmark do unless told otherwise.
    """

    k: int
    limit: int | None
    votes: tuple[str, ...] = ()
    ties: str | None = None
    on_invalid: str | None = None
    k_meta: int | None = None


class Saved(NamedTuple):
    """The saved tables: what they answer, and the overall of the first vote (None: it has no number)."""

    question: Question
    value: float | None


def saved(folder: RunFolder) -> Question | None:
    """What accuracy.json answers; None where there is none, or none to be read."""
    tables = saved_tables(folder)
    return tables and tables.question


def saved_tables(folder: RunFolder) -> Saved | None:
    """The same with its number."""
    try:
        found = json.loads((folder.path / "accuracy.json").read_text(encoding="utf-8"))
        rows, about = found["rows"], found["about"]
        limit, k_meta = about["limit"], about.get("k_meta")
        question = Question(
            k=int(rows[0]["k"]),
            limit=None if limit is None else int(limit),
            votes=tuple(dict.fromkeys(str(row["vote"]) for row in rows)),
            ties=str(about["ties"]),
            on_invalid=str(about["on_invalid"]),
            k_meta=None if k_meta is None else int(k_meta),
        )
        value = rows[0]["value"]
        return Saved(question, None if value is None else float(value))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def record_of(folder: RunFolder) -> Question:
    """What commands speak of that are told nothing: the saved tables' question, else what was last asked."""
    last = Question(folder.record["asked"]["k"], folder.record["asked"]["limit"])
    record = saved(folder) or last
    return record if folder.whole else record._replace(k=last.k, limit=last.limit)


def largest(folder: RunFolder) -> Question:
    """The record, or what was last asked where that is more: an extension that is not finished."""
    record, asked = record_of(folder), folder.record["asked"]
    last = record._replace(k=asked["k"], limit=asked["limit"])
    return last if last == record or covers(last, record, size_of(folder)) else record


def size_of(folder: RunFolder) -> int:
    """The smallest --limit that takes every item."""
    return max(stored_ranks(folder.path).values(), default=-1) + 1


def covers(more: Question, less: Question, size: int) -> bool:
    """Whether one asks for all samples of all items that the other asks for, of `size` items there are."""
    inside = size if more.limit is None else more.limit
    return more.k >= less.k and inside >= min(size, less.limit or size)
