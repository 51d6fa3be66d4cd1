"""The judgements of a run as critiques, for the judge whose head reads them."""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from grmeval.benches import Loaded
from grmeval.config import RunConfig
from grmeval.errors import ConfigError, GrmevalError, StoreError
from grmeval.items import Key, Spent
from grmeval.judges import JUDGES, Critique
from grmeval.store import (
    IMPORT,
    PANEL,
    RunFolder,
    SampleKey,
    find_run,
    latest,
    limit_seed,
    origin,
    record_of,
    refuse_hinted,
    run_id,
    sample_batches,
)

__all__ = ["StoredCritiques", "critiques_of", "with_critiques"]

BATCH = 4096
"""Judgements, with their texts, that are looked at at once."""

COLUMNS = [
    *SampleKey._fields,
    *("order", "finish", "text", "prompt_tokens", "cached_tokens", "tokens"),
]

LAUNCH = ("devices", "samples", "sample_seconds", "load_seconds")
"""What of a launch tells its time."""


def with_critiques(settings: Mapping[str, Any], results: Path) -> dict[str, Any]:
    """Settings with the folder of the run that `critiques` names, where the judge reads them.

    See `find_run`; `latest` is the last run in which a judge that writes was asked: no head's,
    no panel, no import.
    """
    judge, text = JUDGES.get(settings.get("judge", "")), settings.get("critiques")
    if not text or not judge or not judge.needs.critiques:
        return dict(settings)

    def writes(path: Path) -> bool:
        with contextlib.suppress(GrmevalError):  # a damaged folder is not what was meant
            folder = RunFolder(path)
            return origin(folder.record["identity"]).asked and not _heads(folder)
        return False

    path = latest(results, writes) if text == "latest" else find_run(str(text), results)
    return dict(settings) | {"critiques": path}


def critiques_of(config: RunConfig, k: int | None = None) -> "StoredCritiques | None":
    """Those that a configuration names, k an item; ConfigError where its judge wants others, or none."""
    wanted = JUDGES[config.judge].needs.critiques
    if config.critiques is None:
        if wanted:
            raise ConfigError(
                f"--judge {config.judge}: which critiques? --critiques RUN: a run of a judge that writes "
                "(such as pointwise) on the same rows"
            )
        return None
    if not wanted:
        raise ConfigError(
            f"--critiques: judge {config.judge} reads none; --judge critique-scalar does"
        )
    return StoredCritiques(RunFolder(config.critiques), k or config.k)


class StoredCritiques:
    """The first k judgements of each item of a run; texts are read when the first is wanted, then kept."""

    def __init__(self, folder: RunFolder, k: int) -> None:
        self._folder, self._k = folder, k
        self._name = f"--critiques {folder.path}"
        self._keys: Collection[Key] = ()
        self._counts: Mapping[Key, int] | None = None
        self._found: Mapping[SampleKey, Critique] | None = None
        self.run = run_id(folder.record["identity"])

    @property
    def restricted(self) -> bool:
        """Whether they may quote examples that are not to be published."""
        return self._folder.restricted

    def critic(self) -> dict[str, Any]:
        """Who wrote them, as run.json keeps it: label, model, and what its launches took."""
        config, launches = self._folder.record["config"], self._folder.record["launches"]
        devices = {"devices": config.get("tensor_parallel") or 1}
        kept = [
            devices | {name: launch[name] for name in LAUNCH if name in launch}
            for launch in launches
        ]
        engines = [(launch.get("engine") or {}).get("engine") for launch in launches]
        return {
            "run": self.run,
            "label": config["label"],
            "model": config.get("model"),
            "imported": IMPORT in engines,
            "launches": kept,
        }

    def check(self, loaded: Loaded, layout: str) -> None:
        """ConfigError: no judge wrote them, or not about these rows in this layout."""
        refuse_hinted(self._folder)
        identity = self._folder.record["identity"]
        if heads := _heads(self._folder):
            panel = "panel with " if identity["engine"] == PANEL else ""
            raise ConfigError(
                f"{self._name}: a {panel or 'run of '}judge {heads[0]}, which writes no texts"
            )
        for what, ours in (
            ("bench", loaded.spec.id),
            ("layout", layout),
            ("data", loaded.content_hash),
        ):
            theirs = identity.get(what)
            if theirs != ours:
                raise ConfigError(
                    f"{self._name}: its judgements are of other {'rows' if what == 'data' else 'items'}: "
                    f"{what} {str(theirs)[:24]}, and here {what} {ours[:24]}"
                )
        if not origin(identity).asked and not any(self._texts()):
            raise ConfigError(f"{self._name}: it has no texts: there is nothing to read")

    def only(self, keys: Collection[Key]) -> None:
        """Keep the texts of these items alone."""
        self._keys = keys

    def lacks(self, key: Key) -> str | None:
        """Fewer than k judgements."""
        if self._counts is None:
            self._counts = self._count()
        have = self._counts.get(key, 0)
        if have >= self._k:
            return None
        return f"have {have:,} of {self._k:,} critiques in {self._folder.path}{self._remedy(have)}"

    def _remedy(self, have: int) -> str:
        record = self._folder.record
        made, limit = origin(record["identity"]), record_of(self._folder).limit
        if not made.asked:
            return f"; {made.grows}"
        if have or limit is None:
            return f", which `grmeval run … --k {self._k}` extends"
        seed = limit_seed(record["identity"])
        return (
            f", which was asked for --limit {limit} of --limit-seed {seed}: take the same here, or extend "
            "it: `grmeval run …` with a larger --limit, or none"
        )

    def of(self, key: Key, j: int) -> Critique:
        """That of sample j of one of the items; StoreError: it was there, and is gone."""
        if self._found is None:
            self._found = dict(self._read())
        try:
            return self._found[SampleKey(*key, j)]
        except KeyError:
            made = origin(self._folder.record["identity"])
            remedy = f"`grmeval run … --k {self._k}` draws it again" if made.asked else made.grows
            raise StoreError(
                f"{self._name}: judgement {j} of {key.subset}/{key.id} is gone; {remedy}"
            ) from None

    def _count(self) -> Counter[Key]:
        counts = Counter[Key]()
        for batch in sample_batches(self._folder, list(SampleKey._fields), BATCH):
            rows = zip(*(batch[name].to_pylist() for name in SampleKey._fields), strict=True)
            counts.update(Key(subset, name) for subset, name, j in rows if j < self._k)
        return counts

    def _texts(self) -> Iterator[str]:
        for batch in sample_batches(self._folder, ["text"], BATCH):
            yield from batch["text"].to_pylist()

    def _read(self) -> Iterator[tuple[SampleKey, Critique]]:
        import pyarrow as pa

        for batch in sample_batches(self._folder, COLUMNS, BATCH):
            rows = zip(*(batch[name].to_pylist() for name in SampleKey._fields), strict=True)
            inside = [j < self._k and Key(subset, name) in self._keys for subset, name, j in rows]
            for row in batch.filter(pa.array(inside, pa.bool_())).to_pylist():
                yield SampleKey(row["subset"], row["id"], row["j"]), _critique(row)


def _critique(row: Mapping[str, Any]) -> Critique:
    spent = Spent(row["prompt_tokens"], row["cached_tokens"], row["tokens"])
    return Critique(tuple(row["order"]), row["text"] if row["finish"] == "stop" else "", spent)


def _heads(folder: RunFolder) -> list[str]:
    """Those judges of a run, or of a panel's members, that give numbers and no texts."""
    judge = folder.record["identity"]["judge"]
    names = judge.get("judges", [judge["name"]])
    return [name for name in names if name in JUDGES and JUDGES[name].head]
