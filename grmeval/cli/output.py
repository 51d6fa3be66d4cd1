"""Puts a result on standard output and its files into a folder."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from grmeval.score import Accuracy, Scaling

__all__ = ["consoles", "show_accuracy", "show_scaling"]


def consoles() -> "tuple[Console, Console]":
    """(standard output, standard error); a reader that leaves early (`| head`) is no bug: exit 141."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(128 + signal.SIGPIPE)

    return Piped(highlight=False), Console(stderr=True, highlight=False)


def _print(shown: "tuple[Table, list[str]]") -> "Console":
    out, err = consoles()
    table, notes = shown
    out.print(table)
    for note in notes:
        out.print(note, markup=False, soft_wrap=not out.is_terminal)
    return err


def show_accuracy(result: "Accuracy", folder: Path | None, as_json: bool) -> None:
    """Print an accuracy table, and write its files if there is a folder for them."""
    from grmeval.report.tables import accuracy_table, as_json_text, write_accuracy

    paths = write_accuracy(folder, result) if folder else []
    if as_json:
        sys.stdout.write(as_json_text(result))
        return
    err = _print(accuracy_table(result))
    if paths:
        err.print(f"written to {folder}: {', '.join(path.name for path in paths)}", soft_wrap=True)


def show_scaling(result: "Scaling", folder: Path, as_json: bool) -> None:
    """Print a curve's table and write its files and figures."""
    from grmeval.report.plots import write_curve
    from grmeval.report.tables import as_json_text, curve_table, write_scaling

    paths = [*write_scaling(folder, result), *write_curve(folder, result)]
    if as_json:
        sys.stdout.write(as_json_text(result))
        return
    err = _print(curve_table(result))
    for path in paths:
        if path.suffix in (".svg", ".png"):
            err.print(f"figure: {path}", soft_wrap=True)
