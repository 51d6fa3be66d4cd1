"""stopped/: which items an adaptive run needs no more samples of, one line an item, by whom and why.

A line stands from the moment of the decision, and counts while the samples that it was made from are there:
an item of which one is lost is asked again, and decided again. The next launch drops what does not count.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from grmeval.config import Shard
from grmeval.files import write_with
from grmeval.items import Key
from grmeval.store.folder import RunFolder
from grmeval.store.journal import Form, Line, LineWriter, damage, damaged_lines, read_lines
from grmeval.store.samples import SampleKey

__all__ = [
    "STOPPED",
    "Stop",
    "StopWriter",
    "damaged_stops",
    "mend_stops",
    "stopped_items",
    "stops_of",
    "take_stops",
]

_LOG = logging.getLogger(__name__)

STOPPED = "stopped"
"""Folder in a run's folder."""


class Stop(NamedTuple):
    """An item's verdict under `votes` at `most` samples is taken to be that of its first `k`.

    `id`: the item's, or where `pool` that of the responses that are judged one by one. `change`: the chance
    that it is another, at most `epsilon`; 0 where it cannot be. `rule`: bound or model.
    """

    subset: str
    id: str
    pool: bool
    k: int
    most: int
    votes: tuple[str, ...]
    k_min: int
    epsilon: float
    rule: str
    change: float

    @property
    def name(self) -> tuple[str, bool, str]:
        """(subset, pool, id)."""
        return self.subset, self.pool, self.id


_LINE = Form(frozenset(Stop._fields))


def _files(run: Path) -> list[Path]:
    return sorted((run / STOPPED).glob("*.jsonl"))


def stops_of(run: Path) -> Iterator[Stop]:
    """Every line, oldest file first; damaged ones are left out. StoreError: written by another grmeval."""
    for path in _files(run):
        with path.open("rb") as file:
            for line in read_lines(file, path, _LINE):
                if line.row is not None:
                    yield _stop(line.row)


def _stop(row: dict[str, Any]) -> Stop:
    return Stop(**row | {"votes": tuple(row["votes"])})


def damaged_stops(run: Path) -> list[str]:
    """What to say of each file with damaged lines."""
    return [said for path in _files(run) for said in _first_of(damaged_lines(path, _LINE))]


def _first_of(damaged: Sequence[str]) -> list[str]:
    more = f" (and {len(damaged) - 1:,} more lines of it)" if len(damaged) > 1 else ""
    return [damaged[0] + more] if damaged else []


def mend_stops(folder: RunFolder, done: Set[SampleKey], shard: Shard | None = None) -> None:
    """Write files anew without lines that are damaged, and those of which a sample is not `done`: such items
    are decided again. Inside the run's `writer`; files of other shards are left alone.
    """
    files = _files(folder.path)
    members = _members(folder) if files else {}

    def stands(line: Line) -> bool:
        return line.row is not None and _made_from(_stop(line.row), members) <= done

    for path in files:
        _, marked, writer = path.stem.partition("-")
        if shard is not None and marked and writer != str(shard):
            continue
        with path.open("rb") as file:
            lines = list(read_lines(file, path, _LINE))
            kept = [line.offset for line in lines if stands(line)]
            if len(kept) < len(lines):
                write_with(path, partial(_copy_lines, file, kept))
        for said in _first_of([damage(path, line) for line in lines if line.row is None]):
            _LOG.warning(f"{said}; its item is decided again")


def _copy_lines(file: BinaryIO, offsets: Sequence[int], target: Path) -> None:
    with target.open("wb") as written:
        for offset in offsets:
            file.seek(offset)
            written.write(file.readline())


class StopWriter:
    """Writes a launch's stops into a file of its own, made with the first; inside the run's `writer`."""

    def __init__(self, run: Path, shard: Shard | None = None) -> None:
        self._run, self._shard = run, shard
        self._file: LineWriter | None = None

    def write(self, stop: Stop) -> None:
        """Append one; StoreError leaves every earlier one readable."""
        if self._file is None:
            mine = f"-{self._shard}" if self._shard else ""
            there = {path.stem for path in _files(self._run)}
            number = next(n for n in range(len(there) + 1) if f"{n:04d}{mine}" not in there)
            self._file = LineWriter(self._run / STOPPED / f"{number:04d}{mine}.jsonl")
        self._file.write_row(stop._asdict())

    def __enter__(self) -> "StopWriter":
        return self

    def __exit__(self, *ended: object) -> None:
        if self._file is not None:
            self._file.__exit__(*ended)  # type: ignore[arg-type]
            self._file = None


def take_stops(folder: RunFolder, other: RunFolder, had: Collection[SampleKey]) -> None:
    """Take over another folder's stops with its samples; `had`: those that there were before it was merged.

    A stop of which a sample was there before is about other judgements: it stays behind.
    """
    members = _members(folder)
    known = set(stops_of(folder.path))
    with folder.writer(None), StopWriter(folder.path) as writer:
        for stop in stops_of(other.path):
            if stop not in known and _made_from(stop, members).isdisjoint(had):
                writer.write(stop)


def stopped_items(
    folder: RunFolder, done: Set[SampleKey], counts: Callable[[Stop], bool]
) -> set[Key]:
    """Items with a stop that `counts`, as far as the samples that it was made from are `done`."""
    members = _members(folder)
    found = set[Key]()
    for stop in filter(counts, stops_of(folder.path)):
        if _made_from(stop, members) <= done:
            found.update(members.get(stop.name, ()))
    return found


def _made_from(
    stop: Stop, members: Mapping[tuple[str, bool, str], Sequence[Key]]
) -> set[SampleKey]:
    return {SampleKey(*key, j) for key in members.get(stop.name, ()) for j in range(stop.k)}


def _members(folder: RunFolder) -> Mapping[tuple[str, bool, str], Sequence[Key]]:
    """The items by the name of their `Stop`: of a pool all of it."""
    found: dict[tuple[str, bool, str], list[Key]] = {}
    table = folder.items()
    columns = (table[name].to_pylist() for name in ("subset", "id", "pool"))
    for subset, item, pool in zip(*columns, strict=True):
        name = item if pool is None else pool
        found.setdefault((subset, pool is not None, name), []).append(Key(subset, item))
    return found
