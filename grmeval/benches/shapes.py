"""Rows of the few shapes that benchmarks have -> Items.

neutral         responses, quality: a user's own rows
pair            one good response, one other
best-of-n       one or several good responses, several others
labelled        fixed columns of responses; a verdict says which are good (one response: right or wrong)
rated           a list of responses, each with a number: those of the highest are good
matrix          m good and m other responses in rising styles: m x m pairs (RM-Bench)
conflict-pairs  many responses, each right or wrong, and the pairs that are compared (PPE Correctness)
pool            the same responses, each judged by itself
ties            a prompt's good and other responses, each judged by itself; `ref:7` and `tied:7` are one
                group (RewardBench 2)
"""

import hashlib
import json
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from grmeval.benches import cells
from grmeval.benches.layouts import as_singles
from grmeval.benches.spec import Table
from grmeval.benches.turns import Answer, conversation_of, split_turns
from grmeval.errors import DataError
from grmeval.items import Item, Message
from grmeval.unicode import whole

__all__ = ["make_items", "subset_of"]

MOST_RESPONSES = 1000
TALKS = ("conversation", "prompt", "conversations")
"""Columns of what was asked, where a TOML names none."""
LEVELS = ("normal", "hard", "easy")
"""Of a matrix: equal styles, the other response in the richer style, the good one in it."""

Responses = tuple[list[Answer], tuple[int, ...] | None]


def subset_of(table: Table, file: str, row: Any, where: str) -> str:
    """The subset that a row says, or its table, or its file's path."""
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, found {type(row).__name__}")
    if not table.subset:
        return table.subset_name or file.removesuffix(".gz").rsplit(".", 1)[0]
    found = cells.optional(row, table.subset, where)
    if found is None:  # a user's row may lack it; a benchmark's may not
        return table.subset_name or cells.name(row, table.subset, where)
    return table.subset_prefix + found


def make_items(
    bench: str, table: Table, subset: str, number: int, row: Any, where: str
) -> list[Item]:
    """Row `number` of a file -> its Items; `where` names file and row in errors."""
    answers, quality = _RESPONSES[table.shape](table, row, where)
    if len(answers) > MOST_RESPONSES:
        raise DataError(f"{where}: {len(answers):,} responses; at most {MOST_RESPONSES:,}")
    conversation = _conversation(table, row, answers, where)
    whole = Item(
        bench=bench,
        subset=subset,
        id=_id(table, number, row, where),
        conversation=conversation,
        responses=tuple(answer.text for answer in answers),
        quality=quality,
        reference=cells.optional(row, table.reference, where),
        group=cells.optional(row, table.group, where),
        cluster=cells.optional(row, table.cluster, where) or prompt_hash(conversation),
        meta=cells.kept(row, table.meta, where) | _strength(table, row, where),
    )
    split = _SPLITS.get(table.shape)
    return [_flagged(item) for item in (split(whole, table, row, where) if split else [whole])]


def _conversation(
    table: Table, row: Any, answers: Sequence[Answer], where: str
) -> tuple[Message, ...]:
    """What the answers answer: their own turns, or a column's."""
    column = table.conversation or next((name for name in TALKS if name in row), None)
    if column is None and any(answer.before for answer in answers):
        return conversation_of(answers, "", None, where)
    column = column or "prompt"
    stated = cells.get(row, column, where)
    if table.turn_marker and isinstance(stated, str):
        stated = split_turns(stated, table.turn_marker)
    return conversation_of(answers, column, stated, where)


def _strength(table: Table, row: Any, where: str) -> dict[str, float]:
    """By how much the better response is preferred, where the row says it."""
    if not table.strength or row.get(table.strength) is None:
        return {}
    return {"strength": abs(cells.number(row, table.strength, where))}


def prompt_hash(conversation: Sequence[Message]) -> str:
    """Items with equal (role, content) turns share a cluster."""
    return hashlib.sha256(json.dumps(conversation).encode("ascii")).hexdigest()[:16]


def _id(table: Table, number: int, row: Any, where: str) -> str:
    column = table.id if table.id is not None else "id" if "id" in row else ""
    if column == "":
        return str(number)
    columns = (column,) if isinstance(column, str) else column
    return ":".join(cells.name(row, each, where) for each in columns)


# ---------------------------------------------------------------- responses and their quality


def _neutral(table: Table, row: Any, where: str) -> Responses:
    responses = cells.answers(row, "responses[]", where)
    return responses, cells.quality(row.get("quality"), len(responses), where)


def _good_and_others(table: Table, row: Any, where: str) -> Responses:
    good, others = cells.answers(row, table.best, where), cells.answers(row, table.others, where)
    return good + others, (1,) * len(good) + (0,) * len(others)


def _labelled(table: Table, row: Any, where: str) -> Responses:
    responses = [each for path in table.responses for each in cells.answers(row, path, where)]
    label = cells.get(row, table.label, where)
    if isinstance(label, int):
        label = str(label).lower() if isinstance(label, bool) else str(label)
    if not isinstance(label, str) or label not in table.labels:
        known = ", ".join(map(repr, table.labels))
        raise DataError(
            f"{where}: column {table.label!r}: expected one of {known}, found {reprlib.repr(label)}"
        )
    return responses, table.labels[label]


def _rated(table: Table, row: Any, where: str) -> Responses:
    assert isinstance(table.responses, str)
    responses = cells.answers(row, table.responses, where)
    ratings = cells.numbers(row, table.rating, len(responses), where)
    return responses, tuple(int(rating == max(ratings)) for rating in ratings)


def _numbered(table: Table, row: Any, where: str) -> Responses:
    labels = cells.get(row, table.label, where)
    pattern = str(table.responses)
    columns = [pattern.format(1)]
    # A label for each: where one has no response, that column's name is what is missing.
    wanted = min(len(labels), MOST_RESPONSES) if isinstance(labels, list) else 1
    while (following := pattern.format(len(columns) + 1)) in row or len(columns) < wanted:
        columns.append(following)
    responses = [each for path in columns for each in cells.answers(row, path, where)]
    return responses, cells.bits(labels, len(responses), table.label, where)


_RESPONSES: dict[str, Callable[[Table, Any, str], Responses]] = {
    "neutral": _neutral,
    "pair": _good_and_others,
    "best-of-n": _good_and_others,
    "labelled": _labelled,
    "rated": _rated,
    "matrix": _good_and_others,
    "conflict-pairs": _numbered,
    "pool": _numbered,
    "ties": _good_and_others,
}

# ---------------------------------------------------------------- one row, several items


def _matrix(item: Item, table: Table, row: Any, where: str) -> list[Item]:
    size = item.n // 2
    if item.n % 2 or item.quality != (1,) * size + (0,) * size:
        raise DataError(
            f"{where}: columns {table.best!r} and {table.others!r}: expected lists of one length"
        )
    return [
        replace(
            item,
            subset=f"{item.subset}/{LEVELS[(i < j) - (i > j)]}",
            id=f"{item.id}:{i}{j}",
            responses=(item.responses[i], item.responses[size + j]),
            quality=(1, 0),
        )
        for i in range(size)
        for j in range(size)
    ]


def _conflict_pairs(item: Item, table: Table, row: Any, where: str) -> list[Item]:
    pairs = cells.get(row, table.pairs, where)
    places = range(item.n)
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(p) is int and p in places for p in pair)
        for pair in pairs
    ):
        raise DataError(
            f"{where}: column {table.pairs!r}: expected pairs of places from 0 to {item.n - 1}, "
            f"found {reprlib.repr(pairs)}"
        )
    assert item.quality is not None
    return [
        replace(
            item,
            id=f"{item.id}:{number}",
            responses=tuple(item.responses[place] for place in pair),
            quality=tuple(item.quality[place] for place in pair),
        )
        for number, pair in enumerate(pairs)
    ]


def _pool(item: Item, table: Table, row: Any, where: str) -> list[Item]:
    return as_singles(item)


def _ties(item: Item, table: Table, row: Any, where: str) -> list[Item]:
    kind, _, number = item.id.partition(":")
    if kind not in ("ref", "tied") or not number.isdecimal():
        raise DataError(f"{where}: id {item.id!r}: expected ref:<number> or tied:<number>")
    return as_singles(replace(item, group=number, cluster=f"ties:{number}"))


_SPLITS: dict[str, Callable[[Item, Table, Any, str], list[Item]]] = {
    "matrix": _matrix,
    "conflict-pairs": _conflict_pairs,
    "pool": _pool,
    "ties": _ties,
}

# ---------------------------------------------------------------- what is odd about a row


def _flagged(raw: Item) -> Item:
    item = _unicode(raw)
    odd = ("lone_surrogate",) if item != raw else ()
    return replace(item, flags=(*odd, *_flags(item)))


def _unicode(item: Item) -> Item:
    """Every text of it whole."""

    def maybe(text: str | None) -> str | None:
        return None if text is None else whole(text)

    return replace(
        item,
        subset=whole(item.subset),
        id=whole(item.id),
        conversation=tuple(Message(m.role, whole(m.content)) for m in item.conversation),
        responses=tuple(map(whole, item.responses)),
        reference=maybe(item.reference),
        group=maybe(item.group),
        pool=maybe(item.pool),
        cluster=whole(item.cluster),
    )


def _flags(item: Item) -> tuple[str, ...]:
    """An empty response, or two responses of unlike quality with one text."""
    flags = []
    if any(not text.strip() for text in item.responses):
        flags.append("empty_response")
    if item.quality is not None:
        best = {t for t, q in zip(item.responses, item.quality, strict=True) if q == 1}
        rest = {t for t, q in zip(item.responses, item.quality, strict=True) if q == 0}
        if best & rest:
            flags.append("identical_pair" if item.n == 2 else "best_is_also_loser")
    return tuple(flags)
