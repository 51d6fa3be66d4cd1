"""The runs below a results folder, one line each."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.benches import EVERYTHING
from grmeval.engines import BATCH
from grmeval.errors import ConfigError, GrmevalError
from grmeval.parquet import ParquetFile, read_parquet
from grmeval.report.columns import Column, fitting
from grmeval.report.grid import rich_table
from grmeval.report.printable import printable
from grmeval.score.verdicts import own_votes
from grmeval.store import (
    SAMPLES,
    Question,
    RunFolder,
    SampleKey,
    all_runs,
    asked_part,
    largest,
    limit_seed,
    name_of,
    parts_of,
    stopped_items,
    stops_of,
)

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Overview",
    "RunLine",
    "overview",
    "overview_json",
    "overview_table",
    "run_line",
    "unfinished_runs",
]


@dataclass(frozen=True)
class RunLine:
    """One run. `k` and `limit` are the most that was asked for; `items` lie inside the limit; `name`: what
    people call it.

    `samples` counts folded and journaled ones; `accuracy` [0, 1] is the overall of the tables saved
    last (by the benchmark's `metric`), under `vote` at `accuracy_k`. None: not known.
    """

    run: str
    path: str
    bench: str
    model: str
    k: int | None
    limit: int | None
    samples: int | None
    items: int | None
    accuracy: float | None
    metric: str | None
    vote: str | None
    accuracy_k: int | None
    accuracy_limit: int | None
    settings: Mapping[str, str]
    written: str
    name: str | None
    judge: str
    part: str = ""
    """The subsets and sections that were last asked for, in words; empty: all."""
    odd_vote: bool = False
    stale: bool = False
    """The saved tables are of another vote than the judge's first; of fewer samples than were asked for."""
    spared: int = 0
    """Samples that items do without, as they stopped early (`--adaptive`)."""

    @property
    def wanted(self) -> int:
        """Samples that were asked for, less those that are not needed."""
        return (self.k or 0) * (self.items or 0) - self.spared

    @property
    def finished(self) -> bool | None:
        """Whether they are all there; None: they cannot be counted."""
        return None if self.samples is None else self.samples >= self.wanted


@dataclass(frozen=True)
class Overview:
    """All runs, the one asked for last first, and why a folder could not be read."""

    runs: tuple[RunLine, ...]
    unreadable: tuple[str, ...]


def overview(results: Path) -> Overview:
    """Look at every run below `results`; ConfigError if there is none."""
    folders = all_runs(results)
    if not folders:
        raise ConfigError(
            f"--results {results}: no runs in it; `grmeval run` makes one "
            "(`grmeval run --engine fake` in a second)"
        )
    lines, unreadable = [], []
    for path in folders:
        try:
            lines.append(run_line(RunFolder(path)))
        except GrmevalError as error:
            unreadable.append(str(error))
        except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            unreadable.append(f"{path / 'run.json'}: cannot be read: {error!r}")
    return Overview(tuple(lines), tuple(unreadable))


def run_line(folder: RunFolder) -> RunLine:
    """What one run came to, from its records alone: no lock is taken and no text is read."""
    record, path = folder.record, folder.path
    part, last = asked_part(folder), record["asked"]
    asked = Question(last["k"], last["limit"]) if part else largest(folder)
    accuracy = _overall(path / "accuracy.json")
    return RunLine(
        run=path.name,
        path=str(path),
        bench=str(record["identity"]["bench"]),
        model=str(record["config"]["label"]),
        k=asked.k,
        limit=asked.limit,
        samples=_samples(path),
        spared=_spared(folder, asked.k, asked.limit),
        items=_items(folder, asked.limit),
        accuracy=accuracy.get("value"),
        metric=accuracy.get("metric"),
        vote=accuracy.get("vote"),
        accuracy_k=accuracy.get("k"),
        accuracy_limit=accuracy.get("limit"),
        settings=_settings({**record["identity"], "limit_seed": limit_seed(record["identity"])}),
        written=_written(path),
        name=name_of(path),
        judge=str(record["identity"]["judge"]["name"]),
        part=str(part),
        odd_vote=accuracy.get("vote") not in (None, own_votes(record["identity"])[0]),
        stale=bool(accuracy.get("missing")),
    )


def unfinished_runs(results: Path) -> Iterator[tuple[Path, str]]:
    """(folder, why) of runs that lack samples of what was last asked."""
    for path in all_runs(results):
        with contextlib.suppress(GrmevalError, AttributeError, LookupError, TypeError, ValueError):
            line = run_line(RunFolder(path))
            if line.finished is False:
                yield path, f"unfinished: {line.samples:,} of {line.wanted:,} samples"


def overview_json(found: Overview) -> str:
    """The same as JSON, plain ASCII."""
    return json.dumps(asdict(found), indent=1, allow_nan=False) + "\n"


def overview_table(found: Overview, width: int | None = None) -> tuple["Table", list[str]]:
    """Table and notes; a narrow one lacks columns that tell little, and says which."""
    columns, notes = fitting(_columns(found.runs), found.runs, width)
    table = rich_table("", columns, found.runs, width)
    table.show_edge = False
    notes += [f"{name}: {what}" for name, what in _unlike(found.runs).items()]
    notes += [
        f"{line.run}: acc % is of the vote {line.vote}" for line in found.runs if line.odd_vote
    ]
    notes += [f"{line.run}: {line.part} alone, as last asked" for line in found.runs if line.part]
    if empty := sum(e.samples == 0 and e.settings.get("engine") != BATCH for e in found.runs):
        notes.append(f"without a sample: {empty}; `grmeval clean` puts such runs away")
    notes += [f"not readable: {printable(why)}" for why in found.unreadable]
    return table, notes


def _columns(runs: Sequence[RunLine]) -> list[Column]:
    columns = [
        Column("run", lambda line: line.run),
        Column("bench", lambda line: line.bench, left=True),
        Column("model", lambda line: line.model, left=True),
        Column("k", lambda line: _count(line.k), spare=1),
        Column("samples", _progress),
        Column("items", lambda line: _count(line.items), spare=3),
        Column("acc %", _percent),
        Column("written", lambda line: _short(line.written)),
    ]
    if any(line.limit is not None for line in runs):
        columns.insert(4, Column("limit", lambda line: _count(line.limit), spare=2))
    if any(line.name for line in runs):
        columns.insert(1, Column("name", lambda line: line.name or "", left=True))
    return columns


def _progress(line: RunLine) -> str:
    """Samples, and of how many if not all are there, or of how many an item where some stopped early."""
    if line.finished is False:
        return f"{_count(line.samples)}/{line.wanted:,}"
    return _count(line.samples) + (f" (k ≤ {line.k})" if line.spared else "")


def _percent(line: RunLine) -> str:
    """The accuracy that was saved last; of another k than was asked since, with that k.

    None where the samples that it lacked have come since, as by `grmeval merge`.
    """
    other = line.accuracy_limit != line.limit or line.part or (line.stale and line.finished)
    if line.accuracy is None or not line.samples or other:
        return "-"
    return f"{100 * line.accuracy:.1f}" + (
        "" if line.accuracy_k == line.k else f" @{line.accuracy_k}"
    )


def _unlike(runs: Sequence[RunLine]) -> dict[str, str]:
    """What tells runs of one benchmark and model apart: settings in which they differ."""
    found: dict[str, str] = {}
    together: dict[tuple[str, str], list[RunLine]] = {}
    for line in runs:
        together.setdefault((line.bench, line.model), []).append(line)
    for lines in together.values():
        names = sorted({name for line in lines for name in line.settings})
        told = [n for n in names if len({line.settings.get(n) for line in lines}) > 1]
        for line in lines if told else ():
            found[line.run] = ", ".join(f"{n}={line.settings.get(n, '-')}" for n in told)
    return found


def _settings(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Identity fields, flat; long hashes short."""
    flat: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat |= _settings(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value).removeprefix("sha256:")[:24]
    return flat


def _samples(path: Path) -> int | None:
    """Folded rows by the file's footer, others by their journals' lines: right even after a kill."""
    import pyarrow as pa

    try:
        count = 0
        if (path / SAMPLES).exists():
            with ParquetFile(path / SAMPLES) as stored:
                count = stored.rows
        for journal in (path / "journal").glob("*.jsonl"):
            with journal.open("rb") as file:
                count += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except (pa.ArrowException, OSError):
        return None
    return count


def _spared(folder: RunFolder, k: int, limit: int | None) -> int:
    """Samples below k, of the items inside the limit, that those which stopped do without."""
    if not any(stops_of(folder.path)):
        return 0
    (part,) = parts_of([folder], EVERYTHING) if asked_part(folder) else (folder,)
    table, done = part.items(limit), folder.done()
    inside = set(zip(table["subset"].to_pylist(), table["id"].to_pylist(), strict=True))
    early = stopped_items(folder, done, lambda stop: stop.most >= k) & inside
    return sum(SampleKey(*key, j) not in done for key in early for j in range(k))


def _items(folder: RunFolder, limit: int | None) -> int | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if asked_part(folder):
            (part,) = parts_of([folder], EVERYTHING)
            return len(part.items(part.record["asked"]["limit"]))
        rank = read_parquet(folder.path / "items.parquet", ["rank"])["rank"]
        return len(rank) if limit is None else int(pc.sum(pc.less(rank, limit)).as_py() or 0)
    except (pa.ArrowException, OSError, GrmevalError):
        return None


def _overall(path: Path) -> dict[str, Any]:
    """The first overall row of accuracy.json; empty where there is none to be read."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, Any] = next(row for row in saved["rows"] if row["level"] == "overall")
        found["limit"] = saved["about"]["limit"]
        float(found["value"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return {}
    return found


def _written(path: Path) -> str:
    files = [path / "run.json", path / SAMPLES, *(path / "journal").glob("*.jsonl")]
    newest = max(file.stat().st_mtime for file in files if file.exists())
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(newest))


def _short(written: str) -> str:
    """Month, day and time; of another year the date."""
    day, _, clock = written.partition("T")
    return f"{day[5:]} {clock[:5]}" if day[:4] == time.strftime("%Y") else day


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
