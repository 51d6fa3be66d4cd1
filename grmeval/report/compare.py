"""The tables of `compare`: each run less the first, and the items that flipped."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.report.grid import (
    Column,
    metric_title,
    percent,
    rich_table,
    signed,
    signed_interval,
    write_grid,
)
from grmeval.score import Comparison, Flip, Gap

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["compare_tables", "write_comparison"]

MOST_ROWS = 40
_INDENTS = {"overall": "", "section": " ", "subset": "  "}


def compare_tables(
    result: Comparison, width: int | None = None, flips: bool = False
) -> tuple[list["Table"], list[str]]:
    """A table a run and vote; with `flips` the units whose verdict changed."""
    tables, notes = [], list(result.footer)
    for run_id, vote in dict.fromkeys((row.run_id, row.vote) for row in result.rows):
        rows = [row for row in result.rows if (row.run_id, row.vote) == (run_id, vote)]
        shown = rows if len(rows) <= MOST_ROWS else [row for row in rows if row.level != "subset"]
        if len(shown) < len(rows):
            notes.append(f"{len(rows) - len(shown)} subsets are in the files and in --json")
        title = f"{result.title} · {rows[0].run} less the first, vote {vote}"
        tables.append(
            rich_table(title, _columns(shown), shown, width, lambda row: row.level == "overall")
        )
        mine = [flip for flip in result.flips if (flip.run_id, flip.vote) == (run_id, vote)]
        found = f"{100 * rows[0].detectable:.1f} points would be found in four of five comparisons"
        notes.insert(0, f"{rows[0].run}, {vote}: a difference of {found} (5 %, two-sided)")
        if flips and mine:
            tables.append(rich_table("flipped, lost ones first", _flip_columns(mine), mine, width))
    if result.flips and not flips:
        notes.append(
            "which items were won and lost: --flips; `grmeval show RUN --item ID` shows one"
        )
    return tables, notes


def write_comparison(stem: Path, result: Comparison) -> list[Path]:
    """`stem`.csv, .md and .json."""
    more = Column("detects", lambda row: percent(row.detectable))
    return write_grid(stem, result, [*_columns(result.rows), more])


def _columns(rows: Sequence[Gap]) -> list[Column]:
    columns = [
        Column("", lambda row: _INDENTS.get(row.level, " ") + row.name, left=True),
        Column("first", lambda row: percent(row.first)),
        Column(metric_title(rows), lambda row: percent(row.value)),
        Column("diff", lambda row: signed(row.difference)),
        Column("95 %", lambda row: signed_interval(row.low, row.high)),
        Column("p", lambda row: _p(row.p)),
        Column("won:lost", lambda row: f"{row.won}:{row.lost}"),
        Column("items", lambda row: f"{row.items:,}"),
    ]
    if any(not math.isnan(row.q) for row in rows):
        columns.insert(6, Column("q", lambda row: _p(row.q)))
    if len({row.run_id for row in rows}) > 1:
        columns.insert(0, Column("run", lambda row: row.run, left=True))
    if len({row.vote for row in rows}) > 1:
        columns.insert(0, Column("vote", lambda row: row.vote, left=True))
    return columns


def _flip_columns(rows: Sequence[Flip]) -> list[Column]:
    columns = [
        Column("subset", lambda row: row.subset, left=True),
        Column("item", lambda row: row.id, left=True),
        Column("first", lambda row: f"{row.first:.2f}"),
        Column("now", lambda row: f"{row.value:.2f}"),
    ]
    if any(row.term for row in rows):
        columns.insert(2, Column("term", lambda row: row.term, left=True))
    return columns


def _p(value: float) -> str:
    return "-" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"
