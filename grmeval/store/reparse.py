"""Stored texts, read again by this version's parser: a new parser needs no new judgement."""

from collections.abc import Mapping
from typing import Any

from grmeval.errors import ConfigError
from grmeval.items import Key, Known, Reading
from grmeval.judges import JUDGES, Judge
from grmeval.store.fold import write_samples
from grmeval.store.folder import RunFolder
from grmeval.store.item_texts import judged_responses
from grmeval.store.origins import origin
from grmeval.store.samples import SampleKey, read_rows, sample_schema

__all__ = ["PARSED_COLUMNS", "reading_judge", "reparse", "reparsed", "reread"]

PARSED_COLUMNS = ["order", "finish", "thinking", "text"]
"""What of a stored sample is read, besides its item's key."""

Responses = Mapping[Key, tuple[str, ...]]
"""Of each item; an item that is not there may be quoted, and nobody knows."""


def reading_judge(folder: RunFolder) -> Judge:
    """The judge that a run's samples were made with, as far as reading needs it."""
    identity = folder.record["identity"]
    if why := origin(identity).unread:
        raise ConfigError(f"{folder.path}: {why}")
    name = identity["judge"]["name"]
    if name not in JUDGES:
        raise ConfigError(f"{folder.path}: this grmeval has no judge {name!r} to read it again")
    return JUDGES[name]()


def reread(judge: Judge, row: dict[str, Any], responses: Responses) -> Reading:
    """One stored sample read anew; scores are in the ITEM's response order."""
    order = row["order"]
    shown = responses.get(Key(row["subset"], row["id"]), ())
    known = Known(thinking=row["thinking"], responses=shown)
    found = judge.read(row["text"], len(order), row["finish"], known)
    if found.scores is None:
        return found
    by_slot = dict(zip(order, found.scores, strict=True))
    return found._replace(scores=tuple(by_slot[i] for i in range(len(order))))


def reparsed(judge: Judge, row: dict[str, Any], responses: Responses) -> dict[str, Any]:
    """One stored sample with its new scores, or the new reason why it has none.

    A weight is the probability of the pick that was read before: another pick has none.
    """
    found = reread(judge, row, responses)
    scores = None if found.scores is None else list(found.scores)
    weight = row["weight"] if scores == row["scores"] else None
    return row | {
        "scores": scores,
        "invalid": found.invalid,
        "form": found.form,
        "weight": weight,
    }


def reparse(folder: RunFolder) -> int:
    """Put new readings into samples.parquet; gives how many changed. StoreError while another writes."""
    judge, names = reading_judge(folder), sample_schema().names
    responses = {} if judge.head else judged_responses(folder) or {}
    changed = 0

    def current(row: dict[str, Any]) -> dict[str, Any]:
        nonlocal changed
        new = reparsed(judge, row, responses)
        changed += new != row
        return new | {"parser": judge.parser}

    with folder.writer(None):
        folder.fold(None)
        rows = (dict(zip(names, row, strict=True)) for row in read_rows(folder.path, names))
        new = (current(row) for row in rows)
        write_samples(
            folder.path, ((SampleKey(r["subset"], r["id"], r["j"]), tuple(r.values())) for r in new)
        )
    return changed
