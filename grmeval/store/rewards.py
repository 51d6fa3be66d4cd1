"""rewards/ of a run folder: one meta model's rewards of the run's samples, as safe as the samples are.

NAME.json      identity of the meta model and its prompt, launches
NAME.jsonl     the journal of the launch that is, or was, writing: one line a reward
NAME.parquet   the journals folded: subset, id, j, reward, what the launch of the sample was, reason, tokens
"""

import contextlib
import json
import logging
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grmeval import __version__
from grmeval.errors import ConfigError, StoreError
from grmeval.files import sync, write_with
from grmeval.parquet import read_parquet, write_parquet
from grmeval.store.environment import now
from grmeval.store.journal import Form, LineWriter, damaged_lines, put_away, read_lines
from grmeval.store.lock import lock
from grmeval.store.record import read_record, write_record
from grmeval.store.samples import SampleKey

__all__ = [
    "REWARDS",
    "RewardFile",
    "RewardRow",
    "damaged_rewards",
    "is_meta_vote",
    "reward_names",
    "reward_records",
    "reward_rows",
]

_LOG = logging.getLogger(__name__)

REWARDS = "rewards"
FORMAT = 1

META_VOTES = ("meta", "meta-weighted")
"""Votes that count meta rewards; of one model: meta:NAME."""


def is_meta_vote(word: str) -> bool:
    """Whether a vote, such as meta:NAME, counts meta rewards."""
    return word.partition(":")[0] in META_VOTES


class RewardRow(NamedTuple):
    """One reward of sample j that `launch` made; None and a `reason` where there is none."""

    subset: str
    id: str
    j: int
    reward: float | None
    launch: str | None = None
    reason: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0


_LINE = Form(frozenset(RewardRow._fields), frozenset(RewardRow._field_defaults))


def reward_names(run: Path) -> list[str]:
    """The meta models that there are rewards of, folded or not."""
    files = (run / REWARDS).glob("*")
    kinds = (".parquet", ".jsonl")
    # A file that is being written begins with a dot.
    return sorted({p.stem for p in files if p.suffix in kinds and not p.name.startswith(".")})


def reward_records(run: Path) -> dict[str, dict[str, Any]]:
    """What NAME.json says of each; {} of one that was made elsewhere. StoreError: damaged."""
    return {name: _record(run / REWARDS / f"{name}.json") or {} for name in reward_names(run)}


def _record(path: Path) -> dict[str, Any] | None:
    """A meta model's record; None: there is none."""
    try:
        return read_record(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: cannot be read: {error}; restore it, or move it away") from None


def damaged_rewards(run: Path) -> list[str]:
    """What to say of each damaged line of a journal of rewards."""
    return [
        said
        for name in reward_names(run)
        for said in damaged_lines(run / REWARDS / f"{name}.jsonl", _LINE)
    ]


def reward_rows(run: Path, name: str, columns: list[str]) -> Any:
    """The rewards of a meta model as an Arrow table, folded or not; the last row of a key wins.

    A file that was made elsewhere has subset, id, j and reward, and no other columns. StoreError: damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    # The journal first: if it is folded meanwhile, the folded file has all of it.
    fresh = pa.Table.from_pylist(_journaled(run / REWARDS / f"{name}.jsonl"), schema=_schema())
    path = run / REWARDS / f"{name}.parquet"
    stored = _schema().empty_table()
    if path.exists():
        try:
            stored = _complete(read_parquet(path))
        except (pa.ArrowException, KeyError, OSError, UnicodeError) as error:
            raise StoreError(
                f"{path}: damaged: {error}; move it away, and score its samples again"
            ) from None
    if len(fresh):
        kept = pc.invert(pc.is_in(_keys(stored), value_set=_keys(fresh).combine_chunks()))
        stored = pa.concat_tables([stored.filter(kept), fresh])
    return stored.select(columns)


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("subset", pa.string()),
            ("id", pa.string()),
            ("j", pa.int32()),
            ("reward", pa.float64()),
            ("launch", pa.string()),
            ("reason", pa.string()),
            ("prompt_tokens", pa.int32()),
            ("cached_tokens", pa.int32()),
        ]
    )


def _complete(found: Any) -> Any:
    """A table with all columns; ArrowInvalid without those that every such file has."""
    import pyarrow as pa

    for name in RewardRow._fields[:4]:
        if name not in found.column_names:
            raise pa.ArrowInvalid(f"no column {name!r}")
    for field in _schema():
        if field.name not in found.column_names:
            found = found.append_column(field, pa.nulls(len(found), field.type))
    return found.select(_schema().names).cast(_schema())


def _keys(table: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    number = pc.cast(table["j"], pa.string())
    return pc.binary_join_element_wise(table["subset"], table["id"], number, "\0")


def _journaled(path: Path) -> list[dict[str, Any]]:
    """The rows of a journal, the last of a key; [] without one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    try:
        with path.open("rb") as file:
            for line in read_lines(file, path, _LINE):
                if line.row is not None:
                    row = RewardRow(**line.row)
                    found[row[:3]] = row._asdict()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from None
    return list(found.values())


class RewardFile:
    """The rewards of one meta model, `name`, for the samples of one run."""

    def __init__(self, run: Path, name: str) -> None:
        self.name, self.run = name, run
        self._stem = run / REWARDS / name
        self.record: dict[str, Any] = {}

    def check(self, identity: Mapping[str, Any]) -> None:
        """ConfigError: under this name lie the rewards of another meta model, or of another prompt."""
        path, there = self._path("json"), self._path("parquet").exists()
        record = _record(path)
        if record is None:
            if there:
                raise ConfigError(
                    f"{self._path('parquet')}: rewards that were not made here: --name OTHER keeps both"
                )
            self.record = {"format": FORMAT, "identity": dict(identity), "launches": []}
            return
        try:
            known: dict[str, Any] = record["identity"]
            list(record["launches"])
        except (KeyError, TypeError) as error:
            raise StoreError(f"{path}: damaged: {error}; restore it, or move it away") from None
        self.record = record
        wanted = json.loads(json.dumps(identity))
        if unlike := sorted(
            n for n in known.keys() | wanted.keys() if known.get(n) != wanted.get(n)
        ):
            raise ConfigError(
                f"{path}: rewards of another meta model, or prompt (unlike: {', '.join(unlike)}): "
                "--name OTHER keeps both"
            )

    @contextlib.contextmanager
    def writer(self) -> Iterator[None]:
        """Hold the right to write; StoreError names who holds it."""
        with lock(self.run / "locks" / f"{REWARDS}-{self.name}", 0.0):
            yield

    def done(self) -> dict[SampleKey, str | None]:
        """(subset, id, j) -> the launch whose sample it was, of all that were asked about."""
        table = reward_rows(self.run, self.name, [*SampleKey._fields, "launch"])
        rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
        return {SampleKey(*row[:3]): row[3] for row in rows}

    def fold(self) -> None:
        """Put the journal's rows into the folded file, sorted; the journal goes last. Inside `writer`."""
        journal = self._path("jsonl")
        if not journal.exists():
            return
        damaged = damaged_lines(journal, _LINE)
        if journal.stat().st_size:
            table = reward_rows(self.run, self.name, list(RewardRow._fields))
            table = table.sort_by([(name, "ascending") for name in SampleKey._fields])
            write_with(self._path("parquet"), lambda path: write_parquet(path, table))
        for said in put_away(journal, damaged):
            _LOG.warning(said)
        sync(journal.parent)

    @contextlib.contextmanager
    def launch(self, **facts: Any) -> Iterator[tuple[LineWriter, dict[str, Any]]]:
        """Register a launch and open its journal, which is empty; gives it and the launch's record."""
        launch = {
            "started": now(),
            "grmeval": __version__,
            "python": platform.python_version(),
            **facts,
        }
        self.record["launches"].append(launch)
        self.save()
        with LineWriter(self._path("jsonl")) as journal:
            yield journal, launch

    def save(self) -> None:
        """Write NAME.json."""
        write_record(self._path("json"), self.record)

    def _path(self, ending: str) -> Path:
        return self._stem.with_name(f"{self.name}.{ending}")
