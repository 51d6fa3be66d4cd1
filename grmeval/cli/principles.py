"""`grmeval principles RUN --to FILE`: a run's criteria, for a judge that is given some."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run


@app.command()
def principles(
    *,
    run: Run = LATEST,
    to: Annotated[Path, typer.Option("--to", help="File of JSON lines: subset, id, principles.")],
    right: Annotated[
        bool,
        typer.Option(
            "--right",
            help="Of the first sample that ranks a labelled best response strictly first. Uses the "
            "labels: a run with such principles is no fair measure on the same items.",
        ),
    ] = False,
    results: Results = None,
) -> None:
    """Write each item's principles to a file.

    They are those of its first readable sample, for
    `grmeval run --judge pointwise-principles --principles FILE`.
    """
    from grmeval.cli.output import taken
    from grmeval.cli.settings import results_folder
    from grmeval.runs.derived import extract_principles
    from grmeval.store import RunFolder

    folder = RunFolder(taken(run, results_folder(results)))
    found = extract_principles(folder, to.expanduser(), right=right)
    chosen = "; chosen by the labels (--right)" if right else ""
    print(
        f"principles of {found.written:,} of {found.items:,} items written to {to}{chosen}",
        file=sys.stderr,
    )
