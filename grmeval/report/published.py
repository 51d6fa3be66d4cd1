"""The numbers that papers print: their tables, and what of a table stands beside a run's own numbers."""

import csv
import json
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval import resources
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Number",
    "PaperTable",
    "Published",
    "flag_lines",
    "index",
    "number_table",
    "paper_tables",
    "published_for",
    "published_json",
    "select",
    "table_list",
]

SHOWN = 8
"""Names that a message lists."""


class Number(NamedTuple):
    """One number, as printed; `flag` says why it is in doubt, and is empty where it is not."""

    table: str
    setting: str
    row: str
    column: str
    value: str
    flag: str


class PaperTable(NamedTuple):
    """A printed table, row by row."""

    table: str
    title: str
    source: str
    numbers: tuple[Number, ...]


class Published(NamedTuple):
    """A printed number (in percent, where it is a score), its table, and its flag."""

    value: float
    table: str
    flag: str


@cache
def index() -> dict[str, Any]:
    """What the files of numbers hold: index.toml."""
    return read_toml(resources.published() / "index.toml")


@cache
def paper_tables() -> tuple[PaperTable, ...]:
    """Every table, in the order of print."""
    found = []
    for source in index()["sources"]:
        path = resources.published() / source["file"]
        with path.open(encoding="utf-8", newline="") as file:
            numbers = [Number(**line) for line in csv.DictReader(file)]
        for table, title in source["tables"].items():
            mine = tuple(number for number in numbers if number.table == table)
            found.append(PaperTable(table, title, source["source"], mine))
    return tuple(found)


def select(table: str | None = None, row: str | None = None) -> Sequence[PaperTable]:
    """The tables, or the one, and of them the rows whose names hold every word of `row`.

    ConfigError where there is no such table or row.
    """
    found = paper_tables()
    if table is not None:
        names = [each.table for each in found]
        if table not in names:
            raise ConfigError(f"--table {table!r}: {nearest(table, names)}")
        found = (found[names.index(table)],)
    if row is None:
        return found
    words = row.casefold().split()
    kept = []
    for each in found:
        mine = tuple(n for n in each.numbers if all(word in n.row.casefold() for word in words))
        kept += [each._replace(numbers=mine)] if mine else []
    if not kept:
        raise _no_row("--row", row, found)
    return kept


def published_for(bench: str, names: Sequence[str]) -> dict[str, dict[str, Published]]:
    """Published row -> "overall" or a section of `bench` -> the number printed of it.

    Quoted from the most detailed table that prints it. A row of which nothing is printed for this
    benchmark is there, and empty. ConfigError names the rows near a name that is none.
    """
    columns = index()["benches"].get(bench, {})
    found = {}
    for numbers in map(_numbers_of, names):
        printed = _by_column(numbers)
        found[numbers[0].row] = {
            ours: printed[column] for ours, column in columns.items() if column in printed
        }
    return found


def _numbers_of(name: str) -> list[Number]:
    wanted = " ".join(name.split()).casefold()
    tables = paper_tables()
    found = [n for table in tables for n in table.numbers if n.row.casefold() == wanted]
    if not found:
        raise _no_row("--beside", name, tables)
    return found


def _by_column(numbers: list[Number]) -> dict[str, Published]:
    order = index()["detail"]
    found: dict[str, Published] = {}
    for number in sorted(numbers, key=lambda n: order.index(n.table)):
        found.setdefault(number.column, Published(float(number.value), number.table, number.flag))
    return found


def _no_row(flag: str, name: str, tables: Sequence[PaperTable]) -> ConfigError:
    rows = {number.row.casefold(): number.row for table in tables for number in table.numbers}
    words = name.casefold().split()
    close = [low for low in rows if words and all(word in low for word in words)]
    close = close or get_close_matches(" ".join(words), rows, n=SHOWN, cutoff=0.5)
    near = "; near it: " + ", ".join(repr(rows[low]) for low in close[:SHOWN]) if close else ""
    return ConfigError(
        f"{flag} {name!r}: no published row{near}; `grmeval published --table 2` lists names, "
        "`--row TEXT` finds them"
    )


def published_json(tables: Sequence[PaperTable]) -> str:
    """The numbers as JSON."""
    lines = [
        {"source": table.source} | number._asdict() | {"value": float(number.value)}
        for table in tables
        for number in table.numbers
    ]
    return json.dumps(lines, indent=1) + "\n"


def _called(table: str) -> str:
    return f"Table {table}" if table.isdigit() else table


def table_list(tables: Sequence[PaperTable]) -> "Table":
    """What tables there are, for 80 columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("table", no_wrap=True)
    shown.add_column("numbers", justify="right", no_wrap=True)
    shown.add_column("what", overflow="fold")
    for source, mine in groupby(tables, lambda table: table.source):
        shown.add_section()
        shown.add_row("", "", Text(source, style="bold"))
        for table in mine:
            shown.add_row(*map(Text, (table.table, str(len(table.numbers)), table.title)))
    return shown


def number_table(table: PaperTable) -> "Table":
    """Rows by columns, as printed, for 80 columns; a number with a flag has an asterisk."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [c for c in index()["columns"] if any(n.column == c for n in table.numbers)]
    shown = Table(
        title=Text(f"{_called(table.table)}: {table.title} ({table.source})"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("", overflow="fold")
    for column in columns:
        shown.add_column(column.replace(" ", "\n"), justify="right", no_wrap=True)
    for setting, block in groupby(table.numbers, lambda number: number.setting):
        shown.add_section()
        if setting:
            shown.add_row(Text(setting, style="bold"))
        for row, numbers in groupby(block, lambda number: number.row):
            cells = {n.column: "*" * bool(n.flag) + n.value for n in numbers}
            shown.add_row(Text(row), *(cells.get(column, "") for column in columns))
    return shown


def flag_lines(table: PaperTable) -> list[str]:
    """A line a flag: the columns and rows it is about, and what is in doubt."""
    lines = []
    for flag in dict.fromkeys(number.flag for number in table.numbers if number.flag):
        flagged = [number for number in table.numbers if number.flag == flag]
        columns = ", ".join(dict.fromkeys(number.column for number in flagged))
        rows = ", ".join(dict.fromkeys(number.row for number in flagged))
        lines.append(f"* {columns} of {rows}: {flag}")
    return lines
