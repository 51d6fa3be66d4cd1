"""Grids: rows under columns, for a terminal (rich), a file (CSV, Markdown) or a program (JSON)."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval.files import write_text
from grmeval.formulas import guarded
from grmeval.report.formats import places
from grmeval.report.latex import latex_table
from grmeval.report.names import least_room, shortened
from grmeval.report.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Block",
    "Column",
    "count",
    "csv_text",
    "escaped",
    "fits",
    "fitting",
    "interval",
    "json_object",
    "json_text",
    "latex_text",
    "markdown_table",
    "metric_title",
    "p_value",
    "percent",
    "rich_table",
    "signed",
    "signed_interval",
    "width_of",
    "write_grid",
    "write_texts",
]

_UNSEEN = ("verdicts", "damaged", "question", "unrewarded", "usual")
"""Fields of a result that are files of their own, or among the notes."""
_STUMP = 8
"""Characters of a name where there is no room for more."""


class Column(NamedTuple):
    """A column: its title, a row's cell, and whether it holds names, which may be shortened.

    `spare`: where a table is too wide, the columns with the highest number go first; 0: never.
    """

    title: str
    cell: Callable[[Any], str]
    left: bool = False
    spare: int = 0


class Block(NamedTuple):
    """A further table of a file."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    part: Callable[[Any], object] = lambda row: None
    """What a row belongs to: LaTeX rules one part off from the next."""


def rich_table(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Any],
    width: int | None,
    bold: Callable[[Any], bool] = lambda row: False,
) -> "Table":
    """A table for a terminal `width` wide: names are shortened to it, numbers never are."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    named = Text(printable(title)) if title else None
    table = Table(title=named, title_justify="left", box=box.SIMPLE_HEAD)
    table.pad_edge, table.collapse_padding = False, True
    widths = [width_of(column, rows) for column in columns]
    rooms = widths if width is None else _rooms(columns, rows, width)
    for column, wide in zip(columns, widths, strict=True):
        if column.left:
            table.add_column(column.title, no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(column.title, justify="right", no_wrap=True, min_width=wide)
    for row in rows:
        cells = (
            Text(shortened(_one_line(column.cell(row)), room) if column.left else column.cell(row))
            for column, room in zip(columns, rooms, strict=True)
        )
        table.add_row(*cells, style="bold" if bold(row) else "")
    return table


def _rooms(columns: Sequence[Column], rows: Sequence[Any], width: int) -> list[int]:
    """Characters for each column: names get as many as there are, no less than tell them apart.

    Where even that is too much they get less, since a number is never cut.
    """
    widths = [width_of(column, rows) for column in columns]
    found = widths
    for least in ([_least(column, rows) for column in columns], _fewest(columns, rows)):
        for most in range(max(widths, default=0), 0, -1):
            found = [
                max(few, min(wide, most)) if column.left else wide
                for column, wide, few in zip(columns, widths, least, strict=True)
            ]
            if sum(found) + _gaps(columns) <= width:
                return found
    return found


def _fewest(columns: Sequence[Column], rows: Sequence[Any]) -> list[int]:
    """Characters without which nothing is left of a column."""
    return [
        min(wide, max(len(column.title), _STUMP)) if column.left else wide
        for column, wide in zip(columns, (width_of(each, rows) for each in columns), strict=True)
    ]


def _gaps(columns: Sequence[Column]) -> int:
    return 2 * len(columns)


def width_of(column: Column, rows: Sequence[Any]) -> int:
    """Characters that a column takes."""
    return max([len(column.title), *map(len, _texts(column, rows))])


def _texts(column: Column, rows: Sequence[Any]) -> list[str]:
    return [_one_line(column.cell(row)) for row in rows]


def _least(column: Column, rows: Sequence[Any]) -> int:
    """Characters that a column needs: of numbers all, of names those that tell them apart."""
    if not column.left:
        return width_of(column, rows)
    return max(len(column.title), least_room(_texts(column, rows)))


def fits(columns: Sequence[Column], rows: Sequence[Any], width: int | None) -> bool:
    """Whether a table has room for its numbers and for what tells its names apart."""
    if width is None:
        return True
    return sum(_least(column, rows) for column in columns) + _gaps(columns) <= width


def fitting(
    columns: Sequence[Column], rows: Sequence[Any], width: int | None
) -> tuple[list[Column], list[str]]:
    """(the columns that there is room for, a note that says which were left out, if any).

    Spare ones go first, then, where numbers would be cut however short the names are, those on the right.
    """
    found, gone = list(columns), list[str]()
    for spare in sorted({column.spare for column in columns} - {0}, reverse=True):
        if not fits(found, rows, width):
            gone += [column.title for column in found if column.spare == spare]
            found = [column for column in found if column.spare != spare]
    while width and sum(_fewest(found, rows)) + _gaps(found) > width:
        numbers = [at for at, column in enumerate(found) if not column.left]
        if len(numbers) < 2:
            break
        gone.append(found.pop(numbers[-1]).title)
    if not gone:
        return found, []
    return found, [f"left out at {width} columns: {', '.join(gone)} (COLUMNS=160 shows them)"]


def write_grid(
    to: Path,
    result: Any,
    columns: Sequence[Column],
    more: Sequence[Block] = (),
    paper: Block | None = None,
) -> list[Path]:
    """The files that `to` asks for, of a result that has title, rows, footer and about.

    `more` tables stand below the first in Markdown and in LaTeX; `paper` is LaTeX's own first.
    """
    title, rows, notes = result.title, result.rows, result.footer

    def markdown() -> str:
        lines = [f"# {escaped(title)}", "", *markdown_table(columns, rows), ""]
        for block in more:
            table = markdown_table(block.columns, block.rows)
            lines += [f"## {escaped(block.title)}", "", *table, ""]
        return "\n".join([*lines, *(f"- {escaped(note)}" for note in notes), ""])

    def latex() -> str:
        first = paper or Block(title, columns, rows)
        blocks = (latex_text(b.columns, b.rows, [b.title], b.part) for b in more)
        about = [first.title, *notes]
        return "\n".join([latex_text(first.columns, first.rows, about, first.part), *blocks])

    return write_texts(
        to,
        {
            ".csv": lambda: csv_text(rows, result.about),
            ".md": markdown,
            ".json": lambda: json_text(json_object(result)),
            ".tex": latex,
        },
    )


def write_texts(to: Path, texts: Mapping[str, Callable[[], str]]) -> list[Path]:
    """Of texts by ending those that `to` asks for."""
    return [write_text(path, texts[path.suffix]()) for path in places(to, tuple(texts))]


def latex_text(
    columns: Sequence[Column],
    rows: Sequence[Any],
    about: Sequence[str],
    part: Callable[[Any], object] = lambda row: None,
) -> str:
    """The table in LaTeX, with comments about it and a rule where another `part` of the rows begins."""
    parts = [part(row) for row in rows]
    return latex_table(
        [column.title for column in columns],
        [column.left for column in columns],
        [[_one_line(column.cell(row)) for column in columns] for row in rows],
        [_one_line(text) for text in about],
        [at for at in range(1, len(parts)) if parts[at] != parts[at - 1]],
    )


def csv_text(rows: Sequence[Any], about: Mapping[str, Any]) -> str:
    """A column a field; numbers that are not there are empty cells, never NaN; no cell is a formula."""
    text = io.StringIO()
    if rows:
        flat = [_flat(_plain(asdict(row) | dict(about), "")) for row in rows]
        flat = [{name: guarded(cell) for name, cell in row.items()} for row in flat]
        writer = csv.DictWriter(text, fieldnames=list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    return text.getvalue()


def markdown_table(columns: Sequence[Column], rows: Sequence[Any]) -> list[str]:
    """The lines of a table; no text of a data set forges a row or runs in a page."""
    lines = [
        "| " + " | ".join(escaped(column.title) for column in columns) + " |",
        "|" + "|".join(":--" if column.left else "--:" for column in columns) + "|",
    ]
    for row in rows:
        cells = (escaped(column.cell(row)) for column in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def json_object(result: Any) -> dict[str, Any]:
    """A result's fields as JSON values; the footer is called notes; what is not there is null."""
    found = {}
    for each in fields(result):
        if each.name not in _UNSEEN:
            value = getattr(result, each.name)
            name = "notes" if each.name == "footer" else each.name
            found[name] = [_value(v) for v in value] if isinstance(value, tuple) else _value(value)
    return found


def json_text(content: Any) -> str:
    """JSON with no NaN in it."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _value(each) for name, each in value.items()}
    return _plain(asdict(value), None) if hasattr(value, "__dataclass_fields__") else value


def _plain(row: Mapping[str, Any], absent: Any) -> dict[str, Any]:
    return {
        k: absent if v is None or (isinstance(v, float) and math.isnan(v)) else v
        for k, v in row.items()
    }


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A count by name becomes a column a name."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= (
            {f"{name}.{k}": v for k, v in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return flat


def _one_line(text: str) -> str:
    """A cell of ours or a data set's: no terminal acts on it, and it forges no row."""
    return printable(text).replace("\n", "\\n")


_MARKS = re.compile(r"[\\`*_\[\]~|#$]|^(?=[-+] )|^\d+(?=[.)] )")
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)


def escaped(text: str) -> str:
    """The same for Markdown: what a page shows is the text itself, no link, image, formula, list or HTML."""
    plain = html.escape(_one_line(text).strip(), quote=False)
    plain = _MARKS.sub(lambda mark: f"{mark[0]}\\" if mark[0].isdigit() else f"\\{mark[0]}", plain)
    return _ADDRESS.sub(lambda sign: f"&#{ord(sign[0])};", plain)


def metric_title(rows: Sequence[Any]) -> str:
    """The head of a column of values, by the benchmark's metric; a figure's name says what it is."""
    metrics = {row.metric for row in rows if row.level != "figure" and row.items}
    if metrics <= {"accuracy", "ties-score"}:
        return "%" if rows and rows[0].level == "figure" else "acc %"
    return {"roc-auc": "AUC %", "best-of-k-area": "area %"}.get(min(metrics), "%")


def count(value: float) -> str:
    """A number of things, such as tokens."""
    return "-" if math.isnan(value) else f"{value:,.0f}"


def percent(value: float) -> str:
    """A share in percent."""
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference in points."""
    return "-" if math.isnan(value) else f"{round(100 * value, 1) + 0.0:+.1f}"


def p_value(value: float) -> str:
    """The odds of a test."""
    return "-" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """Limits of a share."""
    return "-" if math.isnan(low) else f"{100 * low:.1f}-{100 * high:.1f}"


def signed_interval(low: float, high: float) -> str:
    """Limits of a difference."""
    return "-" if math.isnan(low) else f"{signed(low)}, {signed(high)}"
