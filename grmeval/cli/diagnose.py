"""`grmeval diagnose RUN`: what is wrong with a judge, from its stored samples; no model is needed."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grmeval.cli import app
from grmeval.cli.options import LATEST, AsJson, Results, Run, option, takes, written_to
from grmeval.cli.record import Save, looked, one_place, refuse_part, say


@app.command()
@takes("subset", "section", bounded=True)
def diagnose(
    *,
    run: Run = LATEST,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Samples of a vote. [default: the record's]"),
    ] = None,
    settings: dict[str, Any],
    limit: Annotated[int | None, option("limit", bounded=True)] = None,
    vote: Annotated[
        str | None,
        option(
            "vote",
            default="the record's, where it is of scores, else sum; majority of a panel of unlike scales",
            many=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every table below the summary.")
    ] = False,
    to: Annotated[
        list[Path] | None,
        written_to(figure=True, default="diagnose.*, reliability.* in the run's folder"),
    ] = None,
    save: Save = False,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Diagnose a judge: biases, agreement, calibration, cost.

    Prints what is wrong, how sure that is and what to do, given all that was looked at. From stored samples;
    writes diagnose.* and reliability.* into the run's folder where it is of the run's record, or with --save.
    """
    from grmeval.cli.output import consoles, if_writable, told
    from grmeval.cli.settings import looked_at
    from grmeval.report.diagnose import (
        diagnosis_json,
        diagnosis_tables,
        write_diagnosis,
        write_diagnosis_to,
    )
    from grmeval.score.diagnosis import diagnose as look

    one_place(to, save)
    (folder,) = looked_at([run], results, settings)
    refuse_part(not folder.whole, save)
    result = look(folder, k=k, limit=limit, vote=vote)
    stays = None
    if to:
        paths = [path for place in to for path in write_diagnosis_to(place, result)]
    else:
        lacking = f"nothing is written: {result.short:,} items lack samples of this k"
        stays = lacking if result.short else looked(folder, result.usual, save)
        paths = [] if stays else if_writable(lambda: write_diagnosis(folder.path, result))
    if as_json:
        sys.stdout.write(diagnosis_json(result))
        say(stays)
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
    say(stays)
