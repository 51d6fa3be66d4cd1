"""Where the rows of a benchmark lie: packaged, a local copy, the hub's, or the official archive."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from grmeval import resources
from grmeval.benches.sources import read_files
from grmeval.benches.spec import BenchSpec, Source, Table
from grmeval.errors import DataError
from grmeval.remote import hub

__all__ = ["Copy", "archive_of", "at_hand", "copies", "on_hub"]


class Copy(NamedTuple):
    """A folder, archive or file, the tables that are read from it, how a record names it, and errors."""

    path: Path
    tables: tuple[Table, ...]
    origin: str
    said: str

    def files(self, source: Source) -> Iterator[tuple[str, bytes]]:
        """(path below the source's root, content) of the files that the tables are read from."""
        patterns = [table.files for table in self.tables]
        more = {"password": source.password, "archive": source.archive}
        return read_files(self.path, source.root, patterns, self.said, **more)


def copies(spec: BenchSpec, beside: Path, data: Path | None) -> list[Copy]:
    """What to read: `data` if given, else what lies beside the TOML, else the hub's or what was fetched.

    DataError where there is none of these; ConfigError and InfrastructureError as `grmeval.remote.hub`.
    """
    if data is not None:
        return [Copy(data, spec.tables, str(data), f"--bench {spec.id} --data {data}")]
    if spec.source.packaged:
        path = beside / spec.source.packaged
        return [Copy(path, spec.tables, spec.source.packaged, f"--bench {spec.id}: {path}")]
    archive = archive_of(spec)
    if archive and archive.exists():
        origin = f"github:{spec.source.github}@{spec.source.revision}"
        return [Copy(archive, spec.tables, origin, f"--bench {spec.id}: {archive}")]
    found = []
    for hub_id, tables in _by_hub(spec).items():
        patterns = [table.files for table in tables]
        flag = f"--bench {spec.id} ({hub_id})"
        folder, sha = hub.dataset_files(hub_id, _revision(spec, hub_id), patterns, flag)
        found.append(Copy(folder, tables, f"hub:{hub_id}@{sha}", f"{flag}: {folder}"))
    if not found:
        raise DataError(
            f"--bench {spec.id} needs a copy of its rows: --data PATH "
            f"(beside other benchmarks --data {spec.id}=PATH)"
            + (f", or first `grmeval data fetch {spec.id}`. " if archive else ". ")
            + spec.get
        )
    return found


def archive_of(spec: BenchSpec) -> Path | None:
    """Where the official archive lies once it is fetched; None where the rows come from elsewhere."""
    source = spec.source
    if source.packaged or not (source.github and source.revision) or _by_hub(spec):
        return None
    name = source.archive or f"{source.github.rpartition('/')[2]}.tar.gz"
    places = (part.replace("/", "--") for part in (source.github, source.revision, name))
    return resources.cache_folder().joinpath("data", *places)


def at_hand(spec: BenchSpec, beside: Path) -> bool:
    """Whether the rows can be read here and now without `--data` and without a network."""
    if spec.source.packaged:
        return (beside / spec.source.packaged).exists()
    if archive := archive_of(spec):
        return archive.exists()
    hubs = _by_hub(spec)
    return bool(hubs) and all(
        hub.cached(hub_id, _revision(spec, hub_id), "dataset", [table.files for table in tables])
        for hub_id, tables in hubs.items()
    )


def on_hub(spec: BenchSpec) -> bool:
    """Whether a run fetches the rows by itself, from the hub."""
    return bool(_by_hub(spec))


def _revision(spec: BenchSpec, hub_id: str) -> str | None:
    return spec.source.revision if hub_id == spec.source.hub else None


def _by_hub(spec: BenchSpec) -> dict[str, tuple[Table, ...]]:
    """Hub id -> its tables; empty where the rows are not on the hub."""
    found: dict[str, tuple[Table, ...]] = {}
    for table in spec.tables:
        if hub_id := table.hub or spec.source.hub:
            found[hub_id] = (*found.get(hub_id, ()), table)
    return found
