"""A suite's tables: the paper's rows and columns, what was printed, what was made here."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from math import isnan, nan
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.benches import expand, groups
from grmeval.errors import ConfigError, nearest
from grmeval.report.cells import count, escaped, interval, percent, signed
from grmeval.report.columns import Column
from grmeval.report.grid import csv_text, json_text, latex_text, markdown_table, write_texts
from grmeval.report.published import Number, index, select
from grmeval.report.published_check import base_row, printed_differences
from grmeval.report.suite_dry_run import lacking_lines
from grmeval.runs.suite import Job, Suite, SuiteRun
from grmeval.score import Row
from grmeval.score.suite import Made

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Cell", "cells_of", "needed", "suite_json", "suite_tables", "write_suite"]


@dataclass(frozen=True)
class Cell:
    """One number of a printed table and what stands beside it: ours in [0, 1], or NaN and what it lacks.

    `whole`: no section, benchmark, item or judgement of it is missing; `items` of `expected` were judged.
    `tokens` (generated, an item) and `price` (of 1,000 items) are of the whole row.
    """

    table: str
    row: str
    column: str
    printed: str
    flag: str
    value: float
    low: float
    high: float
    items: int
    expected: int
    whole: bool
    bench: str
    run: str
    model: str | None
    vote: str
    k: int
    k_meta: int | None
    tokens: float
    price: float
    lacks: str | None


def cells_of(suite: Suite, made: Mapping[tuple[str, str], Made]) -> list[Cell]:
    """Every number of the suite's tables that its runs can make; `made` is by (table, printed row)."""
    found: list[Cell] = []
    for table in suite.tables:
        printed = select(table.table)[0].numbers
        rows = {row.row: made[table.table, row.row] for row in table.rows}
        for name, one in rows.items():
            run = suite.runs[one.row.run]
            places = {n: _place(run, n.column) for n in printed if n.row == name}
            known = {number: place for number, place in places.items() if place}
            benches = {bench for bench, _ in known.values()}
            found += [_cell(number, one, place, rows, benches) for number, place in known.items()]
    return found


def needed(suite: Suite) -> Suite:
    """The suite with the runs that its tables take, and of these the benchmarks whose numbers they print.

    ConfigError for a table or a row that is not printed.
    """
    wanted: dict[str, dict[str, None]] = {}
    printed = [each.table for each in select()]
    for table in suite.tables:
        if table.table not in printed:
            raise ConfigError(
                f"{suite.title}: table {table.table!r}: {nearest(table.table, printed)}"
            )
        columns = {
            row: set[str]() for row in (number.row for number in select(table.table)[0].numbers)
        }
        for number in select(table.table)[0].numbers:
            columns[number.row].add(number.column)
        for row in table.rows:
            if row.row not in columns:
                known = nearest(row.row, list(columns))
                raise ConfigError(f"{suite.title}: table {table.table}: row {row.row!r}: {known}")
            places = (_place(suite.runs[row.run], column) for column in columns[row.row])
            wanted.setdefault(row.run, {}).update(dict.fromkeys(p[0] for p in places if p))
    for name, benches in list(wanted.items()):
        if read := suite.runs[name].critiques:
            wanted.setdefault(read, {}).update(benches)
    runs = {
        name: run.model_copy(update={"bench": _only(run.bench, wanted[name])})
        for name, run in suite.runs.items()
        if name in wanted
    }
    return suite.model_copy(update={"runs": runs})


def _only(asked: Sequence[str], wanted: Collection[str]) -> tuple[str, ...]:
    """A group whose own number is wanted whole, of another the members that are."""
    found: list[str] = []
    for name in asked:
        found += [name] if name in wanted else [each for each in expand([name]) if each in wanted]
    return tuple(dict.fromkeys(found))


def _effort(made: Made, benches: Collection[str]) -> tuple[float, float]:
    """(generated tokens an item, price of 1,000 items) over some of its benchmarks."""
    costs = [cost for bench, cost in made.costs.items() if bench in benches]
    items = [cost.items for cost in costs]
    return (
        _mean([cost.tokens_per_item for cost in costs], items),
        _mean([cost.price for cost in costs], items),
    )


def _mean(each: Sequence[float | None], items: Sequence[int]) -> float:
    """Weighted by items; NaN where one is not known."""
    known = [one for one in each if one is not None]
    if not known or len(known) < len(each):
        return nan
    return sum(one * count for one, count in zip(known, items, strict=True)) / sum(items)


def _place(run: SuiteRun, column: str) -> tuple[str, str] | None:
    """(benchmark or group, "overall" or a section) whose number a printed column holds; None: no run's."""
    said = printed_differences().get(column)
    for bench in (*expand(run.bench), *run.bench):
        for ours, called in index()["benches"].get(bench, {}).items():
            if called == (said.of if said else column):
                return bench, ours
    return None


def _cell(
    number: Number,
    made: Made,
    place: tuple[str, str],
    rows: Mapping[str, Made],
    benches: Collection[str],
) -> Cell:
    """`benches`: those whose numbers are in the row; what it took is theirs."""
    bench, ours = place
    row = _found(made, place)
    value, low, high = (row.value, row.low, row.high) if row else (nan, nan, nan)
    if said := printed_differences().get(number.column):
        other = rows.get(base_row(number.row, said))
        base = _found(other, place) if other else None
        value, low, high = (row.value - base.value if row and base else nan), nan, nan
    tokens, price = _effort(made, benches)
    without = made.lacks.get(bench) or "; ".join(dict.fromkeys(made.lacks.values()))
    return Cell(
        table=number.table,
        row=number.row,
        column=number.column,
        printed=number.value,
        flag=number.flag,
        value=value,
        low=low,
        high=high,
        items=row.items if row else 0,
        expected=row.expected if row else 0,
        whole=row is not None and row.name in ("overall", ours) and row.items >= row.expected,
        bench=bench,
        run=made.row.run,
        model=made.model,
        vote=made.row.vote,
        k=made.k,
        k_meta=made.k_meta,
        tokens=tokens,
        price=price,
        lacks=without if isnan(value) and without else None,
    )


def _found(made: Made, place: tuple[str, str]) -> Row | None:
    bench, ours = place
    return made.rows.get(bench, {}).get(ours)


def suite_tables(
    suite: Suite,
    jobs: Iterable[Job],
    made: Mapping[tuple[str, str], Made],
    cells: Sequence[Cell],
) -> tuple[list["Table"], list[str]]:
    """A table for each of the paper's: lines of a row are printed, ours, our limits; and the notes."""
    tables = [
        _table(table.table, [cell for cell in cells if cell.table == table.table])
        for table in suite.tables
    ]
    return tables, [*_notes(suite, jobs, made, cells)]


def _table(name: str, cells: Sequence[Cell]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [c for c in index()["columns"] if any(cell.column == c for cell in cells)]
    title = f"Table {name}: {select(name)[0].title}"
    shown = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    shown.padding = (0, 1, 0, 0)
    shown.show_lines = False
    shown.add_column("", overflow="fold", max_width=20)
    shown.add_column("")
    for column in columns:
        shown.add_column(column.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in dict.fromkeys(cell.row for cell in cells):
        mine = {cell.column: cell for cell in cells if cell.row == row}
        lines = [_lines(mine.get(column)) for column in columns]
        shown.add_row(Text(row), "\n".join(_took(next(iter(mine.values())))), *lines)
        shown.add_section()
    return shown


def _took(cell: Cell) -> list[str]:
    """What a row took: samples, samples that the meta RM keeps, generated tokens an item, price."""
    lines = ["printed", f"k={cell.k}" + (f", {cell.k_meta}" if cell.k_meta else "")]
    lines += [] if isnan(cell.tokens) else [f"{count(cell.tokens)} tok"]
    return lines if isnan(cell.price) else [*lines, f"{cell.price:.2f}"]


def _lines(cell: Cell | None) -> str:
    """What was printed, ours, our limits."""
    if cell is None:
        return ""
    printed = f"{'*' * bool(cell.flag)}{cell.printed}"
    if isnan(cell.value):
        return f"{printed}\n{'-' if cell.lacks is None else _short(cell.lacks)}"
    if cell.column in printed_differences():
        return f"{printed}\n{signed(cell.value)}"
    part = "" if cell.whole else "~"
    return f"{printed}\n{part}{percent(cell.value)}\n{interval(cell.low, cell.high)}"


def _short(lacks: str) -> str:
    return next((word for word in ("no rows", "no model", "not run") if word in lacks), "failed")


def _notes(
    suite: Suite,
    jobs: Iterable[Job],
    made: Mapping[tuple[str, str], Made],
    cells: Sequence[Cell],
) -> Iterator[str]:
    """What every number stands on, and why some are not there."""
    source = select(suite.tables[0].table)[0].source
    yield (
        f"printed: {source}; below it ours with 95 % limits: k (, k_meta) samples, so many generated tokens "
        "an item, and with --prices the price of 1,000 items"
    )
    if any(not cell.whole and not isnan(cell.value) for cell in cells):
        yield (
            "~ before ours: of a part of the items (or sections, or benchmarks): another number than the "
            "printed one"
        )
    for bench, columns in index()["benches"].items():
        whole = [c for c in cells if c.bench == bench and c.column == columns.get("overall")]
        counts = {(cell.items, cell.expected) for cell in whole if cell.items}
        few, most = min(counts, default=(0, 0)), max(counts, default=(0, 0))
        if few[0] < most[1] and bench not in groups():
            begin = "" if few == most else f"{few[0]:,} to "
            yield f"{bench}: {begin}{most[0]:,} of {most[1]:,} items"
    models = {one.row.run: one.model for one in made.values() if one.model}
    for model in dict.fromkeys(models.values()):
        runs = [run for run, name in models.items() if name == model]
        yield f"model {model}: {', '.join(runs)}"
    for line in lacking_lines(jobs):
        yield f"without a number: {line}"
    if any(cell.flag for cell in cells):
        yield "* before a printed number: in doubt (`grmeval published --table N`)"


def write_suite(to: Path, suite: Suite, cells: Sequence[Cell], notes: Sequence[str]) -> list[Path]:
    """The files of the tables that `to` asks for."""
    tables = [[cell for cell in cells if cell.table == table.table] for table in suite.tables]
    tables = [table for table in tables if table]

    def markdown() -> str:
        lines = [f"# {escaped(suite.title)}", "", *(line for t in tables for line in _markdown(t))]
        return "\n".join([*lines, *(f"- {escaped(note)}" for note in notes), ""])

    return write_texts(
        to,
        {
            ".csv": lambda: csv_text(cells, {}),
            ".json": lambda: json_text(suite_json(suite, cells, notes)),
            ".md": markdown,
            ".tex": lambda: "\n".join(_latex(table, notes) for table in tables),
        },
    )


def _markdown(cells: Sequence[Cell]) -> list[str]:
    return [f"## {_title(cells)}", "", *markdown_table(*_grid(cells)), ""]


def _latex(cells: Sequence[Cell], notes: Sequence[str]) -> str:
    return latex_text(*_grid(cells), [_title(cells), *notes])


def _title(cells: Sequence[Cell]) -> str:
    name = cells[0].table
    return f"Table {name}: {select(name)[0].title}"


def _grid(cells: Sequence[Cell]) -> tuple[list[Column], list[list[str]]]:
    """One table's columns, and its lines: of each row printed, ours, our limits."""
    titles = [c for c in index()["columns"] if any(cell.column == c for cell in cells)]
    lines = []
    for row in dict.fromkeys(cell.row for cell in cells):
        mine = {cell.column: _lines(cell).split("\n") for cell in cells if cell.row == row}
        took = _took(next(cell for cell in cells if cell.row == row))
        parts = [[row], took, *(mine.get(title, []) for title in titles)]
        lines += [list(line) for line in zip_longest(*parts, fillvalue="")]
    columns = [
        Column(title, itemgetter(at), left=at < 2) for at, title in enumerate(["row", "", *titles])
    ]
    return columns, lines


def suite_json(suite: Suite, cells: Sequence[Cell], notes: Sequence[str]) -> dict[str, Any]:
    """The cells and notes; what is not there is null."""
    rows = [
        {k: None if isinstance(v, float) and isnan(v) else v for k, v in asdict(cell).items()}
        for cell in cells
    ]
    return {"title": suite.title, "protocol": suite.protocol, "cells": rows, "notes": list(notes)}
