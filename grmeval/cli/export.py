"""`grmeval export RUN`: a run's rows for other programs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, Results, Run


@app.command()
def export(
    run: Run = LATEST,
    what: Annotated[
        str, typer.Option("--what", help="Rows: samples, verdicts (last saved) or items.")
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
    results: Results = None,
) -> None:
    """Export samples with their labels, verdicts or items."""
    from grmeval.cli.output import taken
    from grmeval.cli.settings import results_folder
    from grmeval.errors import StoreError
    from grmeval.report.export import export as write
    from grmeval.report.export import json_lines
    from grmeval.store import RunFolder, damaged

    folder = RunFolder(taken(run, results_folder(results)))
    if texts is None and folder.restricted and what == "samples":
        print("restricted benchmark: texts are left out; --texts writes them", file=sys.stderr)
    texts = not folder.restricted if texts is None else texts
    if to is None:
        sys.stdout.writelines(json_lines(folder, what, texts))
    else:
        rows = write(folder, what, to.expanduser(), texts)
        print(f"{rows:,} rows written to {to}", file=sys.stderr)
    if what == "samples" and (lost := damaged(folder)):
        raise StoreError(f"{'; '.join(lost)}; the command that wrote them asks for what is missing")
