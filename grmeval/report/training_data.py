"""The table of `grmeval spct data`: what was kept of each source, and what was dropped by which rule."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.report.cells import count
from grmeval.report.columns import Column, fitting
from grmeval.report.grid import rich_table
from grmeval.report.overlap import overlap_tables

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["training_data_tables"]


def training_data_tables(
    record: Mapping[str, Any], out: Path, width: int | None = None
) -> tuple[list["Table"], list[str]]:
    """Rows, drops by rule and what is kept, by source; then overlaps. `record`: what data.json holds."""
    sources = record["sources"]
    rules = [rule for rule in record["rules"] if any(rule in each["dropped"] for each in sources)]
    columns, left_out = fitting(
        [
            Column("source", lambda row: row["id"], left=True),
            Column("rows", lambda row: count(row["rows"])),
            *(Column(rule, _dropped(rule), spare=1) for rule in rules),
            Column("kept", lambda row: count(row["kept"])),
        ],
        sources,
        width,
    )
    table = rich_table(f"{out}: {record['items']:,} items", columns, sources, width)
    sizes = ", ".join(f"{n:,} {kind}" for kind, n in record["responses"].items())
    notes = [*left_out, f"responses: {sizes}"]
    notes += [f"{rule}: {record['rules'][rule]}" for rule in rules]
    notes += [
        f"a row that cannot be read: {each['unreadable'][0]}"
        for each in sources
        if each["unreadable"]
    ]
    held, said = overlap_tables(record["overlaps"], "texts of benchmarks in them", width)
    against = ", ".join(each["bench"] for each in record["against"]) or "nothing"
    notes.append(f"held against: {against}")
    if record["not_at_hand"]:
        notes.append(f"not at hand, so not compared: {', '.join(record['not_at_hand'])}")
    return [table, *held], [*notes, *said]


def _dropped(rule: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: count(row["dropped"].get(rule, 0))
