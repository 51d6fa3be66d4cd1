"""The tables of `scale-curve`: accuracy over k, what it gained, what it cost."""

import math
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
from grmeval.score import CurveRow, Scaling, Slope

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["curve_tables", "write_scaling"]


def curve_tables(result: Scaling, width: int | None = None) -> tuple[list["Table"], list[str]]:
    """The overall curves, what they are beside others, their slopes, and the footer."""
    shown = [row for row in result.rows if row.level == "overall"]
    tables = [rich_table(result.title, [*_who(shown), *_columns(shown)], shown, width)]
    if beside := _beside(shown):
        tables.append(rich_table("beside others", [*_who(shown), *beside], shown, width))
    notes = [_slope(slope) for slope in result.slopes if slope.level == "overall"]
    first = shown[0]
    notes.append(f"{first.name}: {first.items:,} items, {first.clusters:,} prompts")
    return tables, [*notes, *result.footer, "sections and costs are in the files"]


def write_scaling(stem: Path, result: Scaling) -> list[Path]:
    """`stem`.csv, .md and .json."""
    rows, name = result.rows, Column("", lambda row: row.name, left=True)
    columns = [*_who(rows), name, *_columns(rows), *_beside(rows), *_costs(rows)]
    return write_grid(stem, result, columns)


def _who(rows: Sequence[CurveRow]) -> list[Column]:
    columns = [
        Column("vote", lambda row: row.vote, left=True),
        Column("k", lambda row: str(row.k)),
    ]
    if len({row.run_id for row in rows}) > 1:
        columns.insert(0, Column("run", lambda row: row.run, left=True))
    return columns


def _columns(rows: Sequence[CurveRow]) -> list[Column]:
    columns = [
        Column(metric_title(rows), lambda row: percent(row.value)),
        Column("95 %", lambda row: interval(row.low, row.high)),
        Column("vs k=1", lambda row: signed(row.gain)),
        Column("95 %", lambda row: signed_interval(row.gain_low, row.gain_high)),
    ]
    if not all(math.isnan(row.tokens) for row in rows):
        columns.append(Column("tokens", lambda row: f"{row.tokens:,.0f}"))
    return [*columns, Column("how", lambda row: row.subsets, left=True)]


def _beside(rows: Sequence[CurveRow]) -> list[Column]:
    """Differences to another run."""
    columns = []
    if len({row.run_id for row in rows}) > 1:
        columns += [
            Column("vs first", lambda row: signed(row.over_first)),
            Column("95 %", lambda row: signed_interval(row.over_first_low, row.over_first_high)),
        ]
    if not all(math.isnan(row.over_greedy) for row in rows):
        columns += [
            Column("vs greedy", lambda row: signed(row.over_greedy)),
            Column("95 %", lambda row: signed_interval(row.over_greedy_low, row.over_greedy_high)),
        ]
    return columns


def _costs(rows: Sequence[CurveRow]) -> list[Column]:
    """What files say besides."""
    columns = [Column("items", lambda row: f"{row.items:,}")]
    if not all(math.isnan(row.prompt_tokens) for row in rows):
        columns.append(Column("prompt tokens", lambda row: f"{row.prompt_tokens:,.0f}"))
    if not all(math.isnan(row.seconds) for row in rows):
        columns.append(Column("seconds", lambda row: f"{row.seconds:.3g}"))
    return columns


def _slope(slope: Slope) -> str:
    limits = signed_interval(slope.low, slope.high)
    return f"{slope.run}, {slope.vote}: {signed(slope.value)} points a doubling of k ({limits})"
