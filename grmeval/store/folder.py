"""The run folder: results/<bench>/<model>/<run-id>/, made once, extended by launches, read by all.

run.json          identity, the last command, launches, totals
items.parquet     one row an item: labels, hashes, lengths; no texts
journal/          <launch>.jsonl, one writer each
samples.parquet   the journals folded
locks/            who writes: `all`, or one shard
"""

import contextlib
import json
import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grmeval import __version__
from grmeval.benches import BenchSpec
from grmeval.config import Shard
from grmeval.errors import ConfigError, StoreError
from grmeval.files import write_text
from grmeval.items import Sample
from grmeval.parquet import read_parquet
from grmeval.store.environment import now
from grmeval.store.fold import fold
from grmeval.store.items import limit_seed, write_items
from grmeval.store.journal import JournalWriter
from grmeval.store.lock import lock
from grmeval.store.record import content_id, read_record, write_record
from grmeval.store.samples import SampleKey, read_rows, sample_schema, stored_keys, totals

__all__ = ["FORMAT", "Launch", "RunFolder", "run_id"]

FORMAT = 1
"""Version of the folder's layout; a folder of a newer one is refused."""

RESTRICTED = """The authors of this benchmark ask that none of its examples appear in plain text online.
The judgements in samples.parquet and journal/ may quote them: do not publish this folder.
grmeval leaves texts out of what it exports and shows of this run, unless --texts asks for them.
"""
"""A file of this name lies in the run's folder."""

_LOG = logging.getLogger(__name__)

_RECORD = {"identity": dict, "spec": dict, "launches": list, "asked": dict, "config": dict}
"""What run.json holds in any case."""

LOCK_SECONDS = 600.0
"""How long to wait for another process to fold or to read; its lock ends with it."""


def run_id(identity: Mapping[str, Any]) -> str:
    """12 hex digits of the hash over all identity fields."""
    return content_id(identity)


@dataclass(frozen=True)
class Launch:
    """One process that writes samples: its name, its engine's seed, its journal."""

    name: str
    engine_seed: int
    journal: JournalWriter


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        """Open an existing run; ConfigError if there is none, StoreError if it is newer than this."""
        self.path = path
        self.record = self._read_record()

    # ------------------------------------------------------------------ making and opening

    @classmethod
    def create(
        cls,
        path: Path,
        identity: Mapping[str, Any],
        items: Callable[[], Any],
        **first: Any,
    ) -> "RunFolder":
        """Open the run at `path`, or make it: `items` gives the table of `items_table`.

        `first` are the first values of what `update` changes: spec, asked, config.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            with lock(path / "locks" / "store", LOCK_SECONDS):
                if first.get("spec", {}).get("source", {}).get("restricted"):
                    write_text(path / "RESTRICTED", RESTRICTED)
                if not (path / "run.json").exists():
                    write_items(path, items())
                    record = {"format": FORMAT, "identity": identity, "launches": []} | first
                    write_record(path / "run.json", record)
                if not (path / "items.parquet").exists():  # someone tidied up
                    write_items(path, items())
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be made: {error.strerror or error}; see --results"
            ) from None
        folder = cls(path)
        if folder.record["identity"] != json.loads(json.dumps(identity)):
            raise StoreError(f"{path}: holds another run's identity; move the folder away")
        return folder

    def _read_record(self) -> dict[str, Any]:
        path = self.path / "run.json"
        try:
            record = read_record(path)
            version = int(record["format"])
        except FileNotFoundError:
            raise ConfigError(f"{self.path}: not a run folder: it has no run.json") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(
                f"{path}: cannot be read: {error}; restore it, or move the run's folder away"
            ) from None
        if version > FORMAT:
            raise StoreError(
                f"{path}: written in format {version} by a newer grmeval; this one reads up to {FORMAT}"
            )
        for name, kind in _RECORD.items():
            if not isinstance(record.get(name), kind):
                raise StoreError(f"{path}: damaged: {name!r} is missing or no {kind.__name__}")
        return record

    def update(self, **changes: Any) -> None:
        """Change fields of run.json, whatever other writers changed meanwhile."""
        with lock(self.path / "locks" / "store", LOCK_SECONDS):
            self.record = self._read_record() | changes
            write_record(self.path / "run.json", self.record)

    # ------------------------------------------------------------------ reading

    def items(self, limit: int | None = None) -> Any:
        """items.parquet as an Arrow table, with the place of each item's section in the spec of today.

        `limit`: those alone that `--limit` takes.
        """
        import pyarrow as pa

        try:
            found = self._inside(read_parquet(self.path / "items.parquet"), limit)
            spec = self.spec()
            subsets = found["subset"].to_pylist()
            place = {subset: spec.section_of(subset) for subset in dict.fromkeys(subsets)}
            if "pool" not in found.column_names:  # a run of before there were pools
                found = found.append_column("pool", pa.nulls(len(found), pa.string()))
                found = found.append_column("slot", pa.array([0] * len(found), pa.int16()))
            return found.append_column(
                "section", pa.array([place[subset] for subset in subsets], pa.int16())
            )
        except (pa.ArrowException, OSError, KeyError, UnicodeError) as error:
            raise StoreError(
                f"{self.path / 'items.parquet'}: damaged or missing: {error}; move it away, and the same "
                "`grmeval run` writes it again"
            ) from None

    def _inside(self, table: Any, limit: int | None) -> Any:
        """The rows of items.parquet below this rank."""
        import pyarrow.compute as pc

        return table if limit is None else table.filter(pc.less(table["rank"], limit))

    def spec(self) -> BenchSpec:
        """The benchmark as the last command said it: sections, weights, rules."""
        known = {n: v for n, v in self.record["spec"].items() if n in BenchSpec.model_fields}
        try:
            return BenchSpec(**known)
        except ValidationError as error:
            raise StoreError(f"{self.path / 'run.json'}: damaged: spec: {error}") from None

    @property
    def whole(self) -> bool:
        """Whether this is the run itself, and no part of it (`parts_of`)."""
        return "only" not in self.record

    @property
    def restricted(self) -> bool:
        """Whether the benchmark's texts, and what judges quote of them, are not to be published."""
        return bool(self.record["spec"].get("source", {}).get("restricted"))

    def journals(self) -> list[Path]:
        """Journals that are not folded yet, oldest launch first."""
        return sorted((self.path / "journal").glob("*.jsonl"))

    @contextlib.contextmanager
    def reading(self) -> Iterator[list[Path]]:
        """Hold off folds while samples.parquet and these journals are read; writers go on writing."""
        with lock(self.path / "locks" / "store", LOCK_SECONDS, reader=True):
            yield self.journals()

    def done(self) -> set[SampleKey]:
        """Keys of every sample there is."""
        with self.reading() as journals:
            return stored_keys(self.path, journals)

    # ------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def writer(self, shard: Shard | None) -> Iterator[None]:
        """Hold the right to write this shard (or all); StoreError names who holds it."""
        mine = str(shard) if shard else "all"
        locks = self.path / "locks"
        with contextlib.ExitStack() as held:
            with lock(locks / "store", LOCK_SECONDS):
                # Shards of one count are disjoint; any other two writers may want the same item.
                for name in self._writers(but=mine):
                    if not (shard and name.endswith(f"-of-{shard.count}")):
                        with lock(locks / f"write-{name}", 0.0):
                            pass
                held.enter_context(lock(locks / f"write-{mine}", 0.0))
            yield

    def _writers(self, but: str) -> list[str]:
        """Names of the writers that there ever were, alive or not."""
        names = [p.stem.removeprefix("write-") for p in (self.path / "locks").glob("write-*.lock")]
        return sorted(name for name in names if name != but)

    @contextlib.contextmanager
    def launch(
        self, shard: Shard | None, seed: Callable[[str, set[int]], int], facts: Mapping[str, Any]
    ) -> Iterator[Launch]:
        """Register a launch and open its journal; `facts` go into its record. Inside `writer`.

        `seed(name, taken)` gives the engine's seed: none that an earlier launch had.
        """
        with lock(self.path / "locks" / "store", LOCK_SECONDS):
            self.record = self._read_record()
            launches = self.record["launches"]
            name = f"{len(launches):04d}" + (f"-{shard}" if shard else "")
            taken = {launch["engine_seed"] for launch in launches}
            engine_seed = seed(f"{self.path.name}/{name}", taken)
            launches.append(
                {
                    "name": name,
                    "engine_seed": engine_seed,
                    "started": now(),
                    "grmeval": __version__,
                    "python": platform.python_version(),
                    **facts,
                }
            )
            write_record(self.path / "run.json", self.record)
        with JournalWriter(self.path / "journal" / f"{name}.jsonl") as journal:
            yield Launch(name, engine_seed, journal)

    def describe_launch(self, name: str, **facts: Any) -> None:
        """Add what is known only later (engine, timings, counts) to a launch's record."""
        with lock(self.path / "locks" / "store", LOCK_SECONDS):
            self.record = self._read_record()
            for launch in self.record["launches"]:
                if launch["name"] == name:
                    launch.update(facts)
            write_record(self.path / "run.json", self.record)

    def fold(self, shard: Shard | None) -> None:
        """Fold all journals, unless another shard is being written: the last writer does it."""
        with contextlib.ExitStack() as held, self.reading() as journals:
            for name in self._writers(but=str(shard) if shard else "all"):
                try:
                    held.enter_context(lock(self.path / "locks" / f"write-{name}", 0.0))
                except StoreError:
                    return
            for said in fold(self.path, journals):
                _LOG.warning(said)
            record = self._read_record() | {"totals": totals(self.path)}
            write_record(self.path / "run.json", record)
            self.record = record

    def merge(self, other: "RunFolder") -> int:
        """Take over another folder's samples of the same run; gives how many were new.

        Its launches are numbered on from this folder's, so that each sample still names its own.
        """
        if other.record["identity"] != self.record["identity"]:
            ours, theirs = (
                {**identity, "limit_seed": limit_seed(identity)}
                for identity in (self.record["identity"], other.record["identity"])
            )
            unlike = sorted(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
            raise ConfigError(
                f"{other.path}: another run than {self.path}: their identities differ in {', '.join(unlike)}"
            )
        if other.path.samefile(self.path):
            raise ConfigError(f"{other.path}: is the folder to merge into")
        with self.writer(None), other.writer(None):
            self.fold(None)
            other.fold(None)
            have, names = self.done(), sample_schema().names
            launch_at = names.index("launch")
            new = list(read_rows(other.path, [*SampleKey._fields, "launch"]))
            wanted = {SampleKey(*row[:3]) for row in new} - have
            renamed = self._adopt(other, {row[3] for row in new if SampleKey(*row[:3]) in wanted})
            with contextlib.ExitStack() as open_journals:
                journals = {
                    old: open_journals.enter_context(
                        JournalWriter(self.path / "journal" / f"{name}.jsonl")
                    )
                    for old, name in renamed.items()
                }
                for row in read_rows(other.path, names):
                    if SampleKey(*row[:3]) in wanted:
                        sample = Sample(**dict(zip(names, row, strict=True)))
                        journals[row[launch_at]].write(sample)
            self.fold(None)
        return len(wanted)

    def _adopt(self, other: "RunFolder", launches: set[str]) -> dict[str, str]:
        """Register another folder's launches here; gives old name -> new name."""
        with lock(self.path / "locks" / "store", LOCK_SECONDS):
            self.record = self._read_record()
            renamed = {}
            for launch in other.record["launches"]:
                if launch["name"] in launches:
                    number, _, shard = launch["name"].partition("-")
                    name = f"{len(self.record['launches']):04d}" + (f"-{shard}" if shard else "")
                    renamed[launch["name"]] = name
                    self.record["launches"].append(launch | {"name": name, "merged": number})
            write_record(self.path / "run.json", self.record)
        return renamed
