"""A diagnosis -> compact tables for people, CSV, Markdown and JSON for files, and the reliability figure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval.errors import ConfigError
from grmeval.report.cells import escaped
from grmeval.report.columns import Column
from grmeval.report.formats import FIGURE, places
from grmeval.report.grid import (
    csv_text,
    json_object,
    json_text,
    latex_text,
    markdown_table,
    rich_table,
    write_texts,
)
from grmeval.report.plots import STYLES, drawing, entitle, save
from grmeval.score.diagnosis import Diagnosis, Finding, Part

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["diagnosis_json", "diagnosis_tables", "write_diagnosis", "write_diagnosis_to"]

MOST_ROWS = 24
"""Of one table on a screen; the files have all."""
WIDTH = 80
"""Columns of a screen: names are shortened to it, numbers never are."""
BAR = 24
"""Columns of the longest bar of a histogram."""

_FORMATS = {
    "share": (100, ".1f"),
    "points": (100, "+.1f"),
    "error": (100, ".2f"),
    "score": (1, ".2f"),
    "gap": (1, "+.2f"),
    "r": (1, "+.2f"),
    "tokens": (1, ",.0f"),
    "count": (1, ",.0f"),
}
"""Of each unit: what a value is multiplied by, and its format."""

_LEVELS = ("overall", "section", "subset")
_TITLES = {
    "accuracy": "acc %",
    "mean score": "score",
    "judgements": "judged",
    "invalid": "inv %",
    "truncated": "cut %",
    "per 1k": "acc % / 1k",
    "by samples": "by samples %",
}

BLUE, GREY = STYLES[0][0], "#595959"
"""And a grey of the same reading in print."""


class _Grid(NamedTuple):
    """A part's table as text: titles, and lines of cells; the first column is the name."""

    titles: list[str]
    lines: list[list[str]]


def diagnosis_tables(result: Diagnosis) -> list[tuple[str, "Table | None", list[str]]]:
    """For each part its title, its table of at most 80 columns, and the sentences below it."""
    found: list[tuple[str, Table | None, list[str]]] = []
    for part in map(_shown, result.parts):
        grid = _grid(part)
        lines = grid.lines
        notes = [*part.says, *(f"not shown: {why}" for why in part.absent)]
        if len(lines) > MOST_ROWS:
            lines = lines[:MOST_ROWS]
            notes.append(f"left out here, in --json: {len(grid.lines) - MOST_ROWS} rows")
        table = rich_table("", _columns(grid.titles), lines, WIDTH) if lines else None
        found.append((part.title, table, notes))
    return found


def _shown(part: Part) -> Part:
    """Where subsets are many, only sections."""
    if part.name != "output":
        return part
    subsets = {row.name for row in part.findings if row.kind == "subset"}
    left_out = "subset" if len(subsets) > MOST_ROWS else "section"
    kept = tuple(row for row in part.findings if row.kind != left_out)
    says = (*part.says, "subsets are in --json") if left_out == "subset" else part.says
    return replace(part, findings=kept, says=says)


def write_diagnosis(folder: Path, result: Diagnosis) -> list[Path]:
    """diagnose.csv, .md and .json; reliability.svg and .png where a vote could be made."""
    figure = folder / "reliability"
    drawn = _write_figure(figure, result)
    for path in () if drawn else places(figure, FIGURE):  # of an earlier diagnosis
        path.unlink(missing_ok=True)
    return [*_write_tables(folder / "diagnose", result), *drawn]


def write_diagnosis_to(to: Path, result: Diagnosis) -> list[Path]:
    """The files that `to` asks for; ConfigError: it asks for the figure alone, and no vote could be made."""
    paths = [*_write_tables(to, result), *_write_figure(to, result)]
    if not paths:
        raise ConfigError(f"--to {to}: no vote could be made, so there is no figure")
    return paths


def _write_tables(to: Path, result: Diagnosis) -> list[Path]:
    return write_texts(
        to,
        {
            ".csv": lambda: csv_text(_findings(result), result.about),
            ".md": lambda: _markdown(result),
            ".json": lambda: diagnosis_json(result),
            ".tex": lambda: _latex(result),
        },
    )


def _latex(result: Diagnosis) -> str:
    """A table a part, those that have none left out."""
    grids = [(part.title, _grid(part)) for part in result.parts]
    return "\n".join(
        latex_text(_columns(grid.titles), grid.lines, [result.title, title])
        for title, grid in grids
        if grid.lines
    )


def diagnosis_json(result: Diagnosis) -> str:
    """The whole diagnosis as a JSON object; a number that is not there is null."""
    parts = [json_object(part) for part in result.parts]
    for part in parts:
        part["rows"] = part.pop("findings")
        del part["columns"], part["claims"]
    return json_text(json_object(result) | {"parts": parts})


def _findings(result: Diagnosis) -> list[Finding]:
    return [row for part in result.parts for row in part.findings]


# ---------------------------------------------------------------------- tables


def _grid(part: Part) -> _Grid:
    """A measure a column where the part names columns; else a number a line, under its measure's name."""
    if not part.columns:
        rows = [
            [_named(row, row.measure), _value(row), _interval(row), _items(row)]
            for row in part.findings
        ]
        return _Grid(["", "", "95 %", "items"], rows)
    lines: dict[tuple[str, str], dict[str, Finding]] = {}
    for row in part.findings:
        if row.measure in part.columns:
            lines.setdefault((row.kind, row.name), {})[row.measure] = row
    shown = [c for c in part.columns if any(c in cells for cells in lines.values())]
    ranged = {
        measure
        for cells in lines.values()
        for measure, row in cells.items()
        if not isnan(row.low) and part.name != "output"
    }
    titles = [""]
    for measure in shown:
        titles += [_title(measure, lines.values()), *(["95 %"] if measure in ranged else [])]
    found = []
    for cells in lines.values():
        line = [_named(next(iter(cells.values())))]
        for measure in shown:
            cell = cells.get(measure)
            line.append(_value(cell, bare=True) if cell else "")
            line += [_interval(cell) if cell else ""] if measure in ranged else []
        found.append(line)
    if part.name == "scores":
        return _with_bars(titles, found, [cells["share"].value for cells in lines.values()])
    return _Grid(titles, found)


def _columns(titles: Sequence[str]) -> list[Column]:
    """Columns of lines of text; the first is the name, a bar has no title."""

    def column(at: int, title: str) -> Column:
        bar = title == "bar"
        return Column("" if bar else title, lambda line: str(line[at]), left=bar or at == 0)

    return [column(at, title) for at, title in enumerate(titles)]


def _with_bars(titles: list[str], lines: list[list[str]], shares: list[float]) -> _Grid:
    """A histogram's lines with a bar each."""
    most = max(shares, default=1.0)
    bars = ["#" * round(BAR * share / most) for share in shares]
    return _Grid([*titles, "bar"], [[*line, bar] for line, bar in zip(lines, bars, strict=True)])


def _title(measure: str, lines: Iterable[dict[str, Finding]]) -> str:
    units = {cells[measure].unit for cells in lines if measure in cells}
    return _TITLES.get(measure, f"{measure} %" if "share" in units else measure)


def _named(row: Finding, measure: str = "") -> str:
    kind = "" if row.kind in _LEVELS else row.kind
    return ", ".join(filter(None, (kind, measure, row.name)))


def _value(row: Finding, bare: bool = False) -> str:
    scale, kind = _FORMATS[row.unit]
    text = _text(row.value, scale, kind)
    return f"{text} %" if row.unit == "share" and not bare else text


def _interval(row: Finding) -> str:
    if isnan(row.low):
        return ""
    scale, kind = _FORMATS[row.unit]
    between = "-" if row.unit in ("share", "score") else " to "
    low, high = (_text(limit, scale, kind.lstrip("+")) for limit in (row.low, row.high))
    return f"{low}{between}{high}"


def _text(value: float, scale: int, kind: str) -> str:
    text = f"{scale * value:{kind}}"
    # What rounds to 0 has no sign of its own.
    return text if float(text.replace(",", "")) else f"{0:{kind}}"


def _items(row: Finding) -> str:
    return f"{row.items:,}" if row.items else ""


def _markdown(result: Diagnosis) -> str:
    summary = ["", *(f"- {escaped(line.strip())}" for line in result.summary)]
    return "\n".join(
        [f"# {escaped(result.title)}", *summary, *_sections(result.parts), ""]
    ) + "".join(f"- {escaped(note)}\n" for note in result.footer)


def _sections(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        yield f"\n## {escaped(part.title)}\n"
        grid = _grid(part)
        if grid.lines:
            yield from markdown_table(_columns(grid.titles), grid.lines)
            yield ""
        yield from (f"- {escaped(said)}" for said in part.says)
        yield from (f"- not shown: {escaped(why)}" for why in part.absent)


# ---------------------------------------------------------------------- the figure


def _write_figure(to: Path, result: Diagnosis) -> list[Path]:
    """How often a vote is right over how many of its samples agree, with how many votes there are."""
    part = next(part for part in result.parts if part.name == "calibration")
    named: dict[str, dict[str, Finding]] = {}
    for row in part.findings:
        named.setdefault(row.name, {})[row.measure] = row
    bins = [cells for name, cells in named.items() if name != "all"]
    if not bins or not places(to, FIGURE):
        return []
    with drawing(5.6, 5.6, (4, 1)) as (figure, (upper, lower)):
        _draw_bins(upper, bins)
        edges = [float(cells["agree"].name.split("-")[0]) for cells in bins]
        counts = [cells["votes"].value for cells in bins]
        lower.bar(edges, counts, width=10, align="edge", color=GREY, edgecolor="white")
        lower.set_ylabel("votes")
        lower.set_xlabel("samples that agree with the vote (%)")
        lower.set_xlim(min(*edges, 50) - 2, 102)
        voted = f"{result.about['vote']} of {result.about['k']}"
        entitle(upper, f"{result.title}, {voted}")
        return save(figure, to)


def _draw_bins(axes: Any, bins: Sequence[dict[str, Finding]]) -> None:
    """A band a bin, its votes' mean as a point, and the line of a judge that is as right as it is sure."""
    for number, cells in enumerate(bins):
        left = float(cells["agree"].name.split("-")[0])
        right = cells["right"]
        axes.fill_between(
            [left, left + 10],
            100 * right.low,
            100 * right.high,
            color=BLUE,
            alpha=0.2,
            linewidth=0,
            label=None if number else "95 % interval of a bin",
        )
    axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", label="as right as it is sure")
    sure = [100 * cells["agree"].value for cells in bins]
    share = [100 * cells["right"].value for cells in bins]
    axes.plot(sure, share, color=BLUE, marker="o", markersize=5, label="votes of this run")
    axes.set_ylim(-2, 102)
    axes.set_ylabel("votes that are right (%)")
    axes.legend(frameon=False, loc="best")
