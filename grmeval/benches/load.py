"""A benchmark's id and a local copy -> Items, and what of it is missing."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grmeval import resources
from grmeval.benches.shapes import as_pairs, make_item
from grmeval.benches.sources import matching, read_files
from grmeval.benches.spec import BenchSpec, read_spec
from grmeval.errors import ConfigError, DataError, nearest
from grmeval.items import Item

__all__ = ["Loaded", "bench_ids", "check_bench", "load"]


@dataclass(frozen=True)
class Loaded:
    """The items of one benchmark in one layout.

    `content_hash` covers every item; `missing` maps an expected subset to the rows it lacks.
    """

    spec: BenchSpec
    items: tuple[Item, ...]
    content_hash: str
    missing: dict[str, int]


def bench_ids() -> list[str]:
    """The ids of the benchmarks in tasks/."""
    return sorted(path.stem for path in resources.tasks().glob("*.toml"))


def check_bench(bench: str) -> None:
    """ConfigError, with the nearest name, for an id that no TOML has."""
    if bench not in bench_ids():
        raise ConfigError(f"--bench {bench!r} is not known; {nearest(bench, bench_ids())}")


def load(bench: str, data: Path | None = None, layout: str = "list") -> Loaded:
    """Read a benchmark; DataError names file, row and field, ConfigError an unknown id.

    Incomplete data loads: `missing` says what is absent.
    """
    check_bench(bench)
    spec = read_spec(resources.tasks() / f"{bench}.toml")
    items = _items(spec, _copy(spec, data))
    counts: dict[str, int] = {}
    for item in items:
        counts[item.subset] = counts.get(item.subset, 0) + 1
    missing = {s: n - counts.get(s, 0) for s, n in spec.expected.items() if counts.get(s, 0) < n}
    if layout == "pairs":
        items = [pair for item in items for pair in as_pairs(item)]
    digest = hashlib.sha256()
    for item in sorted(items, key=lambda item: item.key):
        digest.update(item.content_hash().encode())
    return Loaded(spec, tuple(items), digest.hexdigest(), missing)


def _copy(spec: BenchSpec, data: Path | None) -> Path:
    if data is not None:
        return data
    if spec.source.packaged:
        return resources.tasks() / spec.source.packaged
    raise DataError(f"--bench {spec.id} needs a copy of its rows: --data PATH. {spec.get}")


def _items(spec: BenchSpec, data: Path) -> list[Item]:
    files = list(read_files(data, spec.source.root))
    items: list[Item] = []
    seen: dict[tuple[str, str], str] = {}
    for table in spec.tables:
        for name, content in matching(files, table.files):
            subset = name.rsplit(".", 1)[0]
            for number, row in enumerate(_rows(name, content), start=1):
                where = f"{data}: {name}, row {number}"
                item = make_item(spec.id, table, subset, row, where)
                spec.section_of(item.subset)
                if first := seen.get(item.key):
                    raise DataError(f"{where}: id {item.id!r} is already taken by {first}")
                seen[item.key] = f"{name}, row {number}"
                items.append(item)
    if not items:
        patterns = ", ".join(f"{spec.source.root}/{t.files}".lstrip("/") for t in spec.tables)
        raise DataError(f"--data {data}: no rows of {spec.id} ({patterns}). {spec.get}")
    return items


def _rows(name: str, content: bytes) -> Iterator[Any]:
    if name.endswith(".parquet"):
        yield from _parquet(name, content)
        return
    try:
        text = content.decode("utf-8")
        if name.endswith(".jsonl"):
            for number, line in enumerate(text.split("\n"), start=1):
                if line.strip():
                    yield _json(line, f"{name}, line {number}")
            return
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 at byte {error.start}") from None
    rows = _json(text, name)
    if not isinstance(rows, list):
        raise DataError(f"{name}: expected a JSON list of rows, found {type(rows).__name__}")
    yield from rows


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise DataError(f"{where}: not JSON: {error}; get the file again") from None


def _parquet(name: str, content: bytes) -> list[Any]:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[Any] = pq.read_table(io.BytesIO(content)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not a Parquet file: {error}; get the file again") from None
    return rows
