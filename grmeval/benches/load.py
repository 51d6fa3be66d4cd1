"""A benchmark's name and a copy of its rows -> Items, and what of it is missing."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from grmeval import resources
from grmeval.benches.copies import Copy, copies
from grmeval.benches.own import OWN_ROWS, own_file, spec_of_rows
from grmeval.benches.rows import read_rows
from grmeval.benches.shapes import as_pairs, make_item
from grmeval.benches.sources import read_files
from grmeval.benches.spec import BenchSpec, read_spec
from grmeval.errors import ConfigError, DataError, nearest
from grmeval.items import Item

__all__ = ["Loaded", "bench_ids", "expand", "find_spec", "load"]


@dataclass(frozen=True)
class Loaded:
    """The items of one benchmark in one layout.

    `content_hash` covers every item; `missing` maps an expected subset to the rows it lacks; `origin`
    says where the rows were read.
    """

    spec: BenchSpec
    items: tuple[Item, ...]
    content_hash: str
    missing: dict[str, int]
    origin: str


def bench_ids() -> list[str]:
    """The ids of the benchmarks in tasks/."""
    return sorted(path.stem for path in resources.tasks().glob("*.toml"))


def expand(names: Iterable[str]) -> list[str]:
    """Benchmarks behind what `--bench` was given: ids and files as they are, groups as their members.

    Each once; ConfigError, with the nearest name, for what is neither.
    """
    found: dict[str, None] = {}
    groups: dict[str, list[str]] = {}
    for bench in bench_ids():
        for group in find_spec(bench)[0].groups:
            groups.setdefault(group, []).append(bench)
    for name in names:
        if name in groups:
            found |= dict.fromkeys(groups[name])
        elif name in bench_ids():
            found[name] = None
        elif path := own_file(name):
            found[str(path.absolute())] = None
        else:
            known = nearest(name, [*bench_ids(), *groups])
            raise ConfigError(
                f"--bench {name!r} is not known; {known}; or a file of yours: .toml, "
                f"{', '.join(OWN_ROWS)} (docs/benchmarks.md)"
            )
    return list(found)


def find_spec(bench: str) -> tuple[BenchSpec, Path]:
    """(what a benchmark's TOML says, the folder its files lie beside); ConfigError for an unknown one.

    `bench` is an id, a TOML of the user's, or a file of rows in a neutral schema.
    """
    if path := own_file(bench):
        if not path.is_file():
            raise ConfigError(f"--bench {bench}: no such file")
        if path.suffix != ".toml":
            return spec_of_rows(path), path.absolute().parent
        spec = read_spec(path)
        if spec.id in bench_ids():
            raise ConfigError(f"{path}: id {spec.id!r} is a packaged benchmark's; give it its own")
        return spec, path.absolute().parent
    if bench not in bench_ids():
        raise ConfigError(f"--bench {bench!r} is not known; {nearest(bench, bench_ids())}")
    return read_spec(resources.tasks() / f"{bench}.toml"), resources.tasks()


def load(bench: str, data: Path | None = None, layout: str = "list") -> Loaded:
    """Read a benchmark; DataError names file, row and field, ConfigError an unknown id.

    Incomplete data loads: `missing` says what is absent.
    """
    spec, beside = find_spec(bench)
    sources = copies(spec, beside, data)
    items = _items(spec, sources)
    counts: dict[str, int] = {}
    for item in items:
        counts[item.subset] = counts.get(item.subset, 0) + 1
    missing = {s: n - counts.get(s, 0) for s, n in spec.expected.items() if counts.get(s, 0) < n}
    if layout == "pairs":
        items = [pair for item in items for pair in as_pairs(item)]
        keys = {item.key for item in items}
        if len(keys) < len(items):
            raise DataError(
                f"--layout pairs: {spec.id} has ids such as x and x#1, which pairs need"
            )
    digest = hashlib.sha256()
    for item in sorted(items, key=lambda item: item.key):
        digest.update(item.content_hash().encode())
    origin = ", ".join(source.origin for source in sources)
    return Loaded(spec, tuple(items), digest.hexdigest(), missing, origin)


def _items(spec: BenchSpec, sources: list[Copy]) -> list[Item]:
    items: list[Item] = []
    seen: dict[tuple[str, str], str] = {}
    for data, tables, _, said in sources:
        files = list(read_files(data, spec.source.root, [t.files for t in tables], said))
        only = data.is_file() and len(files) == 1 and len(tables) == 1
        for table in tables:
            for name, content in files:
                if not (only or fnmatchcase(name, table.files)):
                    continue
                for number, row in enumerate(read_rows(f"{data}: {name}", content), start=1):
                    where = f"{data}: {name}, row {number}"
                    item = make_item(spec.id, table, name, number, row, where)
                    spec.weight_of(item.subset)
                    if first := seen.get(item.key):
                        raise DataError(f"{where}: id {item.id!r} is already taken by {first}")
                    seen[item.key] = f"{name}, row {number}"
                    items.append(item)
    if not items:
        patterns = ", ".join(f"{spec.source.root}/{t.files}".lstrip("/") for t in spec.tables)
        raise DataError(f"{sources[0].said}: no rows of it there ({patterns}). {spec.get}".rstrip())
    return items
