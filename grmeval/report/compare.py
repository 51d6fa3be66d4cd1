"""The tables of `compare`: each run less the first, means over seeds, and the items that flipped."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grmeval.files import write_text
from grmeval.report.cells import metric_title, p_value, percent, signed, signed_interval
from grmeval.report.columns import Column, fitting
from grmeval.report.formats import places
from grmeval.report.grid import csv_text, rich_table, write_grid
from grmeval.report.seeds import seeds_block, seeds_tables
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
    powers, hidden = list[str](), 0
    tables, notes = seeds_tables(result.seeds, result.title, width)
    for run, vote in dict.fromkeys((row.run, row.vote) for row in result.rows):
        rows = [row for row in result.rows if (row.run, row.vote) == (run, vote)]
        shown = rows if len(rows) <= MOST_ROWS else [row for row in rows if row.level != "subset"]
        hidden = len(rows) - len(shown)
        title = f"{result.title} · {run} less the first, vote {vote}"
        columns, left_out = fitting(_columns(shown), shown, width)
        tables.append(rich_table(title, columns, shown, width, lambda row: row.level == "overall"))
        notes += [note for note in left_out if note not in notes]
        if not math.isnan(rows[0].detectable):
            powers.append(f"{run}, {vote}: {_power(rows[0].detectable)}")
        mine = [flip for flip in result.flips if (flip.run, flip.vote) == (run, vote)]
        if flips and mine:
            title = f"flipped in {run}, vote {vote}, lost ones first"
            tables.append(rich_table(title, _flip_columns(mine), mine, width))
    notes += [*powers, *result.footer]
    if hidden:
        notes.append(f"{hidden} subsets are in the files of --to and in --json")
    if result.flips and not flips:
        notes.append(
            "which items were won and lost: --flips; `grmeval show RUN --item ID` shows one"
        )
    return tables, notes


def _power(detectable: float) -> str:
    if detectable > 1:
        return "too few items to find any difference in four of five comparisons (5 %, two-sided)"
    return (
        f"a difference of {percent(detectable)} points would be found in four of five comparisons "
        "(5 %, two-sided)"
    )


def write_comparison(to: Path, result: Comparison) -> list[Path]:
    """The files of the table that `to` asks for; means over seeds are in each, for a .csv in a second one."""
    more = Column("detects", lambda row: percent(row.detectable))
    seeds = [seeds_block(result.seeds)] if result.seeds else []
    paths = write_grid(to, result, [*_columns(result.rows), more], seeds)
    if result.seeds:
        text = csv_text(result.seeds, result.about)
        paths += [
            write_text(path.with_name(f"{path.stem}-seeds.csv"), text)
            for path in places(to, (".csv",))
        ]
    return paths


def _columns(rows: Sequence[Gap]) -> list[Column]:
    columns = [
        Column("", lambda row: _INDENTS.get(row.level, " ") + row.name, left=True),
        Column("first", lambda row: percent(row.first), spare=1),
        Column(metric_title(rows), lambda row: percent(row.value)),
        Column("diff", lambda row: signed(row.difference)),
        Column("95 %", lambda row: signed_interval(row.low, row.high)),
        Column("p", lambda row: p_value(row.p)),
        Column("won:lost", lambda row: f"{row.won}:{row.lost}"),
        Column("items", lambda row: f"{row.items:,}", spare=2),
    ]
    if any(not math.isnan(row.q) for row in rows):
        columns.insert(6, Column("q", lambda row: p_value(row.q)))
    if len({row.run for row in rows}) > 1:
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
