"""The table of `trend`: one row a night."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.report.grid import (
    Column,
    interval,
    metric_title,
    percent,
    rich_table,
    signed,
    signed_interval,
    write_grid,
)
from grmeval.score import Night, Trend

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["trend_tables", "write_trend"]


def trend_tables(result: Trend, width: int | None = None) -> tuple[list["Table"], list[str]]:
    """The overall of every night, and the footer; sections are in the files."""
    shown = [row for row in result.rows if row.level == "overall"]
    table = rich_table(result.title, _columns(shown), shown, width)
    return [table], [*result.footer, "sections are in the files"]


def write_trend(stem: Path, result: Trend) -> list[Path]:
    """`stem`.csv, .md and .json."""
    named = [Column("", lambda row: row.name, left=True)]
    return write_grid(stem, result, [*named, *_columns(result.rows)])


def _columns(rows: Sequence[Night]) -> list[Column]:
    columns = [
        Column("night", lambda row: row.written[:16], left=True),
        Column("model", lambda row: row.model, left=True),
        Column("run", lambda row: row.run_id[:6], left=True),
        Column("k", lambda row: str(row.k)),
        Column(metric_title(rows), lambda row: percent(row.value)),
        Column("95 %", lambda row: interval(row.low, row.high)),
        Column("change", lambda row: signed(row.change)),
        Column("95 %", lambda row: signed_interval(row.change_low, row.change_high)),
        Column("inv %", lambda row: f"{100 * row.invalid:.1f}"),
        Column("tokens", lambda row: f"{row.tokens:.0f}"),
    ]
    if len({row.vote for row in rows}) > 1:
        columns.insert(3, Column("vote", lambda row: row.vote, left=True))
    return columns
