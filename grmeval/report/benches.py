"""The benchmarks there are: what each measures, and whether its rows are on this machine."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.benches import BenchSpec, at_hand, find_spec
from grmeval.report.columns import Column, width_of
from grmeval.report.grid import rich_table
from grmeval.report.names import shortened
from grmeval.report.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["BenchLine", "bench_lines", "benches_json", "benches_table", "benches_text"]


@dataclass(frozen=True)
class BenchLine:
    """One benchmark; `items` of a complete copy, `rows`: where they would be read from now, or None."""

    bench: str
    title: str
    items: int
    sections: tuple[str, ...]
    metric: str
    ties: str
    on_invalid: str
    source: str
    rows: str | None
    paper: str
    licence: str


def bench_lines(data: Mapping[str, Path], benches: Sequence[str]) -> list[BenchLine]:
    """What is known of benchmarks; `data` are the local copies that the settings file names."""
    found = []
    for bench in benches:
        spec, beside = find_spec(bench)
        rows = None
        if bench in data:
            rows = str(data[bench]) if data[bench].exists() else None
        elif at_hand(spec, beside):
            elsewhere = "fetched" if spec.source.github else "hub cache"
            rows = "packaged" if spec.source.packaged else elsewhere
        found.append(
            BenchLine(
                bench=bench,
                title=spec.title,
                items=sum(spec.expected.values()),
                sections=tuple(section.name for section in spec.sections),
                metric=spec.metric,
                ties=spec.ties,
                on_invalid=spec.on_invalid,
                source=_source(spec),
                rows=rows,
                paper=spec.paper,
                licence=spec.licence,
            )
        )
    return found


def _source(spec: BenchSpec) -> str:
    if spec.source.packaged:
        return "packaged"
    hubs = dict.fromkeys(table.hub or spec.source.hub for table in spec.tables)
    found = ", ".join(hub for hub in hubs if hub)
    return f"hub: {found}" if found else f"github: {spec.source.github}"


def benches_json(lines: list[BenchLine]) -> str:
    """The same as JSON."""
    return json.dumps([asdict(line) for line in lines], indent=1) + "\n"


def benches_text(lines: list[BenchLine]) -> Iterator[str]:
    """All that is known, for people."""
    for line in lines:
        facts = asdict(line) | {
            "sections": "; ".join(line.sections),
            "rows": line.rows or "not here",
        }
        facts["items"] = f"{line.items:,}" if line.items else "not said ([expected])"
        for name, value in facts.items():
            words = f"{name.replace('_', ' '):<12}{printable(str(value))}"
            yield textwrap.fill(words, 80, subsequent_indent=" " * 12) + "\n"
        yield "\n"


def benches_table(lines: list[BenchLine], width: int | None = None) -> "Table":
    """A line each; of many sections only the first are named."""
    columns = [
        Column("bench", lambda line: line.bench, left=True),
        Column("items", lambda line: f"{line.items:,}"),
        Column("rows here", lambda line: shortened(line.rows or "no", 20), left=True),
        Column("source", lambda line: line.source.split(":")[0], left=True),
    ]
    room = width and width - sum(width_of(column, lines) + 2 for column in columns) - 2
    columns.append(Column("sections", lambda line: _first(line.sections, room), left=True))
    return rich_table("", columns, lines, width)


def _first(names: Sequence[str], room: int | None) -> str:
    """As many names as there is room for."""
    text = ", ".join(names)
    return text if room is None or len(text) <= room else f"{text[: room - 1]}…"
