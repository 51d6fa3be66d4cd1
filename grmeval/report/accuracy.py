"""The accuracy table of `run` and `score`, with published rows beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.files import write_with
from grmeval.parquet import write_parquet
from grmeval.report.cells import escaped, interval, metric_title, percent
from grmeval.report.columns import Column, fitting, width_of
from grmeval.report.grid import json_object, markdown_table, rich_table, write_grid
from grmeval.report.names import SHORTEST_NAME
from grmeval.report.published import Published, published_for
from grmeval.score import Accuracy, Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "accuracy_json",
    "accuracy_markdown",
    "accuracy_tables",
    "write_accuracy",
    "write_accuracy_table",
]

MOST_ROWS = 40
_INDENTS = {"overall": "", "section": " ", "subset": "  "}


def accuracy_tables(
    result: Accuracy, width: int | None = None, beside: Sequence[str] = ()
) -> tuple[list["Table"], list[str]]:
    """A table a vote, and the footer, of `run` and `score`; where subsets are many, only sections.

    `width` is the terminal's: names are shortened to it, numbers never are. `beside` are published rows.
    """
    printed = published_for(result.run["identity"]["bench"], beside) if beside else {}
    shown = list(result.rows)
    hidden: list[str] = []
    if len([row for row in shown if row.level in _INDENTS]) > MOST_ROWS:
        hidden = [row.name for row in shown if row.level == "subset"]
        shown = [row for row in shown if row.level != "subset" and _of_part(row) not in hidden]
    notes = list(result.footer)
    if hidden:
        notes.append(f"{len(hidden)} subsets are in --json")
    votes = list(dict.fromkeys(row.vote for row in result.rows))
    tables = []
    for vote in votes:
        mine = [row for row in shown if row.vote == vote]
        title = result.title  # which names a vote that is not the judge's first
        title += f" · vote {vote}" if len(votes) > 1 else ""
        main = [row for row in mine if row.level in _INDENTS]
        columns, left_out = fitting(_accuracy_columns(main), main, width)
        notes = [*left_out, *(note for note in notes if note not in left_out)]
        tables += _side_by_side(title, columns, _beside(printed), main, width)
        for level, heading in (
            ("view", "views, each formed as the overall is"),
            ("figure", "further figures"),
        ):
            if more := [row for row in mine if row.level == level]:
                columns = _accuracy_columns(more)[:4]
                tables += _side_by_side(heading, columns, _beside(printed), more, width)
    notes += _beside_notes(printed)
    return tables, notes


def _of_part(row: Row) -> str:
    """The section or subset that a figure is of."""
    return row.name.rpartition(": ")[0] if row.level == "figure" else ""


def _side_by_side(
    title: str, own: list[Column], printed: list[Column], rows: list[Row], width: int | None
) -> list["Table"]:
    """One table, or where it does not fit two of the same rows."""
    wide = sum(width_of(column, rows) + 2 for column in [*own, *printed] if not column.left)
    if not printed or width is None or wide + SHORTEST_NAME <= width:
        return [rich_table(title, [*own, *printed], rows, width, _is_overall)]
    return [
        rich_table(title, own, rows, width, _is_overall),
        rich_table("beside", [*own[:2], *printed], rows, width, _is_overall),
    ]


def _beside(printed: Mapping[str, Mapping[str, Published]]) -> list[Column]:
    """A column for each published row; the notes say which is which."""

    def column(number: int, cells: Mapping[str, Published]) -> Column:
        def cell(row: Row) -> str:
            found = cells.get("overall" if row.level == "overall" else row.name)
            if found is None or row.level not in ("overall", "section", "view"):
                return ""
            return f"{'*' if found.flag else ''}{found.value:.1f}"

        return Column(f"[{number}]", cell)

    return [column(number, cells) for number, cells in enumerate(printed.values(), start=1)]


def _beside_notes(printed: Mapping[str, Mapping[str, Published]]) -> list[str]:
    notes = []
    for number, (name, cells) in enumerate(printed.items(), start=1):
        tables = ", ".join(dict.fromkeys(f"table {cell.table}" for cell in cells.values()))
        where = (
            tables
            or f"nothing of it for this benchmark: `grmeval published --row {name.split()[0]}`"
        )
        notes.append(f"[{number}] {name}, as printed ({where})")
        flags = dict.fromkeys(cell.flag for cell in cells.values() if cell.flag)
        notes += [f"[{number}] * {flag}" for flag in flags]
    return notes


def write_accuracy_table(to: Path, result: Accuracy) -> list[Path]:
    """The files of the table that `to` asks for."""
    return write_grid(to, result, _accuracy_columns(result.rows))


def accuracy_markdown(result: Accuracy) -> list[str]:
    """The lines of the table and of its footer, to stand in another page."""
    table = markdown_table(_accuracy_columns(result.rows), result.rows)
    return [*table, "", *(f"- {escaped(note)}" for note in result.footer)]


def write_accuracy(folder: Path, result: Accuracy) -> list[Path]:
    """accuracy.csv, .md, .json and verdicts.parquet."""
    paths = write_accuracy_table(folder / "accuracy", result)
    if result.verdicts is None:
        return paths
    verdicts = write_with(
        folder / "verdicts.parquet",
        lambda path: write_parquet(path, result.verdicts),
    )
    return [*paths, verdicts]


def _accuracy_columns(rows: Sequence[Row]) -> list[Column]:
    columns = [
        Column("", lambda row: _indented(row.level, row.name), left=True),
        Column(metric_title(rows), lambda row: percent(row.value)),
        Column("95 %", lambda row: interval(row.low, row.high)),
        Column("items", lambda row: _of(row.items, row.expected)),
        Column("tied", lambda row: f"{round(row.tied, 1):g}", spare=1),
        Column("inv %", lambda row: _share(row.invalid, row.samples)),
        Column("cut %", lambda row: _share(row.reasons.get("truncated", 0), row.samples), spare=2),
    ]
    if any(row.reasons.get("prompt_too_long") for row in rows):
        long = "prompt_too_long"
        columns.append(Column("long %", lambda row: _share(row.reasons.get(long, 0), row.samples)))
    if any(row.missing for row in rows):
        columns.append(Column("missing", lambda row: str(row.missing)))
    if any(row.auc is not None for row in rows):
        columns.append(Column("AUC", lambda row: "" if row.auc is None else f"{row.auc:.2f}"))
    if len({row.vote for row in rows}) > 1:
        columns.insert(1, Column("vote", lambda row: row.vote, left=True))
    return columns


def accuracy_json(result: Accuracy, beside: Sequence[str] = ()) -> dict[str, Any]:
    """The result as JSON values, with the published rows that stand beside it."""
    found = published_for(result.run["identity"]["bench"], beside) if beside else {}
    printed = {
        name: {at: cell._asdict() for at, cell in cells.items()} for name, cells in found.items()
    }
    return ({"beside": printed} if beside else {}) | json_object(result)


def _is_overall(row: Row) -> bool:
    return row.level == "overall"


def _indented(level: str, name: str) -> str:
    return _INDENTS.get(level, " ") + name


def _share(part: int, whole: int) -> str:
    return "-" if not whole else "0" if not part else f"{100 * part / whole:.1f}"


def _of(items: int, expected: int) -> str:
    return f"{items:,}" if items == expected or not expected else f"{items:,}/{expected:,}"
