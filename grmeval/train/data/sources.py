"""Where training items come from: a packaged preference set, a benchmark, or a file of the user's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from grmeval import resources
from grmeval.benches import (
    BenchSpec,
    Loaded,
    bench_ids,
    find_spec,
    load_spec,
    own_file,
    read_spec_as,
)
from grmeval.errors import ConfigError, DataError, GrmevalError, nearest

__all__ = ["Read", "TrainingSet", "check_sources", "read_source", "training_sets"]

MOST_UNREADABLE = 0.5
"""Share of a source's rows beyond which it is not what its TOML says."""


class TrainingSet(BenchSpec):
    """What a source's TOML may say besides what a benchmark's may."""

    together: bool = False
    """Whether the single responses to one prompt are one item."""
    responses: Annotated[int, Field(ge=2)] | None = None
    """How many responses an item has at most: good and other ones, drawn by the seed."""


@dataclass(frozen=True)
class Read:
    """A source, its items, and the errors of the rows that could not be read."""

    name: str
    spec: TrainingSet
    loaded: Loaded
    unreadable: tuple[str, ...]


def training_sets() -> list[str]:
    """The ids of the preference sets in tasks/spct/data."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def check_sources(names: Sequence[str]) -> None:
    """ConfigError: a name that is known neither as a set nor as a benchmark, and is no file; or one twice."""
    for name in names:
        path = own_file(name)
        if path and not path.is_file():
            raise ConfigError(f"--source {name}: no such file")
        known = [*training_sets(), *bench_ids()]
        if not path and name not in known:
            raise ConfigError(
                f"--source {name!r} is not known; {nearest(name, known)}; or a file of yours (a TOML or rows)"
            )
    ids = [_spec(name)[0].id for name in names]
    if twice := [each for each in ids if ids.count(each) > 1]:
        raise ConfigError(f"--source: {twice[0]!r} is given twice; each needs an id of its own")


def read_source(name: str, data: Path | None) -> Read:
    """Read a source: from a local copy, or as a benchmark's rows are. Rows that cannot be read are left out.

    ConfigError: its authors ask for no plain text of it. DataError: most of its rows cannot be read.
    """
    unreadable = list[str]()
    try:
        spec, beside = _spec(name)
        if spec.source.restricted:
            raise ConfigError(
                f"--source {name}: its authors ask that no example appear in plain text; training items are"
            )
        loaded = load_spec(spec, beside, data, unreadable=unreadable)
    except GrmevalError as error:
        if unreadable and isinstance(error, DataError):
            raise DataError(f"--source {name}: no row can be read: {unreadable[0]}") from None
        raise type(error)(str(error).replace("--bench ", "--source ", 1)) from None
    if len(unreadable) > MOST_UNREADABLE * (len(unreadable) + len(loaded.items)):
        raise DataError(f"--source {name}: most rows cannot be read: {unreadable[0]}")
    return Read(name, spec, loaded, tuple(unreadable))


def _folder() -> Path:
    return resources.tasks() / "spct" / "data"


def _spec(name: str) -> tuple[TrainingSet, Path]:
    """(what a source's TOML says, the folder that its files lie beside)."""
    if name in training_sets():
        return read_spec_as(_folder() / f"{name}.toml", TrainingSet), _folder()
    path = own_file(name)
    if path and path.suffix == ".toml":
        return read_spec_as(path, TrainingSet), path.absolute().parent
    spec, beside = find_spec(name)
    return TrainingSet(**dict(spec)), beside
