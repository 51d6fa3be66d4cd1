"""`grmeval export RUN`: a run's rows for other programs."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run, takes
from grmeval.cli.record import refuse_damage


@app.command()
@takes("subset", "section", bounded=True)
def export(
    *,
    run: Run = LATEST,
    settings: dict[str, Any],
    what: Annotated[
        str,
        typer.Option(
            "--what",
            help="Rows: samples (all that are stored), verdicts (of the run's record) or items.",
        ),
    ] = "samples",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="File: .csv, .jsonl or .parquet. [default: JSON lines to standard output]"
        ),
    ] = None,
    texts: Annotated[
        bool | None,
        typer.Option(
            "--texts/--no-texts",
            help="The judgements' text and thinking. [default: yes, but for restricted benchmarks]",
            show_default=False,
        ),
    ] = None,
    as_stored: Annotated[
        bool,
        typer.Option(
            "--as-stored",
            help="CSV: every text as it is stored; else an apostrophe stands before what a spreadsheet "
            "would run (=, +, -, @).",
        ),
    ] = False,
    results: Results = None,
) -> None:
    """Export samples with their labels, verdicts or items."""
    from grmeval.benches import Filter
    from grmeval.cli.output import taken
    from grmeval.cli.settings import results_folder
    from grmeval.errors import ConfigError
    from grmeval.report.export import export as write
    from grmeval.report.export import json_lines
    from grmeval.score.verdicts import ask, told
    from grmeval.store import RunFolder, damaged

    if as_stored and (to is None or to.suffix != ".csv"):
        raise ConfigError("--as-stored: only CSV is written otherwise; name a file: --to FILE.csv")
    folder = RunFolder(taken(run, results_folder(results)))
    only = Filter.of(settings)
    if texts is None and folder.restricted and what == "samples":
        print("restricted benchmark: texts are left out; --texts writes them", file=sys.stderr)
    texts = not folder.restricted if texts is None else texts
    if to is None:
        sys.stdout.writelines(json_lines(folder, what, texts, only))
    else:
        rows = write(folder, what, to.expanduser(), texts, as_stored, only)
        print(f"{rows:,} rows written to {to}", file=sys.stderr)
    if what == "verdicts":
        print(f"the run's record: {told(ask(folder))}", file=sys.stderr)
    refuse_damage(damaged(folder) if what == "samples" else ())
