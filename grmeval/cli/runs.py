"""`grmeval runs`: what is there."""

import sys
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import Results


@app.command()
def runs(
    bench: Annotated[
        str | None, typer.Option("--bench", help="Only runs of this benchmark, or group.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Only runs whose model's name holds this.")
    ] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="Only runs of this judge.")] = None,
    finished: Annotated[
        bool | None,
        typer.Option(
            "--finished/--unfinished",
            help="Only runs with every sample that was asked for, or only the others. [default: both]",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Only runs written since a day (2026-11-30), or in the last 12h or 7d."
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option("--sort", help="By written, name, bench, model, judge, accuracy or samples."),
    ] = "written",
    results: Results = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the runs, the one asked for last first."""
    from grmeval.cli.output import consoles
    from grmeval.cli.settings import results_folder
    from grmeval.report.run_choice import Wanted, chosen
    from grmeval.report.run_list import overview, overview_json, overview_table

    wanted = Wanted.read(bench, model, judge, finished, since, sort)
    everything = overview(results_folder(results))
    found = chosen(everything, wanted)
    if as_json:
        sys.stdout.writelines([overview_json(found)])
        return
    out, err = consoles()
    table, notes = overview_table(found, out.width)
    if found.runs:
        out.print(table)
    else:
        err.print(f"none of the {len(everything.runs):,} runs fits")
    for note in notes:
        out.print(note, markup=False, soft_wrap=True)
