"""`grmeval diagnose RUN`: what is wrong with a judge, from its stored samples; no model is needed."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, AsJson, Results, Run, option, written_to


@app.command()
def diagnose(
    run: Run = LATEST,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Samples of a vote. [default: those last asked]"),
    ] = None,
    limit: Annotated[int | None, option("limit", bounded=True)] = None,
    vote: Annotated[
        str | None,
        option("vote", default="sum; majority of a panel of unlike scales", many=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every table below the summary.")
    ] = False,
    to: Annotated[
        Path | None,
        written_to(figure=True, default="diagnose.*, reliability.* in the run's folder"),
    ] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Diagnose a judge: biases, agreement, calibration, cost.

    Prints what is wrong, how sure that is and what to do, given all that was looked at. From stored samples;
    writes diagnose.* and reliability.* into the run's folder.
    """
    from grmeval.cli.output import consoles, told
    from grmeval.cli.settings import results_folder
    from grmeval.report.diagnose import (
        diagnosis_json,
        diagnosis_tables,
        write_diagnosis,
        write_diagnosis_to,
    )
    from grmeval.score.diagnosis import diagnose as look
    from grmeval.store import RunFolder, find_run

    folder = RunFolder(find_run(run, results_folder(results)))
    result = look(folder, k=k, limit=limit, vote=vote)
    paths = write_diagnosis_to(to, result) if to else write_diagnosis(folder.path, result)
    if as_json:
        sys.stdout.write(diagnosis_json(result))
        return
    out, _ = consoles()
    wide = not out.is_terminal
    for line in (result.title, *result.summary):
        out.print(line, soft_wrap=wide)
    if everything:
        for title, table, notes in diagnosis_tables(result):
            out.print(f"\n{title}")
            if table:
                out.print(table)
            for note in notes:
                out.print(note, soft_wrap=wide)
        out.print()
        for note in result.footer:
            out.print(note, soft_wrap=wide)
    told(paths)
