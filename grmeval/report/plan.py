"""What a run would take, a row a benchmark; of a run that is there, plan and fact side by side."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.report.cells import count
from grmeval.report.columns import Column, fitting
from grmeval.report.grid import rich_table, write_grid
from grmeval.score import Compared, Measure, Planned, PlanRow

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["plan_tables", "write_plan"]


def plan_tables(
    result: Planned | Compared, width: int | None = None
) -> tuple[list["Table"], list[str]]:
    """The table, and in words how its numbers were come by."""
    columns, left_out = fitting(_columns(result), result.rows, width)
    table = rich_table(
        result.title,
        columns,
        result.rows,
        width,
        lambda row: getattr(row, "bench", "") == "together",
    )
    return [table], [*left_out, *result.footer]


def write_plan(to: Path, result: Planned | Compared) -> list[Path]:
    """The files of the table that `to` asks for."""
    return write_grid(to, result, _columns(result))


def _columns(result: Planned | Compared) -> list[Column]:
    return _of_plan(result) if isinstance(result, Planned) else _of_both(result.rows)


def _of_plan(result: Planned) -> list[Column]:
    rows: Sequence[PlanRow] = result.rows
    found = [
        Column("benchmark", lambda row: row.bench, left=True),
        Column("k", lambda row: str(row.k), spare=3),
        Column("items", lambda row: count(row.items), spare=1),
        Column("samples", lambda row: count(row.samples)),
        Column("prompts", lambda row: count(row.prompts), spare=2),
        Column("prompt tokens", lambda row: count(row.prompt_tokens)),
        Column("cached %", _cached),
        Column("generated tokens", lambda row: f"{'≤ ' * row.most}{count(row.tokens)}"),
    ]
    if any(not isnan(row.hours) for row in rows):
        found.append(Column("hours", lambda row: _hours(row.hours)))
        if any(row.hours != row.gpu_hours for row in rows):
            found.append(Column("GPU-hours", lambda row: _hours(row.gpu_hours)))
    if currency := result.about["currency"]:
        found.append(Column(currency, lambda row: _money(row.price)))
    return found


def _of_both(rows: Sequence[Measure]) -> list[Column]:
    return [
        Column("", lambda row: row.name, left=True),
        Column("plan", lambda row: _amount(row.name, row.plan)),
        Column("fact", lambda row: _amount(row.name, row.fact)),
        Column("fact ÷ plan", lambda row: "-" if isnan(row.ratio) else f"{row.ratio:.3g}"),
    ]


def _amount(name: str, value: float) -> str:
    if name.startswith("price"):
        return _money(value)
    return _hours(value) if name.endswith("hours") else count(value)


def _cached(row: PlanRow) -> str:
    if isnan(row.cached_tokens) or not row.prompt_tokens:
        return "-"
    return f"{100 * row.cached_tokens / row.prompt_tokens:.1f}"


def _hours(value: float) -> str:
    return "-" if isnan(value) else f"{value:,.2f}" if value >= 1 else f"{value:.3g}"


def _money(value: float) -> str:
    return "-" if isnan(value) else f"{value:,.2f}" if value >= 1 else f"{value:.3g}"
