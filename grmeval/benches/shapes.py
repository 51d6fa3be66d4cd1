"""Rows of the few shapes that benchmarks have -> Items."""

import hashlib
import json
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grmeval.benches.spec import Table
from grmeval.errors import DataError
from grmeval.items import Item, Message

__all__ = ["as_pairs", "make_item"]

MOST_RESPONSES = 1000


def make_item(bench: str, table: Table, file: str, number: int, row: Any, where: str) -> Item:
    """Row `number` of a file -> one Item; `where` names file and row in errors."""
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, found {type(row).__name__}")
    named = table.subset_name or file.rsplit(".", 1)[0]
    subset = _optional(row, table.subset, where) if table.subset else named
    if subset is None:  # a user's row may lack it; a benchmark's may not
        subset = table.subset_name or _id(row, table.subset or "", where)
    talk = table.conversation or ("conversation" if "conversation" in row else "prompt")
    conversation = _conversation(_get(row, talk, where), where)
    if table.shape == "pair":
        responses = [_text(row, table.best, where), _text(row, table.others, where)]
        quality: tuple[int, ...] | None = (1, 0)
    elif table.shape == "best-of-n":
        losers = _texts(row, table.others, where)
        responses = [_text(row, table.best, where), *losers]
        quality = (1, *[0] * len(losers))
    else:
        responses = _texts(row, "responses[]", where)
        quality = _quality(row.get("quality"), len(responses), where)
    if len(responses) > MOST_RESPONSES:
        raise DataError(f"{where}: {len(responses):,} responses; at most {MOST_RESPONSES:,}")
    column = table.id if table.id is not None else "id" if "id" in row else ""
    raw = Item(
        bench=bench,
        subset=subset,
        id=str(number) if column == "" else _id(row, column, where),
        conversation=conversation,
        responses=tuple(responses),
        quality=quality,
        reference=_optional(row, table.reference, where),
        group=_optional(row, table.group, where),
        cluster=_optional(row, table.cluster, where) or prompt_hash(conversation),
        meta=_meta(row, table.meta, where),
    )
    item = _unicode(raw)
    odd = ("lone_surrogate",) if item != raw else ()
    return replace(item, flags=(*odd, *_flags(item)))


def _unicode(item: Item) -> Item:
    """JSON can spell half a character; tokenizers, Parquet and UTF-8 cannot hold it."""

    def whole(text: str) -> str:
        return text.encode("utf-8", "replace").decode("utf-8")

    return replace(
        item,
        subset=whole(item.subset),
        id=whole(item.id),
        conversation=tuple(Message(m.role, whole(m.content)) for m in item.conversation),
        responses=tuple(map(whole, item.responses)),
        reference=None if item.reference is None else whole(item.reference),
        group=None if item.group is None else whole(item.group),
        cluster=whole(item.cluster),
    )


def as_pairs(item: Item) -> list[Item]:
    """A best-of-n item as its best against each other response: one group, all must be won.

    Items without one single best stay as they are.
    """
    if item.n <= 2 or item.quality is None or sum(item.quality) != 1:
        return [item]
    best = item.quality.index(1)
    others = [i for i in range(item.n) if item.quality[i] == 0]
    return [
        replace(
            item,
            id=f"{item.id}#{i}",
            responses=(item.responses[best], item.responses[i]),
            quality=(1, 0),
            group=f"{item.id}#" if item.group is None else item.group,
        )
        for i in others
    ]


def prompt_hash(conversation: Sequence[Message]) -> str:
    """Items with equal (role, content) turns share a cluster."""
    return hashlib.sha256(json.dumps(conversation).encode("ascii")).hexdigest()[:16]


def _flags(item: Item) -> tuple[str, ...]:
    """What is odd: an empty response, or two responses of unlike quality with one text."""
    flags = []
    if any(not text.strip() for text in item.responses):
        flags.append("empty_response")
    if item.quality is not None:
        best = {t for t, q in zip(item.responses, item.quality, strict=True) if q == 1}
        rest = {t for t, q in zip(item.responses, item.quality, strict=True) if q == 0}
        if best & rest:
            flags.append("identical_pair" if item.n == 2 else "best_is_also_loser")
    return tuple(flags)


def _get(row: Any, path: str, where: str) -> Any:
    value = row
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            names = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
            raise DataError(f"{where}: no column {path!r}; found: {names}")
        value = value[name]
    return value


def _text(row: Any, path: str, where: str) -> str:
    value = _get(row, path, where)
    if not isinstance(value, str):
        raise DataError(f"{where}: column {path!r}: expected text, found {type(value).__name__}")
    return value


def _id(row: Any, path: str, where: str) -> str:
    value = _get(row, path, where)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(
            f"{where}: column {path!r}: expected text or a number, found {reprlib.repr(value)}"
        )
    return str(value)


def _optional(row: Any, path: str, where: str) -> str | None:
    """A name, or None where the row lacks the column or it is empty."""
    return None if row.get(path) in (None, "") else _id(row, path, where)


def _meta(row: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    meta = {name: row.get(name) for name in names}
    try:
        json.dumps(meta)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: columns {', '.join(names)}: {error}") from None
    return meta


def _texts(row: Any, path: str, where: str) -> list[str]:
    name, _, inner = path.partition("[]")
    values = _get(row, name, where)
    if not isinstance(values, list) or not values:
        raise DataError(f"{where}: column {name!r}: expected a list of one or more")
    if inner:
        return [_text(value, inner.removeprefix("."), where) for value in values]
    return [_text({name: value}, name, where) for value in values]


def _conversation(turns: Any, where: str) -> tuple[Message, ...]:
    if isinstance(turns, str):
        return (Message("user", turns),)
    if not isinstance(turns, list) or not turns:
        raise DataError(f"{where}: the conversation is not a list of turns")
    messages = tuple(Message(_text(t, "role", where), _text(t, "content", where)) for t in turns)
    if messages[-1].role != "user":
        raise DataError(f"{where}: the last turn is {messages[-1].role!r}, expected 'user'")
    return messages


def _quality(value: Any, n: int, where: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != n or any(v not in (0, 1) for v in value):
        raise DataError(
            f"{where}: column 'quality': expected {n} numbers, each 0 or 1, found {reprlib.repr(value)}"
        )
    return tuple(int(v) for v in value)
