"""A training set's folder: items.jsonl (or .jsonl.gz), bench.toml beside it, data.json last of all.

`--bench DATA` reads it as any benchmark of one's own; data.json says how it came about.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grmeval import __version__
from grmeval.benches import bench_ids, content_hash
from grmeval.benches.own import BENCH_FILE
from grmeval.errors import ConfigError
from grmeval.files import is_left_behind, write_json, write_text, write_with
from grmeval.items import Item
from grmeval.train.data.make import Made
from grmeval.train.data.rules import RULES
from grmeval.train.data.sources import Read

__all__ = ["check_out", "write"]

RECORD = "data.json"
ROWS = ("items.jsonl", "items.jsonl.gz")
"""As they are, or packed."""
LARGE = 8 * 2**20
"""Bytes of rows beyond which they are packed."""
SHOWN = 5
"""Rows that cannot be read whose errors the record names."""


def check_out(out: Path, asked: Mapping[str, Any]) -> None:
    """ConfigError: the folder holds something else than what this command would write."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"-o {out}: is a file; name a folder")
    try:
        record = json.loads((out / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        record = None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"-o {out}: {RECORD} cannot be read ({error}); name another folder"
        ) from None
    names = {path.name for path in out.iterdir() if not is_left_behind(path)}
    if record is None and names - {BENCH_FILE, *ROWS}:  # those are of a command that was killed
        raise ConfigError(f"-o {out}: holds other files; name a new folder")
    if record is not None and (not isinstance(record, dict) or record.get("asked") != asked):
        raise ConfigError(f"-o {out}: holds a training set of other settings; name another folder")


def write(
    out: Path,
    made: Made,
    sources: Sequence[Read],
    against: Sequence[Mapping[str, Any]],
    missing: Sequence[str],
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the folder; gives what data.json says.

    `against`: the benchmarks that were compared, `missing`: those whose rows are not at hand; `asked`: what
    the command was told.
    """
    lines = [_line(item) for item in made.items]
    large = sum(map(len, lines)) > LARGE
    name, other = ROWS[::-1] if large else ROWS
    write_with(out / name, lambda path: _write_lines(path, lines, packed=large))
    write_text(out / BENCH_FILE, _toml(out, name, made, sources))
    (out / other).unlink(missing_ok=True)
    record = {
        "grmeval": __version__,
        "asked": dict(asked),
        "sources": [
            _source(source, counts) for source, counts in zip(sources, made.counts, strict=True)
        ],
        "rules": RULES,
        "items": len(made.items),
        "rows": name,
        "responses": _sizes(made.items),
        "content_hash": content_hash(made.items),
        "against": list(against),
        "not_at_hand": list(missing),
        "overlaps": [each.record() for each in made.overlaps],
    }
    write_json(out / RECORD, record)
    return record


def _line(item: Item) -> bytes:
    row = {
        "id": item.id,
        "subset": item.subset,
        "conversation": [turn._asdict() for turn in item.conversation],
        "responses": item.responses,
        "quality": item.quality,
        "cluster": item.cluster,
    }
    if "strength" in item.meta:
        row["strength"] = item.meta["strength"]
    if item.reference is not None:
        row["reference"] = item.reference
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _write_lines(path: Path, lines: Iterable[bytes], packed: bool) -> None:
    with path.open("wb") as file:
        if not packed:
            file.writelines(lines)
            return
        with gzip.GzipFile("", "wb", 1, file, mtime=0) as archive:  # the same bytes each time
            archive.writelines(lines)


def _toml(out: Path, rows: str, made: Made, sources: Sequence[Read]) -> str:
    """The benchmark that the folder is; of JSON, a text is TOML too."""
    name = re.sub(r"[^a-z0-9._-]+", "-", out.absolute().name.lower()).strip("-._") or "training"
    kept = {item.bench for item in made.items}
    titles = Counter(source.spec.title for source in sources)
    return "\n".join(
        [
            "# Training items, written by `grmeval spct data`; data.json says how they came about.",
            f"id = {_text(f'{name}-data' if name in bench_ids() else name)}",
            f"title = {_text(out.absolute().name)}",
            'metric = "mean of the sources, each a micro average over its items"',
            "",
            "[source]",
            f"packaged = {_text(rows)}",
            "",
            "[[tables]]",
            f"files = {_text(rows)}",
            'shape = "neutral"',
            'id = "id"',
            'subset = "subset"',
            'strength = "strength"',
            *(
                line
                for source in sources
                if source.spec.id in kept
                for line in _section(source, titles[source.spec.title] > 1)
            ),
            "",
            "[expected]",
            *(
                f"{_text(subset)} = {n}"
                for subset, n in sorted(Counter(item.subset for item in made.items).items())
            ),
            "",
        ]
    )


def _section(source: Read, shared: bool) -> Iterator[str]:
    name = source.spec.id
    title = name if shared or source.spec.title == "overall" else source.spec.title
    yield from ("", "[[sections]]", f"name = {_text(title)}")
    yield f"subsets = [{_text(name)}, {_text(f'{name}/*')}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _source(source: Read, counts: Any) -> dict[str, Any]:
    """How one source is recorded."""
    return {
        "name": source.name,
        "id": source.spec.id,
        "title": source.spec.title,
        "licence": source.spec.licence,
        "paper": source.spec.paper,
        "origin": source.loaded.origin,
        "content_hash": source.loaded.content_hash,
        "rows": counts.rows,
        "dropped": {rule: n for rule, n in counts.dropped.items() if n},
        "kept": counts.kept,
        "unreadable": list(source.unreadable[:SHOWN]),
    }


def _sizes(items: Iterable[Item]) -> dict[str, int]:
    kinds = Counter(
        "single" if item.n == 1 else "pair" if item.n == 2 else "multi" for item in items
    )
    return {kind: kinds[kind] for kind in ("single", "pair", "multi")}
