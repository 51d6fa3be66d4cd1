"""The runs that training rows are made of: whether they fit together, what they judged, their scores."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from grmeval.benches import bench_ids
from grmeval.errors import ConfigError, Incomplete
from grmeval.items import Item, Key, Message
from grmeval.judges import Judge
from grmeval.runs import Plan, again, recorded_model
from grmeval.store import (
    RunFolder,
    asked_part,
    is_hinted,
    largest,
    origin,
    run_id,
    sample_batches,
)

__all__ = ["Sampled", "Sources", "Text"]

_BATCH = 4096
_SAME = ("bench", "data", "layout", "system")
"""Besides the judge: what two runs must share for one prompt to be that of both."""

Scores = tuple[float | None, ...] | None


class Text(NamedTuple):
    """A stored judgement, as it is trained on: `thinking` is what stood before the text."""

    key: Key
    j: int
    order: tuple[int, ...]
    text: str
    thinking: str


class Sampled:
    """One run: the first `k` samples of each item; scores are in the item's order, None: unreadable."""

    def __init__(self, folder: RunFolder, hinted: bool) -> None:
        """ConfigError: it is not to be trained on, or `hinted` is not what it is."""
        self.folder, self.hinted = folder, hinted
        self.record, self.run = folder.record, run_id(folder.record["identity"])
        self.k = largest(folder).k
        self.model = str(self.record["config"]["label"])
        if folder.restricted:
            raise ConfigError(
                f"{folder.path}: a restricted benchmark: its authors ask that none of its examples stand in "
                "a plain file, and a training set is one"
            )
        if not origin(self.record["identity"]).asked:
            raise ConfigError(
                f"{folder.path}: a panel, or imported: nobody here knows what its judges were asked"
            )
        if is_hinted(self.record["identity"]) != hinted:
            raise ConfigError(
                f"--hinted {folder.path}: its prompts held no hint; `grmeval spct sample` makes a hinted run"
                if hinted
                else f"{folder.path}: a hinted run; name it with --hinted, beside the run without hints"
            )

    def scores(self, keys: frozenset[Key]) -> dict[Key, dict[int, Scores]]:
        """Item -> sample -> scores; Incomplete where some are missing."""
        found: dict[Key, dict[int, Scores]] = {key: {} for key in keys}
        for row in self._rows(["subset", "id", "j", "scores"]):
            key = Key(row["subset"], row["id"])
            if key in keys and row["j"] < self.k:
                scores = row["scores"]
                found[key].setdefault(row["j"], None if scores is None else tuple(scores))
        if missing := sum(self.k - len(js) for js in found.values()):
            raise Incomplete(
                f"{self.folder.path}: {missing:,} of {self.k * len(keys):,} samples are missing; the command "
                "that made it asks for them"
            )
        return found

    def texts(self, wanted: Mapping[Key, frozenset[int]]) -> Iterator[Text]:
        """The samples of an item that are wanted, as they are stored."""
        for row in self._rows(["subset", "id", "j", "order", "text", "thinking"]):
            key = Key(row["subset"], row["id"])
            if row["j"] in wanted.get(key, ()):
                yield Text(key, row["j"], tuple(row["order"]), row["text"], row["thinking"])

    def _rows(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        for batch in sample_batches(self.folder, columns, _BATCH):
            yield from batch.to_pylist()


class Sources:
    """A run without hints, and perhaps one with hints of the same items by the same judge.

    Its items and prompts are made again by the judge that asked, and held against what was judged.
    """

    def __init__(self, run: RunFolder, hinted: RunFolder | None = None) -> None:
        """ConfigError: they do not fit together, or cannot be trained on. DataError: rows changed since."""
        self.plain = Sampled(run, hinted=False)
        self.hinted = Sampled(hinted, hinted=True) if hinted else None
        if self.hinted:
            _check_same(self.plain, self.hinted)
        self.plan = _plan(run)
        self.judge: Judge = self.plan.judge
        if self.judge.head:
            raise ConfigError(f"{run.path}: judge {self.judge.name} writes no texts to learn from")
        self.items: dict[Key, Item] = {item.key: item for item in self.plan.items()}
        unfit = [i.key for i in self.items.values() if i.quality is None or i.pool is not None]
        if unfit:
            raise ConfigError(
                f"{run.path}: {len(unfit):,} of {len(self.items):,} items are unlabelled, or responses "
                f"judged one by one ({'/'.join(unfit[0])} …): nobody knows which judgements are correct"
            )

    @property
    def runs(self) -> tuple[Sampled, ...]:
        """The one or two."""
        return (self.plain, self.hinted) if self.hinted else (self.plain,)

    @property
    def threshold(self) -> float:
        """From which score on a single response is called right: the benchmark's."""
        return self.plan.loaded.spec.threshold

    @property
    def benchmark(self) -> str | None:
        """The packaged benchmark that this is, which a model trained on it has seen; None: it is none."""
        bench = self.plan.loaded.spec.id
        return bench if bench in bench_ids() and bench != "sample" else None

    @cached_property
    def scores(self) -> tuple[dict[Key, dict[int, Scores]], ...]:
        """Those of each run."""
        return tuple(run.scores(frozenset(self.items)) for run in self.runs)

    def digest(self) -> str:
        """A hash of everything that is judged by: items, samples, scores."""
        digest = hashlib.sha256()
        for scores in self.scores:
            for key in sorted(scores):
                line = [key, self.items[key].content_hash(), sorted(scores[key].items())]
                digest.update(json.dumps(line).encode())
        return digest.hexdigest()

    def prompt(self, key: Key, order: tuple[int, ...]) -> tuple[Message, ...]:
        """What the judge was asked, without the hint, its responses in the order that they were shown in."""
        return self.judge.messages(self.items[key], order)


def _plan(run: RunFolder) -> Plan:
    """The plan that made the run, of the items that it was asked for."""
    asked, part = largest(run), asked_part(run)
    return again(
        run,
        asked.k,
        recorded_model(run),
        limit=asked.limit,
        subset=part.subsets or None,
        section=part.sections or None,
    )


def _check_same(plain: Sampled, hinted: Sampled) -> None:
    ours, theirs = plain.record["identity"], hinted.record["identity"]
    unlike = [name for name in _SAME if ours.get(name) != theirs.get(name)]
    if {**ours["judge"], "hint": None} != {**theirs["judge"], "hint": None}:
        unlike.append("judge")
    if unlike:
        raise ConfigError(
            f"--hinted {hinted.folder.path}: not of the same prompts as {plain.folder.path}: they differ in "
            f"{', '.join(unlike)}"
        )
