"""The paper's pass-rate filter: items that a model gets right every time teach nothing, and are left out.

Of a group whose rollouts all earn the same there is nothing to compare, so its gradient is that of the KL
term alone. Which items such are is asked of a stored run of the same items: right k of k, or wrong k of k.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Item, Key
from grmeval.store import RunFolder, judged_rows, origin, sample_batches
from grmeval.train.reward import correct

__all__ = ["Filtered", "K", "filter_items", "rights"]

K = 3
"""Judgements an item, as in the paper."""

_BATCH = 8192


class Filtered(NamedTuple):
    """The items that are left, in their order; `by_rights[r]` [k + 1] counts all items by their rights."""

    items: tuple[Item, ...]
    by_rights: tuple[int, ...]


def filter_items(
    items: Sequence[Item], rights_of: Mapping[Key, int], k: int = K, drop_wrong: bool = False
) -> Filtered:
    """Leave out what is right `k` of `k` times, and with `drop_wrong` what is wrong each time."""
    counted = Counter(rights_of[item.key] for item in items)
    dropped = {k, 0} if drop_wrong else {k}
    kept = tuple(item for item in items if rights_of[item.key] not in dropped)
    return Filtered(kept, tuple(counted[r] for r in range(k + 1)))


def rights(
    folder: RunFolder, items: Sequence[Item], threshold: float, k: int = K
) -> dict[Key, int]:
    """How many of an item's first `k` stored judgements are correct: see `grmeval.train.correct`.

    ConfigError: the run judged other items. Incomplete: it has fewer than `k` judgements of one.
    """
    judged = judged_rows(folder, None)
    for item in items:
        if judged.get(item.key) != item.content_hash():
            what = "has other texts or labels" if item.key in judged else "is not"
            raise ConfigError(
                f"--filter {folder.path}: item {item.subset}/{item.id} of the training set {what} in this "
                "run: it judged another set; `grmeval run --bench` on the training set makes one"
            )
    quality = {item.key: item.quality or () for item in items}
    right, seen = dict.fromkeys(quality, 0), Counter[Key]()
    for batch in sample_batches(folder, ["subset", "id", "j", "scores"], _BATCH):
        for row in batch.to_pylist():
            key = Key(row["subset"], row["id"])
            if key in quality and row["j"] < k:
                seen[key] += 1
                right[key] += correct(row["scores"], quality[key], threshold)
    if short := [key for key in quality if seen[key] < k]:
        raise Incomplete(
            f"--filter {folder.path}: {len(short):,} of {len(quality):,} items have fewer than {k} "
            f"judgements ({short[0].subset}/{short[0].id}); {origin(folder.record['identity']).grows}"
        )
    return right
