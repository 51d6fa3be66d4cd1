"""A benchmark's name and a copy of its rows -> Items, and what of it is missing."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from grmeval import resources
from grmeval.benches.check_items import check_rules
from grmeval.benches.copies import Copy, copies
from grmeval.benches.groups import groups
from grmeval.benches.layouts import LAYOUTS
from grmeval.benches.own import BENCH_FILE, OWN_ROWS, own_file, spec_of_rows
from grmeval.benches.rows import read_rows
from grmeval.benches.shapes import make_items, subset_of
from grmeval.benches.spec import BenchSpec, Table, holds, read_spec
from grmeval.errors import ConfigError, DataError, nearest
from grmeval.items import Item, Key

__all__ = [
    "Loaded",
    "bench_ids",
    "content_hash",
    "count",
    "expand",
    "find_spec",
    "load",
    "load_spec",
]


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
    for name in names:
        if name in groups():
            found |= dict.fromkeys(groups()[name].members)
        elif name in bench_ids():
            found[name] = None
        elif path := own_file(name):
            found[str(path.absolute())] = None
        elif "," in name:
            each = " ".join(f"--bench {one.strip()}" for one in name.split(","))
            raise ConfigError(f"--bench {name!r}: repeat the flag: {each}")
        else:
            _refuse_folder(name)
            known = nearest(name, [*bench_ids(), *groups()])
            raise ConfigError(
                f"--bench {name!r} is not known; {known}; or a file of yours: .toml, "
                f"{', '.join(OWN_ROWS)} (docs/benchmarks.md)"
            )
    return list(found)


def find_spec(bench: str) -> tuple[BenchSpec, Path]:
    """(what a benchmark's TOML says, the folder its files lie beside); ConfigError for an unknown one.

    `bench` is an id, a TOML of the user's, a folder with a bench.toml, or a file of rows in a neutral schema.
    """
    if bench in bench_ids():
        return read_spec(resources.tasks() / f"{bench}.toml"), resources.tasks()
    if path := own_file(bench):
        if not path.is_file():
            raise ConfigError(f"--bench {bench}: no such file")
        if path.suffix != ".toml":
            return spec_of_rows(path), path.absolute().parent
        spec = read_spec(path)
        if spec.id in bench_ids():
            raise ConfigError(f"{path}: id {spec.id!r} is a packaged benchmark's; give it its own")
        return spec, path.absolute().parent
    _refuse_folder(bench)
    raise ConfigError(f"--bench {bench!r} is not known; {nearest(bench, bench_ids())}")


def _refuse_folder(bench: str) -> None:
    if Path(bench).expanduser().is_dir():
        raise ConfigError(
            f"--bench {bench}: a folder, and has no {BENCH_FILE}; `grmeval spct data` makes such"
        )


def count(items: Iterable[Item]) -> Counter[str]:
    """Items by subset; the responses of a pool are one."""
    return Counter(subset for subset, _ in {(item.subset, item.pool or item.id) for item in items})


def load(bench: str, data: Path | None = None, layout: str = "list") -> Loaded:
    """Read a benchmark; DataError names file, row and field, ConfigError an unknown id.

    Incomplete data loads: `missing` says what is absent.
    """
    return load_spec(*find_spec(bench), data, layout)


def load_spec(
    spec: BenchSpec,
    beside: Path,
    data: Path | None = None,
    layout: str = "list",
    unreadable: list[str] | None = None,
) -> Loaded:
    """The same of what a TOML says, whose files lie in the folder `beside`.

    `unreadable` takes the errors of rows that cannot be read, or whose id is taken: they are left out.
    """
    sources = copies(spec, beside, data)
    items = _items(spec, sources, unreadable)
    check_rules(spec, items)
    counts = count(items)
    missing = {s: n - counts[s] for s, n in spec.expected.items() if counts[s] < n}
    if layout != "list":
        items = [part for item in items for part in LAYOUTS[layout](item)]
        if len({item.key for item in items}) < len(items):
            raise DataError(
                f"--layout {layout}: {spec.id} has ids such as x and x#1 or x@1, which it needs"
            )
    origin = ", ".join(source.origin for source in sources)
    return Loaded(spec, tuple(items), content_hash(items), missing, origin)


def content_hash(items: Iterable[Item]) -> str:
    """A hash over the contents of all items, in whatever order they come."""
    return hash_of({item.key: item.content_hash() for item in items})


def hash_of(contents: Mapping[Key, str]) -> str:
    """The same of items' own hashes."""
    return hashlib.sha256("".join(contents[key] for key in sorted(contents)).encode()).hexdigest()


def _items(spec: BenchSpec, sources: list[Copy], unreadable: list[str] | None = None) -> list[Item]:
    items: list[Item] = []
    weighs: dict[str, float] = {}
    seen: dict[tuple[str, str], str] = {}
    for source in sources:
        data, tables = source.path, source.tables
        files = list(source.files(spec.source))
        only = data.is_file() and len(files) == 1 and len({table.files for table in tables}) == 1
        for table in tables:
            for name, content in files if only else _of_table(table, source, spec, files):
                for where, item in _read(spec.id, table, data, name, content, unreadable):
                    if item.subset not in weighs:
                        weighs[item.subset] = _weight(spec, item, where)
                    if first := seen.get(item.key):
                        said = f"{where}: id {item.id!r} is already taken by {first}"
                        if unreadable is None:
                            raise DataError(said)
                        unreadable.append(said)
                        continue
                    seen[item.key] = where.removeprefix(f"{data}: ")
                    items.append(item)
    if not items:
        patterns = ", ".join(f"{spec.source.root}/{t.files}".lstrip("/") for t in spec.tables)
        raise DataError(f"{sources[0].said}: no rows of it there ({patterns}). {spec.get}".rstrip())
    return items


def _of_table(
    table: Table, source: Copy, spec: BenchSpec, files: list[tuple[str, bytes]]
) -> list[tuple[str, bytes]]:
    """The files that match; of data sets side by side those below the folder that has its name.

    Where no folder has it the files are its own, unless another data set's have the same names.
    """
    found = [file for file in files if fnmatchcase(file[0], table.files)]
    hub = table.hub or spec.source.hub
    if not hub:
        return found
    folder = f"*{hub.rpartition('/')[2]}/*"
    alike = {each.hub or spec.source.hub for each in source.tables if each.files == table.files}
    below = [file for file in found if fnmatchcase(file[0], folder)]
    return below or (found if alike == {hub} else [])


def _weight(spec: BenchSpec, item: Item, where: str) -> float:
    try:
        return spec.weight_of(item.subset)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _read(
    bench: str,
    table: Table,
    data: Path,
    file: str,
    content: bytes,
    unreadable: list[str] | None,
) -> Iterator[tuple[str, Item]]:
    """(file and row, item) of one file's rows that are the table's."""
    for number, row in enumerate(read_rows(f"{data}: {file}", content), start=1):
        where = f"{data}: {file}, row {number}"
        try:
            subset = subset_of(table, file, row, where)
            if (table.only and not holds(table.only, subset)) or holds(table.but, subset):
                continue
            made = make_items(bench, table, subset, number, row, where)
        except DataError as error:
            if unreadable is None:
                raise
            unreadable.append(str(error))
            continue
        for item in made:
            yield where, item
