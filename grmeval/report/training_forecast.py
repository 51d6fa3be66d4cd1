"""What a training would take, as a table: memory by its parts, time by what is known."""

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING

from grmeval.report.columns import Column
from grmeval.report.grid import rich_table
from grmeval.train.forecast import Forecast

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["forecast_tables"]

_GIB = 2**30


def forecast_tables(
    result: Forecast, title: str, width: int | None = None
) -> tuple[list["Table"], list[str]]:
    """A table of names and amounts, and in words how they were come by."""
    columns = [
        Column("the training", lambda row: row[0], left=True),
        Column("amount", lambda row: row[1]),
    ]
    table = rich_table(f"dry run: {title}", columns, list(_rows(result)), width)
    notes = [
        "memory: one copy of the model and one micro-batch of the longest rows; the activations are an "
        "estimate, without attention scores and what libraries take",
        *result.notes,
    ]
    if result.gpu:
        notes.append(
            "GPU hours: at the peak of its matrix units, which nothing reaches; a third of it is usual"
        )
    if result.measured:
        notes.append(f"measured: a micro-batch after one to warm up, on {result.measured.where}")
    return [table], notes


def _rows(result: Forecast) -> Iterator[tuple[str, str]]:
    yield "rows", f"{result.rows:,}"
    if result.too_long:
        yield "rows too long, left out", f"{result.too_long:,}"
    yield "tokens of the longest row", f"{result.longest:,}"
    yield "optimizer steps", f"{result.steps:,}"
    yield "tokens of all steps", f"{result.tokens:,}"
    yield "parameters", f"{result.parameters:,}"
    yield "of them trained", f"{result.trained:,}"
    parts = result.parts
    for name, size in (
        ("weights", parts.weights),
        ("gradients", parts.gradients),
        ("optimizer states", parts.optimizer),
        ("activations", parts.activations),
        ("memory together", parts.total),
    ):
        yield f"{name}, GiB", "-" if isnan(size) else f"{size / _GIB:,.2f}"
    if result.measured:
        here = result.measured
        yield "measured: tokens/s", f"{here.tokens_per_second:,.0f}"
        yield "measured: memory at most, GiB", f"{here.peak / _GIB:,.2f}"
        yield "hours here", _hours(result.tokens / here.tokens_per_second)
    if result.gpu:
        seconds = result.gpu_seconds
        yield (
            f"{result.gpu}: at least, GPU-hours",
            "-" if seconds is None else _hours(seconds),
        )
        fits = "-" if result.fits is None else f"{result.fits:,}"
        yield "GPUs that hold it, shared out (ZeRO-3)", fits


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.2f}" if hours >= 1 else f"{hours:.2g}"
