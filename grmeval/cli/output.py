"""Puts a result on standard output and its files into a folder."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval.cli.options import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.table import Table

    from grmeval.score import Accuracy, Comparison, Gated, Scaling, Trend

__all__ = [
    "consoles",
    "if_writable",
    "print_accuracy_json",
    "print_json",
    "show_accuracy",
    "show_comparison",
    "show_gate",
    "show_scaling",
    "show_tables",
    "show_trend",
    "taken",
    "told",
]


WIDE = 400
"""Columns of an output that is no terminal."""


def consoles() -> "tuple[Console, Console]":
    """(standard output, standard error); what is printed is text, and makes no terminal act."""
    from rich.console import Console

    from grmeval.report.printable import printable

    class Plain(Console):
        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*(printable(o) if isinstance(o, str) else o for o in objects), **how)

        def on_broken_pipe(self) -> None:
            raise

    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    # A file or a pipe has no width of its own: nothing is cut for it.
    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Plain(width=None if told else WIDE, **plain), Plain(stderr=True, **plain)


def show_tables(shown: "Callable[[int], tuple[list[Table], list[str]]]") -> "Console":
    """Print the tables and notes that `shown` makes for a width; gives standard error's console."""
    out, err = consoles()
    tables, notes = shown(out.width)
    for table in tables:
        out.print(table)
    for note in notes:
        out.print(note, soft_wrap=not out.is_terminal)
    return err


def taken(run: str, results: Path) -> Path:
    """The folder of a RUN argument; one that was not named is told on standard error."""
    from grmeval.store import find_run

    path = find_run(run, results)
    if run == LATEST:
        consoles()[1].print(f"latest run: {path}", soft_wrap=True)
    return path


def told(paths: "Sequence[Path]") -> None:
    """Say on standard error which files were written."""
    _, err = consoles()
    for folder in dict.fromkeys(path.parent for path in paths):
        names = ", ".join(path.name for path in paths if path.parent == folder)
        err.print(f"written to {folder}: {names}", soft_wrap=True)


def if_writable(write: "Callable[[], list[Path]]") -> "list[Path]":
    """Write what nobody asked to be written; of a folder that is read-only say so, and go on."""
    from grmeval.errors import ReadOnlyError

    try:
        return write()
    except ReadOnlyError as error:
        consoles()[1].print(f"read-only, nothing is written there: {error}", soft_wrap=True)
        return []


def _written(
    writers: "Sequence[Callable[[Path, Any], list[Path]]]",
    to: "Sequence[Path]",
    result: Any,
    asked: bool,
) -> "list[Path]":
    """The files of a result in each place; where nobody asked for them, only if that can be written."""

    def write() -> list[Path]:
        return [path for writer in writers for each in to for path in writer(each, result)]

    return write() if asked else if_writable(write)


def print_json(result: Any) -> None:
    """A result as a JSON object: standard output holds nothing else."""
    from grmeval.report.grid import json_object, json_text

    sys.stdout.write(json_text(json_object(result)))


def print_accuracy_json(
    results: "Sequence[Accuracy]", beside: "Sequence[str]" = (), several: bool = False
) -> None:
    """An accuracy table as an object; a list of them where `several` were asked for."""
    from grmeval.report.accuracy import accuracy_json
    from grmeval.report.grid import json_text

    content = [accuracy_json(result, beside) for result in results]
    sys.stdout.write(json_text(content if several else content[0]))


def show_accuracy(
    result: "Accuracy",
    paths: "Sequence[Path]" = (),
    quiet: bool = False,
    beside: "Sequence[str]" = (),
) -> None:
    """Print an accuracy table unless quiet, and which files of it were written.

    `beside`: published rows that stand beside it.
    """
    from grmeval.report.accuracy import accuracy_tables

    if not quiet:
        show_tables(partial(accuracy_tables, result, beside=beside))
        told(paths)


def show_scaling(
    result: "Scaling", to: "Sequence[Path]", quiet: bool = False, asked: bool = False
) -> None:
    """Write a curve's files and figures to each of these places, and print its table unless quiet.

    `asked`: somebody named them.
    """
    from grmeval.report.curve import curve_tables, write_scaling
    from grmeval.report.plots import write_curve

    paths = _written((write_scaling, write_curve), to, result, asked)
    if not quiet:
        show_tables(partial(curve_tables, result))
        told(paths)


def show_comparison(
    result: "Comparison", to: "Sequence[Path]" = (), quiet: bool = False, flips: bool = False
) -> None:
    """Print a comparison unless quiet, and write its files to each of these places."""
    from grmeval.report.compare import compare_tables, write_comparison

    paths = [path for each in to for path in write_comparison(each, result)]
    if not quiet:
        show_tables(partial(compare_tables, result, flips=flips))
        told(paths)


def show_gate(result: "Gated", quiet: bool = False) -> None:
    """Print a gate's verdict unless quiet, and tell GitHub Actions where it runs there."""
    from grmeval.cli.actions import acts, command
    from grmeval.report.gate import annotations, gate_tables, summary_text

    if not quiet:
        show_tables(partial(gate_tables, result))
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(summary_text(result))
        except OSError as error:  # the page is a courtesy: the verdict stands
            consoles()[1].print(f"no summary: {page}: {error.strerror}", soft_wrap=True)
    if acts():
        # The runner reads both streams; standard output may be somebody's JSON.
        command(annotations(result), sys.stderr if quiet else sys.stdout)


def show_trend(
    result: "Trend", to: "Sequence[Path]", quiet: bool = False, asked: bool = False
) -> None:
    """Write a history's files and figures, which somebody `asked` for or not, and print it unless quiet."""
    from grmeval.report.plots import write_trend_figure
    from grmeval.report.trend import trend_tables, write_trend

    paths = _written((write_trend, write_trend_figure), to, result, asked)
    if not quiet:
        show_tables(partial(trend_tables, result))
        told(paths)
