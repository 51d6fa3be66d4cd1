"""The table of overlaps: which benchmarks' texts rows hold, by prompt and by response; never a text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grmeval.report.cells import count
from grmeval.report.columns import Column, fitting
from grmeval.report.grid import rich_table

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["overlap_tables"]

SHOWN = 3
"""Pairs of names under the table."""

_COLUMNS = [
    Column("benchmark", lambda row: row["bench"], left=True),
    Column("its", lambda row: f"{row['kind']}s", left=True),
    Column("texts", lambda row: count(row["texts"])),
    Column("held whole", lambda row: count(row["exact"])),
    Column("in part", lambda row: count(row["near"])),
    Column("rows with a whole one", lambda row: count(row["rows_exact"])),
    Column("with parts", lambda row: count(row["rows_near"])),
]


def overlap_tables(
    overlaps: Sequence[Mapping[str, Any]], title: str, width: int | None, examples: bool = False
) -> tuple[list["Table"], list[str]]:
    """A row for each benchmark and kind of text that is held; notes name those that are not.

    `examples`: with the first pairs, by their names.
    """
    held = [row for row in overlaps if row["rows_exact"] or row["rows_near"]]
    free = dict.fromkeys(row["bench"] for row in overlaps)
    for row in held:
        free.pop(row["bench"], None)
    notes = [f"no text is held of: {', '.join(free)}"] if free else []
    if not held:
        return [], notes
    columns, left_out = fitting(_COLUMNS, held, width)
    named = [
        f"{pair['row']} holds {100 * pair['share']:.0f} % of {row['bench']} {pair['item']}, its {row['kind']}"
        for row in held
        for pair in row["examples"][: SHOWN if examples else 0]
    ]
    return [rich_table(title, columns, held, width)], [*left_out, *notes, *named]
