"""Grids: rows under columns, for a terminal (rich), a file (CSV, Markdown, LaTeX) or a program (JSON)."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval.files import write_text
from grmeval.formulas import guarded
from grmeval.report.cells import escaped, one_line
from grmeval.report.columns import Column, room_for, width_of
from grmeval.report.formats import places
from grmeval.report.latex import latex_table
from grmeval.report.names import shortened
from grmeval.report.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Block",
    "csv_text",
    "json_object",
    "json_text",
    "latex_text",
    "markdown_table",
    "rich_table",
    "write_grid",
    "write_texts",
]

_UNSEEN = ("verdicts", "damaged", "question", "unrewarded", "usual")
"""Fields of a result that are files of their own, or among the notes."""


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
    rooms = widths if width is None else room_for(columns, rows, width)
    for column, wide in zip(columns, widths, strict=True):
        if column.left:
            table.add_column(column.title, no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(column.title, justify="right", no_wrap=True, min_width=wide)
    for row in rows:
        cells = (
            Text(shortened(one_line(column.cell(row)), room) if column.left else column.cell(row))
            for column, room in zip(columns, rooms, strict=True)
        )
        table.add_row(*cells, style="bold" if bold(row) else "")
    return table


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
        [[one_line(column.cell(row)) for column in columns] for row in rows],
        [one_line(text) for text in about],
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
