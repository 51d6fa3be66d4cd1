"""Stored judgements as examples for a meta RM: what `meta-score` shows one, and whether that is right."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Item, Key, Message
from grmeval.judges import MetaPrompt
from grmeval.runs.meta import SHOWN, refuse_unasked, shown
from grmeval.store import RunFolder, judged_items, judged_rows, sample_batches
from grmeval.train.reward import correct, singles_out

__all__ = ["Example", "Judgements", "content_hash", "judgements", "split"]

BATCH = 4096


class Example(NamedTuple):
    """One judgement: sample `j` of an item of a run. `cluster`: of the items that share its prompt."""

    run: str
    key: Key
    j: int
    cluster: str
    chat: tuple[Message, ...]
    right: bool

    @property
    def item(self) -> tuple[str, Key]:
        """What a vote is about: one item of one run."""
        return self.run, self.key


class Judgements(NamedTuple):
    """The examples of some runs, and how many judgements were left out, by reason."""

    examples: tuple[Example, ...]
    left_out: Mapping[str, int]


def judgements(
    folders: Sequence[RunFolder],
    prompt: MetaPrompt,
    data: Path | None = None,
    keep_unreadable: bool = False,
) -> Judgements:
    """Every stored judgement of the runs that a meta RM could be asked about, with its label.

    Left out are `unlabelled` items (no response is better than the others), what met the token limit or
    failed (by its finish: such a judgement ranks last in any vote, and meta-score does not ask about it),
    what has no text or no order, and `unreadable` ones, which rank last too. `keep_unreadable`: the last are
    wrong examples instead. `data`: the rows, where they are not where they were judged from.

    ConfigError, DataError: see `judged_items`. Incomplete: a run has no judgement yet.
    """
    found: list[Example] = []
    left_out = Counter[str]()
    for folder in folders:
        refuse_unasked(folder)
        rows = judged_rows(folder, None)
        items = judged_items(folder, rows, data, "grmeval meta train")
        threshold, before = folder.spec().threshold, len(found) + left_out.total()
        for row in _samples(folder):
            item = items[Key(row["subset"], row["id"])]
            made = _example(folder, item, row, prompt, threshold, keep_unreadable)
            if isinstance(made, str):
                left_out[made] += 1
            else:
                found.append(made)
        if len(found) + left_out.total() == before:
            raise Incomplete(f"{folder.path}: no judgement yet; `grmeval run` draws them")
    found.sort(key=lambda each: (each.run, each.key, each.j))
    return Judgements(tuple(found), dict(sorted(left_out.items())))


def _samples(folder: RunFolder) -> Iterator[dict[str, Any]]:
    for batch in sample_batches(folder, [*SHOWN, "invalid"], BATCH):
        yield from batch.to_pylist()


def _example(
    folder: RunFolder,
    item: Item,
    row: Mapping[str, Any],
    prompt: MetaPrompt,
    threshold: float,
    keep_unreadable: bool,
) -> Example | str:
    """The example, or why there is none."""
    if item.quality is None or not singles_out(item.quality):
        return "unlabelled"
    if row["finish"] != "stop":
        return "truncated" if row["finish"] == "length" else str(row["finish"])
    if row["scores"] is None and not keep_unreadable:
        return "unreadable"
    chat = shown(prompt, item, row)
    if isinstance(chat, str):
        return chat
    right = correct(row["scores"], item.quality, threshold)
    return Example(folder.path.name, item.key, row["j"], item.cluster, chat, right)


def split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """(to train on, held out): about `share` of the items, whole clusters, so that no prompt is in both.

    Which clusters is a hash of (seed, cluster): the same whatever else is there. ConfigError: one prompt
    cannot be split.
    """
    items = {each.item: each.cluster for each in examples}
    sizes = Counter(items.values())
    if len(sizes) < 2:
        raise ConfigError(
            f"{len(sizes)} prompt in all these judgements: some are held out, so two or more are needed"
        )
    held, count = set[str](), 0
    for cluster in sorted(sizes, key=lambda name: _hash(str(seed), name))[:-1]:
        if held and count >= share * len(items):
            break
        held.add(cluster)
        count += sizes[cluster]
    apart: tuple[list[Example], list[Example]] = ([], [])
    for each in examples:
        apart[each.cluster in held].append(each)
    return apart


def content_hash(examples: Sequence[Example]) -> str:
    """sha256 over names, labels and texts, in order."""
    digest = hashlib.sha256()
    for each in examples:
        line = json.dumps([each.run, *each.key, each.j, each.right, each.chat])
        digest.update(line.encode("utf-8") + b"\n")
    return f"sha256:{digest.hexdigest()}"


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()
