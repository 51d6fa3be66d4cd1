"""The table of runs that differ in nothing but their seed: mean, spread, and differences of such groups."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grmeval.report.cells import interval, metric_title, p_value, percent, signed, signed_interval
from grmeval.report.columns import Column, fitting
from grmeval.report.grid import Block, rich_table
from grmeval.score import SeedsRow

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["seeds_block", "seeds_columns", "seeds_json", "seeds_line", "seeds_tables"]

LEVELS = ("overall", "section")
"""What is printed; subsets and views are in the files."""
_INDENTS = {"overall": "", "subset": "  "}


def seeds_tables(
    rows: Sequence[SeedsRow], title: str, width: int | None
) -> tuple[list["Table"], list[str]]:
    """A table a vote: groups under each number that a benchmark has; none where there are no groups.

    The notes say which columns were left out.
    """
    tables, notes = [], dict[str, None]()
    for vote in dict.fromkeys(row.vote for row in rows):
        shown = [row for row in rows if row.vote == vote and row.level in LEVELS]
        columns, left_out = fitting(seeds_columns(shown), shown, width)
        notes |= dict.fromkeys(left_out)
        heading = f"{title} · over seeds, vote {vote}"
        tables.append(
            rich_table(heading, columns, shown, width, lambda row: row.level == "overall")
        )
    return tables, [*notes]


def seeds_block(rows: Sequence[SeedsRow]) -> Block:
    """The same in one table of a file, with every subset."""
    columns = seeds_columns(rows)
    if len({row.vote for row in rows}) > 1:
        columns.insert(0, Column("vote", lambda row: row.vote, left=True))
    return Block("over seeds", columns, rows)


def seeds_line(row: SeedsRow) -> str:
    """One group in a sentence."""
    return (
        f"{row.group}, {len(row.seeds)} seeds, each by itself: mean {percent(row.mean)} %, SD over seeds "
        f"{percent(row.spread)} points, 95 % {interval(row.low, row.high)} (vote {row.vote}, k={row.k})"
    )


def seeds_json(rows: Sequence[SeedsRow]) -> list[dict[str, Any]]:
    """Rows as JSON values; a number that is not there is null."""
    return [
        {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(row).items()
        }
        for row in rows
    ]


def seeds_columns(rows: Sequence[SeedsRow]) -> list[Column]:
    """Those that differ between one group's rows and the next; the difference where there are groups."""
    compared = not all(math.isnan(row.difference) for row in rows)
    columns = [
        Column("", lambda row: _INDENTS.get(row.level, " ") + row.name, left=True),
        Column("group", lambda row: row.group, left=True),
        Column("seeds", lambda row: str(len(row.seeds)), spare=2),
        Column(f"mean {metric_title(rows)}", lambda row: percent(row.mean)),
        Column("SD", lambda row: percent(row.spread)),
        Column("95 %", lambda row: interval(row.low, row.high), spare=int(compared)),
        Column("items", lambda row: f"{row.items:,}", spare=3),
    ]
    if compared:
        columns[6:6] = [
            Column("diff", lambda row: signed(row.difference)),
            Column("95 %", lambda row: signed_interval(row.difference_low, row.difference_high)),
            Column("p", lambda row: p_value(row.p)),
        ]
    return columns
