"""What a meta RM is shown of a stored judgement, and whether that is right: scoring and training ask here."""

from collections.abc import Mapping, Sequence
from typing import Any

from grmeval.errors import ConfigError
from grmeval.items import Item, Message
from grmeval.judges import MetaPrompt
from grmeval.store import RunFolder, SampleKey, refuse_hinted

__all__ = ["SHOWN", "is_right", "refuse_unasked", "shown"]

SHOWN = [*SampleKey._fields, "launch", "finish", "order", "scores", "text"]
"""Columns of a sample that `shown` and its callers read."""


def refuse_unasked(folder: RunFolder) -> None:
    """ConfigError: prompts of this run held the truth, or none is about all responses of an item."""
    refuse_hinted(folder)
    if any(pool is not None for pool in folder.items()["pool"].to_pylist()):
        raise ConfigError(
            f"{folder.path}: responses are judged one by one here, not in one judgement"
        )


def shown(prompt: MetaPrompt, item: Item, row: Mapping[str, Any]) -> tuple[Message, ...] | str:
    """The chat of a judgement, or the named reason why there is none: no_text, no_order."""
    if not row["text"].strip():
        return "no_text"
    order = row["order"] or ([0] if item.n == 1 else [])
    if len(order) != item.n:
        return "no_order"
    return prompt.messages(item, order, row["text"])


def is_right(item: Item, scores: Sequence[float | None] | None, threshold: float) -> bool:
    """Whether a judgement ranks a best response strictly first; of one response, the right side."""
    if scores is None or item.quality is None or None in scores:
        return False
    known = [score for score in scores if score is not None]
    if item.n == 1:
        return (known[0] >= threshold) == (item.quality[0] == 1)
    best = [s for s, good in zip(known, item.quality, strict=True) if good]
    rest = [s for s, good in zip(known, item.quality, strict=True) if not good]
    return bool(best) and bool(rest) and max(best) > max(rest)
