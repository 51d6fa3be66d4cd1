"""The table of `trend`: one row a night."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.report.cells import interval, metric_title, percent, signed, signed_interval
from grmeval.report.columns import Column, fitting
from grmeval.report.grid import rich_table, write_grid
from grmeval.score import Night, Trend

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["trend_tables", "write_trend"]


def trend_tables(result: Trend, width: int | None = None) -> tuple[list["Table"], list[str]]:
    """The overall of every night, and the footer; sections are in its files and --json."""
    shown = [row for row in result.rows if row.level == "overall"]
    night, *others = _columns(shown)
    years = {row.written[:4] for row in shown}
    if len(years) == 1:
        night = Column(f"night {min(years)}", lambda row: _clock(row.written)[5:])
    columns, left_out = fitting([night, *others], shown, width)
    table = rich_table(result.title, columns, shown, width)
    return [table], [*left_out, *result.footer, "sections are in --json"]


def write_trend(to: Path, result: Trend) -> list[Path]:
    """The files of the table that `to` asks for."""
    named = [Column("", lambda row: row.name, left=True)]
    return write_grid(to, result, [*named, *_columns(result.rows)])


def _clock(written: str) -> str:
    return written[:16].replace("T", " ")


def _columns(rows: Sequence[Night]) -> list[Column]:
    columns = [
        Column("night", lambda row: _clock(row.written)),
        Column("model", lambda row: row.model, left=True),
        Column("run", lambda row: row.run_id[:6]),
        Column("k", lambda row: str(row.k), spare=1),
        Column(metric_title(rows), lambda row: percent(row.value)),
        Column("95 %", lambda row: interval(row.low, row.high)),
        Column("change", lambda row: signed(row.change)),
        Column("95 %", lambda row: signed_interval(row.change_low, row.change_high)),
        Column("inv %", lambda row: f"{100 * row.invalid:.1f}", spare=2),
        Column("tokens", lambda row: f"{row.tokens:.0f}", spare=3),
    ]
    if len({row.vote for row in rows}) > 1:
        columns.insert(3, Column("vote", lambda row: row.vote, left=True))
    return columns
