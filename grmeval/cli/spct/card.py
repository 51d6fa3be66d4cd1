"""`grmeval spct card OUT`: write a training's card and figure anew, with accuracy tables of runs."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.cli.options import Results
from grmeval.cli.spct import spct


@spct.command()
def card(
    *,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a training.")],
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run",
            help="Run whose accuracy table stands in the card, of the trained model or of its base; "
            "repeatable.",
            metavar="RUN",
        ),
    ] = None,
    results: Results = None,
) -> None:
    """Write a training's card and figure anew.

    grmeval spct card trained --run 3f2a --run 91c0

    OUT/README.md and OUT/metrics.svg; of a training that is still at work, what there is of it.
    """
    from grmeval.cli.output import told
    from grmeval.cli.settings import looked_at
    from grmeval.report.training import Judged, write_card
    from grmeval.score import score
    from grmeval.train.folder import TrainingFolder
    from grmeval.train.model import whose_model

    folder = TrainingFolder(out)
    judged = [
        Judged(whose_model(folder, each.record["identity"]["model"]), score(each))
        for each in looked_at(run or [], results, {})
    ]
    told(write_card(folder, judged))
