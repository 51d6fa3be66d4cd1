"""The tables of `scale-curve`: accuracy over k, what it gained, what it cost."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.report.cells import count, interval, metric_title, percent, signed, signed_interval
from grmeval.report.columns import Column, fits, fitting
from grmeval.report.grid import Block, rich_table, write_grid
from grmeval.score import CurveRow, Scaling, Slope

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["curve_tables", "write_scaling"]


def curve_tables(result: Scaling, width: int | None = None) -> tuple[list["Table"], list[str]]:
    """The overall curves, in as many tables as the width takes, their slopes, and the footer."""
    shown = [row for row in result.rows if row.level == "overall"]
    who = _who(shown)
    parts = [who]
    for group in _groups(shown, result.about.get("currency")):
        if parts[-1] == who or fits([*parts[-1], *group], shown, width):
            parts[-1] = [*parts[-1], *group]
        else:
            parts.append([*who, *group])
    titles = [result.title, *["the same points"] * (len(parts) - 1)]
    tables, notes = [], list[str]()
    for name, part in zip(titles, parts, strict=True):
        columns, left_out = fitting(part, shown, width)
        tables.append(rich_table(name, columns, shown, width))
        notes += left_out
    notes += [_slope(slope) for slope in result.slopes if slope.level == "overall"]
    first = shown[0]
    notes.append(f"{first.name}: {first.items:,} items, {first.clusters:,} prompts")
    return tables, [*notes, *result.footer, "sections and costs are in --json"]


def write_scaling(to: Path, result: Scaling) -> list[Path]:
    """The files of the table that `to` asks for; of LaTeX, which stands in a paper, what a terminal shows."""
    rows, name = result.rows, Column("", lambda row: row.name, left=True)
    groups = _groups(rows, result.about.get("currency"))
    columns = [*_who(rows), name, *(column for group in groups for column in group)]
    shown = [row for row in rows if row.level == "overall"]
    few = [*_who(shown), *(column for group in groups for column in group if column.title != "how")]
    paper = Block(result.title, few, shown, lambda row: row.run)
    return write_grid(to, result, [*columns, *_costs(rows)], paper=paper)


def _who(rows: Sequence[CurveRow]) -> list[Column]:
    columns = [
        Column("vote", lambda row: row.vote, left=True),
        Column("k", lambda row: str(row.k)),
    ]
    if len({row.run for row in rows}) > 1:
        columns.insert(0, Column("run", lambda row: row.run, left=True))
    return columns


def _groups(rows: Sequence[CurveRow], currency: str | None) -> list[list[Column]]:
    """Columns that stand together: a number with its limits, what it took."""
    value = Column(metric_title(rows), lambda row: percent(row.value))
    groups = [[value, Column("95 %", lambda row: interval(row.low, row.high))]]
    groups.append(_difference("vs k=1", "gain"))
    if not all(math.isnan(row.tied) for row in rows):
        groups.append([Column("tied %", lambda row: percent(row.tied))])
    cost = [Column("how", lambda row: row.subsets, left=True)]
    if not all(math.isnan(row.tokens) for row in rows):
        cost.insert(0, Column("tokens", lambda row: count(row.tokens)))
    if not all(math.isnan(row.price) for row in rows):
        cost.insert(-1, Column(f"{currency}/1k", lambda row: _few(row.price)))
    groups.append(cost)
    if len({row.run for row in rows}) > 1:
        groups.append(_difference("vs first", "over_first"))
    if not all(math.isnan(row.over_greedy) for row in rows):
        groups.append(_difference("vs greedy", "over_greedy"))
    return groups


def _difference(title: str, name: str) -> list[Column]:
    """A difference, a field of the row, and its limits."""

    def limits(row: CurveRow) -> str:
        return signed_interval(getattr(row, f"{name}_low"), getattr(row, f"{name}_high"))

    return [Column(title, lambda row: signed(getattr(row, name))), Column("95 %", limits)]


def _costs(rows: Sequence[CurveRow]) -> list[Column]:
    """What files say besides."""
    columns = [Column("items", lambda row: f"{row.items:,}")]
    if not all(math.isnan(row.prompt_tokens) for row in rows):
        columns.append(Column("prompt tokens", lambda row: count(row.prompt_tokens)))
    if not all(math.isnan(row.seconds) for row in rows):
        columns.append(Column("seconds", lambda row: _few(row.seconds)))
    return columns


def _few(value: float) -> str:
    """A number in three digits, or whole."""
    return "-" if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _slope(slope: Slope) -> str:
    limits = signed_interval(slope.low, slope.high)
    return f"{slope.run}, {slope.vote}: {signed(slope.value)} points a doubling of k ({limits})"
