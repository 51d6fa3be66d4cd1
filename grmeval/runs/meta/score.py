"""Meta rewards: which of a run's judgements lack one, and the loop that asks a meta RM for them."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from grmeval.engines.arguments import devices
from grmeval.engines.scorer import Reward, Scorer, ScoreRequest
from grmeval.errors import ConfigError, Incomplete, StoreError
from grmeval.items import Item, Key
from grmeval.runs.meta.plan import MetaPlan
from grmeval.runs.meta.shown import SHOWN, is_right, refuse_unasked, shown
from grmeval.store import (
    LineWriter,
    RewardFile,
    RewardRow,
    RunFolder,
    SampleKey,
    commit,
    judged_items,
    judged_rows,
    memory,
    now,
    record_of,
    sample_batches,
)

__all__ = ["MetaProgress", "Scored", "meta_score"]

BATCH = 4096
"""Judgements, with their texts, in memory at once (and those of an item)."""


@dataclass(frozen=True)
class Scored:
    """What became of one command: rewards there were before, and new ones; judgements without, by reason."""

    run: str
    name: str
    had: int
    new: int
    without: Mapping[str, int]
    prompt_tokens: int
    cached_tokens: int
    seconds: float
    memory: Mapping[str, int]


class MetaProgress(Protocol):
    """Who watches a launch; the command line draws it."""

    def loading(self, plan: MetaPlan) -> None:
        """The model is about to be loaded."""
        ...

    def begin(self, run: Path, samples: int, have: int) -> None:
        """So many judgements are about to be scored, so many were before."""
        ...

    def advance(self, reward: Reward) -> None:
        """A reward is on disk."""
        ...

    def end(self) -> None:
        """No more rewards come, for whatever reason."""
        ...


def meta_score(
    folders: Sequence[RunFolder],
    plan: MetaPlan,
    progress: MetaProgress,
    *,
    k: int | None = None,
    limit: int | None = None,
    data: Path | None = None,
) -> list[Scored]:
    """Score the judgements of runs that lack a reward of this meta RM; the model is loaded once, if at all.

    Of each run the first k samples of the items inside `limit` (default: its record's). Only
    judgements that ended normally are scored, readable or not: the others rank last in any vote.
    Whatever ends this, the next call goes on with exactly what is missing. ConfigError: rewards of another
    meta RM under this name.
    """
    files = [RewardFile(folder.path, plan.name) for folder in folders]
    found = []
    with contextlib.ExitStack() as opened:
        for file in files:
            opened.enter_context(file.writer())
            file.check(plan.identity)
            file.fold()
        scorer = _Lazy(plan, progress)
        opened.callback(scorer.close)
        for folder, file in zip(folders, files, strict=True):
            told = record_of(folder)
            work = _Work(folder, file, plan, k or told.k, limit or told.limit)
            found.append(work.score(scorer, progress, data))
    return found


class _Lazy:
    """The scorer, loaded when it is first wanted."""

    def __init__(self, plan: MetaPlan, progress: MetaProgress) -> None:
        self._plan, self._progress = plan, progress
        self._loaded: Scorer | None = None

    def get(self) -> Scorer:
        if self._loaded is None:
            self._progress.loading(self._plan)
            self._loaded = self._plan.scorer()
        return self._loaded

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.close()


class _Work:
    """One run's judgements under one meta RM."""

    def __init__(
        self,
        folder: RunFolder,
        file: RewardFile,
        plan: MetaPlan,
        k: int,
        limit: int | None,
    ) -> None:
        self.folder, self.file, self.plan = folder, file, plan
        self.k, self.limit = k, limit
        refuse_unasked(folder)
        self.rows = judged_rows(folder, limit)
        self.done = file.done()
        self._launches: dict[SampleKey, str] = {}

    def score(self, scorer: _Lazy, progress: MetaProgress, data: Path | None) -> Scored:
        """Ask for what is missing; nothing is loaded where nothing is."""
        wanted, there = self._count()
        if not there and not self.folder.done():
            raise Incomplete(f"{self.folder.path}: no judgement yet; `grmeval run` draws them")
        have = there - wanted
        tally = _Tally(have)
        if wanted:
            items: Mapping[Key, Item] = {}
            if not self.plan.config.of_samples:
                items = judged_items(self.folder, self.rows, data, "grmeval meta-score")
            started = time.perf_counter()
            loaded = scorer.get()
            config = self.plan.config
            facts: dict[str, Any] = {
                "commit": commit(),
                "model": config.model,
                "devices": devices(config.tensor_parallel, config.engine_args) * self.plan.copies,
                "k": self.k,
                "limit": self.limit,
                "engine": loaded.facts(),
            }
            facts["load_seconds"] = round(time.perf_counter() - started, 3)
            progress.begin(self.folder.path, wanted, have)
            tally = _Tally(have)
            with self.file.launch(**facts) as (journal, launch):
                try:
                    self._ask(loaded, items, journal, tally, progress)
                    launch["engine"] = loaded.facts()  # who died is known by now
                finally:
                    progress.end()
                    launch |= tally.facts()
                    with contextlib.suppress(StoreError):  # what ended the launch is the news
                        self.file.save()
            self.file.fold()
        return tally.scored(self.folder.path.name, self.plan.name)

    def _ask(
        self,
        scorer: Scorer,
        items: Mapping[Key, Item],
        journal: LineWriter,
        tally: "_Tally",
        progress: MetaProgress,
    ) -> None:
        def keep(reward: Reward) -> None:
            key = SampleKey(*reward.request.key, reward.request.j)
            row = RewardRow(
                *key,
                reward.reward,
                self._launches.pop(key),
                reward.reason,
                reward.prompt_tokens,
                reward.cached_tokens,
            )
            journal.write_row(row._asdict())
            tally.count(reward)
            progress.advance(reward)

        for reward in scorer.score(self._requests(items, keep)):
            keep(reward)

    def _count(self) -> tuple[int, int]:
        """(judgements to score, those that ended normally), without their texts.

        ConfigError: their own log-probabilities are wanted, and none has one.
        """
        wanted = there = known = 0
        columns = [*SampleKey._fields, "launch", "finish", "logprob"]
        for row in self._samples(columns):
            there += 1
            wanted += self._lacks(row)
            known += row["logprob"] is not None
        if self.plan.config.of_samples and there and not known:
            raise ConfigError(
                f"{self.folder.path}: no judgement of it has its log-probability: they were drawn without "
                "--keep-logprob, and none is drawn again; `grmeval run … --keep-logprob --seed N` makes a "
                "run that has them"
            )
        return wanted, there

    def _samples(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Judgements inside k and limit that ended normally."""
        for batch in sample_batches(self.folder, columns, BATCH):
            for row in batch.to_pylist():
                inside = row["j"] < self.k and Key(row["subset"], row["id"]) in self.rows
                if inside and row["finish"] == "stop":
                    yield row

    def _lacks(self, row: Mapping[str, Any]) -> bool:
        """A sample that was drawn anew is another one: its launch says so."""
        key = SampleKey(row["subset"], row["id"], row["j"])
        return key not in self.done or self.done[key] != row["launch"]

    def _requests(
        self, items: Mapping[Key, Item], keep: Callable[[Reward], None]
    ) -> Iterator[ScoreRequest]:
        """Those of an item follow one another, by order: they share the prefix cache.

        What cannot be shown to a meta RM goes to `keep` with the reason why not.
        """
        if self.plan.config.of_samples:
            for row in self._lacking([*SampleKey._fields, "launch", "finish", "logprob"]):
                key = Key(row["subset"], row["id"])
                yield ScoreRequest(key, row["j"], (), logprob=row["logprob"])
            return
        threshold = self.folder.spec().threshold
        for key, mine in groupby(self._lacking(SHOWN), lambda row: Key(row["subset"], row["id"])):
            item = items[key]
            for row in sorted(mine, key=lambda row: (row["order"], row["j"])):
                chat = shown(self.plan.prompt, item, row)
                if isinstance(chat, str):
                    keep(Reward(ScoreRequest(key, row["j"], ()), None, chat, 0, 0))
                    continue
                right = is_right(item, row["scores"], threshold)
                yield ScoreRequest(key, row["j"], chat, right)

    def _lacking(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        for row in self._samples(columns):
            if self._lacks(row):
                self._launches[SampleKey(row["subset"], row["id"], row["j"])] = row["launch"]
                yield row


class _Tally:
    """What a launch came to, for its record."""

    def __init__(self, had: int) -> None:
        self._began = time.perf_counter()
        self._had, self._new = had, 0
        self._prompt_tokens = self._cached_tokens = 0
        self._without: dict[str, int] = {}
        self._memory: dict[str, int] = {}

    def count(self, reward: Reward) -> None:
        self._new += 1
        self._prompt_tokens += reward.prompt_tokens
        self._cached_tokens += reward.cached_tokens
        if reward.reason:
            self._without[reward.reason] = self._without.get(reward.reason, 0) + 1

    def facts(self) -> dict[str, Any]:
        self._memory = memory()
        return {
            "ended": now(),
            "seconds": round(time.perf_counter() - self._began, 3),
            "samples": self._new,
            "without": self._without,
            "prompt_tokens": self._prompt_tokens,
            "cached_tokens": self._cached_tokens,
            "memory_mib": self._memory,
        }

    def scored(self, run: str, name: str) -> Scored:
        return Scored(
            run,
            name,
            self._had,
            self._new,
            self._without,
            self._prompt_tokens,
            self._cached_tokens,
            round(time.perf_counter() - self._began, 3) if self._new else 0.0,
            self._memory,
        )
