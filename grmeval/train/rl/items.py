"""The items that online RL trains on: which are left out of a training set, and how many for which reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grmeval.benches import BenchSpec, content_hash, load
from grmeval.engines.chat import ChatEncoder
from grmeval.errors import ConfigError, DataError
from grmeval.items import Item
from grmeval.judges import Judge
from grmeval.store import RunFolder
from grmeval.train.reward import singles_out
from grmeval.train.rl.pass_rate import K, filter_items, rights

__all__ = ["RlItems", "read_items", "without_long"]


@dataclass(frozen=True)
class RlItems:
    """`items` to train on, the hash of their contents, and whence they come; counts for training.json."""

    items: tuple[Item, ...]
    spec: BenchSpec
    sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_items(
    bench: str,
    judge: Judge,
    filter_run: RunFolder | None = None,
    drop_wrong: bool = False,
) -> RlItems:
    """A training set's items that the judge's reward can tell apart, less what the filter leaves out.

    `bench` is what `--bench` takes. ConfigError: the judge cannot judge an item, or the filter's run is of
    other items. DataError: nothing is left.
    """
    loaded = load(bench)
    telling = tuple(item for item in loaded.items if item.quality and singles_out(item.quality))
    facts: dict[str, Any] = {"items": len(loaded.items)}
    facts["items_without_a_best"] = len(loaded.items) - len(telling)
    for item in telling:
        if why := judge.lacks(item):
            raise ConfigError(f"--judge {judge.name}: {item.subset}/{item.id}: such items {why}")
    left = telling
    if filter_run:
        counted = rights(filter_run, telling, loaded.spec.threshold)
        found = filter_items(telling, counted, K, drop_wrong)
        left = found.items
        facts["filter"] = {
            "run": str(filter_run.path),
            "model": filter_run.record["identity"].get("model"),
            "items_by_rights": list(found.by_rights),
            "drop_wrong": drop_wrong,
            "items_dropped": len(telling) - len(left),
        }
    if not left:
        raise DataError(
            f"{loaded.origin}: no item is left to train on: {facts['items_without_a_best']} of "
            f"{facts['items']} have no best response, the filter leaves out {len(telling)}"
        )
    return RlItems(left, loaded.spec, content_hash(left), facts)


def without_long(
    given: RlItems, judge: Judge, encode: ChatEncoder, most: int, together: int = 256
) -> tuple[RlItems, tuple[int, ...]]:
    """Less the items whose prompt has more than `most` tokens, and the lengths of the others' prompts.

    They are measured in the item's own order, `together` at once. DataError: all are too long.
    """
    lengths: list[int] = []
    for start in range(0, len(given.items), together):
        some = given.items[start : start + together]
        lengths += map(len, encode.many([judge.messages(i, range(i.n)) for i in some]))
    kept = [at for at, length in enumerate(lengths) if length <= most]
    if not kept:
        raise DataError(
            f"all {len(lengths)} prompts are longer than rl.max_prompt {most} tokens (the shortest has "
            f"{min(lengths)}); --set rl.max_prompt=N"
        )
    facts = {**given.facts, "rows": len(kept), "rows_too_long": len(lengths) - len(kept)}
    items = tuple(given.items[at] for at in kept)
    return replace(given, items=items, facts=facts), tuple(lengths[at] for at in kept)
