"""What became of sampled judgements, by rule: the table of `grmeval spct select`."""

from typing import TYPE_CHECKING

from grmeval.report.columns import Column
from grmeval.report.grid import rich_table
from grmeval.train.select import KEPT, RULES, Selection, footer, title

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["select_table"]


def select_table(found: Selection, width: int | None) -> "tuple[list[Table], list[str]]":
    """(the table, what is said below it)."""
    columns = [
        Column("", lambda row: row[0], left=True),
        Column("samples", lambda row: f"{row[1][0]:,}"),
        Column("hinted", lambda row: f"{row[1][1]:,}"),
    ]
    rows = [(rule, found.table[rule]) for rule in (KEPT, *RULES)]
    return [rich_table(title(found), columns, rows, width)], footer(found)
