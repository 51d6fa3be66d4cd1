"""`grmeval runs`: what is there."""

import sys
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import Results


@app.command()
def runs(
    results: Results = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the runs, the one asked for last first."""
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import results_folder
    from grmeval.report.run_list import overview, overview_json, overview_table

    found = overview(results_folder(results))
    if as_json:
        sys.stdout.writelines([overview_json(found)])
        return
    out, _ = consoles()
    table, notes = overview_table(found)
    if found.runs:
        out.print(table)
    for note in notes:
        out.print(note, markup=False, soft_wrap=True)
