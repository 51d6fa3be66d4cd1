"""stopped/: which items an adaptive run needs no more samples of, one line an item, by whom and why.

A line stands from the moment of the decision, and is never changed. It counts while the samples that it was
made from are there: an item of which one is lost is asked again, and decided again.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from grmeval.config import Shard
from grmeval.store.folder import RunFolder
from grmeval.store.journal import Form, LineWriter, damaged_lines, read_lines
from grmeval.store.samples import SampleKey

__all__ = ["STOPPED", "Stop", "StopWriter", "damaged_stops", "stops_of", "take_stops"]

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
                    yield Stop(**line.row | {"votes": tuple(line.row["votes"])})


def damaged_stops(run: Path) -> list[str]:
    """What to say of each damaged line."""
    return [said for path in _files(run) for said in damaged_lines(path, _LINE)]


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
    members: dict[tuple[str, bool, str], list[str]] = {}
    table = folder.items()
    columns = (table[name].to_pylist() for name in ("subset", "id", "pool"))
    for subset, item, pool in zip(*columns, strict=True):
        name = item if pool is None else pool
        members.setdefault((subset, pool is not None, name), []).append(item)
    known = set(stops_of(folder.path))
    with folder.writer(None), StopWriter(folder.path) as writer:
        for stop in stops_of(other.path):
            keys = (
                SampleKey(stop.subset, item, j)
                for item in members.get(stop.name, ())
                for j in range(stop.k)
            )
            if stop not in known and not any(key in had for key in keys):
                writer.write(stop)
